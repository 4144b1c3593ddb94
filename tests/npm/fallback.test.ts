/**
 * Fallback: who is asked when a provider cannot answer, when nobody is, and what the outcome says about it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIUserAbortError,
  AuthenticationError,
  Chatwire,
  ChatwireError,
  type ClientOptions,
  type Fallback,
  type FallbackReason,
  InternalServerError,
  InvalidRequestError,
  RateLimitError,
  TruncatedError,
} from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, collect, DONE, failureOf, hello, says, serve } from "./serving.ts";

type Fetch = NonNullable<ClientOptions["fetch"]>;

/** The requests that one server was sent. */
interface Server {
  client: Chatwire;
  bodies: Record<string, unknown>[];
  requests: { url: string; headers: Headers }[];
}

/** A client of a server that answers with `answer`, and a record of what it was sent. */
function serverOf(answer: () => Response | Promise<Response>, options: ClientOptions = {}): Server {
  const bodies: Server["bodies"] = [];
  const requests: Server["requests"] = [];
  const fetch: Fetch = async (url, init) => {
    bodies.push(JSON.parse(init.body ?? "null"));
    requests.push({ url, headers: new Headers(init.headers as Headers) });
    return answer();
  };
  return { client: clientOf(fetch, options), bodies, requests };
}

const refusing = (status: number, headers: Record<string, string> = {}) =>
  Response.json({ error: { message: "no" } }, { status, headers });
const answering = () => serve([says("from the second", "stop"), DONE]).response;
const unreachable = () => Promise.reject(new TypeError("fetch failed"));
const reasons = (attempts: readonly { status: number | null; reason: string }[] | undefined) =>
  attempts?.map(({ status, reason }) => `${status} ${reason}`);

/** A client whose server does `answer`, with one that answers to fall back on. */
function pair(answer: () => Response | Promise<Response>, options: ClientOptions = {}, more: Partial<Fallback> = {}) {
  const second = serverOf(answering);
  const first = serverOf(answer, { ...options, fallback: [{ client: second.client, model: "other", ...more }] });
  return { first, second };
}

for (const [what, answer, attempt] of [
  ["cannot_be_reached", unreachable, "null APIConnectionError"],
  ["fails", () => refusing(500), "500 InternalServerError"],
  ["is_overloaded", () => refusing(503), "503 InternalServerError"],
  ["asks_to_wait_longer_than_anybody_would", () => refusing(429, { "retry-after": "3600" }), "429 RateLimitError"],
] as const) {
  test(`another_server_answers_when_the_first_${what}`, async () => {
    const { first, second } = pair(answer);
    const stream = await first.client.chat.completions.create({ ...hello, stream: true, temperature: 0.5 });
    assert.deepEqual(await collect(stream.textStream), ["from the second"]);
    const outcome = await stream.outcome();
    assert.equal(outcome.status, "complete");
    assert.deepEqual(reasons(outcome.attempts), [attempt, "200 ok"]);
    assert.equal(new Set(outcome.attempts.map(({ provider }) => provider)).size, 2);
    assert.deepEqual(second.bodies, [{ ...hello, model: "other", stream: true, temperature: 0.5 }]);
  });
}

for (const [status, name] of [
  [400, "BadRequestError"],
  [401, "AuthenticationError"],
  [404, "NotFoundError"],
  [422, "UnprocessableEntityError"],
] as const) {
  test(`nobody_else_is_asked_about_a_request_refused_with_${status}`, async () => {
    const { first, second } = pair(() => refusing(status));
    const error = (await failureOf(first.client.chat.completions.create(hello))) as ChatwireError;
    assert.equal(error.name, name);
    assert.equal(second.bodies.length, 0);
  });
}

test("a_request_that_is_refused_before_sending_is_not_sent_to_others", async () => {
  const { first, second } = pair(() => refusing(500));
  assert.ok(
    (await failureOf(first.client.chat.completions.create({ model: "m" } as never))) instanceof InvalidRequestError,
  );
  assert.deepEqual([first.bodies.length, second.bodies.length], [0, 0]);
});

test("the_retries_come_first", async () => {
  const { first } = pair(() => refusing(503, { "retry-after-ms": "1" }), { maxRetries: 2 });
  const outcome = await first.client.chat.completions.stream(hello).outcome();
  const tried = "503 InternalServerError";
  assert.deepEqual(reasons(outcome.attempts), [tried, tried, tried, "200 ok"]);
});

test("a_fallback_has_its_own_retries", async () => {
  let calls = 0;
  const second = serverOf(() => (++calls < 3 ? refusing(503, { "retry-after-ms": "1" }) : answering()), {
    maxRetries: 2,
  });
  const first = serverOf(() => refusing(500), { maxRetries: 0, fallback: [{ client: second.client, model: "other" }] });
  const outcome = await first.client.chat.completions.stream(hello).outcome();
  const tried = "503 InternalServerError";
  assert.deepEqual(reasons(outcome.attempts), ["500 InternalServerError", tried, tried, "200 ok"]);
});

