/**
 * Retries until the first token was handed out: a good status that breaks is retried and falls back like a refusal, and
 * nothing of it is ever handed out.
 *
 * Long because each way in which a good status can break is tried with retries, with a fallback and without either.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  APIError,
  APIUserAbortError,
  ChatStream,
  Chatwire,
  type ClientOptions,
  InvalidRequestError,
  ProtocolError,
  RateLimitError,
  StalledError,
  TruncatedError,
} from "chatwire";
import { alive } from "./engine-memory.ts";
import { clientOf, collect, DONE, event, failureOf, hello, says, serve, until } from "./serving.ts";

type Fetch = NonNullable<ClientOptions["fetch"]>;
type Answer = () => Response | Promise<Response>;

// Backing off would only take time here.
Math.random = () => 0;

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const good = () => serve([says("good", "stop"), event({ choices: [], usage }), DONE]).response;
const role = event({ id: "bad", choices: [{ index: 0, delta: { role: "assistant", content: "" } }] });
const inBand = (error: unknown) => event({ error });
const refusing = (status: number, error: object, headers: Record<string, string> = {}) =>
  Response.json({ error: { message: "no", ...error } }, { status, headers });
const json = (body: unknown) => Response.json(body);
const whole = (content: string) =>
  json({ choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }], usage });

/** A client whose server gives these answers in turn, the last one for ever. */
function asked(answers: Answer[], options: ClientOptions = {}) {
  const counter = { requests: 0 };
  const fetch: Fetch = async () => {
    const answer = answers[Math.min(counter.requests++, answers.length - 1)] as Answer;
    return answer();
  };
  return { counter, client: clientOf(fetch, { maxRetries: 2, ...options }) };
}

const reasons = (attempts: readonly { status: number | null; reason: string }[] | undefined) =>
  attempts?.map(({ status, reason }) => `${status} ${reason}`);

/** Ways in which a 200 can break before its first token. */
const broken: [what: string, answer: Answer, reason: string][] = [
  ["ends_at_once", () => serve([]).response, "TruncatedError"],
  ["ends_after_the_role", () => serve([role]).response, "TruncatedError"],
  ["is_reset", () => serve([role, { error: new TypeError("terminated") }]).response, "TruncatedError"],
  ["falls_silent", () => serve([role], { after: "silence" }).response, "StalledError"],
  ["starts_with_an_error", () => serve([inBand({ message: "Provider returned error" })]).response, "APIError"],
  [
    "starts_with_a_failure_of_the_server",
    () => serve([inBand({ code: 502, message: "x" })]).response,
    "InternalServerError",
  ],
  ["starts_with_a_limit", () => serve([inBand({ code: 429, message: "x" })]).response, "RateLimitError"],
  [
    "ends_with_a_finish_reason_that_is_a_failure",
    () => serve([role, event({ choices: [{ index: 0, delta: {}, finish_reason: "error" }] }), DONE]).response,
    "APIError",
  ],
  [
    "ends_with_a_native_finish_reason_that_is_a_failure",
    () =>
      serve([
        event({
          choices: [{ index: 0, delta: {}, finish_reason: "stop", native_finish_reason: "MALFORMED_FUNCTION_CALL" }],
        }),
        DONE,
      ]).response,
    "APIError",
  ],
  ["says_nothing_but_done", () => serve([DONE]).response, "TruncatedError"],
  ["is_an_error_in_json", () => json({ error: { type: "server_error", message: "x" } }), "APIError"],
];
const timeout = { firstToken: 30 };

for (const [what, answer, reason] of broken) {
  test(`a_stream_that_${what}_is_asked_for_again_and_nothing_of_it_is_handed_out`, async () => {
    for (const read of [
      async (client: Chatwire) => {
        const stream = await client.chat.completions.create({ ...hello, stream: true });
        const chunks = await collect(stream);
        assert.deepEqual(
          chunks.map(({ id }) => id),
          chunks.map(({ choices }) => (choices?.length ? "chatcmpl-1" : undefined)),
        );
        return stream.outcome();
      },
      async (client: Chatwire) => {
        const stream = client.chat.completions.stream(hello);
        const events = await collect(stream.events);
        assert.deepEqual(
          events.filter(({ type }) => type === "text" || type === "repair").map(({ type }) => type),
          ["text"],
        );
        return stream.outcome();
      },
      async (client: Chatwire) => {
        const stream = client.chat.completions.stream(hello);
        const text = await new Response(stream.toReadableStream()).text();
        assert.ok(text.startsWith("data:") && !text.includes("bad") && text.includes("good"), text);
        return stream.outcome();
      },
      async (client: Chatwire) => client.chat.completions.stream(hello).outcome(),
    ]) {
      const { client, counter } = asked([answer, good], { timeout });
      const outcome = await read(client);
      assert.equal(outcome.status, "complete", `${outcome.error}`);
      assert.equal(outcome.text, "good");
      assert.deepEqual(reasons(outcome.attempts), [`200 ${reason}`, "200 ok"]);
      assert.equal(counter.requests, 2);
      await until(() => alive.size === 0);
    }
  });
}

test("whole_answers_that_break_are_asked_for_again_too", async () => {
  const cut = () =>
    serve(['{"choices":[{"message":{"content":"b'], { headers: { "content-type": "application/json" } }).response;
  for (const bad of [
    cut,
    () => json({ error: { code: 503, message: "x" } }),
    () => serve([{ error: new Error("reset") }]).response,
  ]) {
    const { client, counter } = asked([bad, () => whole("good")]);
    const completion = await client.chat.completions.create(hello);
    assert.equal(completion.choices[0]?.message.content, "good");
    assert.equal(counter.requests, 2);
  }
});

