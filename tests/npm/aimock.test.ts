/**
 * The client against a server that nobody here wrote: `@copilotkit/aimock`, over a real socket.
 *
 * Its journal has the requests that it was sent; its chaos settings and interruptions are its bad days.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, mock, test } from "node:test";
import { type ChatCompletionRequest, LLMock } from "@copilotkit/aimock";
import {
  APIConnectionError,
  BadRequestError,
  Chatwire,
  type ChatwireError,
  type ClientOptions,
  InternalServerError,
  NotFoundError,
  ProtocolError,
  RateLimitError,
  TruncatedError,
  tool,
} from "chatwire";
import { collect, failureOf } from "./serving.ts";

const server = new LLMock({ port: 0 });
before(() => server.start());
after(() => server.stop());
beforeEach(() => {
  server.reset();
  // A retry then waits for nothing but what the server names.
  mock.method(Math, "random", () => 0);
});
after(() => mock.restoreAll());

let clients = 0;

/** A client with a key of its own, so that no cooldown is shared. */
const clientOf = (options: ClientOptions = {}) =>
  new Chatwire({ baseURL: `${server.baseUrl}/v1`, apiKey: `sk-test-${++clients}`, maxRetries: 0, ...options });

const ask = (content: string) => ({ model: "gpt-4o", messages: [{ role: "user" as const, content }] });
const sent = () => server.getRequests().map(({ body }) => body as ChatCompletionRequest);
const statuses = () => server.getRequests().map(({ response }) => response.status);
const reasons = (attempts: readonly { status: number | null; reason: string }[]) =>
  attempts.map(({ status, reason }) => `${status} ${reason}`);

const STORY = "Once upon a time — नमस्ते, 世界 😀 — there was a fox.\nIt slept.";

test("text_is_the_same_whole_and_in_pieces_of_any_size", async () => {
  for (const chunkSize of [1, 3, 20, 1000]) {
    server.clearFixtures();
    server.onMessage("story", { content: STORY }, { chunkSize });
    const { completions } = clientOf().chat;
    const whole = await completions.create(ask("a story"));
    const stream = await completions.create({ ...ask("a story"), stream: true });
    const text = (await collect(stream.textStream)).join("");
    assert.equal(text, STORY);
    assert.equal(whole.choices[0]?.message.content, STORY);
    const { status, finishReason, requestId, message, repairs } = await stream.outcome();
    assert.deepEqual([status, finishReason, repairs], ["complete", "stop", []]);
    assert.match(requestId ?? "", /^req-/);
    assert.deepEqual(message, { role: "assistant", content: STORY });
  }
});

test("the_server_gets_what_was_asked_and_no_more", async () => {
  server.onMessage("hello", { content: "Hi" });
  const params = { ...ask("hello"), temperature: 0.3, seed: 7, made_up: { by: ["us", null] } };
  const client = clientOf({ apiKey: "sk-journal", defaultHeaders: { "x-team": "blue" } });
  await client.chat.completions.create(params);
  await client.chat.completions.stream(params).outcome();
  const [whole, streamed] = sent().map(({ _endpointType, _context, ...body }) => body);
  assert.deepEqual(whole, params);
  assert.deepEqual(streamed, { ...params, stream: true });
  const { headers, method, path } = server.getRequests()[1] ?? assert.fail();
  assert.deepEqual([method, path, headers["x-team"]], ["POST", "/v1/chat/completions", "blue"]);
  assert.equal(headers["content-type"], "application/json");
  // The journal keeps the header, blackened.
  assert.match(headers.authorization ?? "", /^Bearer |REDACTED/i);
});

