/**
 * A host whose calls fail: each call that the package makes of `fetch`, response, headers, body and reader fails once, by throwing
 * and by rejecting, for each consumer, those of the products included. Each case settles by name, with the slot given back and the
 * body let go of. One case in sixteen here, by a seed that is printed; `npm run settles` runs all.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import * as agUI from "chatwire/ag-ui";
import * as aiSDK from "chatwire/ai-sdk";
import * as openai from "chatwire/openai";
import { Stream } from "chatwire/openai/streaming";
import * as otel from "chatwire/otel";
import { randomFrom } from "../edge/setting.ts";
import { consumers } from "../settles/consumers.ts";
import { failEachCall } from "../settles/host-calls.ts";
import { loaded, products } from "../settles/products.ts";

Object.assign(loaded, { openai, Stream, aiSDK, agUI, otel });

const { SETTLES, SEED } = process.env;
const seed = Number(SEED ?? Math.floor(Math.random() * 1e9));
const random = randomFrom(seed);

test("whichever_call_of_the_host_fails_each_consumer_settles_by_name", async (t) => {
  const unhandled: string[] = [];
  const note = (error: unknown) => unhandled.push(String(error));
  process.on("unhandledRejection", note);
  // There the caller makes the host's calls, not the package.
  const { "a body through EventStreamDecoderStream": _, ...own } = consumers;
  const isChosen = () => SETTLES === "all" || random(16) === 0;
  const { wrong, cases, failed } = await failEachCall(chatwire, { ...own, ...products }, isChosen);
  process.off("unhandledRejection", note);
  t.diagnostic(`${cases} cases, SEED=${seed}, ${failed.join(", ")}`);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});