test("no_more_often_than_the_retries_allow_and_the_last_answer_stands", async () => {
  for (const maxRetries of [0, 1, 2]) {
    const { client, counter } = asked([() => serve([role]).response], { maxRetries });
    const outcome = await client.chat.completions.stream(hello).outcome();
    assert.equal(outcome.status, "truncated");
    assert.ok(outcome.error instanceof TruncatedError);
    assert.deepEqual(reasons(outcome.attempts), new Array(maxRetries + 1).fill("200 TruncatedError"));
    assert.deepEqual(outcome.error.attempts, outcome.attempts);
    assert.equal(counter.requests, maxRetries + 1);
  }
});

test("once_something_was_handed_out_nobody_is_asked_again", async () => {
  const reasoning = event({ choices: [{ index: 0, delta: { reasoning: "hm" } }] });
  const tool = event({
    choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: "" } }] } }],
  });
  for (const part of [says("a"), reasoning, tool]) {
    const { client, counter } = asked([() => serve([part, { error: new TypeError("terminated") }]).response, good]);
    const outcome = await client.chat.completions.stream(hello).outcome();
    assert.equal(outcome.status, "truncated");
    assert.equal(counter.requests, 1);
    assert.deepEqual(reasons(outcome.attempts), ["200 ok"]);
  }
});

test("what_the_request_is_at_fault_for_is_not_asked_again", async () => {
  const bad: [Answer, typeof APIError | typeof ProtocolError][] = [
    [() => serve([inBand({ type: "invalid_request_error", message: "messages is wrong" })]).response, APIError],
    [() => serve([inBand({ code: 400, message: "bad" })]).response, APIError],
    [() => serve([inBand({ code: "insufficient_quota", message: "pay" })]).response, APIError],
    [() => new Response("<html><title>Log in</title></html>"), ProtocolError],
  ];
  for (const [answer, Class] of bad) {
    const { client, counter } = asked([answer, good]);
    const error = await failureOf(collect(client.chat.completions.stream(hello)));
    assert.ok(error instanceof Class, `${error}`);
    assert.equal(counter.requests, 1, `${error}`);
  }
});

test("a_time_named_in_a_first_event_is_waited_for_and_told", async () => {
  const limited = () => serve([inBand({ code: 429, message: "Please try again in 40ms." })]).response;
  const { client } = asked([limited, good]);
  const before = performance.now();
  assert.equal((await client.chat.completions.stream(hello).outcome()).status, "complete");
  assert.ok(performance.now() - before >= 35);

  const long = () => serve([inBand({ code: 429, message: "Please try again in 2m59.56s." })]).response;
  const { client: patient, counter } = asked([long, good]);
  const start = Date.now();
  const { error } = await patient.chat.completions.stream(hello).outcome();
  assert.ok(error instanceof RateLimitError);
  assert.ok(Math.abs((error.retryAt ?? 0) - start - 179_560) < 1000, `${error.retryAt}`);
  assert.equal(counter.requests, 1);
  // The cooldown holds for the next call.
  const next = await failureOf(patient.chat.completions.create(hello));
  assert.ok(next instanceof RateLimitError && next.code === "cooldown");
  assert.equal(counter.requests, 1);
});

test("an_error_after_the_first_token_says_when_to_come_back_too", async () => {
  const seconds = () => Math.round(Date.now() / 1000) + 180;
  const found: [error: unknown, hasTime: boolean][] = [
    [{ code: 429, message: "Please try again in 3m." }, true],
    [{ code: 503, message: "Busy", retry_after: 180 }, true],
    [{ type: "overloaded_error", message: "x", details: [{ retryDelay: "180s" }] }, true],
    [{ code: 429, message: "x", resets_at: seconds() }, true],
    [{ code: 429, message: `Limited until ${new Date(seconds() * 1000).toUTCString()}.` }, true],
    ["Rate limit: try again in 180s", true],
    [{ code: 400, type: "invalid_request_error", message: "Wrong. Retry in 180s" }, false],
    [{ code: 500, message: "x" }, false],
  ];
  for (const [error, hasTime] of found) {
    const parts = [says("a"), inBand(error)];
    const { client } = asked([() => serve(parts).response]);
    for (const outcome of [
      await client.chat.completions.stream(hello).outcome(),
      await ChatStream.fromReadableStream(serve(parts).response.body as ReadableStream<Uint8Array>).outcome(),
    ]) {
      assert.equal(outcome.status, "error");
      const { retryAt } = outcome.error as APIError;
      if (hasTime) assert.ok(Math.abs((retryAt ?? 0) - Date.now() - 180_000) < 30_000, `${retryAt} ${outcome.error}`);
      else assert.equal(retryAt, undefined);
    }
  }
});

test("a_wait_in_an_error_whose_letters_are_escaped_is_read", async () => {
  const body = '{"error":{"message":"\\u8bf7\\u5728 180 \\u79d2\\u540e\\u91cd\\u8bd5"}}';
  const { client } = asked([() => new Response(body, { status: 429 })]);
  const error = (await failureOf(client.chat.completions.create(hello))) as RateLimitError;
  assert.ok(Math.abs((error.retryAt ?? 0) - Date.now() - 180_000) < 30_000, `${error.retryAt}`);
});

