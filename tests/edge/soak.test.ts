/** The quick part of `npm run soak`: some seconds of mixed calls with faults, and the records that they leave. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { soak } from "../soak/run.ts";

test("calls_with_faults_on_both_sides_of_the_gateway_settle_and_the_books_have_the_ledgers_tokens", async (t) => {
  const seed = Date.now() % 1e6;
  t.diagnostic(`seed ${seed}`);
  const { calls, exact, tokens, ledger } = await soak(0.08, { seed });
  assert.ok(calls > 0 && exact > 0);
  assert.equal(tokens, ledger);
});
