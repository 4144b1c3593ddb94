/**
 * Hooks: what they are told, in which order, and what never reaches them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientOptions, Hooks } from "chatwire";
import { clientOf, collect, DONE, event, failureOf, hello, says, serve } from "./serving.ts";

const KEY = "sk-hook-secret-0123456789";
const SECRETS = /sk-hook|SENSITIVE|token=|my-query/;

interface Told {
  hook: keyof Hooks;
  data: Record<string, unknown>;
}

/** Hooks that write down what they are told. */
function recorder(): { told: Told[]; hooks: Hooks; names: () => string[] } {
  const told: Told[] = [];
  const note = (hook: keyof Hooks) => (data: object) => void told.push({ hook, data: { ...data } });
  const hooks: Hooks = {
    onRequest: note("onRequest"),
    onResponse: note("onResponse"),
    onRetry: note("onRetry"),
    onWait: note("onWait"),
    onOutcome: note("onOutcome"),
  };
  return { told, hooks, names: () => told.map(({ hook }) => hook) };
}

const refusing = (status: number, headers: Record<string, string> = {}) =>
  Response.json({ error: { message: `SENSITIVE ${KEY}` } }, { status, headers });
const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const answering = () =>
  serve([says("SENSITIVE answer", "stop"), event({ id: "1", choices: [], usage }), DONE]).response;

/** A client whose server gives these answers one after the other. */
function clientWith(answers: (() => Response | Promise<Response>)[], options: ClientOptions) {
  let at = 0;
  const fetch: ClientOptions["fetch"] = async () => (answers[at++] ?? (() => refusing(500)))();
  return clientOf(fetch, { apiKey: KEY, ...options });
}

const asked = { model: "m", messages: [{ role: "user" as const, content: "SENSITIVE question" }] };

test("a_call_is_told_from_request_to_outcome", async () => {
  const { told, hooks, names } = recorder();
  const client = clientWith([answering], {
    provider: { baseURL: "https://hooked.test/v1", name: "mine" } as never,
    hooks,
  });
  const stream = await client.chat.completions.create({ ...asked, stream: true });
  assert.deepEqual(names(), ["onRequest", "onResponse"]);
  await collect(stream.textStream);
  assert.deepEqual(names(), ["onRequest", "onResponse", "onOutcome"]);

  const [request, response, outcome] = told.map(({ data }) => data);
  assert.equal(typeof request?.provider, "string");
  assert.match(String(request?.url), /\/v1\/chat\/completions$/);
  assert.deepEqual([request?.method, request?.attempt], ["POST", 1]);
  assert.deepEqual([response?.url, response?.status, response?.requestId], [request?.url, 200, "req_1"]);
  const own = [
    "attempts",
    "completion",
    "cost",
    "error",
    "finishReason",
    "requestId",
    "resumed",
    "status",
    "timing",
    "usage",
  ];
  assert.deepEqual(Object.keys(outcome ?? {}).sort(), [...own, "call", "model", "operation", "parameters"].sort());
  assert.equal(outcome?.status, "complete");
  assert.deepEqual(outcome?.usage, { ...usage, estimated: false });
});

test("a_retry_is_told_with_its_reason_and_delay", async () => {
  const { told, hooks, names } = recorder();
  const again = () => refusing(503, { "retry-after-ms": "1", "x-request-id": "req_0" });
  const client = clientWith([again, () => Promise.reject(new TypeError("fetch failed")), answering], {
    hooks,
    maxRetries: 2,
  });
  await client.chat.completions.stream(asked).outcome();
  assert.deepEqual(names(), [
    ...["onRequest", "onResponse", "onRetry"],
    ...["onRequest", "onRetry"],
    ...["onRequest", "onResponse", "onOutcome"],
  ]);
  assert.deepEqual(
    told.filter(({ hook }) => hook === "onRequest").map(({ data }) => data.attempt),
    [1, 2, 3],
  );
  const retries = told.filter(({ hook }) => hook === "onRetry").map(({ data }) => data);
  assert.deepEqual(
    retries.map(({ attempt, reason }) => [attempt, reason]),
    [
      [1, "InternalServerError"],
      [2, "APIConnectionError"],
    ],
  );
  assert.equal(retries[0]?.delay, 1);
  assert.ok(Number(retries[1]?.delay) >= 0 && Number(retries[1]?.delay) <= 8000);
  assert.deepEqual([told[1]?.data.status, told[1]?.data.requestId], [503, "req_0"]);
});