test("the_headers_of_a_good_status_say_when_to_come_back_after_its_first_event_is_a_limit", async () => {
  for (const headers of [
    { "retry-after": "3600" },
    { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h0m0s" },
  ] as Record<string, string>[]) {
    for (const event of [{ code: 429, message: "x" }, "Rate limit reached"]) {
      const { client, counter } = asked([() => serve([inBand(event)], { headers }).response, good]);
      const start = Date.now();
      const { error } = await client.chat.completions.stream(hello).outcome();
      const { retryAt = 0 } = error as RateLimitError;
      assert.ok(Math.abs((retryAt ?? 0) - start - 3_600_000) < 5000, `${retryAt} ${error}`);
      assert.equal(counter.requests, 1);
    }
  }
  // A failure of the server is no limit.
  const counts = { "x-ratelimit-reset": "3600" };
  const { client } = asked([() => serve([inBand({ code: 500, message: "x" })], { headers: counts }).response, good]);
  assert.equal((await client.chat.completions.stream(hello).outcome()).status, "complete");
});

/** Refusals and first events in which a server writes that it is to be asked again in three minutes, by the class of the error. */
const waits: [what: string, answer: Answer, name: string][] = [
  ["503 with Retry-After", () => refusing(503, {}, { "retry-after": "180" }), "InternalServerError"],
  ["529 with retry-after-ms", () => refusing(529, {}, { "retry-after-ms": "180000" }), "InternalServerError"],
  ["500 in words", () => refusing(500, { message: "Try again in 3m." }), "InternalServerError"],
  ["504 in a field", () => refusing(504, { details: [{ retryDelay: "180s" }] }), "InternalServerError"],
  ["408", () => refusing(408, {}, { "retry-after": "180" }), "APIError"],
  ["400 of a failure", () => refusing(400, { type: "server_error", message: "retry in 180 s" }), "BadRequestError"],
  ["402", () => refusing(402, { message: "Your credits: resets in 180s" }), "APIError"],
  ["429", () => refusing(429, {}, { "retry-after": "180" }), "RateLimitError"],
  [
    "a first event of 503",
    () => serve([inBand({ code: 503, message: "retry in 180s" })]).response,
    "InternalServerError",
  ],
  [
    "a first event by its type",
    () => serve([inBand({ type: "overloaded_error", retry_after: 180 })]).response,
    "APIError",
  ],
  ["a first event in words", () => serve([inBand({ message: "Busy: try again in 180s." })]).response, "APIError"],
  ["a first event after the role", () => serve([role, inBand("Busy: try again in 180s.")]).response, "APIError"],
];

for (const [what, answer, name] of waits) {
  test(`the_time_to_come_back_is_in_the_error_of_${what.replaceAll(" ", "_")}`, async () => {
    for (const maxRetries of [0, 2]) {
      for (const call of [
        (client: Chatwire) => failureOf(client.chat.completions.create(hello)),
        async (client: Chatwire) => (await client.chat.completions.stream(hello).outcome()).error,
      ]) {
        const { client, counter } = asked([answer], { maxRetries });
        const start = Date.now();
        const error = (await call(client)) as APIError;
        assert.equal(error.name, name);
        assert.ok(
          error instanceof APIError && Math.abs((error.retryAt ?? 0) - start - 180_000) < 30_000,
          `${error.retryAt}`,
        );
        const next = (await call(client)) as APIError;
        assert.deepEqual([next.name, next.code, counter.requests], ["RateLimitError", "cooldown", 1]);
        assert.ok(Math.abs((next.retryAt ?? 0) - (error.retryAt ?? 0)) < 30_000);
      }
    }
  });
}

test("without_a_time_in_it_an_error_has_none", async () => {
  for (const answer of [
    () => refusing(503, {}),
    () => refusing(400, { message: "wait" }),
    () => serve([role]).response,
    () => serve([inBand({ message: "Provider returned error" })]).response,
    () => serve([role], { after: "silence" }).response,
  ]) {
    const { client } = asked([answer], { maxRetries: 0, timeout: { firstToken: 200 } });
    const error = (await client.chat.completions.stream(hello).outcome()).error as APIError;
    assert.equal(error.retryAt, undefined, `${error}`);
  }
});

test("a_stream_that_breaks_falls_back_after_its_retries", async () => {
  for (const [, answer, reason] of broken) {
    const second = asked([good]);
    const first = asked([answer], { maxRetries: 1, timeout, fallback: [{ client: second.client, model: "other" }] });
    const stream = first.client.chat.completions.stream(hello);
    assert.deepEqual(await collect(stream.textStream), ["good"]);
    assert.deepEqual(reasons((await stream.outcome()).attempts), [`200 ${reason}`, `200 ${reason}`, "200 ok"]);
    assert.deepEqual([first.counter.requests, second.counter.requests], [2, 1]);
    assert.equal(second.client.usage.total_tokens, 5);
  }
});

test("an_answer_that_is_none_falls_back_without_a_retry", async () => {
  const second = asked([good]);
  const first = asked([() => new Response("<html></html>")], { fallback: [{ client: second.client, model: "other" }] });
  const outcome = await first.client.chat.completions.stream(hello).outcome();
  assert.equal(outcome.status, "complete");
  assert.deepEqual(reasons(outcome.attempts), ["200 ProtocolError", "200 ok"]);
  const silent = asked([() => serve([role], { after: "silence" }).response], {
    timeout: { total: 40 },
    fallback: [{ client: second.client, model: "other" }],
  });
  const { error } = await silent.client.chat.completions.stream(hello).outcome();
  assert.ok(error instanceof StalledError, "the time for the whole call is over for all");
});

test("a_refusal_while_asking_again_is_the_error", async () => {
  const { client } = asked([() => serve([role]).response, () => refusing(401, {})]);
  const error = (await failureOf(collect(client.chat.completions.stream(hello)))) as APIError;
  assert.equal(error.name, "AuthenticationError");
  assert.deepEqual(reasons(error.attempts), ["200 TruncatedError", "401 AuthenticationError"]);
  assert.deepEqual(reasons(error.outcome?.attempts), ["200 TruncatedError", "401 AuthenticationError"]);
});

test("an_abort_between_two_attempts_ends_the_call", async () => {
  const told: string[] = [];
  const { client, counter } = asked(
    [() => serve([inBand({ code: 429, message: "try again in 30s" })]).response, good],
    {
      hooks: { onRetry: () => told.push("retry"), onOutcome: ({ status }) => told.push(status) },
    },
  );
  const stream = client.chat.completions.stream(hello);
  const read = collect(stream.textStream);
  await until(() => told.length > 0);
  stream.abort();
  assert.deepEqual(await read, []);
  const outcome = await stream.outcome();
  assert.equal(outcome.status, "aborted");
  assert.deepEqual(reasons(outcome.attempts), ["200 RateLimitError"]);
  assert.ok((await failureOf(stream.finalContent())) instanceof APIUserAbortError);
  assert.deepEqual(told, ["retry", "aborted"]);
  assert.equal(counter.requests, 1);
  await until(() => alive.size === 0);
});

test("hooks_and_accounts_hear_of_every_attempt_and_of_one_outcome", async () => {
  const told: string[] = [];
  const counted = () =>
    serve([event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 } })]).response;
  const { client } = asked([counted, () => serve([]).response, good], {
    hooks: {
      onRequest: ({ attempt }) => told.push(`request ${attempt}`),
      onRetry: ({ attempt, reason }) => told.push(`retry ${attempt} ${reason}`),
      onOutcome: ({ status }) => told.push(status),
    },
  });
  await client.chat.completions.stream(hello).outcome();
  assert.deepEqual(told, [
    ...["request 1", "retry 1 TruncatedError", "request 2", "retry 2 TruncatedError"],
    ...["request 3", "complete"],
  ]);
  // The first said what it used, the second used nothing that is known.
  assert.deepEqual([client.usage.requests, client.usage.prompt_tokens, client.usage.uncounted], [2, 10, 0]);
});

