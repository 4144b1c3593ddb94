/** A kept stream's parts, and its object, in this process; the clock and the alarm are the test's. */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { describe, it, test } from "node:test";
import { gateway, type UsageRecord } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { Log } from "../../npm/edge/log.ts";
import { Numbering } from "../../npm/edge/numbering.ts";
import { eventsIn } from "../../npm/edge/whole-events.ts";
import { limiterObjects, objectId, streamObjects } from "./objects.ts";
import {
  asText,
  bytesOf,
  CHAT,
  chat,
  cut,
  DONE,
  encode,
  errorOf,
  KEY,
  randomFrom,
  says,
  setUp,
  streamOf,
  until,
  usageEvent,
} from "./setting.ts";

describe("events get numbers", () => {
  const whole = (pieces: Uint8Array[]) => {
    const numbering = new Numbering();
    const events = [...pieces.map((piece) => numbering.push(piece)), numbering.end()].filter(
      (some) => some !== undefined,
    );
    assert.deepEqual(
      events.map(({ count }) => count),
      events.map(({ bytes }) => eventsIn(bytes).length),
    );
    return events.flatMap(({ bytes }) => eventsIn(bytes)).map(asText);
  };
  const numbered = (...blocks: string[]) => blocks.map((block, number) => `${block}\nid: ${number}\n\n`);
  const [a, b] = [says("a"), says("नमस्ते", "stop")];
  const lines = [a.trimEnd(), b.trimEnd(), usageEvent.trimEnd(), "data: [DONE]"];

  for (const [what, text, expected] of [
    ["after line feeds", a + b + usageEvent + DONE, numbered(...lines)],
    ["after both", (a + b + usageEvent + DONE).replaceAll("\n", "\r\n"), numbered(...lines)],
    ["after carriage returns", (a + b + usageEvent + DONE).replaceAll("\n", "\r"), numbered(...lines)],
    [
      "without its comments",
      `: hi\n\n${a}: still here\n\n: and here\nretry: 5\n\n${b}`,
      numbered(...lines.slice(0, 2)),
    ],
    ["with its other lines", `event: x\n${a}`, numbered(`event: x\n${a.trimEnd()}`)],
    ["with two lines of data", "data: 1\ndata: 2\n\n", numbered("data: 1\ndata: 2")],
    ["behind a mark at the start", `\ufeff${a}`, numbered(`\ufeff${a.trimEnd()}`)],
    ["with the blank line missing at the end", a + DONE.trimEnd(), numbered(lines[0] ?? "", "data: [DONE]")],
    ["but not half of one", a + b.slice(0, 60), numbered(lines[0] ?? "")],
    ["nor nothing", "\n\n\r\n\r\n", []],
  ] as [string, string, string[]][]) {
    it(`${what}, whatever the reads`, () => {
      const random = randomFrom(4);
      for (const most of [1, 2, 3, 17, 1000]) assert.deepEqual(whole(cut(encode(text), most, random)), expected);
    });
  }

  it("by which they are told apart again", () => {
    const events = whole([encode(a + b + usageEvent + DONE)]);
    assert.deepEqual(eventsIn(encode(events.join(""))).map(asText), events);
  });
});

const alone = (text: string) => ({ bytes: encode(text), count: 1 });

describe("a log", () => {
  it("drops the oldest when it is full, and fails a reader who wants them", async () => {
    const log = new Log(30);
    const slow = log.read(0).getReader();
    for (const text of ["one-------", "two-------", "three-----"]) log.push(alone(text));
    assert.deepEqual([log.first, log.end], [0, 3]);
    log.push(alone("four------"));
    assert.deepEqual([log.first, log.end], [1, 4]);
    await assert.rejects(slow.read(), RangeError);
    log.close({ isCut: false });
    assert.equal(asText(await bytesOf(new Response(log.read(2)))), "three-----four------");
  });

  it("keeps one event that is larger than all it may hold", () => {
    const log = new Log(3);
    for (const text of ["first", "larger"]) log.push(alone(text));
    assert.deepEqual([log.first, asText(log.bytes())], [1, "larger"]);
  });
});

