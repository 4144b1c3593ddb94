/**
 * A provider's `fetch` whose calls fail: each call that a gateway makes of it, its response, headers, body and reader fails once, by
 * throwing and by rejecting, for each answer of a gateway. Each caller is answered, the provider's body let go of, and the next request
 * answered. One case in sixteen here, by a seed that is printed; `npm run settles` runs all.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import { gateways } from "../settles/gateway.ts";
import { failEachCall } from "../settles/host-calls.ts";
import { randomFrom } from "./setting.ts";

const { SETTLES, SEED } = process.env;
const seed = Number(SEED ?? Math.floor(Math.random() * 1e9));
const random = randomFrom(seed);

test("whichever_call_of_a_providers_fetch_fails_a_gateway_answers_and_lets_go_of_the_body", async (t) => {
  t.mock.method(console, "error", () => {});
  t.mock.method(console, "warn", () => {});
  const unhandled: string[] = [];
  const note = (error: unknown) => unhandled.push(String(error));
  process.on("unhandledRejection", note);
  const isChosen = () => SETTLES === "all" || random(16) === 0;
  const { wrong, cases, failed } = await failEachCall(chatwire, gateways, isChosen);
  process.off("unhandledRejection", note);
  t.diagnostic(`${cases} cases, SEED=${seed}, ${failed.join(", ")}`);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});