test("a_place_within_the_limits_is_given_back_before_asking_again", async () => {
  const { client } = asked([() => serve([role]).response, good], { limits: { concurrent: 1 } });
  assert.equal((await client.chat.completions.stream(hello).outcome()).status, "complete");
  assert.equal((await client.chat.completions.stream(hello).outcome()).status, "complete");
});

for (const [status, error, on] of [
  [402, { message: "Insufficient credits" }, "quota"],
  [429, { code: "insufficient_quota" }, "quota"],
  [404, { code: "model_not_found", message: "The model `m` does not exist" }, "model"],
  [403, { code: "unsupported_country_region_territory" }, "region"],
  [500, {}, "server"],
  [429, {}, "limit"],
] as const) {
  test(`a_${status}_for_${on}_falls_back_unless_that_is_switched_off`, async () => {
    const [second, third] = [asked([() => whole("second")]), asked([() => whole("third")])];
    const fallback = (word: string) => [
      { client: second.client, model: "b", on: [word as "quota"] },
      { client: third.client, model: "c" },
    ];
    const content = async (word: string) => {
      const first = asked([() => refusing(status, error)], { maxRetries: 0, fallback: fallback(word) });
      return (await first.client.chat.completions.create(hello)).choices[0]?.message.content;
    };
    assert.equal(await content(on), "second");
    assert.equal(await content("broken"), "third");
    if (on === "quota") {
      const { client, counter } = asked([() => refusing(status, error), () => whole("x")]);
      await failureOf(client.chat.completions.create(hello));
      assert.equal(counter.requests, 1, "asking again would not help");
    }
  });
}

test("a_400_that_is_the_servers_fault_and_a_413_that_is_a_limit_are_retried", async () => {
  for (const [status, error] of [
    [400, { type: "server_error" }],
    [413, { code: "rate_limit_exceeded", message: "Please try again in 5ms" }],
  ] as const) {
    const { client, counter } = asked([() => refusing(status, error), () => whole("x")]);
    await client.chat.completions.create(hello);
    assert.equal(counter.requests, 2);
  }
});

test("in_an_outage_the_quota_of_retries_runs_out_and_the_error_says_so", async () => {
  // Each retry costs, also after a wait that a server names which is down.
  for (const [status, ms] of [
    [500, "0"],
    [503, "1"],
  ] as const) {
    const down = asked([() => refusing(status, {}, { "retry-after-ms": ms })], { timeout: { total: 60_000 } });
    const errors = await Promise.all(
      Array.from({ length: 300 }, () => failureOf(down.client.chat.completions.create(hello))),
    );
    assert.ok(down.counter.requests < 450, `${down.counter.requests} requests for 300 calls`);
    assert.match(errors.at(-1)?.message ?? "", /retry quota/);
  }
  // An answer that breaks before its first token costs as much, and its error says so, too.
  const broken = asked([() => serve([DONE]).response]);
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, () => broken.client.chat.completions.stream(hello).outcome()),
  );
  assert.ok(broken.counter.requests < 450, `${broken.counter.requests} requests for 300 calls`);
  const { error } = outcomes.at(-1) ?? {};
  assert.match(error?.message ?? "", /nothing in it.*retry quota/);
  assert.equal((error as TruncatedError).code, "empty_answer");
  // A limit is no outage: its wait is kept, and costs nothing.
  const busy = asked([() => refusing(429, {}, { "retry-after-ms": "1" })], { timeout: { total: 60_000 } });
  await Promise.all(Array.from({ length: 150 }, () => failureOf(busy.client.chat.completions.create(hello))));
  assert.equal(busy.counter.requests, 450);
});