test("usage_comes_when_it_is_asked_for_and_is_estimated_when_not", async () => {
  const usage = { prompt_tokens: 11, completion_tokens: 5, total_tokens: 16 };
  server.onMessage("hello", { content: "Hello to you", usage });
  const client = clientOf({ prices: { input: 1, output: 2 } });
  const counted = client.chat.completions.stream({ ...ask("hello"), stream_options: { include_usage: true } });
  const events = await collect(counted.events);
  const said = events.filter((event) => event.type === "usage");
  assert.deepEqual(
    said.map((event) => event.usage),
    [{ ...usage, estimated: false }],
  );
  assert.equal((await counted.outcome()).cost, 21e-6);

  const uncounted = await client.chat.completions.stream(ask("hello")).outcome();
  assert.equal(uncounted.usage?.estimated, true);
  await client.chat.completions.create(ask("hello"));
  assert.deepEqual([client.usage.requests, client.usage.estimated], [3, 1]);
});

test("tool_calls_made_at_once_stay_apart", async () => {
  const calls = [
    { id: "call_a", name: "get_weather", arguments: '{"city":"Mumbai","unit":"c"}' },
    { id: "call_b", name: "get_time", arguments: '{"zone":"Asia/Kolkata","list":[1,2,{"x":"\\"}"}]}' },
    { id: "call_c", name: "get_weather", arguments: "{}" },
  ];
  server.onMessage("tools", { toolCalls: calls }, { chunkSize: 4 });
  const stream = clientOf().chat.completions.stream(ask("use tools"));
  const events = await collect(stream.events);
  const done = events.flatMap((event) => (event.type === "tool_call.done" ? [event] : []));
  assert.deepEqual(
    done.map(({ id, name, arguments: text }) => ({ id, name, arguments: text })),
    calls,
  );
  for (const { index } of done) {
    const pieces = events.flatMap((event) =>
      event.type === "tool_call.delta" && event.index === index ? [event.arguments] : [],
    );
    assert.equal(pieces.join(""), calls[index]?.arguments);
  }
  const outcome = await stream.outcome();
  assert.equal(outcome.finishReason, "tool_calls");
  assert.deepEqual(
    outcome.toolCalls,
    calls.map((call) => ({ ...call, complete: true })),
  );
  const whole = await clientOf().chat.completions.create(ask("use tools"));
  assert.deepEqual(whole.choices[0]?.message.tool_calls, outcome.completion?.choices[0]?.message.tool_calls);
});

test("text_between_tool_calls_breaks_neither", async () => {
  server.onMessage("mixed", {
    blocks: [
      { type: "toolCall", id: "call_a", name: "first", arguments: '{"a":1}' },
      { type: "text", text: "One moment, please." },
      { type: "toolCall", id: "call_b", name: "second", arguments: '{"b":2}' },
    ],
  });
  const { text, toolCalls, status } = await clientOf().chat.completions.stream(ask("mixed")).outcome();
  assert.deepEqual([status, text], ["complete", "One moment, please."]);
  assert.deepEqual(toolCalls, [
    { id: "call_a", name: "first", arguments: '{"a":1}', complete: true },
    { id: "call_b", name: "second", arguments: '{"b":2}', complete: true },
  ]);
});

test("reasoning_is_told_apart_from_text", async () => {
  server.onMessage("think", { content: "Forty-two.", reasoning: "Let me see: 6 times 7." }, { chunkSize: 5 });
  const stream = clientOf().chat.completions.stream(ask("think"));
  const kinds = (await collect(stream.events)).map(({ type }) => type);
  assert.ok(kinds.indexOf("reasoning") < kinds.indexOf("text"));
  const { text, reasoning } = await stream.outcome();
  assert.deepEqual([text, reasoning], ["Forty-two.", "Let me see: 6 times 7."]);
});

test("an_answer_cut_at_its_limit_is_whole_and_says_why", async () => {
  server.onMessage("long", { content: "and so on", finishReason: "length" });
  const { status, finishReason } = await clientOf().chat.completions.stream(ask("long")).outcome();
  assert.deepEqual([status, finishReason], ["complete", "length"]);
});

