/** A kept stream's parts, and its object, in this process; the clock and the alarm are the test's. */
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { gateway, type UsageRecord } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { Log, Numbering } from "../../npm/edge/log.ts";
import { eventsIn } from "../../npm/edge/whole-events.ts";
import { streamObjects } from "./objects.ts";
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
  until,
  usageEvent,
} from "./setting.ts";

describe("events get numbers", () => {
  const whole = (pieces: Uint8Array[]) => {
    const numbering = new Numbering();
    return [...pieces.flatMap((piece) => numbering.push(piece)), ...numbering.end()].map(asText);
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

describe("a log", () => {
  it("drops the oldest when it is full, and fails a reader who wants them", async () => {
    const log = new Log(30);
    const slow = log.read(0).getReader();
    log.push(["one-------", "two-------", "three-----"].map(encode));
    assert.deepEqual([log.first, log.end], [0, 3]);
    log.push([encode("four------")]);
    assert.deepEqual([log.first, log.end], [1, 4]);
    await assert.rejects(slow.read(), RangeError);
    log.close({ isCut: false });
    assert.equal(asText(await bytesOf(new Response(log.read(2)))), "three-----four------");
  });

  it("keeps one event that is larger than all it may hold", () => {
    const log = new Log(3);
    log.push([encode("first"), encode("larger")]);
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
  await setting.ring("id1");
  // A restart between two attempts changes nothing.
  setting.restart();
  setting.open("id1");
  await settled();
  await setting.ring("id1");
  await setting.ring("id1");
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
  await setting.ring("id1");
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
  await setting.ring("id1");
  assert.deepEqual([told, setting.storage.size], [2, 1]);
  t.mock.timers.tick(1);
  await setting.ring("id1");
  assert.deepEqual([told, setting.storage.size], [2, 0]);
  assert.match(String(logged.mock.calls.at(-1)?.arguments.join(" ")), /record [\w-]+ is given up/);
});

test("events_are_written_down_when_a_reader_leaves_so_that_a_restart_loses_none_that_the_reader_had", async (t) => {
  // Neither the time nor the size of a batch is reached: this test's batches never become due.
  const { setTimeout } = globalThis;
  const never = (work: () => void, ms?: number, ...more: unknown[]) =>
    ms === 1000 ? 0 : setTimeout(work as (...more: unknown[]) => void, ms, ...more);
  t.mock.method(globalThis, "setTimeout", never as unknown as typeof setTimeout);
  const setting = objects(() => {});
  const answer = await setting.chat("Count to 20000 [emulator: tps=300]");
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  while (text.length < 2000) text += asText((await reader.read()).value as Uint8Array);
  const written = () => {
    const rows = setting.storage.get("id1")?.database.prepare("SELECT events FROM log WHERE first >= 0 ORDER BY first");
    return (rows?.all() ?? []).map(({ events }) => asText(events as Uint8Array)).join("");
  };
  assert.equal(written(), "");
  await reader.cancel();
  await until(() => written().length > 0);
  assert.ok(written().startsWith(text));
  setting.open("id1");
  assert.equal((await setting.ask("/v1/streams/id1", { method: "DELETE" })).status, 200);
});

test("a_stream_is_forgotten_ten_minutes_after_its_end", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 10, 21) });
  const setting = objects(() => {});
  await (await setting.chat("Echo: hi")).text();
  await settled();
  t.mock.timers.tick(10 * 60_000 - 1);
  await setting.ring("id1");
  assert.equal((await setting.ask("/v1/streams/id1")).status, 200);
  t.mock.timers.tick(1);
  await setting.ring("id1");
  assert.equal(setting.storage.size, 0);
  const gone = await setting.ask("/v1/streams/id1");
  assert.deepEqual([gone.status, (await errorOf(gone)).code], [404, "stream_not_found"]);
});

test("an_object_sends_one_request_in_its_life", async () => {
  const setting = objects(() => {});
  await (await setting.chat("Echo: hi")).text();
  const order = JSON.stringify({ gateway: 0, caller: "anonymous", params: {}, model: "electron" });
  for (const isRestarted of [false, true]) {
    if (isRestarted) setting.restart();
    const object = setting.open("id1");
    await settled();
    const answer = await object.fetch(new Request("https://object/open", { method: "POST", body: order }));
    assert.deepEqual([answer.status, (await errorOf(answer)).code], [409, "stream_exists"]);
  }
  assert.equal(setting.emulator.ledger.requests, 1);
});

test("what_is_no_number_of_an_event_is_refused", async () => {
  const setting = objects(() => {});
  await (await setting.chat("Echo: hi")).text();
  for (const last of ["x", "1.5", "1e99"]) {
    const answer = await setting.ask("/v1/streams/id1", { headers: { "last-event-id": last } });
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