test("limits_of_the_host_are_named_and_not_taken_for_a_lost_connection", async () => {
  const gaveUp = (message: string) =>
    new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code: "UND_ERR" }) });
  const headers = asked([() => Promise.reject(gaveUp("Headers Timeout Error")), () => whole("x")]);
  const error = (await failureOf(headers.client.chat.completions.create(hello))) as APIError;
  assert.equal(error.name, "APIConnectionTimeoutError");
  assert.match(error.message, /headersTimeout/);
  assert.equal(headers.counter.requests, 1);
  const body = asked([
    () => serve([role, { error: new TypeError("terminated", { cause: new Error("Body Timeout Error") }) }]).response,
    good,
  ]);
  const outcome = await body.client.chat.completions.stream(hello).outcome();
  assert.equal(outcome.status, "truncated");
  assert.match(outcome.error?.message ?? "", /bodyTimeout/);
  assert.equal(body.counter.requests, 1);
});

test("a_redirect_that_lost_the_request_is_named_with_what_to_set", async () => {
  const moved = (response: Response, url: string) =>
    Object.defineProperties(response, { redirected: { value: true }, url: { value: url } });
  for (const [answer, pattern] of [
    [
      () => moved(refusing(405, {}), "https://new.test/api/v1/chat/completions?x=1"),
      /redirected to https:\/\/new\.test\/api\/v1\/chat\/completions: .*key.*POST.*baseURL to https:\/\/new\.test\/api\/v1 /,
    ],
    [
      () => moved(new Response("<html><title>Hi</title></html>"), "https://new.test/"),
      /redirected to https:\/\/new\.test\//,
    ],
    [
      () => new Response(null, { status: 302, headers: { location: "https://new.test/login" } }),
      /redirected to https:\/\/new\.test\/login/,
    ],
    [
      () => new Response(null, { status: 307, headers: { location: "/v2/chat/completions?x=1" } }),
      /redirected to https?:\/\/[^/]+\/v2\/chat\/completions: a POST .*baseURL to https?:\/\/[^/]+\/v2 /,
    ],
    [() => moved(Response.json({ status: "up" }), "https://new.test/"), /redirected to https:\/\/new\.test\//],
    [
      () => moved(Response.json({ object: "list", data: [] }), "https://new.test/"),
      /redirected to https:\/\/new\.test\//,
    ],
    [() => moved(new Response(""), "https://new.test/"), /redirected to https:\/\/new\.test\//],
    [
      () => moved(Response.json({}), "https://new.test/sk-redirected-key/v1?key=sk-redirected-key#sk-redirected-key"),
      /redirected to https:\/\/new\.test\//,
    ],
    [
      () => new Response(null, { status: 302, headers: { location: "https://sk-redirected-key@new.test/v1" } }),
      /redirected to https:\/\//,
    ],
    [() => new Response(null, { status: 302 }), /redirect names no address.*baseURL/],
    [() => new Response(null, { status: 307, headers: { location: "" } }), /redirect names no address.*baseURL/],
  ] as const) {
    const { client } = asked([answer], { apiKey: "sk-redirected-key" });
    const error = await failureOf(client.chat.completions.create(hello));
    assert.match(error.message, pattern);
    assert.ok(!`${error.stack} ${JSON.stringify(error)}`.includes("sk-redirected"), error.message);
  }
  const { client } = asked([() => moved(whole("fine"), "https://new.test/v1/chat/completions")]);
  assert.equal((await client.chat.completions.create(hello)).choices[0]?.message.content, "fine");
});

test("a_redirect_in_a_circle_is_named_and_not_asked_again", async () => {
  const circle = () =>
    Promise.reject(new TypeError("fetch failed", { cause: new Error("redirect count exceeded") })) as Promise<Response>;
  const { client, counter } = asked([circle, () => whole("x")]);
  const error = await failureOf(client.chat.completions.create(hello));
  assert.match(error.message, /redirect count exceeded\..* Set baseURL to the address that answers without a redirect/);
  assert.equal(counter.requests, 1);
  const other = asked([() => whole("other")]);
  const { client: falls } = asked([circle], { fallback: [{ client: other.client, model: "m", on: ["connection"] }] });
  assert.equal((await falls.chat.completions.create(hello)).choices[0]?.message.content, "other");
});

test("a_number_as_timeout_is_for_the_headers_of_each_attempt_and_the_error_names_it", async () => {
  const slow = () => new Promise<Response>(() => {});
  const { client, counter } = asked([slow, slow, () => whole("x")], { timeout: 300 });
  {
    await client.chat.completions.create(hello);
    assert.equal(counter.requests, 3);
    const late = asked([slow], { timeout: 150, maxRetries: 0 });
    assert.match((await failureOf(late.client.chat.completions.create(hello))).message, /150 ms \(timeout\.headers\)/);
    const total = asked([slow], { timeout: { total: 150 } });
    assert.match((await failureOf(total.client.chat.completions.create(hello))).message, /150 ms \(timeout\.total\)/);
    assert.equal(total.counter.requests, 1);
  }
  // The body after the headers has all the time it wants.
  const body = serve([says("a"), says("b", "stop"), DONE]);
  const { client: patient } = asked([() => body.response], { timeout: 120 });
  const stream = await patient.chat.completions.create({ ...hello, stream: true });
  for await (const _ of stream) await new Promise((resolve) => setTimeout(resolve, 130));
  assert.equal((await stream.outcome()).status, "complete");
});

test("a_timer_that_is_early_is_the_end_of_total_and_no_reason_to_ask_again", async () => {
  const { setTimeout: real } = globalThis;
  // In a busy event loop, timers count from a time that has passed already.
  const early = (act: () => void, ms = 0) => real(act, ms > 50 ? ms - 40 : ms);
  Object.assign(globalThis, { setTimeout: early });
  try {
    const { client, counter } = asked([() => new Promise<Response>(() => {})], { timeout: { total: 150 } });
    assert.match((await failureOf(client.chat.completions.create(hello))).message, /150 ms \(timeout\.total\)/);
    assert.equal(counter.requests, 1);
  } finally {
    Object.assign(globalThis, { setTimeout: real });
  }
});

test("a_cooldown_holds_the_model_that_was_refused", async () => {
  const limited = () => refusing(429, {}, { "retry-after": "600" });
  const { client, counter } = asked([limited, () => whole("x")], { maxRetries: 0 });
  await failureOf(client.chat.completions.create(hello));
  const held = await failureOf(client.chat.completions.create(hello));
  assert.ok(held instanceof RateLimitError && held.code === "cooldown");
  await client.chat.completions.create({ ...hello, model: "another" });
  assert.equal(counter.requests, 2);
  const electron = new Chatwire({
    provider: "electron",
    baseURL: "https://by-key.test",
    maxRetries: 0,
    fetch: async () => limited(),
    validate: false,
  });
  await failureOf(electron.chat.completions.create({ ...hello, model: "electron" }));
  const other = await failureOf(electron.chat.completions.create({ ...hello, model: "another" }));
  assert.ok(other instanceof RateLimitError && other.code === "cooldown", "its plans limit the key");
});

test("a_call_without_retries_is_one_request_and_never_waits_in_silence", async () => {
  const { client, counter } = asked([() => refusing(429, {}, { "retry-after": "5" }), () => whole("x")], {
    maxRetries: 0,
  });
  await failureOf(client.chat.completions.create(hello));
  const before = performance.now();
  await client.chat.completions.create(hello);
  assert.ok(performance.now() - before < 1000);
  assert.equal(counter.requests, 2);
});

test("streams_are_asked_for_uncompressed_where_the_host_lets_it_be_said", async () => {
  const sent: (string | null)[] = [];
  const fetch: Fetch = async (_, { headers }) => {
    sent.push(headers.get("accept-encoding"));
    return good();
  };
  const client = clientOf(fetch);
  await client.chat.completions.stream(hello).outcome();
  await client.chat.completions.stream(hello, { headers: { "accept-encoding": "gzip" } }).outcome();
  assert.deepEqual(sent, ["identity", "gzip"]);
});

test("an_undefined_header_changes_nothing_and_null_removes", async () => {
  const sent: (string | null)[] = [];
  const fetch: Fetch = async (_, { headers }) => {
    sent.push(headers.get("x-a"), headers.get("authorization"));
    return whole("x");
  };
  for (const defaultHeaders of [{ "x-a": "1" }, new Headers({ "x-a": "1" }), [["x-a", "1"]] as [string, string][]]) {
    sent.length = 0;
    const client = clientOf(fetch, { apiKey: "sk-key-123456", defaultHeaders });
    const undefinedOnes = { "x-a": undefined, authorization: undefined };
    await client.chat.completions.create(hello, { headers: undefinedOnes });
    await client.chat.completions.create(hello, { headers: { "X-A": null, authorization: null } });
    await client.chat.completions.create(hello, { headers: new Headers({ "x-a": "2" }) });
    assert.deepEqual(sent, ["1", "Bearer sk-key-123456", null, null, "2", "Bearer sk-key-123456"]);
  }
});

test("an_unknown_client_option_is_an_error_that_names_it", () => {
  const bad = (options: object) => () => new Chatwire({ baseURL: "https://a.test", ...options });
  assert.throws(
    bad({ maxRetry: 3 }),
    (error: Error) => error instanceof InvalidRequestError && /maxRetry/.test(error.message),
  );
  assert.throws(bad({ baseUrl: "https://b.test" }), /baseUrl is unknown: there are provider, baseURL, /);
  assert.throws(bad({ api_key: "k" }), /api_key is unknown: there are .*apiKey, /);
  bad({ maxRetry: undefined })();
});

/** A stream whose first token comes after so many milliseconds; `state` is told whether it was cancelled. */
function late(ms: number, text: string, state: { cancelled?: boolean } = {}): Response {
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(new TextEncoder().encode(role)),
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, ms));
        if (state.cancelled) return;
        controller.enqueue(new TextEncoder().encode(says(text, "stop") + event({ choices: [], usage }) + DONE));
        controller.close();
      },
      cancel() {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body);
}