/** A gateway that keeps streams, and the objects it keeps them in. */
function objects(onUsage: (record: UsageRecord) => unknown) {
  const emulator = createEmulator();
  const { namespace, storage, open, restart } = streamObjects();
  const app = gateway({
    providers: { own: { provider: "electron", apiKey: "any", maxRetries: 0, fetch: emulator.fetch } },
    streams: namespace,
    onDisconnect: "durable",
    onUsage,
  });
  const ask = (path: string, init?: RequestInit) => app.fetch(new Request(new URL(path, "http://localhost"), init));
  return {
    emulator,
    ask,
    storage,
    open,
    chat: (content: string) => ask(CHAT, chat(content, { stream: true })),
    restart,
    /** Lets the alarm ring that was set. */
    ring: (id: string) => open(id).alarm(),
  };
}

const settled = () => new Promise(setImmediate);

test("a_record_is_told_until_somebody_takes_it_and_is_the_same_one", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  const told: string[] = [];
  const setting = objects(({ recordId }) => {
    told.push(recordId);
    if (told.length < 3) throw new TypeError("the record sink is closed");
  });
  await (await setting.chat("Echo: hi")).text();
  await settled();
  assert.equal(told.length, 1);
  await setting.ring(objectId());
  // A restart between two attempts changes nothing.
  setting.restart();
  setting.open(objectId());
  await settled();
  await setting.ring(objectId());
  await setting.ring(objectId());
  assert.equal(told.length, 3);
  assert.equal(new Set(told).size, 1);
  assert.equal(logged.mock.callCount(), 2);
  assert.match(String(logged.mock.calls[0]?.arguments.join(" ")), /onUsage failed for record [\w-]+: TypeError$/);
});

test("a_record_that_is_never_taken_is_offered_again_after_its_time", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  const told: string[] = [];
  const setting = objects(({ recordId }) => (told.push(recordId) === 1 ? new Promise(() => {}) : undefined));
  const { setTimeout } = globalThis;
  let late = () => {};
  const held = (work: () => void, ms?: number, ...more: unknown[]) => {
    if (ms !== 30_000) return setTimeout(work as (...more: unknown[]) => void, ms, ...more);
    late = work;
    return 0;
  };
  t.mock.method(globalThis, "setTimeout", held as unknown as typeof setTimeout);
  await (await setting.chat("Echo: hi")).text();
  await until(() => told.length === 1);
  late();
  await until(() => logged.mock.callCount() === 1);
  assert.match(String(logged.mock.calls[0]?.arguments.join(" ")), /onUsage failed for record [\w-]+: TimeoutError$/);
  await setting.ring(objectId());
  assert.deepEqual([told.length, new Set(told).size], [2, 1]);
});

test("a_record_that_nobody_takes_in_a_day_is_given_up", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 10, 21) });
  const logged = t.mock.method(console, "error", () => {});
  let told = 0;
  const setting = objects(() => {
    told++;
    throw new TypeError("the record sink is closed for ever");
  });
  await (await setting.chat("Echo: hi")).text();
  await settled();
  t.mock.timers.tick(24 * 60 * 60_000 - 1);
  await setting.ring(objectId());
  assert.deepEqual([told, setting.storage.size], [2, 1]);
  t.mock.timers.tick(1);
  await setting.ring(objectId());
  assert.deepEqual([told, setting.storage.size], [2, 0]);
  assert.match(String(logged.mock.calls.at(-1)?.arguments.join(" ")), /record [\w-]+ is given up/);
});

test("a_reader_in_silence_gets_comments", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const since = t.mock.method(performance, "now", () => 0);
  const reader = new Log(1000).read(0).getReader();
  const read = reader.read();
  since.mock.mockImplementation(() => 15_000);
  t.mock.timers.tick(15_000);
  assert.equal(asText((await read).value as Uint8Array), ": keep-alive\n\n");
});

