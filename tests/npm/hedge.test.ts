/**
 * Hedging: whatever becomes of the request that loses, it is in the attempts and in the accounts of the client that sent it, and the
 * answer is the same as without a second request.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chatwire, type ClientOptions, TruncatedError } from "chatwire";
import { alive } from "./engine-memory.ts";
import { clientOf, collect, DONE, encode, event, gate, hello, says, serve, until } from "./serving.ts";

type Fetch = NonNullable<ClientOptions["fetch"]>;

// Backing off would only take time here.
Math.random = () => 0;

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const answer = (text: string) => [says(text, "stop"), event({ choices: [], usage }), DONE];
const never = () => new Promise<Response>(() => {});
const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const refused = () => Response.json({ error: { message: "no" } }, { status: 500 });

/** A client whose requests are answered by these, one after the other. */
function asked(answers: (() => Response | Promise<Response>)[], options: ClientOptions = {}) {
  const counter = { requests: 0 };
  const fetch: Fetch = async () => (answers[counter.requests++] ?? never)();
  return { counter, client: clientOf(fetch, { hedge: 10, ...options }) };
}

const told = (attempts: readonly { status: number | null; reason: string }[] | undefined) =>
  attempts?.map(({ status, reason }) => `${status} ${reason}`);

test("a_request_that_is_cancelled_before_its_headers_is_in_attempts_and_accounts", async () => {
  const prices = { input: 1, output: 1 };
  for (const priced of [prices, { m: prices }]) {
    const { client } = asked([never, () => serve(answer("second")).response], { prices: priced });
    const outcome = await client.chat.completions.stream(hello).outcome();
    assert.equal(outcome.text, "second");
    assert.deepEqual(told(outcome.attempts), ["null hedged", "200 ok"]);
    const { requests, estimated, uncounted, prompt_tokens, completion_tokens, cost } = client.usage;
    assert.deepEqual([requests, estimated, uncounted, completion_tokens], [2, 1, 0, usage.completion_tokens]);
    assert.ok(prompt_tokens > usage.prompt_tokens, "its prompt is estimated");
    assert.ok(cost !== null && cost > 0, `${cost}`);
    await until(() => alive.size === 0);
  }
  const { client } = asked([never, () => Response.json({ choices: [{ message: { content: "whole" } }], usage })]);
  const completion = await client.chat.completions.create(hello);
  assert.deepEqual(told(completion._outcome?.attempts), ["null hedged", "200 ok"]);
  assert.deepEqual([client.usage.requests, client.usage.estimated], [2, 1]);
});

test("a_second_request_that_never_left_is_neither_an_attempt_nor_in_the_accounts", async () => {
  const { client, counter } = asked([() => serve([], { after: "silence" }).response, never], {
    hedge: 10,
    limits: { concurrent: 1 },
    maxRetries: 0,
    timeout: { firstToken: 120, headers: 200 },
  });
  const waits = gate();
  const { client: slow, counter: sent } = asked(
    [
      async () => {
        await waits.promise;
        return serve(answer("first")).response;
      },
    ],
    { limits: { concurrent: 1 } },
  );
  setTimeout(waits.open, 80);
  const outcome = await slow.chat.completions.stream(hello).outcome();
  assert.deepEqual([outcome.text, sent.requests], ["first", 1]);
  assert.deepEqual(told(outcome.attempts), ["200 ok"]);
  assert.equal(slow.usage.requests, 1);
  // Where the first has failed, the second has its slot.
  const stalled = await client.chat.completions.stream(hello).outcome();
  assert.notEqual(stalled.status, "complete");
  assert.equal(counter.requests, 2);
  assert.deepEqual(told(stalled.attempts), ["null APIConnectionTimeoutError", "200 StalledError"]);
  await until(() => alive.size === 0);
});

test("two_that_bring_their_first_token_at_once_are_both_told", async () => {
  const bothThere = gate();
  const controllers: ReadableStreamDefaultController<Uint8Array>[] = [];
  const open = () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controllers.push(controller);
        if (controllers.length === 2) bothThere.open();
      },
    });
    return new Response(body);
  };
  const { client } = asked([open, open]);
  const ended = client.chat.completions.stream(hello).outcome();
  await bothThere.promise;
  await after(20);
  for (const [at, controller] of controllers.entries()) {
    controller.enqueue(encode(answer(`${at}`).join("")));
    controller.close();
  }
  const outcome = await ended;
  assert.equal(outcome.status, "complete");
  assert.deepEqual(told(outcome.attempts), ["200 hedged", "200 ok"]);
  const { requests, uncounted } = client.usage;
  assert.deepEqual([requests, uncounted], [2, 0]);
  await until(() => alive.size === 0);
});

