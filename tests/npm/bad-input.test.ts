/**
 * Input that should never have come, from callers and from servers: a named error or the right outcome each time, no hang,
 * and nothing left behind.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Chatwire, ChatwireError, type ClientOptions, InvalidRequestError, ProtocolError } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { alive } from "./engine-memory.ts";
import { clientOf, collect, DONE, encode, failureOf, hello, says, serve } from "./serving.ts";

const NAMES = new Set([
  "ChatwireError",
  "APIError",
  "APIConnectionError",
  "APIUserAbortError",
  "InvalidRequestError",
  "StreamError",
  "TruncatedError",
  "ProtocolError",
]);

function assertNamed(error: unknown, what: string): asserts error is ChatwireError {
  assert.ok(error instanceof ChatwireError && NAMES.has(error.name), `${what}: ${error}`);
  assert.ok(error.message.length > 10, what);
}

/** The error of a client that may fail where it is made or where it is first used. */
const refusal = (options: ClientOptions): Promise<Error> =>
  failureOf(
    (async () => {
      const client = new Chatwire({ fetch: async () => assert.fail("it was sent"), ...options });
      await client.chat.completions.create(hello);
    })(),
  );

test("settings_that_make_no_sense_are_named", async () => {
  const settings: [string, unknown, RegExp][] = [
    ["no key for a provider", { provider: "openai", apiKey: undefined }, /apiKey/],
    ["an empty key", { provider: "openai", apiKey: "" }, /apiKey/],
    ["a key with a newline", { provider: "openai", apiKey: "sk-1\nx-evil: 1" }, /apiKey|key/i],
    ["a key that is a number", { provider: "openai", apiKey: 12345 }, /apiKey/],
    ["a key function that rejects", { provider: "openai", apiKey: () => Promise.reject(new Error("vault")) }, /apiKey/],
    ["a key function that gives nothing", { provider: "openai", apiKey: () => undefined }, /apiKey/],
    ["no server at all", {}, /baseURL|provider/],
    ["an unknown provider", { provider: "electorn" }, /provider/],
    ["a base URL that is none", { baseURL: "not a url" }, /baseURL|location/],
    ["a base URL that is not text", { baseURL: 5 }, /baseURL/],
    ["a base URL of another scheme", { baseURL: "ftp://server.test/v1" }, /baseURL/],
    ["a relative base URL without a page", { baseURL: "/v1" }, /baseURL|location/],
    ["a base URL with credentials", { baseURL: "https://me:secret@server.test/v1" }, /baseURL/],
    ["a fetch that is no function", { baseURL: "https://server.test", fetch: "fetch" }, /fetch/],
    [
      "a header with a newline",
      { baseURL: "https://server.test", defaultHeaders: { "x-a": "1\r\nx-b: 2" } },
      /x-a|header/i,
    ],
    ["retries that are no number", { baseURL: "https://server.test", maxRetries: "2" }, /maxRetries/],
    ["a negative timeout", { baseURL: "https://server.test", timeout: -1 }, /timeout/],
    ["a timeout that is NaN", { baseURL: "https://server.test", timeout: { idle: Number.NaN } }, /timeout|idle/],
    [
      "a limit of another name",
      { baseURL: "https://server.test", limits: { concurrency: 3 } },
      /concurrency is unknown: there are requestsPerMinute, concurrent, and no others/,
    ],
    ["a timeout of another name", { baseURL: "https://server.test", timeout: { firsttoken: 3 } }, /firsttoken is unk/],
    [
      "a provider's member of another name",
      { provider: { baseURL: "https://server.test", key: "a" } },
      /key is unknown/,
    ],
    ["a decoding that does not exist", { baseURL: "https://server.test", decoding: "loose" }, /decoding/],
  ];
  const { OPENAI_API_KEY: _, ...env } = process.env;
  process.env = env;
  for (const [what, options, hint] of settings) {
    const error = await refusal(options as ClientOptions);
    assertNamed(error, what);
    assert.match(error.message, hint, what);
    assert.doesNotMatch(error.message, /secret|sk-1/, what);
  }
});

