/** The quick part of `npm run accounting`. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { account, MODES, RUNTIMES } from "./accounting-run.ts";

const REQUESTS = 120;

describe("accounting is exact", { timeout: 300_000 }, () => {
  for (const runtime of RUNTIMES) {
    for (const mode of MODES) {
      it(`on ${runtime}, ${mode}`, async () => {
        const { requests, tokens, ledger } = await account(runtime, mode, REQUESTS);
        assert.ok(requests > REQUESTS / 2);
        assert.equal(tokens, ledger);
      });
    }
  }
});