test("events_are_written_down_when_a_reader_leaves_so_that_a_restart_loses_none_that_the_reader_had", async (t) => {
  // Neither the time nor the size of a batch is reached: this test's batches never become due.
  const { setTimeout } = globalThis;
  const never = (work: () => void, ms?: number, ...more: unknown[]) =>
    ms !== undefined && ms > 900 ? 0 : setTimeout(work as (...more: unknown[]) => void, ms, ...more);
  t.mock.method(globalThis, "setTimeout", never as unknown as typeof setTimeout);
  const setting = objects(() => {});
  const answer = await setting.chat("Count to 20000 [emulator: tps=300]");
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  while (text.length < 2000) text += asText((await reader.read()).value as Uint8Array);
  const written = () => {
    const rows = setting.storage
      .get(objectId())
      ?.database.prepare("SELECT value FROM rows WHERE typeof(value) = 'blob' ORDER BY key");
    return (rows?.all() ?? []).map(({ value }) => asText(value as Uint8Array)).join("");
  };
  assert.equal(written(), "");
  await reader.cancel();
  await until(() => written().length > 0);
  assert.ok(written().startsWith(text));
  setting.open(objectId());
  assert.equal((await setting.ask(`/v1/streams/${objectId()}`, { method: "DELETE" })).status, 200);
});

test("a_stream_is_forgotten_ten_minutes_after_its_end", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 10, 21) });
  const setting = objects(() => {});
  await (await setting.chat("Echo: hi")).text();
  await settled();
  t.mock.timers.tick(10 * 60_000 - 1);
  await setting.ring(objectId());
  assert.equal((await setting.ask(`/v1/streams/${objectId()}`)).status, 200);
  t.mock.timers.tick(1);
  await setting.ring(objectId());
  assert.equal(setting.storage.size, 0);
  const gone = await setting.ask(`/v1/streams/${objectId()}`);
  assert.deepEqual([gone.status, (await errorOf(gone)).code], [404, "stream_not_found"]);
});

test("an_object_sends_the_request_of_a_stream_once", async () => {
  const setting = objects(() => {});
  await (await setting.chat("Echo: hi")).text();
  const order = JSON.stringify({ gateway: 0, stream: "", caller: "anonymous", body: "{}", model: "electron" });
  for (const isRestarted of [false, true]) {
    if (isRestarted) setting.restart();
    const object = setting.open(objectId());
    await settled();
    const answer = await object.fetch(new Request("https://object/open", { method: "POST", body: order }));
    assert.deepEqual([answer.status, (await errorOf(answer)).code], [409, "stream_exists"]);
  }
  assert.equal(setting.emulator.ledger.requests, 1);
});

const idOf = (response: Response): string => response.headers.get("x-chatwire-stream") ?? assert.fail("no id");

test("an_object_takes_the_next_stream_when_its_last_has_ended_and_keeps_both", async () => {
  const setting = objects(() => {});
  const texts = new Map<string, string>();
  for (const word of ["one", "two", "three"]) {
    const answer = await setting.chat(`Echo: ${word}`);
    texts.set(idOf(answer), asText(await bytesOf(answer)));
    await settled();
  }
  assert.equal(setting.storage.size, 1);
  const own = [...texts.keys()].map((id) => id.replace(/_[\da-f-]{36}$/, "_…"));
  assert.deepEqual(own, [objectId(), `${objectId()}_…`, `${objectId()}_…`]);
  for (const isRestarted of [false, true]) {
    if (isRestarted) setting.restart();
    setting.open(objectId());
    await settled();
    for (const [id, text] of texts) assert.equal(asText(await bytesOf(await setting.ask(`/v1/streams/${id}`))), text);
    const forged = await setting.ask(`/v1/streams/${objectId()}_${crypto.randomUUID()}`);
    assert.deepEqual([forged.status, (await errorOf(forged)).code], [404, "stream_not_found"]);
  }
});