test("fallbacks_are_asked_in_order_and_the_last_failure_is_thrown", async () => {
  const [third, fourth] = [serverOf(unreachable), serverOf(() => refusing(502))];
  const fallback = [third, fourth].map(({ client }, at) => ({ client, model: `m${at}` }));
  const first = serverOf(() => refusing(500), { fallback });
  const error = (await failureOf(first.client.chat.completions.create(hello))) as InternalServerError;
  assert.ok(error instanceof InternalServerError);
  assert.equal(error.status, 502);
  assert.deepEqual(reasons(error.attempts), [
    "500 InternalServerError",
    "null APIConnectionError",
    "502 InternalServerError",
  ]);
  assert.deepEqual([third.bodies[0]?.model, fourth.bodies[0]?.model], ["m0", "m1"]);
});

test("a_fallback_that_refuses_the_request_ends_the_search", async () => {
  const [second, third] = [serverOf(() => refusing(401)), serverOf(answering)];
  const fallback = [second, third].map(({ client }) => ({ client, model: "other" }));
  const first = serverOf(() => refusing(500), { fallback });
  const error = (await failureOf(first.client.chat.completions.create(hello))) as AuthenticationError;
  assert.ok(error instanceof AuthenticationError);
  assert.deepEqual(reasons(error.attempts), ["500 InternalServerError", "401 AuthenticationError"]);
  assert.equal(third.bodies.length, 0);
});

test("a_fallbacks_own_fallbacks_are_not_followed", async () => {
  const third = serverOf(answering);
  const second = serverOf(() => refusing(500), { fallback: [{ client: third.client, model: "third" }] });
  const first = serverOf(() => refusing(500), { fallback: [{ client: second.client, model: "second" }] });
  await failureOf(first.client.chat.completions.create(hello));
  assert.deepEqual([second.bodies.length, third.bodies.length], [1, 0]);
});

test("parameters_can_differ_for_a_fallback_and_are_judged_by_its_provider", async () => {
  const emulator = createEmulator();
  const electron = new Chatwire({ provider: "electron", apiKey: "any", fetch: emulator.fetch as Fetch, maxRetries: 0 });
  const asked = { ...hello, n: 2, temperature: 0.1 };

  const plain = serverOf(() => refusing(500), { fallback: [{ client: electron, model: "electron" }] });
  const error = (await failureOf(plain.client.chat.completions.create(asked))) as InvalidRequestError;
  assert.ok(error instanceof InvalidRequestError);
  assert.deepEqual(
    error.details.map(({ path }) => path),
    [["n"]],
  );
  assert.deepEqual(reasons(error.attempts), ["500 InternalServerError"]);

  const params = { n: 1, temperature: 0.9 };
  const fitting = serverOf(() => refusing(500), { fallback: [{ client: electron, model: "electron", params }] });
  const completion = await fitting.client.chat.completions.create(asked);
  assert.equal(completion.model, "electron");
  assert.equal(emulator.ledger.requests, 1);
});

test("headers_and_query_of_a_call_stay_with_the_server_they_were_meant_for", async () => {
  const { first, second } = pair(() => refusing(500), { apiKey: "sk-first-key-123", defaultHeaders: { "x-own": "1" } });
  await first.client.chat.completions.create(
    { ...hello, stream: true },
    { headers: { authorization: "Bearer sk-call-key-456" }, query: { token: "secret" } },
  );
  assert.match(first.requests[0]?.url ?? "", /token=secret/);
  const [sent] = second.requests;
  assert.deepEqual([sent?.headers.get("authorization"), sent?.headers.get("x-own")], [null, null]);
  assert.doesNotMatch(sent?.url ?? "", /\?/);
});

test("once_an_answer_has_begun_nobody_else_is_asked", async () => {
  const begun = serve([says("Once upon"), { error: new TypeError("terminated") }]);
  const { first, second } = pair(() => begun.response);
  const stream = first.client.chat.completions.stream(hello);
  const error = await failureOf(collect(stream.textStream));
  assert.ok(error instanceof TruncatedError);
  assert.equal((await stream.outcome()).text, "Once upon");
  assert.equal(second.bodies.length, 0);
});

test("a_server_in_its_cooldown_is_skipped_and_the_outcome_says_so", async () => {
  const { first, second } = pair(() => refusing(429, { "retry-after": "600" }));
  await first.client.chat.completions.create({ ...hello, stream: true });
  const outcome = await first.client.chat.completions.stream(hello).outcome();
  assert.deepEqual(reasons(outcome.attempts), ["null cooldown", "200 ok"]);
  assert.deepEqual([first.bodies.length, second.bodies.length], [1, 2]);
});

test("a_plan_that_is_used_up_for_longer_than_the_call_can_wait_is_skipped", async () => {
  const { first, second } = pair(answering, { limits: { requestsPerMinute: 1 } });
  const ask = () => first.client.chat.completions.stream(hello, { timeout: { total: 5000 } }).outcome();
  assert.deepEqual(reasons((await ask()).attempts), ["200 ok"]);
  assert.deepEqual(reasons((await ask()).attempts), ["null limits", "200 ok"]);
  assert.deepEqual([first.bodies.length, second.bodies.length], [1, 1]);
});

