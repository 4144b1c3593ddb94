/** Each thing that the gateway keeps between requests, grown by a hostile caller or provider: docs/reliability.md lists all that is kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerCache } from "../../npm/edge/answer-cache.ts";
import { Cooldowns } from "../../npm/edge/cooldowns.ts";
import type { Admission, Message } from "../../npm/edge/limiter.ts";
import { Log } from "../../npm/edge/log.ts";
import { Numbering } from "../../npm/edge/numbering.ts";
import { PassedAnswer } from "../../npm/edge/passed-answer.ts";
import { upstreamOf } from "../../npm/edge/upstream.ts";
import { keysObject, limiterObjects } from "./objects.ts";
import { CHAT, chat, encode, event, says, setUp, streamOf } from "./setting.ts";

const MIB = 1024 * 1024;

/** An event stream that repeats itself without an end, and how much of it was read. Each read takes a turn of the event loop, as from a network. */
function endless(bytes: Uint8Array) {
  const seen = { bytes: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await new Promise(setImmediate);
        seen.bytes += bytes.length;
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, response: new Response(body, { headers: { "content-type": "text/event-stream" } }) };
}

test("cooldowns_are_remembered_of_a_thousand_models", async () => {
  const cooldowns = new Cooldowns();
  const refused = () =>
    Response.json({ error: { message: "slow down" } }, { status: 429, headers: { "retry-after": "60" } });
  for (let model = 0; model <= 1000; model++) await cooldowns.seen(`model-${model}`, refused());
  assert.equal(cooldowns.refusal("model-0"), undefined, "the oldest makes way");
  for (const known of ["model-1", "model-1000"]) assert.equal(cooldowns.refusal(known)?.status, 503, known);
});

test("small_answers_take_as_much_of_the_cache_as_they_take_of_the_memory", () => {
  const cache = new AnswerCache({ ttl: 60 });
  const most = (32 * MIB) / 512;
  for (let answer = 0; answer < most; answer++) {
    const gathering = cache.gather(`key-${answer}`);
    gathering.add(encode("a"));
    gathering.keep("application/json", { tokens: 1, cost: null });
  }
  assert.equal(cache.find("key-0", null), undefined, "the oldest makes way");
  assert.ok(cache.find(`key-${most - 1}`, null), "the newest is kept");
});

test("an_event_of_a_kept_stream_that_does_not_end_is_refused_at_its_limit", () => {
  const numbering = new Numbering();
  const piece = new Uint8Array(MIB).fill(97);
  let sent = 0;
  assert.throws(() => {
    for (; sent < 64; sent++) numbering.push(piece);
  }, /maxEventBytes/);
  assert.ok(sent <= 17, `${sent} MiB`);
  numbering.free();
});

test("a_kept_stream_without_end_is_kept_in_8_MiB", () => {
  const log = new Log(8 * MIB);
  const bytes = encode(says("x".repeat(MIB)));
  for (let count = 0; count < 64; count++) log.push({ bytes, count: 1 });
  assert.ok(log.bytes().length <= 8 * MIB);
  assert.equal(log.end, 64);
});

test("an_answer_that_is_passed_through_is_held_as_long_as_it_may_be_an_error", () => {
  const answer = new PassedAnswer(false, []);
  let held = 0;
  let passed = 0;
  for (let count = 0; count < 100; count++) {
    passed += answer.push(new Uint8Array(1024).fill(97)).length;
    held = Math.max(held, (count + 1) * 1024 - passed);
  }
  assert.ok(held <= 64 * 1024, `${held} bytes`);
  assert.equal(passed, 100 * 1024);
});

test("an_answer_that_has_no_token_is_kept_for_another_provider_for_a_mebibyte", async () => {
  const silent = event({ id: "1", choices: [{ index: 0, delta: { role: "assistant" }, finish_reason: null }] });
  const { seen, response } = endless(encode(silent.repeat(500)));
  const provider = (fetch: () => Promise<Response>, host: string) => ({
    ...{ baseURL: `https://${host}.test/v1`, apiKey: "k", maxRetries: 0 },
    fetch: fetch as never,
  });
  const { fetch } = setUp(async () => response, {
    providers: {
      one: provider(async () => response, "bounds-one"),
      two: provider(async () => streamOf([says("Hello", "stop")]), "bounds-two"),
    },
    models: { m: ["one/m", "two/m"] },
  });
  const answer = await fetch(CHAT, chat("hi", { model: "m", stream: true }));
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await reader.read();
  assert.ok(value && value.length >= MIB, `${value?.length} bytes at first`);
  assert.ok(seen.bytes < 2 * MIB, `${seen.bytes} bytes were read`);
  await reader.cancel();
});

