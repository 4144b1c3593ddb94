/**
 * The members that errors of `chatwire/openai` have beyond those of `openai`.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ChatwireError } from "chatwire";
import OpenAI, { StalledError, TruncatedError } from "chatwire/openai";
import { hello, pieces, refuses } from "./said.ts";
import { type Answer, closeServer, newRun } from "./server.ts";

after(closeServer);

async function failing(answer: Answer, stream = false, options: object = {}): Promise<Record<string, unknown> & Error> {
  const run = await newRun();
  run.answers = [answer];
  const client = new OpenAI({ apiKey: "sk-secret-key", baseURL: run.baseURL, maxRetries: 0, ...options });
  try {
    if (!stream) await client.chat.completions.create(hello);
    else for await (const _ of await client.chat.completions.create({ ...hello, stream: true }));
  } catch (error) {
    return error as Record<string, unknown> & Error;
  }
  throw new Error("it did not fail");
}

test("a_stream_that_breaks_says_what_arrived_whose_request_it_was_and_why", async () => {
  const error = await failing({ events: pieces("Hel", "lo").slice(0, 3), after: "break" }, true);
  assert.ok(error instanceof TruncatedError);
  assert.ok(error instanceof OpenAI.APIConnectionError && error instanceof OpenAI.APIError);
  assert.ok(error instanceof ChatwireError);
  assert.equal(error.name, "TruncatedError");
  assert.equal(error.requestID, "req_123");
  assert.equal(error.headers?.get("x-request-id"), "req_123");
  assert.equal(error.outcome?.text, "Hello");
  assert.equal(error.outcome?.status, "truncated");
  const { cause } = error as { cause?: { cause?: { code?: string } } };
  assert.equal(cause?.cause?.code, "UND_ERR_SOCKET");
  assert.ok(!JSON.stringify(error).includes("Hello"), "the outcome fills no log line");
});

test("a_stalled_stream_is_a_timeout", () => {
  assert.ok(StalledError.prototype instanceof OpenAI.APIConnectionTimeoutError);
});

test("an_error_within_a_stream_has_the_servers_code_and_the_request", async () => {
  const error = { message: "broke", type: "server_error", code: null, param: null };
  const thrown = await failing({ events: [...pieces("a").slice(0, 2), { error }] }, true);
  assert.ok(thrown instanceof OpenAI.APIError);
  assert.deepEqual([thrown.code, thrown.param, thrown.type], [null, null, "server_error"]);
  assert.equal(thrown.requestID, "req_123");
  assert.ok(thrown.headers);
  assert.equal(thrown.outcome?.text, "a");
});

test("a_refusal_says_when_to_come_back_and_what_was_tried", async () => {
  const error = await failing(refuses(429, {}, { "retry-after": "7" }));
  assert.ok(error instanceof OpenAI.RateLimitError);
  const { retryAt, attempts } = error;
  assert.ok(Math.abs((retryAt ?? 0) - Date.now() - 7000) < 2000);
  assert.deepEqual(
    attempts?.map(({ status }) => status),
    [429],
  );
});

test("a_call_that_is_not_sent_since_an_earlier_one_was_refused_is_a_rate_limit_too", async () => {
  const run = await newRun();
  run.answers = [refuses(429, {}, { "retry-after": "120" })];
  const client = new OpenAI({ apiKey: "sk-cooldown", baseURL: run.baseURL, maxRetries: 0 });
  await assert.rejects(client.chat.completions.create(hello), OpenAI.RateLimitError);
  const error = await client.chat.completions.create(hello).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.status, 429);
  assert.equal(error.code, "cooldown");
  assert.ok(error.headers instanceof Headers);
  assert.ok(Math.abs((error.retryAt ?? 0) - Date.now() - 120_000) < 5000);
  assert.match(error.message, /^429 The server has asked to wait/);
  assert.equal(run.asked.length, 1);
});

test("a_refusal_of_one_path_holds_for_no_other", async () => {
  const run = await newRun();
  const refusal = refuses(429, {}, { "retry-after": "120" });
  run.answers = [refusal, refusal, refusal, { json: { ok: true } }];
  const client = new OpenAI({ apiKey: "sk-paths", baseURL: run.baseURL, maxRetries: 0 });
  await assert.rejects(client.post("/a", { body: {} }), { status: 429 });
  await assert.rejects(client.post("/a", { body: { model: "m" } }), { status: 429 });
  await assert.rejects(client.get("/b"), { status: 429 });
  assert.deepEqual(await client.get("/c"), { ok: true });
  assert.deepEqual(await client.post("/d", { body: {} }), { ok: true });
  assert.deepEqual(await client.post("/a", { body: { model: "other" } }), { ok: true });
  await client.models.list();
  assert.equal(run.asked.length, 7);
  await assert.rejects(client.get("/b"), { code: "cooldown" });
  await assert.rejects(client.chat.completions.create({ ...hello, model: "m" }), { code: "cooldown" });
  assert.equal(run.asked.length, 7);
});

test("the_key_reaches_no_error_and_no_log", async () => {
  const lines: unknown[] = [];
  const say = (...all: unknown[]) => lines.push(all);
  const logger = { debug: say, info: say, warn: say, error: say };
  const options = { logger, logLevel: "debug", defaultHeaders: { "x-api-key": "other-secret" } };
  const error = await failing(refuses(401, { message: "Bad key sk-secret-key" }), false, options);
  assert.ok(lines.length > 0);
  assert.doesNotMatch(JSON.stringify([error.message, error.error, error.stack, lines]), /sk-secret-key|other-secret/);
});
