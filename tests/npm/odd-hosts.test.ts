/**
 * Hosts, callers and servers that do what none should: every wait ends, by name.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIUserAbortError,
  ChatwireError,
  ProtocolError,
  RateLimitError,
  StalledError,
} from "chatwire";
import { clientOf, collect, DONE, event, failureOf, hello, says, serve } from "./serving.ts";

const json = { "content-type": "application/json" };
const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
const asks = () =>
  serve([
    event({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...call }] }, finish_reason: "tool_calls" }] }),
    DONE,
  ]).response;
const never = () => new Promise<never>(() => {});
const quickly = async <T>(promise: Promise<T>): Promise<T> => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it did not settle")), 3000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};

test("a_refusal_that_comes_when_the_total_has_run_out_is_not_waited_for", async () => {
  const client = clientOf(
    async () => {
      // The host was kept from running: its timers come after the answer.
      for (const from = performance.now(); performance.now() - from < 60; );
      return serve(['{"error":'], { after: "silence", status: 400, headers: json }).response;
    },
    { timeout: { total: 30 } },
  );
  for (const asked of [() => client.chat.completions.create(hello), () => client.models.list()]) {
    const error = await failureOf(quickly(Promise.resolve(asked())));
    assert.ok(error instanceof ChatwireError, String(error));
  }
});

test("a_list_of_models_is_read_within_its_timeouts_and_a_limit", async () => {
  const silent = () => serve(['{"data":['], { after: "silence", headers: json });
  for (const timeout of [{ idle: 30 }, { total: 30 }]) {
    const served = silent();
    const error = await quickly(failureOf(clientOf(served, { timeout }).models.list()));
    assert.ok(error instanceof StalledError, String(error));
    assert.match(String(error.code), /^timeout\.(idle|total)$/);
    assert.equal(served.cancelled, true);
  }
  const controller = new AbortController();
  const left = failureOf(clientOf(silent()).models.list({ signal: controller.signal }));
  setTimeout(() => controller.abort(), 10);
  assert.ok((await quickly(left)) instanceof APIUserAbortError);

  const large = serve([`"${"x".repeat(17 * 1024 * 1024)}"`], { headers: json });
  assert.ok((await failureOf(clientOf(large).models.list())) instanceof ProtocolError);
  assert.equal(large.cancelled, true);
  for (const body of ["null", "3", "<html>", ""]) {
    const error = await failureOf(clientOf(serve([body], { headers: json })).models.list());
    assert.ok(error instanceof ProtocolError, body);
  }
  const lost = serve(["{", { error: new Error("reset") }], { headers: json });
  assert.ok((await failureOf(clientOf(lost).models.list())) instanceof APIConnectionError);
});

test("create_gives_an_object_or_rejects_by_name", async () => {
  const choice = '{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}';
  const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  for (const body of [
    `[{"choices":[${choice}]}]`,
    `{"choices":[${choice}],}`,
    `{"choices":[${choice}]} trailing`,
    `{"choices":[${choice}]}{"choices":[${choice}]}`,
    `{"choices":[${choice}],"x":01}`,
    `{"choices":[${choice}],"x":${deep}}`,
    `{"choices":[${choice}],"x":"\u0001"}`,
    `"text"`,
    "null",
  ]) {
    const outcome = await clientOf(serve([body], { headers: json }))
      .chat.completions.create(hello)
      .then(
        (value) => ({ value }),
        (error) => ({ error }),
      );
    if ("error" in outcome) assert.ok(outcome.error instanceof ChatwireError, `${body.slice(0, 80)}: ${outcome.error}`);
    else assert.ok(!Array.isArray(outcome.value) && outcome.value.choices.length === 1, body.slice(0, 80));
  }
});

test("an_api_key_function_that_never_settles_is_under_the_timeout_of_the_headers", async () => {
  for (const timeout of [{ headers: 30 }, { total: 30 }]) {
    let sent = 0;
    const fetch = async () => {
      sent++;
      return serve([]).response;
    };
    const client = clientOf(fetch, { apiKey: never, timeout, maxRetries: 2 });
    const error = await quickly(failureOf(client.chat.completions.create(hello)));
    assert.ok(error instanceof APIConnectionTimeoutError, String(error));
    assert.match(error.message, /apiKey function/);
    assert.equal(sent, 0);
  }
});

test("a_fetch_that_answers_no_http_status_is_not_asked_without_end", async () => {
  for (const status of [Number.NaN, 0, 99, 101, 600, 200.5, "200", undefined]) {
    let asked = 0;
    const fetch = async () => {
      asked++;
      return { status, headers: new Headers(), body: null } as never;
    };
    const client = clientOf(fetch, { maxRetries: 1 });
    const error = await quickly(failureOf(client.chat.completions.create(hello)));
    assert.ok(error instanceof APIConnectionError, `${status}: ${error}`);
    assert.ok(asked <= 2);
  }
});

test("a_status_without_a_body_is_no_lost_connection_though_a_node_stream_comes_with_it", async () => {
  let destroyed = false;
  const body = Readable.from(["x"]);
  body.on("close", () => {
    destroyed = true;
  });
  const fetch = async () => ({ status: 204, statusText: "", headers: new Headers(), body }) as never;
  const response = await clientOf(fetch).chat.completions.create(hello).asResponse();
  assert.equal(response.status, 204);
  assert.equal(response.body, null);
  const error = await failureOf(clientOf(fetch).chat.completions.create(hello));
  assert.ok(!(error instanceof APIConnectionError) && error instanceof ChatwireError, String(error));
  await new Promise(setImmediate);
  assert.equal(destroyed, true);
});

test("a_reader_whose_cancel_does_not_settle_its_read_keeps_nobody", async () => {
  const body = { getReader: () => ({ read: never, cancel: never, closed: never(), releaseLock() {} }) };
  const fetch = async () => ({ status: 200, headers: new Headers(), body }) as never;
  const ways = ["abort", "signal", "return", "idle"] as const;
  for (const way of ways) {
    const controller = new AbortController();
    const client = clientOf(fetch, { timeout: { idle: 20, firstToken: 20 } });
    const stream = client.chat.completions.stream(hello, { signal: controller.signal });
    const texts = stream.textStream[Symbol.asyncIterator]();
    const next = texts.next().catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (way === "abort") stream.abort();
    if (way === "signal") controller.abort();
    if (way === "return") texts.return?.();
    const result = await quickly(next);
    if (way === "idle") assert.ok(result instanceof StalledError);
    else assert.deepEqual(result, { done: true, value: undefined });
    assert.equal((await quickly(stream.outcome())).status, way === "idle" ? "stalled" : "aborted");
  }
});

test("outcomes_come_though_the_hosts_queue_microtask_is_faked", async () => {
  const real = globalThis.queueMicrotask;
  globalThis.queueMicrotask = () => {};
  try {
    const stream = clientOf(serve([says("a", "stop"), DONE])).chat.completions.stream(hello);
    assert.equal((await quickly(stream.outcome())).text, "a");
    const client = clientOf(async () => serve([says("b", "stop"), DONE]).response);
    const tools = [{ name: "f", execute: () => "1" }];
    assert.equal(await quickly(client.chat.completions.runTools({ ...hello, tools }).finalContent()), "b");
  } finally {
    globalThis.queueMicrotask = real;
  }
});

test("frames_that_are_left_before_the_first_or_while_one_is_waited_for_end_the_request", async () => {
  for (const isWaiting of [false, true]) {
    const served = serve([], { after: "silence" });
    const stream = clientOf(served).chat.completions.stream(hello);
    const frames = stream.frames();
    const next = isWaiting ? frames.next() : undefined;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await quickly(frames.return());
    if (next) await quickly(next);
    assert.equal((await quickly(stream.outcome())).status, "aborted");
    assert.equal(served.cancelled, isWaiting || served.reads > 0 || served.cancelled);
  }
});

test("a_run_of_tools_is_left_at_once_whatever_it_waits_for", async () => {
  const waits = {
    approve: { options: { approve: never }, tool: { name: "f", execute: () => "1" } },
    execute: { options: {}, tool: { name: "f", execute: never } },
    schema: {
      options: {},
      tool: {
        name: "f",
        parameters: { "~standard": { version: 1, vendor: "x", validate: never, jsonSchema: { input: () => ({}) } } },
        execute: () => "1",
      },
    },
  };
  for (const [name, { options, tool }] of Object.entries(waits)) {
    for (const way of ["abort", "return", "signal"]) {
      const controller = new AbortController();
      const client = clientOf(async () => asks());
      const params = { ...hello, tools: [tool as never] };
      const run = client.chat.completions.runTools(params, { ...options, signal: controller.signal } as never);
      const events = run[Symbol.asyncIterator]();
      const read = (async () => {
        while (!(await events.next()).done);
      })().catch((error) => error);
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (way === "abort") run.abort();
      if (way === "signal") controller.abort();
      if (way === "return") await quickly(events.return());
      await quickly(read);
      assert.equal((await quickly(run.outcome())).status, "aborted", `${name} ${way}`);
    }
  }
});

test("a_clock_that_is_put_back_makes_no_longer_cooldown", async () => {
  const real = Date.now;
  const headers = { "retry-after": "120" };
  const client = clientOf(async () => new Response("{}", { status: 429, headers }));
  assert.ok((await failureOf(client.chat.completions.create(hello))) instanceof RateLimitError);
  try {
    const shown = real() - 24 * 3600 * 1000;
    Date.now = () => shown;
    const error = await failureOf(client.chat.completions.create(hello));
    assert.ok(error instanceof RateLimitError && error.retryAt !== undefined);
    assert.ok(error.retryAt - shown <= 120_000, `${error.retryAt - shown} ms to wait`);
  } finally {
    Date.now = real;
  }
});

test("ten_thousand_waiters_of_one_limit_leave_the_cpu_alone", async () => {
  const client = clientOf(() => never(), { limits: { concurrent: 1 } });
  const controller = new AbortController();
  const waiting = Array.from({ length: 10_000 }, () =>
    client.chat.completions.stream(hello, { signal: controller.signal }).outcome(),
  );
  const used = async () => {
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  // A busy machine takes a while until all have asked.
  let taken = await used();
  for (let tries = 0; taken >= 1_500_000 && tries < 15; tries++) taken = await used();
  controller.abort();
  for (const { status } of await Promise.all(waiting)) assert.equal(status, "aborted");
  assert.ok(taken < 1_500_000, `${taken / 1000} ms of CPU in 3 s of waiting`);
});

test("every_error_of_a_stream_has_a_code", async () => {
  const ends = [
    serve([says("a")]),
    serve([says("a")], { after: "silence" }),
    serve(["data: {\n\n"]),
    serve([event({ error: { message: "no", code: "overloaded" } })]),
  ];
  for (const served of ends) {
    const client = clientOf(served, { timeout: { idle: 20 }, decoding: "strict" });
    const error = await failureOf(collect(client.chat.completions.stream(hello).textStream));
    assert.equal(typeof (error as ChatwireError).code, "string", `${error.name}: ${error.message}`);
  }
});
