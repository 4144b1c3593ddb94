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
  ChatDecoder,
  type Chatwire,
  ChatwireError,
  EventStreamDecoder,
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

test("a_clock_that_is_put_back_makes_no_longer_wait_of_a_plan", async () => {
  const real = Date.now;
  const fetch = async () => serve([says("a", "stop"), DONE]).response;
  const client = clientOf(fetch, { limits: { requestsPerMinute: 1 }, timeout: { total: 5000 } });
  await client.chat.completions.stream(hello).outcome();
  try {
    const shown = real() - 24 * 3600 * 1000;
    Date.now = () => shown;
    const error = await failureOf(quickly(Promise.resolve(client.chat.completions.create(hello))));
    assert.ok(error instanceof RateLimitError && error.retryAt !== undefined, String(error));
    assert.ok(error.retryAt - shown <= 60_000, `${error.retryAt - shown} ms to wait`);
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

test("pieces_whose_buffer_was_transferred_away_are_a_lost_connection_and_no_failure_of_the_engine", async () => {
  const gone = (view: (buffer: ArrayBuffer) => unknown): unknown => {
    const buffer = new ArrayBuffer(8);
    const value = view(buffer);
    structuredClone(buffer, { transfer: [buffer] });
    return value;
  };
  const views = {
    Uint8Array: (buffer: ArrayBuffer) => new Uint8Array(buffer, 2),
    DataView: (buffer: ArrayBuffer) => new DataView(buffer, 2),
    Uint16Array: (buffer: ArrayBuffer) => new Uint16Array(buffer),
    ArrayBuffer: (buffer: ArrayBuffer) => buffer,
  };
  for (const [name, view] of Object.entries(views)) {
    for (const read of ["outcome", "create", "models"] as const) {
      let isCancelled = false;
      const parts: unknown[] = [new TextEncoder().encode(says("Hel")), gone(view)];
      const body = new ReadableStream<Uint8Array>(
        {
          pull: (controller) => controller.enqueue(parts.shift() as Uint8Array),
          cancel() {
            isCancelled = true;
          },
        },
        { highWaterMark: 0 },
      );
      const client = clientOf(async () => new Response(body, { headers: { "content-type": "text/event-stream" } }));
      if (read === "outcome") {
        const { status, text, error } = await quickly(client.chat.completions.stream(hello).outcome());
        assert.deepEqual([status, text], ["truncated", "Hel"], name);
        assert.match(String(error?.message), /in place of bytes/);
      } else {
        const asked = read === "create" ? client.chat.completions.create(hello) : client.models.list();
        const error = await quickly(failureOf(asked));
        assert.ok(error instanceof ChatwireError && !/engine failed/.test(error.message), `${name}: ${error}`);
      }
      assert.equal(isCancelled, true, name);
    }
    for (const decoder of [new ChatDecoder(), new EventStreamDecoder()]) {
      const give = (value: Uint8Array) => ("push" in decoder ? decoder.push(value) : decoder.feed(value));
      assert.throws(() => give(gone(view) as Uint8Array), /takes bytes/, name);
      give(new TextEncoder().encode(says("a"))); // and goes on
      decoder.free();
    }
  }
});

test("a_clock_that_is_put_back_while_an_answer_is_waited_for_prolongs_no_timeout", async () => {
  const host = performance;
  const real = performance.now;
  const now = (by: number) => real.call(host) - by;
  // A method of the host's own clock, or another clock in its place, as libraries that fake timers have it.
  const put = [
    (by: number) => Object.assign(performance, { now: () => now(by) }),
    (by: number) => Object.assign(globalThis, { performance: { now: () => now(by) } }),
  ];
  for (const [by, putBack] of [1e9, -5000].flatMap((by) => put.map((how) => [by, how] as const))) {
    const parts = [says("a")];
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const part = parts.shift();
          if (part) return controller.enqueue(new TextEncoder().encode(part));
          putBack(by);
          return never();
        },
      },
      { highWaterMark: 0 },
    );
    const headers = { "content-type": "text/event-stream" };
    const client = clientOf(async () => new Response(body, { headers }), { timeout: { idle: 60 } });
    try {
      const { status, text } = await quickly(client.chat.completions.stream(hello).outcome());
      assert.deepEqual([status, text], ["stalled", "a"], `by ${by} ms`);
    } finally {
      globalThis.performance = host;
      performance.now = real;
    }
    const after = serve([says("b")], { after: "silence" });
    const { error, timing } = await quickly(
      clientOf(after, { timeout: { total: 60 } })
        .chat.completions.stream(hello)
        .outcome(),
    );
    assert.equal(error?.code, "timeout.total", `by ${by} ms`);
    assert.ok(Number(timing.total) >= 0);
  }
});

