/**
 * Loading the engine: what happens while it is not there, and that it can be tried again.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ChatDecoder, ChatStream, Chatwire, ChatwireError, init } from "chatwire/slim";

// Not through serving.ts: it imports the package, which knows where its WebAssembly is.
const hello = { model: "m", messages: [{ role: "user" as const, content: "Hello!" }] };
const answer = `data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`;
const wasm = readFileSync(new URL(import.meta.resolve("chatwire/chatwire.wasm")));

function client(): Chatwire {
  const fetch = async () => new Response(answer, { headers: { "content-type": "text/event-stream" } });
  return new Chatwire({ baseURL: "https://server.test/v1", fetch });
}

test("without_an_engine_everything_fails_by_name_and_nothing_hangs", async () => {
  const unloaded = (error: unknown) => error instanceof ChatwireError && /init/.test(error.message);
  const { completions } = client().chat;
  await assert.rejects(async () => completions.create(hello), unloaded);
  await assert.rejects(async () => completions.create({ ...hello, stream: true }), unloaded);
  await assert.rejects(completions.stream(hello).textStream[Symbol.asyncIterator]().next(), unloaded);
  await assert.rejects(completions.stream(hello).finalContent(), unloaded);
  const outcome = await completions.stream(hello).outcome();
  assert.deepEqual([outcome.status, unloaded(outcome.error)], ["error", true]);
  const body = new Response(answer).body as ReadableStream<Uint8Array>;
  assert.equal((await ChatStream.fromReadableStream(body).outcome()).status, "error");
  assert.throws(() => new ChatDecoder(), unloaded);
});

test("an_engine_that_is_none_is_an_error_by_name_and_the_next_try_is_free", async () => {
  const unloadable = (error: unknown) => error instanceof ChatwireError && /could not be loaded/.test(error.message);
  await assert.rejects(init(new Uint8Array([0, 1, 2, 3])), unloadable);
  await assert.rejects(init(wasm.subarray(0, wasm.length / 2)), unloadable);
  await assert.rejects(init("http://127.0.0.1:9/chatwire.wasm"), unloadable);
  // Of another version, with another name in the section at its end or with none: refused before it is linked.
  const other = Buffer.from(wasm);
  other.write("-", other.length - 1);
  const stranger = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  for (const [module, build] of [
    [other, /could not be loaded: it is of another version: it is build \S+-, and the scripts are build \S+\. Reload/],
    [new WebAssembly.Module(other), /it is build \S+-, /],
    [stranger, /it is no build that this package knows, /],
  ] as const) {
    await assert.rejects(init(module), (error) => error instanceof ChatwireError && build.test(error.message));
  }
  await init(wasm);
  assert.equal(await client().chat.completions.stream(hello).finalContent(), "Hi");
});