test("a_call_that_gets_no_answer_has_an_outcome_too", async () => {
  for (const run of ["create", "stream"] as const) {
    const { told, hooks, names } = recorder();
    const { completions } = clientWith([() => refusing(401)], { hooks }).chat;
    if (run === "create") assert.ok(!("outcome" in (await failureOf(completions.create(asked)))));
    else await completions.stream(asked).outcome();
    assert.deepEqual(names(), ["onRequest", "onResponse", "onOutcome"]);
    const { status, attempts, usage } = told[2]?.data ?? {};
    assert.deepEqual([status, usage], ["error", null]);
    assert.deepEqual((attempts as { status: number; reason: string }[])[0]?.reason, "AuthenticationError");
  }
  const { told, hooks } = recorder();
  await failureOf(clientWith([], { hooks }).chat.completions.create({ model: "m" } as never));
  assert.deepEqual(
    told.map(({ hook, data }) => [hook, data.status]),
    [["onOutcome", "error"]],
  );
});

test("leaving_is_an_outcome", async () => {
  const { told, hooks } = recorder();
  const silent = () => serve([says("SENSITIVE")], { after: "silence" }).response;
  const stream = clientWith([silent], { hooks }).chat.completions.stream(asked);
  for await (const _ of stream.textStream) break;
  await stream.outcome();
  assert.equal(told.at(-1)?.data.status, "aborted");

  const controller = new AbortController();
  const { told: early, hooks: hooked } = recorder();
  const never = () => {
    controller.abort();
    return new Promise<Response>(() => {});
  };
  await failureOf(clientWith([never], { hooks: hooked }).chat.completions.create(asked, { signal: controller.signal }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    early.map(({ hook, data }) => [hook, data.status]),
    [
      ["onRequest", undefined],
      ["onOutcome", "aborted"],
    ],
  );
});

test("each_client_is_told_of_its_own_requests_and_the_one_that_was_called_of_the_outcome", async () => {
  const [first, second] = [recorder(), recorder()];
  const other = clientWith([answering], { hooks: second.hooks });
  const client = clientWith([() => refusing(503)], {
    hooks: first.hooks,
    fallback: [{ client: other, model: "other" }],
  });
  await client.chat.completions.stream(asked).outcome();
  assert.deepEqual(first.names(), ["onRequest", "onResponse", "onOutcome"]);
  assert.deepEqual(second.names(), ["onRequest", "onResponse"]);
  assert.equal(second.told[0]?.data.attempt, 1);
  const attempts = first.told[2]?.data.attempts as { status: number; reason: string }[];
  assert.deepEqual(
    attempts.map(({ status, reason }) => [status, reason]),
    [
      [503, "InternalServerError"],
      [200, "ok"],
    ],
  );
});

test("all_that_is_told_of_a_call_has_its_id_its_model_and_its_operation", async () => {
  const [first, second] = [recorder(), recorder()];
  const other = clientWith([answering, answering], { hooks: second.hooks });
  const client = clientWith(
    [() => refusing(503, { "retry-after-ms": "1" }), () => refusing(503), () => refusing(503)],
    {
      hooks: first.hooks,
      maxRetries: 1,
      fallback: [{ client: other, model: "other" }],
    },
  );
  await client.chat.completions.stream(asked).outcome();
  const ids = new Set([...first.told, ...second.told].map(({ data }) => data.call));
  assert.equal(ids.size, 1);
  assert.equal(typeof [...ids][0], "string");
  for (const [{ told }, model] of [
    [first, "m"],
    [second, "other"],
  ] as const) {
    assert.deepEqual(new Set(told.map(({ data }) => `${data.model} ${data.operation}`)), new Set([`${model} chat`]));
  }
  await client.chat.completions.stream(asked).outcome();
  assert.ok(!ids.has(first.told.at(-1)?.data.call), "another call, another id");
  await failureOf(client.models.list());
  assert.deepEqual([first.told.at(-1)?.data.operation, first.told.at(-1)?.data.model], ["models", null]);
});

test("the_parameters_say_that_an_answer_streams_whatever_method_asked_for_it", async () => {
  const { told, hooks } = recorder();
  const whole = () => Response.json({ id: "c", model: "m", choices: [{ index: 0, message: { content: "Hi" } }] });
  const { completions } = clientWith([answering, answering, answering, whole, whole], { hooks }).chat;
  await completions.stream({ ...asked, stream: false, temperature: 0.5 }).outcome();
  await collect((await completions.create({ ...asked, stream: true })).textStream);
  await completions.resume("s1").outcome();
  await completions.create(asked);
  await completions.create({ ...asked, stream: false });
  const ofCalls = new Map(told.map(({ data }) => [data.call, [] as unknown[]]));
  for (const { data } of told) ofCalls.get(data.call)?.push(data.parameters);
  const expected = [{ stream: true, temperature: 0.5 }, { stream: true }, { stream: true }, {}, { stream: false }];
  for (const [at, parameters] of [...ofCalls.values()].entries()) {
    assert.ok(parameters.length >= 2);
    for (const one of parameters) assert.deepEqual(one, expected[at]);
  }
  assert.equal(ofCalls.size, expected.length);
});

test("a_wait_before_anything_is_sent_is_told", async () => {
  const { told, hooks } = recorder();
  const client = clientWith([() => refusing(429, { "retry-after-ms": "60" }), answering, answering, answering], {
    hooks,
    maxRetries: 1,
    limits: { requestsPerMinute: 2 },
  });
  await failureOf(client.chat.completions.create(asked, { maxRetries: 0 }));
  await client.chat.completions.stream(asked).outcome();
  const [wait] = told.filter(({ hook }) => hook === "onWait").map(({ data }) => data);
  assert.equal(wait?.reason, "cooldown");
  assert.ok(Number(wait?.delay) > 0 && Number(wait?.delay) <= 60, `${wait?.delay}`);
  const error = await failureOf(client.chat.completions.create(asked, { timeout: { total: 30 } }));
  assert.equal((error as { code?: string }).code, "limits");
});

test("no_key_query_or_message_reaches_a_hook", async () => {
  const { told, hooks } = recorder();
  const echoing = () => refusing(500, { "x-request-id": `id-${KEY}`, "retry-after-ms": "1" });
  const client = clientWith([echoing, answering], {
    hooks,
    maxRetries: 1,
    baseURL: `https://gateway.test/${KEY}/v1`,
    defaultQuery: { token: "my-query" },
    defaultHeaders: { "x-secret": "SENSITIVE" },
  });
  await client.chat.completions.stream(asked).outcome();
  // A wait is told too, where the retry's timer fires before the time that the server asked for.
  assert.ok(told.length >= 6);
  assert.doesNotMatch(JSON.stringify(told), SECRETS);
});

test("what_a_hook_throws_changes_nothing", async () => {
  const bad = () => {
    throw new Error("mine");
  };
  const worse = async () => bad();
  for (const hook of [bad, worse]) {
    const hooks = { onRequest: hook, onResponse: hook, onRetry: hook, onOutcome: hook };
    const client = clientWith([() => refusing(503, { "retry-after-ms": "1" }), answering], { hooks, maxRetries: 1 });
    assert.equal((await client.chat.completions.stream(asked).outcome()).status, "complete");
  }
  // A rejection nobody hears would end the test by now.
  await new Promise((resolve) => setImmediate(resolve));
});

test("a_hook_may_use_the_client_and_keep_what_it_counts", async () => {
  const counter = {
    requests: 0,
    seen: [] as number[],
    onRequest() {
      this.requests++;
      this.seen.push(client.usage.requests);
    },
    onOutcome() {
      this.seen.push(client.usage.requests);
    },
  };
  const client = clientWith([answering], { hooks: counter });
  await client.chat.completions.stream(hello).outcome();
  assert.equal(counter.requests, 1);
  assert.deepEqual(counter.seen, [0, 1]);
});

test("what_looks_wrong_is_told_with_the_first_attempt_and_sent_all_the_same", async () => {
  const { told, hooks } = recorder();
  const client = clientWith([() => refusing(503, { "retry-after-ms": "1" }), answering], { hooks, maxRetries: 1 });
  await client.chat.completions.create({ ...asked, messages: [], stream: true });
  const requests = told.filter(({ hook }) => hook === "onRequest");
  const [first, second] = requests.map(({ data }) => data.warnings as { path: string[] }[] | undefined);
  assert.deepEqual(first?.[0]?.path, ["messages"]);
  assert.equal(first?.length, 1);
  assert.equal(second, undefined);
  assert.doesNotMatch(JSON.stringify(told), SECRETS);
});

test("a_wait_before_a_request_is_told_with_its_reason", async () => {
  const waits: unknown[] = [];
  const hooks = { onWait: (wait: object) => waits.push(wait) };
  let release = () => {};
  const slow = () =>
    new Promise<Response>((resolve) => {
      release = () => resolve(answering());
    });
  const client = clientWith([slow, answering], { hooks, limits: { concurrent: 1 } });
  const first = client.chat.completions.stream(asked).outcome();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = client.chat.completions.stream(asked).outcome();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const [wait] = waits as { provider: string; reason: string; delay: number }[];
  assert.equal(wait?.reason, "limits");
  assert.ok((wait?.delay ?? 0) > 0);
  assert.deepEqual(Object.keys(wait ?? {}).sort(), [
    "call",
    "delay",
    "model",
    "operation",
    "parameters",
    "provider",
    "reason",
  ]);
  release();
  assert.deepEqual([(await first).status, (await second).status], ["complete", "complete"]);
});

test("without_a_hook_the_console_is_warned_once_of_each_kind", async (context) => {
  const warn = context.mock.method(console, "warn", () => {});
  const answers = [answering, answering, answering];
  const client = clientWith(answers, {});
  for (const logprobs of [1, 2]) {
    await client.chat.completions.create({ ...asked, messages: [], top_logprobs: logprobs, stream: true });
  }
  await client.chat.completions.create({ ...asked, stream: true });
  const lines = warn.mock.calls.map(({ arguments: [line] }) => String(line));
  assert.equal(lines.length, 2, `${lines}`);
  assert.ok(
    lines.every((line) => /^chatwire: \w+: .+ \(\w+\)$/.test(line)),
    `${lines}`,
  );
  assert.doesNotMatch(`${lines}`, SECRETS);
  warn.mock.resetCalls();
  const silent = clientWith([answering], { validate: false });
  await silent.chat.completions.create({ ...asked, messages: [], stream: true });
  assert.equal(warn.mock.callCount(), 0, "asked not to look, it has nothing to say");
});

test("a_stream_that_is_left_at_any_moment_of_its_opening_has_one_outcome", async () => {
  for (let moment = 0; moment < 40; moment++) {
    const { told, hooks } = recorder();
    const client = clientOf(serve([says("a")], { after: "silence" }), { hooks });
    const stream = client.chat.completions.stream(hello);
    for (let turn = 0; turn < moment; turn++) await null;
    stream.abort();
    await stream.outcome();
    await new Promise(setImmediate);
    const outcomes = told.filter(({ hook }) => hook === "onOutcome").map(({ data }) => data.status);
    assert.deepEqual(outcomes, ["aborted"], `${moment}`);
  }
});