test("streams_at_once_have_an_object_each_and_their_objects_serve_the_next", async () => {
  const setting = objects(() => {});
  const slow = () => setting.chat("Echo: one two three [emulator: tps=100]");
  for (const _round of [1, 2, 3]) {
    await Promise.all([slow(), slow(), slow()].map(async (answer) => bytesOf(await answer)));
    await settled();
    assert.equal(setting.storage.size, 3);
  }
  // One whose stream has not ended is passed over.
  const running = await setting.chat("Count to 20000 [emulator: tps=300]");
  for (let next = 0; next < 3; next++) await (await setting.chat("Echo: hi")).text();
  assert.equal(setting.storage.size, 4);
  assert.equal((await setting.ask(`/v1/streams/${idOf(running)}`, { method: "DELETE" })).status, 200);
});

test("a_restart_cuts_the_stream_that_is_read_and_no_other_of_its_object", async () => {
  const told: UsageRecord[] = [];
  const setting = objects((record) => told.push(record));
  const whole = await setting.chat("Echo: one two");
  const text = asText(await bytesOf(whole));
  await settled();
  // The restart comes before the first batch is due: the request and its provider are known, and none of its events.
  const cut = await setting.chat("Count to 20000 [emulator: tps=300]");
  const reader = (cut.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  const before = setting.open(objectId());
  setting.restart();
  setting.open(objectId());
  await settled();
  const [first, second] = [
    await setting.ask(`/v1/streams/${idOf(whole)}`),
    await setting.ask(`/v1/streams/${idOf(cut)}`),
  ];
  assert.deepEqual([first.headers.get("x-chatwire-stream-state"), asText(await bytesOf(first))], ["ended", text]);
  assert.deepEqual([second.headers.get("x-chatwire-stream-state"), asText(await bytesOf(second))], ["cut", ""]);
  await setting.ring(objectId());
  const about = told.map(({ outcome, estimated, promptTokens }) => [outcome, estimated, (promptTokens ?? 0) > 0]);
  assert.deepEqual(about, [
    ["complete", false, true],
    ["truncated", true, true],
  ]);
  // The object before the restart is still there in this process: its stream is stopped.
  const headers = { "x-caller": "anonymous", "x-stream": idOf(cut).split("_")[1] ?? "" };
  assert.equal((await before.fetch(new Request("https://object/stop", { method: "POST", headers }))).status, 200);
});

test("records_of_several_streams_of_an_object_are_told_in_turn", async (t) => {
  t.mock.method(console, "error", () => {});
  const told: string[] = [];
  const taken = new Set<string>();
  let isClosed = true;
  const setting = objects(({ recordId }) => {
    told.push(recordId);
    // One of them is never taken, and does not hold up the others.
    if (isClosed || recordId === told[0]) throw new TypeError("the record sink is closed");
    taken.add(recordId);
  });
  for (const word of ["one", "two", "three"]) await (await setting.chat(`Echo: ${word}`)).text();
  await settled();
  assert.deepEqual([told.length, setting.storage.size], [3, 1]);
  isClosed = false;
  for (const _ring of [1, 2]) await setting.ring(objectId());
  assert.deepEqual([...taken], told.slice(1, 3));
});

test("an_event_that_is_longer_than_a_row_may_be_is_kept_in_parts", async () => {
  const { namespace, storage, open, restart } = streamObjects();
  const events = [says("a"), says("x".repeat(4_000_000)), says("b", "stop"), DONE];
  const { fetch } = setUp(async () => streamOf(events), { streams: namespace, onDisconnect: "durable" });
  const text = asText(await bytesOf(await fetch(CHAT, chat("hi", { stream: true }))));
  await settled();
  const [row] = storage.get(objectId())?.database.prepare("SELECT max(length(value)) AS most FROM rows").all() ?? [];
  assert.ok(Number(row?.most) < 2_000_000);
  restart();
  open(objectId());
  await settled();
  const last = { headers: { "last-event-id": "0" } };
  const [whole, rest] = [await fetch(`/v1/streams/${objectId()}`), await fetch(`/v1/streams/${objectId()}`, last)];
  assert.equal(asText(await bytesOf(whole)), text);
  assert.equal(asText(await bytesOf(rest)), text.slice(text.indexOf("id: 0\n\n") + 7));
});

test("a_request_that_cannot_be_written_down_is_not_sent_and_gives_its_leases_back", async () => {
  const { namespace, storage, open, restart } = streamObjects();
  const { namespace: limiter } = limiterObjects();
  let sent = 0;
  const answer = async () => {
    sent++;
    return streamOf([says("hi", "stop"), usageEvent, DONE]);
  };
  const { fetch, records } = setUp(answer, {
    ...{ streams: namespace, onDisconnect: "durable", limiter },
    ...{ authorize: () => ({ caller: "me" }), limits: { caller: { concurrent: 1 } } },
  });
  open(objectId());
  storage.get(objectId())?.database.exec(`CREATE TABLE rows (key INTEGER PRIMARY KEY, value);
    CREATE TRIGGER full BEFORE INSERT ON rows WHEN (SELECT count(*) FROM rows) > 0
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`);
  const refused = await fetch(CHAT, chat("hi", { stream: true }));
  assert.deepEqual([refused.status, sent], [500, 0]);
  restart();
  open(objectId());
  await settled();
  assert.deepEqual(records, []);
  storage.get(objectId())?.database.exec("DROP TRIGGER full");
  const { status, body } = await fetch(CHAT, chat("hi", { stream: true }));
  await body?.cancel();
  assert.deepEqual([status, sent], [200, 1]);
});

test("readers_of_a_stream_that_has_ended_share_its_events", async (t) => {
  const setting = objects(() => {});
  const id = idOf(await setting.chat(`Echo: ${"word ".repeat(200)}`));
  const text = asText(await bytesOf(await setting.ask(`/v1/streams/${id}`)));
  await settled();
  const rows = t.mock.method(setting.storage.get(objectId())?.database as DatabaseSync, "prepare");
  const reads = () =>
    rows.mock.calls.filter(({ arguments: [query] }) => /SELECT key, value/.test(String(query))).length;
  const readers = await Promise.all(Array.from({ length: 20 }, () => setting.ask(`/v1/streams/${id}`)));
  assert.equal(reads(), 1);
  for (const reader of readers) assert.equal(asText(await bytesOf(reader)), text);
  // They are let go of when nobody reads them.
  await settled();
  assert.equal(asText(await bytesOf(await setting.ask(`/v1/streams/${id}`))), text);
  assert.equal(reads(), 2);
});

test("an_object_keeps_no_more_than_a_hundred_streams", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 10, 21) });
  const setting = objects(() => {});
  for (let count = 0; count < 101; count++) await (await setting.chat("Echo: hi")).text();
  assert.deepEqual([...setting.storage.keys()], [objectId(1), objectId(2)]);
  await settled();
  t.mock.timers.tick(10 * 60_000);
  for (const number of [1, 2]) await setting.ring(objectId(number));
  assert.equal(setting.storage.size, 0);
});

