/**
 * `batch`: order, partial failure, progress, the limits of a plan and refusals, against the emulator.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BatchProgress, Chatwire, type ClientOptions } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, failureOf, hello } from "./serving.ts";

const say = (text: string) => ({ messages: [{ role: "user" as const, content: `Echo: ${text}` }] });
const texts = (count: number) => Array.from({ length: count }, (_, at) => `answer ${at}`);

let keys = 0;
/** A client of an emulator; limits are shared by key, so each has its own. */
function electron(fetch: ClientOptions["fetch"], options: ClientOptions = {}): Chatwire {
  return new Chatwire({ provider: "electron", apiKey: `batch-${++keys}`, fetch: fetch as never, ...options });
}

test("results_are_in_the_order_of_the_list_and_one_failure_stops_no_other", async () => {
  const list = texts(12);
  const params = list.map(say);
  params.splice(5, 1, { ...say("refused"), temperature: 9 } as never);
  const told: BatchProgress[] = [];
  const client = electron(createEmulator().fetch);
  const results = await client.chat.completions.batch(params, { onProgress: (progress) => void told.push(progress) });

  assert.equal(results.length, 12);
  for (const [at, result] of results.entries()) {
    if (at === 5) {
      assert.ok(result.status === "rejected" && result.reason.name === "InvalidRequestError");
    } else {
      assert.ok(result.status === "fulfilled" && result.value.choices[0]?.message.content?.includes(`answer ${at}`));
    }
  }
  assert.deepEqual(
    told.map(({ done }) => done),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  );
  assert.deepEqual(
    told.map(({ index }) => index).sort((a, b) => a - b),
    [...list.keys()],
  );
  assert.deepEqual([told.at(-1)?.failed, told.at(-1)?.total], [1, 12]);
  assert.ok(told.every(({ index, result }) => results[index] === result));
  assert.equal(client.usage.requests, 11);
});

test("a_plan_that_allows_two_at_once_is_never_refused", async () => {
  const emulator = createEmulator({ limits: { requestsPerMinute: 100, concurrent: 2 } });
  const client = electron(emulator.fetch, { limits: { requestsPerMinute: 100, concurrent: 2 }, maxRetries: 0 });
  const results = await client.chat.completions.batch(texts(12).map(say));
  assert.deepEqual(
    results.map(({ status }) => status),
    Array(12).fill("fulfilled"),
  );
  assert.deepEqual(new Set(emulator.ledger.records.map(({ status }) => status)), new Set([200]));
});

test("no_more_than_concurrency_are_under_way", async () => {
  let open = 0;
  let most = 0;
  const { fetch } = createEmulator();
  const counted = async (...args: Parameters<typeof fetch>) => {
    most = Math.max(most, ++open);
    await new Promise(setImmediate);
    return fetch(...args).finally(() => open--);
  };
  await electron(counted as never).chat.completions.batch(texts(9).map(say), { concurrency: 3 });
  assert.equal(most, 3);
});

test("a_refusal_that_names_a_time_is_waited_out", async () => {
  const { fetch } = createEmulator();
  let refusals = 3;
  const refusing = async (...args: Parameters<typeof fetch>) =>
    refusals-- > 0
      ? Response.json({ error: { message: "slow down" } }, { status: 429, headers: { "retry-after-ms": "2" } })
      : fetch(...args);
  const client = electron(refusing as never, { maxRetries: 0 });
  const results = await client.chat.completions.batch(texts(4).map(say));
  assert.deepEqual(
    results.map(({ status }) => status),
    Array(4).fill("fulfilled"),
  );
});

test("a_wait_beyond_max_wait_is_a_rejection_that_says_when", async () => {
  const refusing = async () => new Response(null, { status: 429, headers: { "retry-after": "180" } });
  const results = await clientOf(refusing).chat.completions.batch([hello, hello], { maxWait: 1000, concurrency: 1 });
  for (const result of results) {
    assert.ok(result.status === "rejected" && result.reason.name === "RateLimitError");
    assert.ok(result.reason.retryAt > Date.now() + 170_000);
  }
});

test("an_abort_settles_what_is_left_and_sends_no_more", async () => {
  const controller = new AbortController();
  const emulator = createEmulator();
  const results = await electron(emulator.fetch).chat.completions.batch(texts(30).map(say), {
    signal: controller.signal,
    concurrency: 2,
    onProgress({ done }) {
      if (done === 4) controller.abort();
    },
  });
  assert.equal(results.length, 30);
  const done = results.filter(({ status }) => status === "fulfilled").length;
  assert.ok(done >= 4 && done <= 6, `${done}`);
  for (const result of results.slice(6)) {
    assert.ok(result.status === "rejected" && result.reason.name === "APIUserAbortError");
  }
  assert.ok(emulator.ledger.records.length <= 6);
});

test("an_abort_ends_the_wait_for_a_server_that_refuses", async () => {
  const controller = new AbortController();
  const refusing = async () => {
    setImmediate(() => controller.abort());
    return new Response(null, { status: 429, headers: { "retry-after": "200" } });
  };
  const { signal } = controller;
  const [result] = await clientOf(refusing).chat.completions.batch([hello], { signal });
  assert.ok(result?.status === "rejected" && result.reason.name === "APIUserAbortError");
});

test("a_batch_of_nothing_is_nothing_and_nonsense_is_named", async () => {
  const { completions } = clientOf(async () => assert.fail("it was sent")).chat;
  assert.deepEqual(await completions.batch([]), []);
  for (const [list, options] of [
    [undefined, {}],
    ["text", {}],
    [[hello], { concurrency: 0 }],
    [[hello], { concurrency: Number.NaN }],
    [[hello], { maxWait: -1 }],
  ] as const) {
    const error = await failureOf(completions.batch(list as never, options));
    assert.equal(error.name, "InvalidRequestError", JSON.stringify(options));
  }
  const [nothing] = await completions.batch([undefined as never]);
  assert.ok(nothing?.status === "rejected" && nothing.reason.name === "InvalidRequestError");
});

test("what_progress_throws_is_its_own_affair", async () => {
  const onProgress = () => assert.fail("in the caller's code");
  const results = await electron(createEmulator().fetch).chat.completions.batch([say("a"), say("b")], { onProgress });
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled"],
  );
});