test("a_second_request_while_the_first_is_silent_and_the_faster_one_answers", async () => {
  const slow: { cancelled?: boolean } = {};
  const { client, counter } = asked([() => late(2000, "slow", slow), () => late(10, "fast")], { hedge: 30 });
  const before = performance.now();
  const stream = await client.chat.completions.create({ ...hello, stream: true });
  assert.deepEqual(await collect(stream.textStream), ["fast"]);
  assert.ok(performance.now() - before < 1000);
  const outcome = await stream.outcome();
  assert.deepEqual(reasons(outcome.attempts), ["200 hedged", "200 ok"]);
  assert.equal(slow.cancelled, true);
  assert.equal(counter.requests, 2);
  // Both are in the accounts: the one that was cancelled by an estimate.
  assert.deepEqual([client.usage.requests, client.usage.estimated], [2, 1]);
  assert.ok(client.usage.prompt_tokens > usage.prompt_tokens);
  await until(() => alive.size === 0);
});

test("a_first_request_that_is_in_time_is_the_only_one", async () => {
  for (const answer of [() => late(5, "first"), () => whole("first")]) {
    const { client, counter } = asked([answer], { hedge: 500 });
    const outcome = await client.chat.completions.stream(hello).outcome();
    assert.deepEqual([outcome.status, outcome.text, counter.requests], ["complete", "first", 1]);
    await until(() => alive.size === 0);
  }
  // And one that comes in after all, while the second is on its way.
  const { client } = asked([() => late(60, "first"), () => late(2000, "second")], { hedge: 20 });
  const outcome = await client.chat.completions.stream(hello).outcome();
  assert.equal(outcome.text, "first");
  assert.deepEqual(reasons(outcome.attempts), ["200 hedged", "200 ok"]);
});