test("what_is_no_number_of_an_event_is_refused", async () => {
  const setting = objects(() => {});
  await (await setting.chat("Echo: hi")).text();
  for (const last of ["x", "1.5", "1e99"]) {
    const answer = await setting.ask(`/v1/streams/${objectId()}`, { headers: { "last-event-id": last } });
    assert.deepEqual([answer.status, (await errorOf(answer)).code], [400, "invalid_value"], last);
  }
});

test("an_answer_that_is_not_streamed_is_not_kept", async () => {
  const setting = objects(() => {});
  const whole = await setting.ask(CHAT, chat("Echo: hi"));
  assert.deepEqual([whole.status, whole.headers.get("x-chatwire-stream"), setting.storage.size], [200, null, 0]);
  // Nor is one whose provider gives all of it at once.
  const asJSON = await setting.chat("Echo: hi [emulator: as-json]");
  assert.deepEqual(
    [asJSON.headers.get("content-type"), asJSON.headers.get("x-chatwire-stream")],
    ["application/json", null],
  );
  assert.equal(((await asJSON.json()) as { object: string }).object, "chat.completion");
});

for (const [how, failing] of Object.entries({
  "is reset": () => Promise.reject(new Error(`reset with ${KEY}`)),
  "is overloaded": async () => new Response(`internal error ${KEY}`, { status: 500 }),
  "answers with a page": async () => new Response("<html>", { headers: { "content-type": "text/html" } }),
  "cannot be had": undefined,
})) {
  test(`an_object_that_${how.replaceAll(" ", "_")}_is_no_stream_that_was_deleted`, async (t) => {
    const logged: string[] = [];
    t.mock.method(console, "error", (...words: unknown[]) => logged.push(words.join(" ")));
    const get = () => {
      if (!failing) throw new Error(`no object ${KEY}`);
      return { fetch: failing };
    };
    const streams = { ...streamObjects().namespace, idFromString: (id: string) => ({ id }), get };
    const { fetch } = setUp(async () => new Response(), { streams, onDisconnect: "durable" });
    const chosen = { "x-chatwire-stream": "chosen-by-the-caller" };
    for (const [path, init, retry] of [
      [CHAT, chat("hi", { stream: true }), "false"],
      [CHAT, chat("hi", { stream: true, headers: chosen }), null],
      ["/v1/streams/chosen-by-the-caller", {}, null],
      ["/v1/streams/chosen-by-the-caller", { method: "DELETE" }, null],
      [`/v1/streams/${"a".repeat(64)}`, {}, null],
    ] as const) {
      const answer = await fetch(path, init as RequestInit);
      assert.deepEqual([answer.status, answer.headers.get("x-should-retry")], [503, retry], path);
      const { code, message } = await errorOf(answer);
      assert.equal(code, "streams_unavailable");
      assert.doesNotMatch(message, /secret/);
    }
    assert.doesNotMatch(logged.join(), /secret/);
    assert.equal(logged.length, 5);
  });
}

