/**
 * The parts of its client that a call holds, a slot within `limits` and a line in the totals: kept as long as its body,
 * given back once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chatwire, ChatwireError } from "chatwire";
import { clientOf, collect, DONE, event, failureOf, hello, says, serve } from "./serving.ts";

const used = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } });
const answer = () => serve([says("a"), says("b", "stop"), used, DONE]).response;
const document = JSON.stringify({
  choices: [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
});

/** A client of one slot, and how many requests it has made. */
function alone(respond: () => Response) {
  const made = { count: 0 };
  const fetch = async () => {
    made.count++;
    return respond();
  };
  return { made, client: clientOf(fetch, { limits: { concurrent: 1 } }) };
}
const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};

test("a_client_that_is_disposed_of_keeps_the_slots_and_counts_the_usage_of_its_streams", async () => {
  const { client, made } = alone(answer);
  const first = await client.chat.completions.create({ ...hello, stream: true });
  const second = client.chat.completions.stream(hello);
  client[Symbol.dispose]();
  await turns();
  assert.equal(made.count, 1, "the second waits for the slot of the first");
  assert.equal((await collect(first.textStream)).join(""), "ab");
  assert.equal(await second.finalContent(), "ab");
  assert.equal(made.count, 2);
  assert.equal(client.usage.total_tokens, 10);
  assert.equal(client.usage.requests, 2);
  assert.match((await failureOf(client.chat.completions.create(hello))).message, /disposed/);
});

test("a_handler_that_returns_its_stream_under_using_counts_it", async () => {
  let totals = () => 0;
  const handler = () => {
    using client = clientOf(async () => answer());
    totals = () => client.usage.total_tokens;
    return client.chat.completions.stream(hello);
  };
  const stream = handler();
  assert.equal(await stream.finalContent(), "ab");
  assert.equal(totals(), 5);
});

test("a_fallback_that_is_disposed_of_is_not_asked", async () => {
  const other = clientOf(async () => answer());
  const client = clientOf(async () => Promise.reject(new TypeError("no")), {
    fallback: [{ client: other, model: "other" }],
  });
  other[Symbol.dispose]();
  assert.ok((await failureOf(client.chat.completions.create(hello))) instanceof ChatwireError);
});

const ends: Record<string, (response: Response) => Promise<unknown>> = {
  read: (response) => response.text(),
  cancelled: async (response) => response.body?.cancel(),
  "read in pieces": async (response) => {
    const reader = response.body?.getReader();
    while (!(await reader?.read())?.done);
  },
  "read into a buffer": async (response) => {
    const reader = response.body?.getReader({ mode: "byob" });
    while (!(await reader?.read(new Uint8Array(64)))?.done);
  },
};

for (const [name, end] of Object.entries(ends)) {
  for (const stream of [true, false]) {
    test(`a_response_keeps_its_slot_until_it_is_${name.replaceAll(" ", "_")}${stream ? "_as_a_stream" : ""}`, async () => {
      const respond = () => (stream ? answer() : new Response(document));
      const { client, made } = alone(respond);
      const call = client.chat.completions.create({ ...hello, stream });
      const response = await call.asResponse();
      assert.equal(await call.asResponse(), response);
      const next = client.chat.completions.stream(hello).outcome();
      await turns();
      assert.equal(made.count, 1);
      await end(response);
      await next;
      assert.equal(made.count, 2);
      assert.equal(client.usage.requests, 2);
    });
  }
}

test("a_response_that_fails_or_is_aborted_gives_its_slot_back_though_nobody_reads_it", async () => {
  for (const way of ["fails", "aborted"]) {
    const controller = new AbortController();
    const { client, made } = alone(() => {
      if (made.count > 1) return answer();
      return new Response(
        new ReadableStream({
          start(body) {
            const error = () => body.error(new Error("reset"));
            if (way === "fails") setTimeout(error, 10);
            else controller.signal.addEventListener("abort", error);
          },
        }),
      );
    });
    const response = await client.chat.completions.create(hello, { signal: controller.signal }).asResponse();
    const next = client.chat.completions.stream(hello).outcome();
    setTimeout(() => controller.abort(), 20);
    assert.equal((await next).text, "ab");
    await failureOf(response.text());
  }
});

test("a_response_is_as_fetch_gave_it", async () => {
  const raw = new Response(document, { status: 200, statusText: "Fine", headers: { "x-own": "1" } });
  Object.defineProperty(raw, "url", { value: "https://one.test/v1/chat/completions" });
  const response = await clientOf(async () => raw)
    .chat.completions.create(hello)
    .asResponse();
  assert.equal(response.url, raw.url);
  assert.equal(response.statusText, "Fine");
  assert.equal(response.headers.get("x-own"), "1");
  assert.equal(response.bodyUsed, false);
  assert.equal(await response.text(), document);
});

test("a_call_that_is_left_before_its_headers_gives_its_slot_back", async () => {
  let made = 0;
  const client = new Chatwire({
    baseURL: "https://left.test/v1",
    limits: { concurrent: 1 },
    fetch: () => (++made === 1 ? new Promise<Response>(() => {}) : Promise.resolve(answer())),
  });
  const left = client.chat.completions.stream(hello);
  await turns();
  left.abort();
  assert.equal((await left.outcome()).status, "aborted");
  assert.equal(await client.chat.completions.stream(hello).finalContent(), "ab");
});

test("a_call_whose_options_are_no_JSON_holds_nothing", async (context) => {
  const engine = new URL("../../dist/entry/engine.js", import.meta.url).href;
  const { Part }: typeof import("../../npm/engine/engine.ts") = await import(engine);
  const client = clientOf(async () => answer());
  await client.chat.completions.stream(hello).finalContent();
  const circle: Record<string, unknown> = {};
  circle.idle = circle;
  await failureOf(client.chat.completions.create(hello, { timeout: circle }));
  const free = context.mock.method(Part.prototype, "free");
  client[Symbol.dispose]();
  assert.equal(free.mock.callCount(), 1, "the client's part of the engine");
});