test("keys_of_a_provider_that_change_with_each_call_are_remembered_eight_at_a_time", async () => {
  let calls = 0;
  const upstream = upstreamOf(
    "own",
    {
      baseURL: "https://bounds-keys.test/v1",
      apiKey: () => `secret-key-${++calls}`,
      maxRetries: 0,
      fetch: (async () => streamOf([says("Hello", "stop")])) as never,
    },
    null,
  );
  const [key] = upstream.keys;
  for (let call = 0; call < 20; call++) {
    await key?.client.chat.completions
      .create({ model: "m", messages: [{ role: "user", content: "hi" }], stream: true })
      .asResponse();
  }
  const newest = Array.from({ length: 8 }, (_, at) => `secret-key-${13 + at}`);
  assert.deepEqual([...(key?.secrets ?? [])], newest);
});

test("no_more_than_ten_thousand_requests_wait_at_one_object", async () => {
  let now = 1_800_000_000_000;
  const { namespace } = limiterObjects(() => now);
  const stub = namespace.get(namespace.idFromName("one") as never);
  const tell = async (message: Message) =>
    (await stub.fetch("https://limiter/", { method: "POST", body: JSON.stringify(message) })).json();
  const admit = (id: string, caller: string) =>
    tell({
      ...{ op: "admit", id, caller, model: "m", plan: { concurrent: 1 }, tokens: 0, cost: 0 },
      ...{ wait: 60_000, queue: 1000 },
    }) as Promise<Admission>;
  assert.equal((await admit("first", "a")).admitted, true);
  const answered: string[] = [];
  for (let number = 0; number < 10_000; number++) {
    const id = `waits-${number}`;
    void admit(id, `caller-${number % 20}`).then(() => answered.push(id));
  }
  const more = await admit("one-more", "caller-of-its-own");
  assert.equal(more.admitted, false, "one more is refused at once");
  assert.deepEqual(answered, [], "the others still wait");
  assert.equal((await tell({ op: "state" })).waiting, 10_000);
  // Time is up for all of them.
  now += 61_000;
  await tell({ op: "cancel", id: "first" });
  assert.equal((await tell({ op: "state" })).waiting, 0);
});

test("revoked_tokens_are_forgotten_once_they_would_have_expired", async () => {
  const clock = { now: 1000 };
  const { namespace, rows } = keysObject(() => clock.now);
  const stub = namespace.get(namespace.idFromName("keys") as never);
  for (let token = 0; token < 100; token++) {
    clock.now += 1000;
    const message = { op: "revokeToken", subject: `token-${token}`, until: clock.now + 5000 };
    await stub.fetch("https://keys/", { method: "POST", body: JSON.stringify(message) });
  }
  assert.equal(rows("revoked"), 6);
});

const DAY = 86_400_000;

/** The beginning of a query that has the numbers up to this one. */
const numbers = (most: number) =>
  `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${most})`;

/** The keys' object at a clock that the test sets, in a gateway of a manager of keys. */
function ring(maxKeys?: number) {
  const time = { now: Date.UTC(2026, 0, 1) };
  const { namespace, exec, rows } = keysObject(() => time.now);
  const own = setUp(async () => Response.json({}), {
    authorize: () => ({ caller: "admin", managesKeys: true }),
    keys: namespace,
    ...(maxKeys !== undefined && { maxKeys }),
    token: { secret: "x".repeat(32), origins: ["https://a.example"], expiresIn: 60 },
  });
  const ask = (method: string, path: string, body?: object) =>
    own.fetch(path, { method, ...(body && { body: JSON.stringify(body) }) });
  const create = async (more: object = {}) => {
    const response = await ask("POST", "/v1/keys", { caller: "app", ...more });
    return { status: response.status, ...(await response.json()) };
  };
  return { time, namespace, exec, rows, ask, create };
}

