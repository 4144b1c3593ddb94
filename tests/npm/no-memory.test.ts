/**
 * An engine without memory: whichever allocation of a short stream fails, the call ends by name, lets go of everything, and the next
 * call finds an engine that works. So it is for each consumer of the table of Settles, of which one case in forty is run here, by a
 * seed that is printed, and all by `npm run settles`.
 *
 * The module is the published one, but for its allocator: a global counts down to the allocation that fails.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import { type ChatStream, type Chatwire, ChatwireError, init } from "chatwire";
import * as agUI from "chatwire/ag-ui";
import * as aiSDK from "chatwire/ai-sdk";
import * as openai from "chatwire/openai";
import { Stream } from "chatwire/openai/streaming";
import * as otel from "chatwire/otel";
import { consumers as tabled } from "../settles/consumers.ts";
import { type End, ends } from "../settles/ends.ts";
import { withFailingMemory } from "../settles/failing-memory.ts";
import { loaded, products } from "../settles/products.ts";
import { hashOf, trouble } from "../settles/run.ts";
import { clientOf, collect, DONE, hello, says, serve } from "./serving.ts";

/** Of each instance: the allocations until one fails, and whether all fail from there on. */
const left: WebAssembly.Global[] = [];
const stays: WebAssembly.Global[] = [];

const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    super(module, imports);
    left.push(this.exports.left as WebAssembly.Global);
    stays.push(this.exports.stays as WebAssembly.Global);
    // Instances that are gone are let go of.
    if (left.length > 2) left[left.length - 3] = stays[stays.length - 3] = left.at(-1) as WebAssembly.Global;
  }
};
await init(new WebAssembly.Module(withFailingMemory()));
Object.assign(loaded, { openai, Stream, aiSDK, agUI, otel });

const consumers: Record<string, (stream: ChatStream) => Promise<unknown>> = {
  text: (stream) => collect(stream.textStream),
  chunks: (stream) => collect(stream),
  events: (stream) => collect(stream.events),
  final: (stream) => stream.finalMessage(),
};
const call = { index: 0, id: "t", type: "function", function: { name: "f", arguments: '{"a":1}' } };
const stream = [
  says("Hel"),
  says("lo"),
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [call], x: [1] } }] })}\n\n`,
  says("!", "stop"),
  DONE,
];

test("whichever_allocation_fails_the_call_ends_by_name_and_the_next_is_answered", async (t) => {
  let failures = 0;
  for (const [name, read] of Object.entries(consumers)) {
    for (const stay of name === "text" ? [0, 1] : [0]) {
      for (let allocation = 0; ; allocation++) {
        const what = `${name}, allocation ${allocation}${stay ? " and all after it" : ""}`;
        const instances = left.length;
        const served = serve(stream);
        (stays.at(-1) as WebAssembly.Global).value = stay;
        (left.at(-1) as WebAssembly.Global).value = allocation;
        let client: Chatwire;
        try {
          client = clientOf(served, { limits: { concurrent: 1 } });
        } catch (thrown) {
          assert.ok(thrown instanceof ChatwireError && /engine failed/.test(thrown.message), `${what}: ${thrown}`);
          failures++;
          continue;
        }
        const asked = client.chat.completions.stream(hello);
        const error = await read(asked).then(
          () => undefined,
          (thrown) => thrown,
        );
        const outcome = await asked.outcome();
        // The next call is of the fresh instance, or of the one that had enough.
        const isOver = left.length === instances;
        (left[instances - 1] as WebAssembly.Global).value = -1;
        if (isOver && !error) {
          assert.equal(outcome.text, "Hello!", what);
          assert.equal(outcome.status, "complete", what);
          break;
        }
        failures++;
        if (error) {
          assert.ok(error instanceof ChatwireError && /engine failed/.test(error.message), `${what}: ${error}`);
          assert.equal(outcome.status, "error", what);
          assert.ok("Hello!".startsWith(outcome.text), `${what}: ${outcome.text}`);
        } else assert.equal(outcome.text, "Hello!", what);
        served.response = serve([says("again", "stop"), DONE]).response;
        assert.equal(await client.chat.completions.stream(hello).finalContent(), "again", what);
      }
    }
  }
  t.diagnostic(`${failures} allocations failed`);
  assert.ok(failures > 100);
});

/** The answers in which each consumer meets allocations that fail: one in so many of some hundreds, from a first one by chance. */
const answers = ["call", "a document", "refused", "models"];

const { SETTLES, SEED } = process.env;
const isAll = SETTLES === "all";
/** `npm test` meets the same cases each time. */
const seed = Number(SEED ?? (isAll ? Math.floor(Math.random() * 1e9) : 1));
const STEP = isAll ? 8 : 24;

test("whichever_allocation_fails_each_consumer_of_the_table_settles_by_name", async (t) => {
  const unhandled: string[] = [];
  const note = (error: unknown) => unhandled.push(String(error));
  process.on("unhandledRejection", note);
  const wrong: string[] = [];
  let cases = 0;
  const table = { ...tabled, ...products };
  for (const [consumer, { ways }] of Object.entries(table)) {
    for (const end of answers) {
      for (const way of ["whole", "signal"] as const) {
        const name = `${consumer} | ${end} | ${way}`;
        const isEach = name === "ai-sdk, doGenerate | refused | whole"; // where the address of an error is the last to be made
        if (!ways.includes(way) || (!isAll && !isEach && hashOf(name, seed) % 40 !== 0)) continue;
        const step = isEach ? 1 : STEP;
        for (let allocation = hashOf(name, seed ^ 7) % step, isOver = false; !isOver; allocation += step) {
          const instances = left.length;
          const counter = left.at(-1) as WebAssembly.Global;
          counter.value = allocation;
          const settled = () => {
            // One that is still to come was not reached; else it failed, and was survived or has brought a fresh instance.
            isOver = left.length === instances && counter.value >= 0;
            counter.value = -1;
          };
          const case_ = { consumer, end, way };
          const found = await trouble(chatwire, case_, ends[end] as End, { settled }).catch((thrown) => {
            settled();
            // Of a client that could not be made.
            const isNamed = thrown instanceof ChatwireError && /engine failed/.test(thrown.message);
            return isNamed ? [] : [`throws ${thrown}`];
          });
          cases++;
          for (const one of found) wrong.push(`${name}, allocation ${allocation}: ${one}`);
        }
      }
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.off("unhandledRejection", note);
  t.diagnostic(`${cases} cases, SEED=${seed}`);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});