test("results_and_reasons_whose_members_cannot_be_read_end_the_call_by_name", async () => {
  const throwing = (name: string) =>
    Object.defineProperty({ done: false } as object, name, {
      get: () => {
        throw new Error(`no ${name}`);
      },
    });
  const opaque = new Proxy(
    {},
    {
      get: () => {
        throw new Error("no member");
      },
    },
  );
  const reads: Record<string, () => unknown> = {
    "a result whose done throws": async () => throwing("done"),
    "a result whose value throws": async () => throwing("value"),
    "no result": async () => undefined,
    "a rejection with an error whose message throws": () => Promise.reject(throwing("message")),
    "a rejection with an object that cannot be read": () => Promise.reject(opaque),
    "a rejection with an object without a prototype": () => Promise.reject(Object.create(null)),
  };
  const uses: Record<string, (client: Chatwire) => PromiseLike<unknown>> = {
    outcome: (client) => client.chat.completions.stream(hello).outcome(),
    text: (client) => collect(client.chat.completions.stream(hello).textStream),
    frames: (client) => collect(client.chat.completions.stream(hello).frames()),
    bytes: (client) => new Response(client.chat.completions.stream(hello).toReadableStream()).text(),
    tee: (client) =>
      Promise.all(
        client.chat.completions
          .stream(hello)
          .tee()
          .map((branch) => branch.finalContent()),
      ),
    create: (client) => client.chat.completions.create(hello),
    models: (client) => client.models.list(),
    "a run": (client) => client.chat.completions.runTools({ ...hello, tools: [] }).outcome(),
    "a hedged call": (client) => client.chat.completions.stream(hello, { hedge: 3 }).outcome(),
  };
  for (const [odd, read] of Object.entries(reads)) {
    for (const [name, use] of Object.entries(uses)) {
      let isOdd = true;
      const client = clientOf(
        async () => {
          if (!isOdd) return serve([says("Hello", "stop"), DONE]).response;
          const reader = { read, cancel() {}, releaseLock() {} };
          const headers = new Headers({ "content-type": "text/event-stream" });
          return { status: 200, headers, body: { getReader: () => reader } } as unknown as Response;
        },
        { limits: { concurrent: 1 } },
      );
      const settled = Promise.resolve(use(client)).then(
        () => undefined,
        (error) => ({ error }),
      );
      const failed = await quickly(settled);
      assert.ok(!failed || failed.error instanceof ChatwireError, `${odd}, ${name}: ${String(failed?.error?.stack)}`);
      isOdd = false;
      const next = client.chat.completions.stream(hello).outcome();
      assert.equal((await quickly(next)).text, "Hello", `${odd}, ${name}: the slot is not given back`);
    }
  }
  // The reasons that callers give for leaving.
  for (const reason of [opaque, Object.create(null), throwing("name"), Symbol("gone"), 0, null]) {
    const controller = new AbortController();
    const client = clientOf(
      (_, init) => new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(reason))),
    );
    const asked = failureOf(client.chat.completions.create(hello, { signal: controller.signal }));
    const stream = client.chat.completions.stream(hello);
    const outcome = stream.outcome();
    await new Promise(setImmediate);
    controller.abort(reason);
    stream.controller.abort(reason);
    assert.ok((await quickly(asked)) instanceof APIUserAbortError, typeof reason);
    assert.equal((await quickly(outcome)).status, "aborted", typeof reason);
  }
});

test("a_body_whose_pieces_are_always_there_ends_by_the_timeouts_though_no_timer_has_its_turn", async () => {
  const timeout = { headers: 60, firstToken: 60, idle: 60, keepAlive: 90, total: 250 };
  const asked: Record<string, (client: Chatwire) => Promise<unknown>> = {
    text: (client) => collect(client.chat.completions.stream(hello).textStream),
    events: (client) => collect(client.chat.completions.stream(hello).events),
    frames: (client) => collect(client.chat.completions.stream(hello).frames()),
    bytes: (client) => new Response(client.chat.completions.stream(hello).toReadableStream()).text(),
    create: async (client) => client.chat.completions.create(hello),
    resume: (client) => collect(client.chat.completions.resume("abc").textStream),
    models: async (client) => client.models.list(),
    warmUp: (client) => client.warmUp({ timeout: 60 }),
  };
  for (const piece of ["", ": ping\n\n"]) {
    for (const status of [200, 400]) {
      for (const [name, ask] of Object.entries(asked)) {
        // All read a refusal alike, but for warmUp.
        if (status === 400 && name !== "text" && name !== "warmUp") continue;
        const bytes = new TextEncoder().encode(piece);
        const endless = { pull: (body: ReadableStreamDefaultController) => body.enqueue(bytes) };
        const headers = { "content-type": "text/event-stream" };
        const fetch = async () => new Response(new ReadableStream(endless, { highWaterMark: 0 }), { status, headers });
        const error = await ask(clientOf(fetch, { timeout })).then(
          () => undefined,
          (thrown) => thrown,
        );
        // The first answer of a connection is as good as any.
        assert.ok(error instanceof ChatwireError || name === "warmUp", `${name}, ${status}: ${error}`);
      }
    }
  }
});

test("empty_pieces_are_no_progress_of_a_list_of_models", async () => {
  const pieces = new ReadableStream({
    pull: (body) => new Promise((resolve) => setTimeout(resolve, 5)).then(() => body.enqueue(new Uint8Array(0))),
  });
  const error = await failureOf(
    clientOf(async () => new Response(pieces, { headers: json }), { timeout: { idle: 40 } }).models.list(),
  );
  assert.ok(error instanceof StalledError, String(error));
  assert.equal(error.code, "timeout.idle");
});

test("a_clock_that_says_nan_keeps_no_call_waiting", async () => {
  const { now } = Date;
  for (const isFakedBefore of [true, false]) {
    const fetch = async () => serve([says("a", "stop"), DONE]).response;
    const client = clientOf(fetch, { limits: { concurrent: 1 }, timeout: { total: 20_000 } });
    try {
      if (isFakedBefore) Date.now = () => Number.NaN;
      const texts = client.chat.completions.stream(hello).textStream[Symbol.asyncIterator]();
      assert.equal((await texts.next()).value, "a");
      Date.now = () => Number.NaN;
      const second = client.chat.completions.stream(hello).outcome();
      await texts.return?.();
      assert.equal((await second).status, "complete");
    } finally {
      Date.now = now;
    }
  }
});

test("the_timeout_for_the_first_token_counts_from_the_headers", async () => {
  const fetch = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1200));
    return serve([says("a", "stop"), DONE]).response;
  };
  const { status } = await clientOf(fetch, { timeout: { firstToken: 1000 } })
    .chat.completions.stream(hello)
    .outcome();
  assert.equal(status, "complete");
});