test("hedged_calls_fail_and_are_left_as_others_are", async () => {
  const never = () => new Promise<Response>(() => {});
  const { client } = asked([never, () => refusing(401, {})], { hedge: 20, timeout: { headers: 80 }, maxRetries: 0 });
  const error = (await failureOf(client.chat.completions.create(hello))) as APIError;
  assert.deepEqual(
    new Set(reasons(error.attempts)),
    new Set(["401 AuthenticationError", "null APIConnectionTimeoutError"]),
  );

  const { client: silent } = asked([never], { hedge: 20 });
  const stream = silent.chat.completions.stream(hello);
  const ended = collect(stream.textStream);
  setTimeout(() => stream.abort(), 60);
  assert.deepEqual(await ended, []);
  assert.equal((await stream.outcome()).status, "aborted");

  const { client: cut } = asked([() => late(2000, "x"), () => serve([role]).response, () => whole("third")], {
    hedge: 20,
  });
  assert.equal((await cut.chat.completions.stream(hello).outcome()).text, "third");
  const { client: documents } = asked([never, () => whole("whole")], { hedge: 20 });
  assert.equal((await documents.chat.completions.create(hello)).choices[0]?.message.content, "whole");
  assert.match((await failureOf(documents.chat.completions.create(hello, { hedge: -1 }))).message, /hedge/);
  await until(() => alive.size === 0);
});

test("the_one_that_is_too_late_is_cancelled_at_its_fallback_too", async () => {
  let isCancelled = false;
  const other = clientOf((_, { signal }) => {
    signal?.addEventListener("abort", () => {
      isCancelled = true;
    });
    return new Promise<Response>(() => {});
  });
  const refused = () => new Promise<Response>((resolve) => setTimeout(() => resolve(refusing(500, {})), 60));
  const { client } = asked([refused, () => late(150, "second")], {
    hedge: 20,
    maxRetries: 0,
    fallback: [{ client: other, model: "m" }],
  });
  const outcome = await client.chat.completions.stream(hello, { timeout: { total: 10_000 } }).outcome();
  assert.deepEqual([outcome.text, isCancelled], ["second", true]);
  assert.deepEqual(reasons(outcome.attempts), ["500 InternalServerError", "null hedged", "200 ok"]);
  await until(() => alive.size === 0);
});

test("how_long_to_wait_is_learnt_from_the_calls_before", async () => {
  let ms = 1;
  const { client, counter } = asked([() => late(ms, "x")], { hedge: true });
  for (let call = 0; call < 10; call++) await client.chat.completions.stream(hello).outcome();
  assert.equal(counter.requests, 10);
  ms = 300;
  await client.chat.completions.stream(hello).outcome();
  assert.equal(counter.requests, 12);
});

/** A client whose server goes on with a turn, and what it was sent. */
function prefilling(answers: Answer[], prefill: boolean | Record<string, unknown> = true) {
  const bodies: { messages: Record<string, unknown>[]; model: string }[] = [];
  let at = 0;
  const fetch: Fetch = async (_, { body }) => {
    bodies.push(JSON.parse(body ?? ""));
    return (answers[Math.min(at++, answers.length - 1)] as Answer)();
  };
  const provider = { baseURL: "https://prefill.test/v1", name: "prefiller", prefill };
  return { client: new Chatwire({ provider, fetch, maxRetries: 0 }), bodies };
}

const cutShort = () => serve([says("Once upon"), { error: new TypeError("terminated") }]).response;
const goesOn = () => serve([says(" a time", "stop"), event({ choices: [], usage }), DONE]).response;

test("a_broken_answer_is_continued_elsewhere_from_what_was_said", async () => {
  const failing = event({ choices: [{ index: 0, delta: {}, finish_reason: "network_error" }] });
  for (const broken of [
    cutShort,
    () => serve([says("Once upon"), inBand({ code: 502, message: "x" })]).response,
    () => serve([says("Once upon"), failing, DONE]).response,
    () => serve([says("Once", "stop"), says(" upon", "stop"), { error: new TypeError("terminated") }]).response,
  ]) {
    const first = asked([broken]);
    const second = prefilling([goesOn], { prefix: true });
    const continueWith = [{ client: second.client, model: "other", params: { temperature: 0 } }];
    const stream = first.client.chat.completions.stream(hello, { continueWith });
    const events = await collect(stream.events);
    const seams = events.flatMap((found, at) => (found.type === "seam" ? [{ ...found, index: at }] : []));
    assert.deepEqual(
      seams.map(({ at, provider }) => [at, provider]),
      [[9, "prefiller"]],
    );
    const textOf = (part: typeof events) => part.map((found) => (found.type === "text" ? found.text : "")).join("");
    assert.deepEqual(
      [textOf(events.slice(0, seams[0]?.index)), textOf(events.slice(seams[0]?.index))],
      ["Once upon", " a time"],
    );
    const outcome = await stream.outcome();
    assert.deepEqual([outcome.status, outcome.text, outcome.finishReason], ["complete", "Once upon a time", "stop"]);
    assert.deepEqual(outcome.message, { role: "assistant", content: "Once upon a time" });
    assert.equal(outcome.completion?.choices[0]?.message.content, "Once upon a time");
    assert.equal(outcome.attempts.length, 2);
    assert.equal(outcome.attempts.at(-1)?.provider, "prefiller");
    assert.deepEqual(
      outcome.seams?.map(({ at, provider }) => [at, provider]),
      [[9, "prefiller"]],
    );
    assert.ok(outcome.usage?.estimated && outcome.usage.prompt_tokens > usage.prompt_tokens);
    assert.deepEqual(second.bodies[0]?.messages.at(-1), { role: "assistant", content: "Once upon", prefix: true });
    assert.equal(second.bodies[0]?.model, "other");
    assert.equal(await stream.finalContent(), "Once upon a time");
    await until(() => alive.size === 0);
  }
});

