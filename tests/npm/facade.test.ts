/**
 * The client as its users meet it: call shapes, what is sent, what comes back, and the errors.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import {
  APIConnectionError,
  APIError,
  AuthenticationError,
  BadRequestError,
  ChatStream,
  Chatwire,
  ChatwireError,
  ConflictError,
  InternalServerError,
  InvalidRequestError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  StreamError,
  UnprocessableEntityError,
} from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, collect, DONE, event, failureOf, hello, says, serve } from "./serving.ts";

const KEY = "sk-very-secret-0123456789";
const electron = (trouble?: string) => {
  const emulator = createEmulator({ seed: 7, ...(trouble ? { trouble } : {}) });
  return new Chatwire({ provider: "electron", apiKey: KEY, fetch: emulator.fetch, maxRetries: 0 });
};
const ask = (content: string) => ({ model: "electron", messages: [{ role: "user" as const, content }] });

test("fetch_gets_a_string_url_and_a_string_body", async () => {
  const calls: [unknown, Record<string, unknown>][] = [];
  const client = clientOf(
    async (url, init) => {
      calls.push([url, init as never]);
      return Response.json({
        choices: [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "stop" }],
      });
    },
    { apiKey: KEY, defaultHeaders: { "x-one": "1" }, defaultQuery: { v: "2" } },
  );
  const params = { ...hello, model: "m", temperature: 0.5, ...{ made_up: { by: ["us", null] } } };
  await client.chat.completions.create(params, { headers: { "x-two": "2" } });
  const [url, init] = calls[0] ?? assert.fail("nothing was sent");
  assert.match(url as string, /^https:\/\/server-\d+\.test\/v1\/chat\/completions\?v=2$/);
  assert.equal(init.method, "POST");
  assert.deepEqual(JSON.parse(init.body as string), params);
  assert.ok(init.signal instanceof AbortSignal);
  const headers = new Headers(init.headers as Headers);
  assert.equal(headers.get("authorization"), `Bearer ${KEY}`);
  assert.equal(headers.get("content-type"), "application/json");
  assert.deepEqual([headers.get("x-one"), headers.get("x-two")], ["1", "2"]);
});

test("parameters_are_read_when_the_call_is_made", async () => {
  let sent = "";
  const client = clientOf(async (_url, init) => {
    sent = init.body ?? "";
    return serve([says("a", "stop"), DONE]).response;
  });
  const conversation = [...hello.messages];
  const stream = client.chat.completions.stream({ ...hello, messages: conversation });
  conversation.push({ role: "user", content: "too late" });
  await stream.outcome();
  assert.equal(JSON.parse(sent).messages.length, 1);
});

test("a_completion_is_the_servers_own_json_and_knows_its_request", async () => {
  const body = {
    id: "x",
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content: "ä", extra: 1 }, finish_reason: "stop" }],
    usage: null,
    x_unknown: [{}],
  };
  const answer = () => Promise.resolve(Response.json(body, { headers: { "x-request-id": "req_7" } }));
  const { completions } = clientOf(answer).chat;
  const completion = await completions.create(hello);
  assert.deepEqual(completion, body as unknown);
  assert.equal(completion._request_id, "req_7");
  assert.equal(Object.keys(completion).includes("_request_id"), false);

  const { data, response, request_id } = await completions.create(hello).withResponse();
  assert.deepEqual([data, response.status, request_id], [body, 200, "req_7"]);
  const raw = await completions.create(hello).asResponse();
  assert.equal(raw.bodyUsed, false);
  assert.deepEqual(await raw.json(), body);
});

test("a_promise_of_an_answer_is_a_promise", async () => {
  const promise = clientOf(async () => serve([says("a", "stop"), DONE]).response).chat.completions.create({
    ...hello,
    stream: true,
  });
  assert.ok(promise instanceof Promise);
  const [stream] = await Promise.all([promise]);
  assert.ok(stream instanceof ChatStream);
  assert.equal(await promise, stream);
  assert.equal(await promise.finally(() => {}), stream);
  assert.equal((await promise.withResponse()).data, stream);
});

test("the_emulator_answers_whole_and_streamed_with_the_same_text", async () => {
  const client = electron();
  const whole = await client.chat.completions.create(ask("Echo: naïve 😀 नमस्ते"));
  const stream = await client.chat.completions.create({ ...ask("Echo: naïve 😀 नमस्ते"), stream: true });
  const text = (await collect(stream.textStream)).join("");
  assert.equal(text, whole.choices[0]?.message.content);
  assert.match(text, /naïve 😀 नमस्ते/);
  const outcome = await stream.outcome();
  assert.equal(outcome.status, "complete");
  assert.equal(outcome.text, text);
  assert.equal(outcome.finishReason, "stop");
  assert.ok(outcome.requestId);
});

test("every_way_of_cutting_the_bytes_gives_the_same_answer", async () => {
  const outcomes = [];
  for (const trouble of [undefined, "bytewise", "pieces=7", "pieces=100"]) {
    const stream = electron(trouble).chat.completions.stream({
      ...ask("Count to 20 😀"),
      stream_options: { include_usage: true },
    });
    const events = await collect(stream.events);
    const { timing, attempts, ...outcome } = await stream.outcome();
    const said = events.flatMap((found) => (found.type === "text" ? [found.text] : [])).join("");
    assert.equal(said, outcome.text);
    assert.ok(outcome.usage && outcome.usage.completion_tokens > 0);
    outcomes.push(JSON.stringify({ ...outcome, completion: { ...outcome.completion, created: 0 } }));
  }
  assert.equal(new Set(outcomes).size, 1);
});

test("tool_calls_come_as_events_and_in_the_outcome", async () => {
  const tools = [
    {
      type: "function" as const,
      function: {
        name: "get_weather",
        description: "Current weather of a city",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    },
  ];
  const stream = electron().chat.completions.stream({ ...ask("What is the weather in Paris?"), tools });
  const events = await collect(stream.events);
  const start = events.find((found) => found.type === "tool_call.start");
  const done = events.find((found) => found.type === "tool_call.done");
  const deltas = events.flatMap((found) => (found.type === "tool_call.delta" ? [found.arguments] : []));
  assert.equal(start?.name, "get_weather");
  assert.equal(done?.arguments, deltas.join(""));
  assert.equal(done?.complete, true);
  assert.ok(events.some((found) => found.type === "finish" && found.finishReason === "tool_calls"));
  const { toolCalls, message } = await stream.outcome();
  assert.deepEqual(toolCalls, [{ id: start?.id, name: "get_weather", arguments: done?.arguments, complete: true }]);
  assert.equal(message?.tool_calls?.[0]?.id, start?.id);
});

test("usage_adds_up_over_the_calls_of_a_client", async () => {
  const client = electron();
  assert.equal(client.usage.requests, 0);
  const completion = await client.chat.completions.create(ask("Hello"));
  const stream = client.chat.completions.stream({ ...ask("Hello"), stream_options: { include_usage: true } });
  const usage = await stream.totalUsage();
  const { requests, total_tokens, cost } = client.usage;
  assert.equal(requests, 2);
  assert.equal(total_tokens, (completion.usage?.total_tokens ?? 0) + (usage?.total_tokens ?? 0));
  assert.ok(cost && cost > 0);
});

test("each_status_is_a_class_of_its_own", async () => {
  const classes = [
    [400, BadRequestError],
    [401, AuthenticationError],
    [403, PermissionDeniedError],
    [404, NotFoundError],
    [409, ConflictError],
    [422, UnprocessableEntityError],
    [429, RateLimitError],
    [500, InternalServerError],
    [503, InternalServerError],
    [418, APIError],
  ] as const;
  for (const [status, Class] of classes) {
    const body = {
      error: {
        message: `said ${KEY}`,
        type: "t",
        code: "c",
        param: "p",
        details: [{ code: "d", message: "e", path: ["f"] }],
      },
    };
    const headers = { "x-request-id": "req_9", "retry-after": "3" };
    const server = () =>
      clientOf(async () => Response.json(body, { status, headers }), { apiKey: KEY }).chat.completions;
    for (const call of [server().create(hello), collect(server().stream(hello))]) {
      const error = await failureOf(call);
      assert.ok(error instanceof Class && error instanceof APIError && error instanceof ChatwireError, `${status}`);
      assert.equal(error.name, Class.prototype.name);
      assert.deepEqual(
        [error.status, error.type, error.code, error.param, error.requestID, error.headers?.get("retry-after")],
        [status, "t", "c", "p", "req_9", "3"],
      );
      assert.deepEqual(error.details, body.error.details);
      assert.equal(`${error.message}${JSON.stringify(error)}${error.stack}`.includes(KEY), false);
    }
  }
});

test("a_stream_that_could_not_open_has_an_outcome_too", async () => {
  const client = clientOf(async () => Response.json({ error: { message: "no" } }, { status: 401 }));
  const stream = client.chat.completions.stream(hello);
  const outcome = await stream.outcome();
  assert.equal(outcome.status, "error");
  assert.ok(outcome.error instanceof AuthenticationError);
  assert.equal(await failureOf(stream.finalMessage()), outcome.error);
  await assert.rejects(
    collect(clientOf(async () => Promise.reject(new TypeError("Failed to fetch"))).chat.completions.stream(hello)),
    APIConnectionError,
  );
});

test("a_server_that_is_not_reached_says_why_and_where_to_look", async () => {
  const error = await failureOf(
    clientOf(async () => Promise.reject(new TypeError("fetch failed"))).chat.completions.create(hello),
  );
  assert.ok(error instanceof APIConnectionError);
  assert.match(error.message, /fetch failed.*base URL.*network/);
});

test("rate_limits_say_when_to_come_back", async () => {
  const client = clientOf(async () => new Response("", { status: 429, headers: { "retry-after": "30" } }));
  const error = await failureOf(client.chat.completions.create(hello));
  assert.ok(error instanceof RateLimitError);
  const seconds = ((error.retryAt ?? 0) - Date.now()) / 1000;
  assert.ok(seconds > 25 && seconds <= 31, `${seconds}`);
});

test("a_failed_request_is_tried_again_and_the_attempts_are_told", async () => {
  let calls = 0;
  const client = clientOf(
    async () =>
      ++calls === 1
        ? new Response("", { status: 503, headers: { "retry-after-ms": "1" } })
        : serve([says("a", "stop"), DONE]).response,
    { maxRetries: 2 },
  );
  const outcome = await client.chat.completions.stream(hello).outcome();
  assert.equal(outcome.text, "a");
  assert.deepEqual(
    outcome.attempts.map(({ status }) => status),
    [503, 200],
  );
});

test("a_key_function_is_asked_for_each_attempt", async () => {
  const keys: (string | null)[] = [];
  let asked = 0;
  const client = clientOf(
    async (_url, init) => {
      keys.push(init.headers.get("authorization"));
      return new Response("", { status: 503, headers: { "retry-after-ms": "1" } });
    },
    { apiKey: async () => `key-${++asked}`, maxRetries: 1 },
  );
  const error = await failureOf(client.chat.completions.create(hello));
  assert.deepEqual(keys, ["Bearer key-1", "Bearer key-2"]);
  assert.equal(error.message.includes("key-"), false);
});

test("a_page_does_not_get_to_show_a_providers_key", async () => {
  const page = { window: { document: {} }, location: { href: "https://site.test/chat/" } };
  const asPage = async (make: () => Chatwire, userAgent = "Mozilla/5.0") => {
    Object.assign(globalThis, page);
    Object.assign(page.window, { navigator: { userAgent } });
    try {
      return await make().chat.completions.create(hello);
    } finally {
      for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name);
    }
  };
  const answer = { choices: [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "stop" }] };
  const urls: string[] = [];
  const fetch = async (url: string) => {
    urls.push(url);
    return Response.json(answer);
  };
  const error = await failureOf(asPage(() => new Chatwire({ provider: "electron", apiKey: KEY, fetch })));
  assert.ok(error instanceof ChatwireError);
  assert.match(error.message, /dangerouslyAllowBrowser/);
  assert.equal(error.message.includes(KEY), false);
  assert.deepEqual(urls, []);
  await asPage(() => new Chatwire({ provider: "electron", apiKey: KEY, fetch, dangerouslyAllowBrowser: true }));
  await asPage(() => new Chatwire({ baseURL: "/v1", fetch }));
  assert.equal(urls[1], "https://site.test/v1/chat/completions");
  for (const userAgent of ["Mozilla/5.0 (linux) AppleWebKit/537.36 jsdom/26.1.0", "Mozilla/5.0 HappyDOM/20.0.0"]) {
    await asPage(() => new Chatwire({ provider: "electron", apiKey: KEY, fetch }), userAgent);
  }
  assert.equal(urls.length, 4);
});

test("models_are_listed_as_the_server_lists_them", async () => {
  const client = electron();
  const models = await client.models.list();
  assert.equal(models.object, "list");
  assert.ok(models.data.some(({ id }) => id === "electron"));
  const page = clientOf(async () => new Response("<html>"));
  await assert.rejects(page.models.list(), StreamError);
});

test("a_disposed_client_refuses_new_calls_and_lets_streams_finish", async () => {
  const client = clientOf(async () => serve([says("a"), says("b", "stop"), DONE]).response);
  const stream = await client.chat.completions.create({ ...hello, stream: true });
  client[Symbol.dispose]();
  client[Symbol.dispose]();
  assert.equal(await stream.finalContent(), "ab");
  await assert.rejects(client.chat.completions.create(hello), ChatwireError);
});

test("a_client_says_where_it_sends_and_how_patient_it_is", () => {
  const electron = new Chatwire({ provider: "electron", apiKey: "k" });
  assert.equal(electron.baseURL, "https://api.smallest.ai/waves/v1");
  assert.equal(electron.maxRetries, 2);
  assert.equal(electron.timeout, undefined);
  const own = new Chatwire({ baseURL: "https://own.test/v1/", maxRetries: 0, timeout: { headers: 5 } });
  assert.equal(own.baseURL.replace(/\/$/, ""), "https://own.test/v1");
  assert.equal(own.maxRetries, 0);
  assert.deepEqual(own.timeout, { headers: 5 });
  assert.equal(new Chatwire({ provider: { baseURL: "https://own.test/v2" } }).baseURL, "https://own.test/v2");
});

test("with_options_is_another_client_with_the_same_options_but_for_some", async () => {
  const seen: { url: string; authorization: string | null; own: string | null }[] = [];
  const fetch = async (url: string, { headers }: { headers: Headers }) => {
    seen.push({ url, authorization: headers.get("authorization"), own: headers.get("x-own") });
    return Response.json({ error: { message: "no" } }, { status: 500 });
  };
  const one = new Chatwire({
    baseURL: "https://one.test/v1",
    apiKey: "a",
    fetch,
    maxRetries: 0,
    defaultHeaders: { "x-own": "1" },
  });
  const other = one.withOptions({ apiKey: "b", baseURL: "https://other.test/v1", maxRetries: 1 });
  assert.ok(other instanceof Chatwire);
  assert.deepEqual([one.maxRetries, other.maxRetries], [0, 1]);
  await failureOf(one.chat.completions.create(hello));
  await failureOf(other.chat.completions.create(hello, { maxRetries: 0 }));
  assert.deepEqual(seen, [
    { url: "https://one.test/v1/chat/completions", authorization: "Bearer a", own: "1" },
    { url: "https://other.test/v1/chat/completions", authorization: "Bearer b", own: "1" },
  ]);
  assert.throws(() => one.withOptions({ maxRetry: 3 } as object), /maxRetry is unknown: there are /);
});

test("an_in_band_error_has_the_servers_words", async () => {
  const stream = clientOf(
    serve([says("a"), event({ error: { message: "overloaded", code: 503 } })]),
  ).chat.completions.stream(hello);
  const error = await failureOf(collect(stream.events));
  assert.ok(error instanceof InternalServerError);
  assert.match(error.message, /overloaded/);
  assert.equal(error.outcome?.status, "error");
});

test("what_is_refused_before_sending_lists_every_problem", async () => {
  const client = new Chatwire({ provider: "electron", apiKey: KEY, fetch: async () => assert.fail("it was sent") });
  const error = await failureOf(client.chat.completions.create({ ...hello, temperature: 3, n: 2 }));
  assert.ok(error instanceof InvalidRequestError);
  assert.deepEqual(error.details.map(({ path }) => path.join(".")).sort(), ["n", "temperature"]);
});

test("importing_and_constructing_start_nothing", async () => {
  const script = `
    const used = [];
    for (const name of ["setTimeout", "setInterval", "fetch", "AbortController"]) {
      const original = globalThis[name];
      globalThis[name] = new Proxy(original, {
        apply(target, self, args) { used.push(name); return Reflect.apply(target, self, args); },
        construct(target, args) { used.push(name); return Reflect.construct(target, args); },
      });
    }
    Math.random = () => { used.push("Math.random"); return 0; };
    crypto.getRandomValues = (array) => { used.push("getRandomValues"); return array; };
    const { Chatwire } = await import("chatwire");
    new Chatwire({ provider: "electron", apiKey: "k" });
    console.log(JSON.stringify(used));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  assert.deepEqual(JSON.parse(stdout), []);
});