test("parameters_that_cannot_be_sent_are_named", async () => {
  const { completions } = clientOf(async () => assert.fail("it was sent")).chat;
  const cyclic: Record<string, unknown> = { ...hello };
  cyclic.self = cyclic;
  const throws = { ...hello, toJSON: () => assert.fail("the message of the user") };
  const bad: [string, unknown][] = [
    ["nothing", undefined],
    ["null", null],
    ["text", "Hello!"],
    ["a list", hello.messages],
    ["a BigInt", { ...hello, seed: 1n }],
    ["a cycle", cyclic],
    ["a toJSON that throws", throws],
    ["no messages", { model: "m" }],
    ["messages that are text", { messages: "Hello!" }],
    ["messages that are an object", { messages: { role: "user", content: "a" } }],
    ["a message that is null", { messages: [null] }],
  ];
  for (const [what, params] of bad) {
    for (const call of [
      () => completions.create(params as never),
      () => collect(completions.stream(params as never)),
      () => completions.stream(params as never).finalMessage(),
    ]) {
      const error = await failureOf(call());
      assert.ok(error instanceof InvalidRequestError, `${what}: ${error}`);
      assert.ok(error.details.length > 0, what);
      assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}`, /Hello!|the message of the user/, what);
    }
  }
});

test("an_option_that_stands_for_what_json_cannot_say_is_named", async () => {
  class NotANumber {
    toJSON() {
      return Number.NaN;
    }
  }
  const { completions } = clientOf(async () => assert.fail("it was sent")).chat;
  const error = await failureOf(completions.create(hello, { maxRetries: new NotANumber() } as never));
  assert.match(error.message, /maxRetries must be a number/);
});

test("options_that_cannot_be_meant_are_named", async () => {
  const { completions } = clientOf(async () => assert.fail("it was sent")).chat;
  for (const options of [
    { signal: {} },
    { signal: "now" },
    { timeout: Number.NaN },
    { maxRetries: -1 },
    { headers: { "bad name": "1" } },
    { headers: { "x-a": "1\n" } },
    { decoding: "loose" },
    { timeout: { wait: 1 } },
    { sentences: { minlength: 1 } },
  ]) {
    assertNamed(await failureOf(completions.create(hello, options as never)), JSON.stringify(options));
    assertNamed(await failureOf(collect(completions.stream(hello, options as never))), JSON.stringify(options));
  }
});

test("a_fetch_that_misbehaves_is_a_connection_error", async () => {
  const fetches: [string, unknown][] = [
    [
      "throws at once",
      () => {
        throw new TypeError("boom");
      },
    ],
    ["rejects with text", () => Promise.reject("boom")],
    ["rejects with nothing", () => Promise.reject()],
    ["gives nothing", () => undefined],
    ["gives null", async () => null],
    ["gives text", async () => "data: [DONE]"],
    ["gives an object", async () => ({ status: 200 })],
  ];
  for (const [what, fetch] of fetches) {
    for (const stream of [true, false]) {
      const error = await failureOf(clientOf(fetch as never).chat.completions.create({ ...hello, stream }));
      assertNamed(error, what);
      assert.equal(error.name, "APIConnectionError", what);
    }
  }
});

test("bodies_that_are_not_web_streams_are_read_or_named", async () => {
  const headers = new Headers({ "content-type": "text/event-stream" });
  const node = (text: string, status = 200) => ({ status, headers, body: Readable.from([encode(text)]) });
  const ask = (response: object) => clientOf(async () => response as Response).chat.completions;
  assert.equal(
    await ask(node(says("a", "stop") + DONE))
      .stream(hello)
      .finalContent(),
    "a",
  );
  const refused = await failureOf(ask(node('{"error":{"message":"no key"}}', 401)).create(hello));
  assert.deepEqual([refused.name, /no key/.test(refused.message)], ["AuthenticationError", true]);
  for (const status of [200, 500]) {
    assertNamed(await failureOf(ask({ status, headers, body: {} }).create(hello)), "a body that is an object");
  }
  const readers = [{ read: () => assert.fail("at once") }, { read: () => 5 }, { read: async () => ({}) }];
  for (const reader of readers) {
    const response = { status: 200, headers, body: { getReader: () => reader } };
    assertNamed(await failureOf(ask(response).create(hello)), "an odd reader");
    assertNamed(await failureOf(collect(ask(response).stream(hello))), "an odd reader");
  }
  assert.equal(alive.size, 0);
});

test("bodies_that_are_not_bodies_have_a_named_end", async () => {
  const locked = serve([says("a")]).response;
  locked.body?.getReader();
  const bodies: [string, Response][] = [
    ["none", new Response(null)],
    ["empty", new Response("")],
    ["locked", locked],
    ["of text in place of bytes", new Response(textStream(says("a", "stop")))],
    [
      "of numbers in place of bytes",
      {
        status: 200,
        ok: true,
        headers: new Headers(),
        body: new ReadableStream({ start: (c) => c.enqueue(7) }),
      } as never,
    ],
    ["that breaks", serve([says("a"), { error: new TypeError("terminated") }]).response],
    ["that breaks without a reason", serve([says("a"), { error: undefined }]).response],
    ["that breaks at once", serve([{ error: "reset" }]).response],
  ];
  for (const [what, response] of bodies) {
    const stream = clientOf(async () => response).chat.completions.stream(hello);
    const outcome = await stream.outcome();
    if (outcome.status === "complete") assert.equal(what, "of text in place of bytes");
    else assertNamed(outcome.error, what);
  }
  for (const response of [new Response(null), new Response(""), serve([{ error: "reset" }]).response]) {
    assertNamed(await failureOf(clientOf(async () => response).chat.completions.create(hello)), "whole");
  }
  assert.equal(alive.size, 0);
});

test("what_is_not_a_stream_is_said_to_be_none", async () => {
  const html = "<!doctype html><title>Sign in</title>";
  for (const [body, type] of [
    [html, "text/html"],
    ["Bad gateway", "text/plain"],
    [html, "text/event-stream"],
    ["[1, 2]", "application/json"],
    ["null", "application/json"],
    ["{", "application/json"],
  ] as const) {
    const answer = async () => new Response(body, { headers: { "content-type": type } });
    const streamed = await clientOf(answer).chat.completions.stream(hello).outcome();
    assert.notEqual(streamed.status, "complete", body);
    assertNamed(streamed.error, body);
    const error = await failureOf(clientOf(answer).chat.completions.create(hello));
    assertNamed(error, body);
    assert.ok(error.outcome, body);
  }
});

test("malformed_events_are_repaired_or_in_strict_decoding_refused", async () => {
  const bad: [string, Uint8Array][] = [
    ["not JSON", encode("data: {oops\n\n")],
    ["an array", encode("data: [1]\n\n")],
    ["a number", encode("data: 42\n\n")],
    ["null", encode("data: null\n\n")],
    ["text", encode('data: "text"\n\n')],
    [
      "truncated UTF-8",
      new Uint8Array([
        ...encode('data: {"choices":[{"index":0,"delta":{"content":"'),
        0xf0,
        0x9f,
        ...encode('"}}]}\n\n'),
      ]),
    ],
  ];
  for (const [what, bytes] of bad) {
    const parts = () => serve([says("a"), bytes, says("b", "stop"), DONE]);
    const stream = clientOf(parts()).chat.completions.stream(hello);
    const texts = await collect(stream.textStream);
    const outcome = await stream.outcome();
    assert.equal(outcome.status, "complete", what);
    assert.ok(texts.join("").startsWith("a") && texts.join("").endsWith("b"), what);
    assert.equal(outcome.repairs.length, 1, what);

    const strict = clientOf(parts(), { decoding: "strict" }).chat.completions.stream(hello);
    const error = await failureOf(collect(strict.textStream));
    assert.ok(error instanceof ProtocolError, what);
    assert.equal(error.outcome?.text, "a", what);
  }
  assert.equal(alive.size, 0);
});

test("every_trouble_the_emulator_knows_has_one_outcome", async () => {
  const troubles: [string, string[]][] = [
    ["cut=700", ["truncated"]],
    ["reset=700", ["truncated"]],
    ["malformed", ["complete"]],
    ["in-band-error", ["error"]],
    ["in-band-error=event", ["error"]],
    ["no-done", ["complete"]],
    ["no-done; no-finish", ["truncated"]],
    ["html", ["error", "truncated"]],
    ["empty", ["error", "truncated"]],
    ["as-json", ["complete"]],
    ["status=502", ["error"]],
    ["refuse", ["error"]],
  ];
  for (const [trouble, statuses] of troubles) {
    const { fetch } = createEmulator({ seed: 3, trouble });
    const client = new Chatwire({ provider: "electron", apiKey: "k", fetch, maxRetries: 0 });
    const stream = client.chat.completions.stream({
      model: "electron",
      messages: [{ role: "user", content: "Write 40 words" }],
    });
    const outcome = await stream.outcome();
    assert.ok(statuses.includes(outcome.status), `${trouble}: ${outcome.status}`);
    if (outcome.status !== "complete") assertNamedOrServer(outcome.error, trouble);
  }
  assert.equal(alive.size, 0);
});

function assertNamedOrServer(error: unknown, what: string): void {
  assert.ok(error instanceof ChatwireError && error.name !== "Error", what);
}

test("a_request_body_that_cannot_be_sent_does_not_stop_the_next_call", async () => {
  const client = clientOf(async () => serve([says("a", "stop"), DONE]).response);
  await failureOf(client.chat.completions.create({ ...hello, seed: 1n } as never));
  assert.equal(await client.chat.completions.stream(hello).finalContent(), "a");
});

/** A body of text, which a body must not be. */
function textStream(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(text as never);
      controller.close();
    },
  });
}