test("the_one_that_lost_at_its_fallback_is_told_and_counted_there", async () => {
  const other = asked([never], { provider: { baseURL: "https://other.test/v1", name: "other" }, hedge: false });
  let requests = 0;
  const client = new Chatwire({
    provider: { baseURL: "https://mine.test/v1", name: "mine" },
    maxRetries: 0,
    hedge: 20,
    fallback: [{ client: other.client, model: "m" }],
    fetch: async () => {
      if (requests++ === 0) {
        await after(60);
        return refused();
      }
      await until(() => other.counter.requests === 1);
      await after(20);
      return serve(answer("second")).response;
    },
  });
  const outcome = await client.chat.completions.stream(hello).outcome();
  assert.deepEqual(
    outcome.attempts.map(({ provider, reason }) => [provider, reason]),
    [
      ["mine", "InternalServerError"],
      ["other", "hedged"],
      ["mine", "ok"],
    ],
  );
  assert.deepEqual([client.usage.requests, other.client.usage.requests, other.client.usage.estimated], [1, 1, 1]);
  await until(() => alive.size === 0);
});

test("an_answer_that_breaks_after_its_first_token_is_the_answer_with_a_second_request_and_without", async () => {
  // In one read, and in two.
  for (const parts of [[says("half") + event({ error: { code: 502, message: "x" } })], [says("half")]]) {
    const seen: unknown[] = [];
    for (const hedge of [false, 10] as const) {
      const late = async () => {
        await after(40);
        return serve(parts).response;
      };
      const { client } = asked([late, never], { hedge, maxRetries: 2 });
      const stream = client.chat.completions.stream(hello);
      const texts: string[] = [];
      let name = "";
      try {
        for await (const text of stream.textStream) texts.push(text);
      } catch (error) {
        name = (error as Error).name;
      }
      const { status, text } = await stream.outcome();
      seen.push([texts, name, status, text]);
    }
    assert.deepEqual(seen[1], seen[0]);
    assert.deepEqual((seen[0] as unknown[])[0], ["half"]);
  }
});

test("a_hedged_answer_that_breaks_is_continued_elsewhere", async () => {
  const second = clientOf(async () => serve(answer(" a time")).response, {
    provider: { baseURL: "https://goes-on.test/v1", prefill: true },
  });
  const { client } = asked([never, () => serve([says("Once upon")]).response]);
  const continueWith = [{ client: second, model: "m" }];
  const outcome = await client.chat.completions.stream(hello, { continueWith, accumulate: false }).outcome();
  assert.deepEqual([outcome.status, outcome.text], ["complete", "Once upon a time"]);
  assert.deepEqual(told(outcome.attempts), ["null hedged", "200 TruncatedError", "200 ok"]);
  assert.deepEqual([client.usage.requests, second.usage.requests], [2, 1]);
});

test("the_time_of_a_call_that_was_overtaken_counts_for_the_next", async () => {
  let [first, second] = [0, 0];
  let isFirst = true;
  const fetch: Fetch = async () => {
    const ms = isFirst ? first : second;
    isFirst = false;
    if (ms === Number.POSITIVE_INFINITY) return never();
    await after(ms);
    return serve(answer("x")).response;
  };
  let requests = 0;
  const client = clientOf(
    (url, init) => {
      requests++;
      return fetch(url, init);
    },
    { hedge: true },
  );
  const call = async () => {
    isFirst = true;
    await client.chat.completions.stream(hello).outcome();
  };
  for (let made = 0; made < 10; made++) await call();
  [first, second] = [Number.POSITIVE_INFINITY, 3000];
  await call();
  assert.equal(requests, 12);
  // 3 seconds are no longer unusual.
  first = 200;
  await call();
  assert.equal(requests, 13);
});

test("a_lost_hedge_without_accumulation_is_counted_as_unknown", async () => {
  const { client } = asked([() => serve([], { after: "silence" }).response, () => serve(answer("x")).response]);
  const stream = await client.chat.completions.create({ ...hello, stream: true }, { accumulate: false });
  assert.deepEqual(await collect(stream.textStream), ["x"]);
  assert.equal(client.usage.requests, 2);
  const { client: cut } = asked([never, () => serve([says("half")]).response]);
  const { error } = await cut.chat.completions.stream(hello, { accumulate: false }).outcome();
  assert.ok(error instanceof TruncatedError);
  await until(() => alive.size === 0);
});