test("no_more_keys_of_callers_open_than_max_keys_says", async () => {
  const { time, rows, ask, create } = ring(5);
  const made = [];
  for (let key = 0; key < 5; key++) made.push(await create(key < 2 ? { expiresAt: time.now + 1000 } : {}));
  const sixth = await create();
  assert.deepEqual([sixth.status, sixth.error.code], [409, "too_many_keys"]);
  assert.match(sixth.error.message, /5 keys .*maxKeys.*DELETE \/v1\/keys\/\{id\}/);
  assert.equal((await ask("DELETE", `/v1/keys/${made[4].id}`)).status, 200);
  assert.equal((await create()).status, 200, "a key that was revoked does not count");
  assert.equal((await create()).status, 409);
  time.now += 2000;
  for (let key = 0; key < 2; key++) assert.equal((await create()).status, 200, "a key that has expired does not count");
  assert.equal((await create()).status, 409);
  // A key that has expired does not open again past the bound.
  const again = await ask("PATCH", `/v1/keys/${made[0].id}`, { caller: "app" });
  assert.deepEqual([again.status, (await again.json()).error.code], [409, "too_many_keys"]);
  assert.equal((await ask("PATCH", `/v1/keys/${made[0].id}`, { caller: "app", expiresAt: time.now - 1 })).status, 200);
  assert.equal(
    (await ask("PATCH", `/v1/keys/${made[2].id}`, { caller: "app" })).status,
    200,
    "one that opens is limited",
  );
  assert.equal(rows("keys"), 8, "gone ones are listed for a while");
  time.now += 31 * DAY;
  assert.equal((await ask("DELETE", `/v1/keys/${made[2].id}`)).status, 200);
  assert.equal((await create()).status, 200);
  assert.equal(rows("keys"), 6, "and then forgotten");
});

test("keys_that_are_made_and_revoked_for_ever_take_no_more_room_than_max_keys", async () => {
  const { time, rows, ask, create } = ring(5);
  for (let round = 0; round < 40; round++) {
    const { id } = await create(round % 2 ? { expiresAt: time.now + 1 } : {});
    time.now += 10;
    if (round % 2 === 0) assert.equal((await ask("DELETE", `/v1/keys/${id}`)).status, 200);
  }
  assert.ok(rows("keys") <= 7, `${rows("keys")} rows`);
  const { data } = await (await ask("GET", "/v1/keys")).json();
  assert.equal(data.at(-1).createdAt, time.now - 10, "the last to go are kept");
});

test("ten_thousand_keys_open_unless_max_keys_says_otherwise", async () => {
  const { exec, create } = ring();
  exec(`${numbers(9_999)} INSERT INTO keys SELECT 'k' || n, n, '', '{"caller":"a"}', NULL, 0, NULL FROM numbers`);
  assert.equal((await create()).status, 200);
  assert.equal((await create()).status, 409);
});

test("a_caller_has_ten_thousand_revoked_tokens_at_a_time", async () => {
  const { time, namespace, exec, rows, ask } = ring();
  const stub = namespace.get(namespace.idFromName("keys") as never);
  const revoke = async (maker: string, name: string) => {
    const message = {
      op: "revokeToken",
      maker,
      subject: JSON.stringify([maker, "user", name]),
      until: time.now + 60_000,
    };
    return (await stub.fetch("https://keys/", { method: "POST", body: JSON.stringify(message) })).json();
  };
  const until = time.now + 60_000;
  exec(`${numbers(9_999)} INSERT INTO revoked SELECT '["admin","user","u' || n || '"]', 0, ${until} FROM numbers`);
  assert.deepEqual(await revoke("admin", "last"), { revoked: true });
  assert.deepEqual(await revoke("admin", "u7"), { revoked: true }, "one that is there is revoked again");
  for (const other of ["admi", "admin-2", 'admin",', "adminn"]) {
    assert.deepEqual(await revoke(other, "u"), { revoked: true }, "another caller's do not count");
  }
  const refused = await ask("POST", "/v1/token/revoke", { user: "one more" });
  assert.deepEqual([refused.status, (await refused.json()).error.code], [429, "too_many_revocations"]);
  assert.equal(rows("revoked"), 10_004);
  time.now += 61_000;
  assert.equal((await ask("POST", "/v1/token/revoke", { user: "one more" })).status, 200);
  assert.equal(rows("revoked"), 1);
  for (const wanted of [{ user: "u".repeat(257) }, { id: "i".repeat(257) }, { id: "a\nb" }, { user: 7 }]) {
    assert.equal((await ask("POST", "/v1/token/revoke", wanted)).status, 400, JSON.stringify(wanted).slice(0, 40));
  }
});