test("an_error_arrives_with_all_the_server_said", async () => {
  server.onMessage("bad", {
    error: {
      message: "max_tokens is too large",
      type: "invalid_request_error",
      param: "max_tokens",
      code: "too_large",
    },
    status: 400,
  });
  for (const stream of [false, true]) {
    const error = (await failureOf(clientOf().chat.completions.create({ ...ask("bad"), stream }))) as BadRequestError;
    assert.ok(error instanceof BadRequestError);
    assert.match(error.message, /max_tokens is too large/);
    const { status, type, param, code } = error;
    assert.deepEqual([status, type, param, code], [400, "invalid_request_error", "max_tokens", "too_large"]);
    assert.match(error.requestID ?? "", /^req-/);
  }
  assert.ok((await failureOf(clientOf().chat.completions.create(ask("nobody knows this")))) instanceof NotFoundError);
  assert.deepEqual(statuses(), [400, 400, 404]);
});

test("overload_is_ridden_out", async () => {
  server.on({ userMessage: "busy", sequenceIndex: 0 }, { error: { message: "overloaded" }, status: 503 });
  server.on({ userMessage: "busy", sequenceIndex: 1 }, { error: { message: "slow down" }, status: 429, retryAfter: 0 });
  server.on({ userMessage: "busy" }, { content: "At last." });
  const { text, attempts } = await clientOf({ maxRetries: 2 }).chat.completions.stream(ask("busy")).outcome();
  assert.equal(text, "At last.");
  assert.deepEqual(reasons(attempts), ["503 InternalServerError", "429 RateLimitError", "200 ok"]);
  assert.deepEqual(statuses(), [503, 429, 200]);
});

test("a_wait_beyond_the_callers_patience_is_named_instead_of_waited_for", async () => {
  server.onMessage("busy", { error: { message: "slow down" }, status: 429, retryAfter: 30 });
  const client = clientOf({ maxRetries: 5 });
  const started = Date.now();
  const settings = { timeout: { total: 5000 } };
  const error = (await failureOf(client.chat.completions.create(ask("busy"), settings))) as RateLimitError;
  assert.ok(error instanceof RateLimitError);
  assert.ok((error.retryAt ?? 0) >= started + 30_000 && (error.retryAt ?? 0) < started + 40_000);
  assert.ok(Date.now() - started < 5000);
  // Until then the server is left alone.
  assert.ok((await failureOf(client.chat.completions.create(ask("busy"), settings))) instanceof RateLimitError);
  assert.deepEqual(statuses(), [429]);
});

/** The result of each kind of chaos for a call without retries. */
const CHAOS = [
  ["dropRate", InternalServerError],
  ["rateLimitRate", RateLimitError],
  ["malformedRate", ProtocolError],
  ["disconnectRate", APIConnectionError],
] as const;

for (const [kind, Class] of CHAOS) {
  test(`chaos_${kind}_ends_in_${Class.prototype.name}`, async () => {
    server.onMessage("hello", { content: "Hi" });
    server.setChaos({ [kind]: 1 });
    for (const stream of [false, true]) {
      const { completions } = clientOf().chat;
      const run = async (): Promise<unknown> =>
        stream ? completions.stream(ask("hello")).finalContent() : completions.create(ask("hello"));
      const error = (await failureOf(run())) as ChatwireError;
      assert.ok(error instanceof Class, `${error.name}: ${error.message}`);
    }
    assert.equal(server.getRequests().length, 2);
    assert.ok(server.getRequests().every(({ response }) => response.chaosAction !== undefined));

    server.clearChaos();
    assert.equal(await clientOf().chat.completions.stream(ask("hello")).finalContent(), "Hi");
  });
}

test("chaos_that_passes_is_survived", async () => {
  for (const kind of ["dropRate", "disconnectRate"] as const) {
    server.reset();
    server.onMessage("hello", { content: "Hi" });
    server.setChaos({ [kind]: 1 });
    const client = clientOf({
      maxRetries: 3,
      hooks: { onRetry: ({ attempt }) => void (attempt === 2 && server.clearChaos()) },
    });
    const { text, attempts } = await client.chat.completions.stream(ask("hello")).outcome();
    assert.equal(text, "Hi");
    assert.equal(attempts.length, 3);
    assert.equal(server.getRequests().length, 3);
  }
});

