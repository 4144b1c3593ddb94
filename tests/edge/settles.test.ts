/**
 * Settles, for a gateway: each of its answers on every end of a provider's body, left by its caller in every way. All of them with
 * SETTLES=all, else a part, by a seed that is printed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import { withFailingMemory } from "../settles/failing-memory.ts";
import { gateways } from "../settles/gateway.ts";
import { casesOf, nameOf, run } from "../settles/run.ts";
import { chosen, seed } from "../settles/seed.ts";
import { trapOnDemand } from "../settles/traps.ts";
import { watch } from "../settles/watch.ts";

trapOnDemand(() => new WebAssembly.Module(withFailingMemory()));

/** The ends of which the gateway once went wrong: here all of their cases. */
const KNOWN = /\| (late headers, deaf|open, a refusal) \|/;

test("every_answer_of_a_gateway_settles_on_every_end_however_its_caller_leaves", async (t) => {
  t.mock.method(console, "error", () => {});
  t.mock.method(console, "warn", () => {});
  const names = new Set(chosen("chatwire/edge", gateways));
  const cases = casesOf((one) => names.has(nameOf(one)) || KNOWN.test(nameOf(one)), gateways);
  t.diagnostic(`${cases.length} of ${casesOf(undefined, gateways).length} cases, SEED=${seed}`);
  const unhandled: string[] = [];
  const note = (error: unknown) => unhandled.push(String(error));
  process.on("unhandledRejection", note);
  const watching = watch(cases.map(nameOf));
  const wrong = await run(chatwire, cases, { told: watching.at, table: gateways, seed });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await watching.end();
  process.off("unhandledRejection", note);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});