test("a_stream_has_the_id_that_its_caller_chose", async () => {
  const setting = objects(() => {});
  const id = "chosen-by-the-caller-1";
  const ask = (content: string, own = id) =>
    setting.ask(CHAT, chat(content, { stream: true, headers: { "x-chatwire-stream": own } }));
  const first = await ask("Echo: one two");
  assert.equal(first.headers.get("x-chatwire-stream"), id);
  const text = asText(await bytesOf(first));
  await settled();
  assert.equal(asText(await bytesOf(await setting.ask(`/v1/streams/${id}`))), text);
  assert.equal(asText(await bytesOf(await ask("Echo: one two"))), text, "the same request gets the same stream");
  const other = await ask("Echo: three");
  assert.deepEqual([other.status, (await errorOf(other)).code], [409, "stream_exists"]);
  assert.equal(setting.emulator.ledger.requests, 1);
  for (const own of ["short", "x".repeat(129), "with space in its id", "0".repeat(64)]) {
    assert.equal((await ask("Echo: hi", own)).status, 400, own);
  }
});

test("a_stream_is_found_before_its_first_byte_and_after_its_caller_left_before_the_headers", async () => {
  const setting = objects(() => {});
  const id = "chosen-before-the-headers";
  const headers = { "x-chatwire-stream": id };
  const pending = setting.ask(CHAT, chat("Echo: one two [emulator: slow-headers=50]", { stream: true, headers }));
  await until(() => setting.emulator.ledger.requests === 1);
  const found = await setting.ask(`/v1/streams/${id}`);
  assert.deepEqual([found.status, found.headers.get("x-chatwire-stream-state")], [200, "open"]);
  assert.match(asText(await bytesOf(found)), /two[\s\S]*\[DONE\]/);
  await (await pending).body?.cancel();
});