test("a_stream_cut_in_the_middle_is_truncated_and_keeps_what_came", async () => {
  server.onMessage("story", { content: STORY }, { chunkSize: 6, latency: 5, truncateAfterChunks: 4 });
  const stream = clientOf({ maxRetries: 2 }).chat.completions.stream(ask("story"));
  const error = (await failureOf(collect(stream.textStream))) as TruncatedError;
  assert.ok(error instanceof TruncatedError, error.name);
  const outcome = await stream.outcome();
  assert.equal(outcome.status, "truncated");
  assert.ok(outcome.text.length > 0 && STORY.startsWith(outcome.text));
  assert.equal(outcome.usage?.estimated, true);
  // An answer that has begun is not asked for again.
  assert.equal(server.getRequests().length, 1);
  assert.ok(server.getRequests()[0]?.response.interrupted);
});

test("a_tool_call_cut_in_the_middle_is_not_complete", async () => {
  const toolCalls = [{ name: "get_weather", arguments: '{"city":"Mumbai","days":[1,2,3,4,5,6,7]}' }];
  server.onMessage("tools", { toolCalls }, { chunkSize: 6, latency: 5, truncateAfterChunks: 5 });
  const { status, toolCalls: calls } = await clientOf().chat.completions.stream(ask("tools")).outcome();
  assert.equal(status, "truncated");
  assert.deepEqual([calls[0]?.name, calls[0]?.complete], ["get_weather", false]);
});

test("another_server_takes_over", async () => {
  const spare = await LLMock.create({ port: 0 });
  try {
    spare.onMessage("hello", { content: "Hello from the spare" });
    server.onMessage("hello", { error: { message: "down" }, status: 502 });
    const other = new Chatwire({ baseURL: `${spare.baseUrl}/v1`, apiKey: "sk-spare", maxRetries: 0 });
    const client = clientOf({ fallback: [{ client: other, model: "spare-model" }] });
    const { text, attempts, completion } = await client.chat.completions.stream(ask("hello")).outcome();
    assert.deepEqual([text, completion?.model], ["Hello from the spare", "spare-model"]);
    assert.deepEqual(reasons(attempts), ["502 InternalServerError", "200 ok"]);
    assert.equal((spare.getLastRequest()?.body as ChatCompletionRequest | undefined)?.model, "spare-model");
  } finally {
    await spare.stop();
  }
});

test("tools_are_run_until_the_model_answers", async () => {
  const toolCalls = [
    { id: "call_a", name: "get_weather", arguments: '{"city":"Mumbai"}' },
    { id: "call_b", name: "get_weather", arguments: '{"city":"Delhi"}' },
  ];
  server.on({ userMessage: "weather", hasToolResult: false }, { toolCalls }, { chunkSize: 4 });
  server.on({ userMessage: "weather", hasToolResult: true }, { content: "Mumbai 31, Delhi 24." });
  const asked: string[] = [];
  const weather = tool({
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    execute: async ({ city }) => {
      asked.push(city as string);
      return city === "Mumbai" ? "31" : "24";
    },
  });
  const run = clientOf().chat.completions.runTools({ ...ask("the weather?"), tools: [weather] });
  assert.equal(await run.finalContent(), "Mumbai 31, Delhi 24.");
  assert.deepEqual(asked.sort(), ["Delhi", "Mumbai"]);

  const [first, second] = sent();
  assert.deepEqual(
    first?.tools?.map(({ type, function: { name } }) => [type, name]),
    [["function", "get_weather"]],
  );
  const [user, assistant, ...results] = second?.messages ?? [];
  assert.deepEqual([user?.role, assistant?.role], ["user", "assistant"]);
  assert.deepEqual(
    assistant?.tool_calls?.map(({ id, function: { arguments: text } }) => [id, text]),
    toolCalls.map(({ id, arguments: text }) => [id, text]),
  );
  assert.deepEqual(
    results.map(({ role, tool_call_id, content }) => [role, tool_call_id, content]),
    [
      ["tool", "call_a", "31"],
      ["tool", "call_b", "24"],
    ],
  );
});
