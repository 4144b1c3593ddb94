/**
 * A trap of the engine: the call ends by name with what had arrived, lets go of everything, and the next call finds an engine.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChatStream, Chatwire, ChatwireError, EventStreamDecoder } from "chatwire";
import { END, OUTCOME, PUSH, SET_OUTPUT, STEP } from "../../npm/engine/boundary.ts";
import { clientOf, collect, DONE, failureOf, hello, says, serve } from "./serving.ts";

/** Which operations trap, and how often they still do. */
const traps = new Map<number, number>();
let instances = 0;

const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    super(module, imports);
    instances++;
    const { exports } = this;
    let hasTrapped = false;
    const call = exports.call as (part: number, operation: number, ...rest: number[]) => void;
    const failing = (part: number, operation: number, ...rest: number[]) => {
      const left = traps.get(operation) ?? 0;
      if (left > 0) {
        traps.set(operation, left - 1);
        hasTrapped = true;
        throw new WebAssembly.RuntimeError("unreachable");
      }
      call(part, operation, ...rest);
    };
    // Nothing is made by an instance that has trapped.
    const open = exports.open as (part: number, length: number) => number;
    const opening = (part: number, length: number) => {
      if (hasTrapped) throw new WebAssembly.RuntimeError("unreachable");
      return open(part, length);
    };
    Object.defineProperty(this, "exports", { value: { ...exports, call: failing, open: opening } });
  }
};

const consumers: Record<string, (stream: ChatStream) => Promise<unknown>> = {
  text: (stream) => collect(stream.textStream),
  chunks: (stream) => collect(stream),
  events: (stream) => collect(stream.events),
  frames: (stream) => collect(stream.frames()),
  bytes: (stream) => new Response(stream.toReadableStream()).text(),
  tee: (stream) => Promise.all(stream.tee().map((branch) => collect(branch.textStream))),
  final: (stream) => stream.finalContent(),
};

for (const [name, read] of Object.entries(consumers)) {
  for (const operation of [SET_OUTPUT, PUSH, END]) {
    test(`a_trap_in_operation_${operation}_ends_${name}_by_name_and_lets_go`, async () => {
      const served = serve([says("Hel"), says("lo")], { after: operation === END ? "end" : "silence" });
      const client = clientOf(served, { limits: { concurrent: 1 } });
      const stream = client.chat.completions.stream(hello);
      if (operation === PUSH) served.onRead = (read) => read === 2 && traps.set(PUSH, 1);
      else traps.set(operation, 1);
      const before = instances;
      const error = await failureOf(read(stream));
      assert.ok(error instanceof ChatwireError, String(error));
      const outcome = await stream.outcome();
      assert.equal(outcome.status, "error");
      assert.match(outcome.error?.message ?? "", /engine failed/);
      if (operation === PUSH) assert.equal(outcome.text, "Hel");
      assert.equal(instances, before + 1);
      if (operation !== END) assert.equal(served.cancelled, true);
      traps.clear();
      // The place is free, and the totals have both.
      served.response = serve([says("again", "stop"), DONE]).response;
      assert.equal(await client.chat.completions.stream(hello).finalContent(), "again");
      assert.equal(client.usage.requests, 2);
    });
  }
}

test("a_decoder_that_cannot_tell_any_more_still_ends", async () => {
  const served = serve([says("a")], { after: "silence" });
  const stream = clientOf(served).chat.completions.stream(hello);
  for (const operation of [PUSH, END, OUTCOME]) traps.set(operation, 9);
  const error = await failureOf(collect(stream.textStream));
  assert.ok(error instanceof ChatwireError && error.outcome?.status === "error");
  assert.equal(served.cancelled, true);
  traps.clear();
});

test("a_stream_under_way_outlives_the_failure_of_another", async () => {
  const [good, bad] = [serve([says("a"), says("b", "stop"), DONE]), serve([says("x")])];
  const client = new Chatwire({
    baseURL: "https://two.test/v1",
    fetch: async (_, init) => (String(init?.body).includes("bad") ? bad : good).response,
  });
  const texts = client.chat.completions.stream(hello).textStream[Symbol.asyncIterator]();
  assert.equal((await texts.next()).value, "a");
  traps.set(PUSH, 1);
  await failureOf(client.chat.completions.stream({ ...hello, model: "bad" }).finalContent());
  assert.equal((await texts.next()).value, "b");
  assert.equal((await texts.next()).done, true);
  assert.equal(client.usage.requests, 2);
});

test("a_trap_while_a_request_is_opened_rejects_by_name_and_the_next_call_is_made", async () => {
  const client = clientOf(async () => serve([says("a", "stop"), DONE]).response, { limits: { concurrent: 1 } });
  traps.set(STEP, 1);
  const error = await failureOf(client.chat.completions.create(hello));
  assert.ok(error instanceof ChatwireError && /engine failed/.test(error.message), error.message);
  assert.equal(await client.chat.completions.stream(hello).finalContent(), "a");
});

test("a_whole_answer_and_a_framing_decoder_fail_by_name", async () => {
  const whole = serve(['{"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}']);
  traps.set(PUSH, 1);
  assert.ok((await failureOf(clientOf(whole).chat.completions.create(hello))) instanceof ChatwireError);
  const decoder = new EventStreamDecoder();
  traps.set(7, 1);
  assert.throws(() => decoder.feed(new Uint8Array(3)), ChatwireError);
});

test("an_answer_that_was_opened_before_the_failure_of_another_is_read_by_a_fresh_engine", async () => {
  const [good, bad] = [serve([says("a"), says("b", "stop"), DONE]), serve([says("x")])];
  const client = new Chatwire({
    baseURL: "https://three.test/v1",
    fetch: async (_, init) => (String(init?.body).includes("bad") ? bad : good).response,
  });
  const created = client.chat.completions.create({ ...hello, stream: true });
  await new Promise((resolve) => setTimeout(resolve, 20)); // the answer is there, and nobody has asked for it yet
  traps.set(PUSH, 1);
  await failureOf(client.chat.completions.stream({ ...hello, model: "bad" }).finalContent());
  assert.equal(await (await created).finalContent(), "ab");
});