test("a_server_that_refused_to_go_on_is_among_the_attempts", async () => {
  const refuses = prefilling([() => refusing(500, {})]);
  const second = prefilling([goesOn]);
  for (const [others, expected] of [
    [
      [refuses, second],
      ["200 TruncatedError", "500 InternalServerError", "200 ok"],
    ],
    [[refuses], ["200 ok", "500 InternalServerError"]],
  ] as const) {
    const continueWith = others.map(({ client }) => ({ client, model: "m" }));
    const { client } = asked([cutShort]);
    const outcome = await client.chat.completions.stream(hello, { continueWith }).outcome();
    assert.deepEqual(reasons(outcome.attempts), expected);
  }
});

test("the_usage_of_both_has_its_details", async () => {
  const counted = (cached_tokens: number) =>
    event({ choices: [], usage: { ...usage, prompt_tokens_details: { cached_tokens } } });
  const { client } = asked([() => serve([says("Once upon"), counted(1)]).response]);
  const second = prefilling([() => serve([says(" a time", "stop"), counted(2), DONE]).response]);
  const continueWith = [{ client: second.client, model: "m" }];
  const outcome = await client.chat.completions.stream(hello, { continueWith }).outcome();
  assert.deepEqual(
    [outcome.text, outcome.usage?.total_tokens, outcome.usage?.prompt_tokens_details?.cached_tokens],
    ["Once upon a time", 2 * usage.total_tokens, 3],
  );
});

test("texts_and_chunks_go_on_across_the_seam", async () => {
  for (const read of [
    async (stream: ReturnType<Chatwire["chat"]["completions"]["stream"]>) =>
      (await collect(stream.textStream)).join(""),
    async (stream: ReturnType<Chatwire["chat"]["completions"]["stream"]>) =>
      (await collect(stream)).map(({ choices }) => choices?.[0]?.delta.content ?? "").join(""),
    async (stream: ReturnType<Chatwire["chat"]["completions"]["stream"]>) => (await stream.outcome()).text,
  ]) {
    const first = asked([cutShort]);
    const second = prefilling([() => serve([says(" a"), { error: new Error("reset") }]).response]);
    const third = prefilling([() => serve([says(" time", "stop"), DONE]).response]);
    const continueWith = [second, third].map(({ client }) => ({ client, model: "m" }));
    assert.equal(await read(first.client.chat.completions.stream(hello, { continueWith })), "Once upon a time");
    assert.equal(third.bodies[0]?.messages.at(-1)?.content, "Once upon a");
  }
});

test("what_cannot_be_continued_ends_as_it_would_have", async () => {
  const refused = prefilling([() => refusing(500, {})]);
  const unable = prefilling([goesOn], false);
  for (const { client } of [refused, unable]) {
    const first = asked([cutShort]);
    const stream = first.client.chat.completions.stream(hello, { continueWith: [{ client, model: "m" }] });
    const error = await failureOf(collect(stream.textStream));
    assert.ok(error instanceof TruncatedError);
    const outcome = await stream.outcome();
    assert.deepEqual([outcome.status, outcome.text, outcome.seams], ["truncated", "Once upon", undefined]);
  }
  assert.equal(unable.bodies.length, 0);
  const able = prefilling([goesOn]);
  const tool = event({
    choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: "{" } }] } }],
  });
  const calling = asked([() => serve([says("a"), tool]).response]);
  const options = { continueWith: [{ client: able.client, model: "m" }] };
  assert.equal((await calling.client.chat.completions.stream(hello, options).outcome()).status, "truncated");
  assert.equal(able.bodies.length, 0);
  assert.equal((await asked([cutShort]).client.chat.completions.stream(hello).outcome()).status, "truncated", "opt-in");

  const never = prefilling([() => new Promise(() => {})]);
  const left = asked([cutShort]).client.chat.completions.stream(hello, {
    continueWith: [{ client: never.client, model: "m" }],
  });
  const ended = collect(left.textStream);
  await until(() => never.bodies.length > 0);
  left.abort();
  assert.deepEqual(await ended, ["Once upon"]);
  const { status, text } = await left.outcome();
  assert.deepEqual([status, text], ["aborted", "Once upon"]);
  await until(() => alive.size === 0);
});

/** A server that says it is there every 50 ms, and answers after so many times. */
const keepsAlive = (times: number) => () => {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const last = sent++ === times;
        controller.enqueue(new TextEncoder().encode(last ? says("after all", "stop") + DONE : ": still here\n\n"));
        if (last) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
};

test("silence_with_keep_alives_may_last_longer_than_silence_without", async () => {
  const { client: patient } = asked([keepsAlive(30)], { timeout: { firstToken: 1000 }, maxRetries: 0 });
  const outcome = await patient.chat.completions.stream(hello).outcome();
  assert.deepEqual([outcome.status, outcome.text], ["complete", "after all"]);

  const { client: short } = asked([keepsAlive(1000)], { timeout: { firstToken: 100, keepAlive: 200 }, maxRetries: 0 });
  assert.equal((await short.chat.completions.stream(hello).outcome()).status, "stalled");
  await until(() => alive.size === 0);
});