test("what_no_fallback_could_answer_says_when_to_come_back", async () => {
  const second = serverOf(() => refusing(429, { "retry-after": "1200" }));
  const first = serverOf(unreachable, { fallback: [{ client: second.client, model: "other" }] });
  const before = Date.now();
  const error = (await failureOf(first.client.chat.completions.create(hello))) as RateLimitError;
  assert.ok(error instanceof RateLimitError);
  assert.ok((error.retryAt ?? 0) >= before + 1_200_000);
});

test("an_abort_while_falling_back_ends_the_call", async () => {
  const controller = new AbortController();
  let asked = 0;
  const second = serverOf(() => {
    asked++;
    controller.abort();
    return new Promise<Response>(() => {});
  });
  const third = serverOf(answering);
  const fallback = [second, third].map(({ client }) => ({ client, model: "other" }));
  const first = serverOf(() => refusing(500), { fallback });
  const error = await failureOf(first.client.chat.completions.create(hello, { signal: controller.signal }));
  assert.ok(error instanceof APIUserAbortError);
  assert.deepEqual([asked, third.bodies.length], [1, 0]);
});

test("the_time_for_the_whole_call_is_shared_by_all_who_are_asked", async () => {
  const silent = () => new Promise<Response>(() => {});
  const { first, second } = pair(silent);
  const error = await failureOf(first.client.chat.completions.create(hello, { timeout: { total: 20 } }));
  assert.ok(error instanceof APIConnectionTimeoutError);
  assert.equal(second.bodies.length, 0);
  // A server too slow with its headers leaves time for others.
  const slow = pair(silent);
  const outcome = await slow.first.client.chat.completions.stream(hello, { timeout: { headers: 20 } }).outcome();
  assert.deepEqual(reasons(outcome.attempts), ["null APIConnectionTimeoutError", "200 ok"]);
});

test("usage_is_counted_where_it_was_caused", async () => {
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  const choices = [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "stop" }];
  const second = serverOf(() => Response.json({ choices, usage }));
  const first = serverOf(() => refusing(500), { fallback: [{ client: second.client, model: "other" }] });
  await first.client.chat.completions.create(hello);
  assert.deepEqual([first.client.usage.requests, second.client.usage.total_tokens], [0, 5]);
});

test("whole_answers_and_raw_responses_fall_back_too_and_other_requests_do_not", async () => {
  const json = () =>
    Response.json({ choices: [{ index: 0, message: { role: "assistant", content: "b" }, finish_reason: "stop" }] });
  const second = serverOf(json);
  const first = serverOf(() => refusing(500), { fallback: [{ client: second.client, model: "other" }] });
  const { completions } = first.client.chat;
  assert.equal((await completions.create(hello)).choices[0]?.message.content, "b");
  assert.equal((await completions.create(hello).asResponse()).status, 200);
  assert.ok((await failureOf(first.client.models.list())) instanceof InternalServerError);
  assert.equal(second.bodies.length, 2);
});

test("a_fallback_that_is_no_client_is_refused_at_once", () => {
  const other = clientOf(async () => answering());
  for (const fallback of [
    [{ client: {}, model: "m" }],
    [{ client: other }],
    [null],
    "no",
    { client: other, model: "m" },
  ]) {
    assert.throws(() => clientOf(async () => answering(), { fallback: fallback as never }), ChatwireError);
  }
});

test("a_word_of_on_that_is_none_is_refused_and_those_there_are_are_listed", () => {
  const other = clientOf(async () => answering());
  const wanting = (...ons: unknown[]) =>
    clientOf(async () => answering(), {
      fallback: ons.map((on) => ({ client: other, model: "m", on: on as FallbackReason[] })),
    });
  const all: FallbackReason[] = ["connection", "server", "limit", "quota", "model", "region", "broken"];
  assert.ok(wanting(all, [], undefined, null, ["limit"]).usage);
  for (const ons of [[["limits"]], [all, ["Limit"]], ["429"], [[429]], [["limit", undefined]], [{ limit: true }]]) {
    assert.throws(
      () => wanting(...ons),
      (error: InvalidRequestError) => {
        const [problem] = error.details;
        assert.equal(problem?.code, "unknown_option", JSON.stringify(ons));
        assert.deepEqual(problem.path.slice(0, 2), ["fallback", "on"]);
        for (const word of all) assert.ok(problem.message.includes(word), problem.message);
        return true;
      },
    );
  }
});

test("a_client_that_was_disposed_of_cannot_help", async () => {
  const { first, second } = pair(unreachable);
  second.client[Symbol.dispose]();
  const error = await failureOf(first.client.chat.completions.create(hello));
  assert.ok(error instanceof ChatwireError && !(error instanceof APIConnectionError));
  assert.match(error.message, /disposed/);
});
