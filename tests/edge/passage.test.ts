/** The bytes of an answer on their way through the gateway. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasRecordings, streams, withoutUsage } from "./recordings.ts";
import {
  asText,
  bytesOf,
  CHAT,
  chat,
  cut,
  DONE,
  encode,
  errorOf,
  randomFrom,
  says,
  setUp,
  streamOf,
  until,
  usageEvent,
  withEmulator,
} from "./setting.ts";

const asksUsage = { stream: true, stream_options: { include_usage: true } };

test("recorded streams are there", {
  skip: hasRecordings ? false : "no recordings beside this repository",
}, () => {
  assert.ok(streams().length > 12);
});

/** Long streams are not read byte by byte. */
const readSizes = (bytes: Uint8Array) => (bytes.length < 10_000 ? [1, 7, 64, 1500] : [64, 1500, 20_000]);

test("a_caller_who_asked_for_usage_gets_the_provider's_bytes", async () => {
  const random = randomFrom(11);
  for (const [name, bytes] of streams()) {
    for (const most of readSizes(bytes)) {
      const { fetch } = setUp(async () => streamOf(cut(bytes, most, random)));
      const answer = await fetch(CHAT, chat("hi", asksUsage));
      assert.deepEqual(await bytesOf(answer), new Uint8Array(bytes), `${name}, reads of up to ${most} bytes`);
    }
  }
});

test("a_caller_who_did_not_ask_gets_the_same_without_the_usage_event", async () => {
  const random = randomFrom(12);
  let dropped = 0;
  for (const [name, bytes] of streams()) {
    const { text: expected, taken } = withoutUsage(bytes);
    dropped += taken;
    for (const most of readSizes(bytes)) {
      const { fetch } = setUp(async () => streamOf(cut(bytes, most, random)));
      const answer = await fetch(CHAT, chat("hi", { stream: true }));
      assert.equal(asText(await bytesOf(answer)), expected, `${name}, reads of up to ${most} bytes`);
    }
  }
  assert.ok(dropped >= 9);
});

test("usage_is_asked_for_upstream_whether_or_not_the_caller_did", async () => {
  const bodies: Record<string, unknown>[] = [];
  const { fetch } = setUp(async (_url, { body }: { body?: string }) => {
    bodies.push(JSON.parse(body ?? ""));
    return streamOf([says("a", "stop"), DONE]);
  });
  await bytesOf(
    await fetch(CHAT, chat("hi", { stream: true, stream_options: { include_obfuscation: false }, seed: 7 })),
  );
  await bytesOf(await fetch(CHAT, chat("hi", { ...asksUsage, user: "me" })));
  await bytesOf(await fetch(CHAT, chat("hi")));
  const base = { model: "electron", messages: [{ role: "user", content: "hi" }] };
  assert.deepEqual(bodies, [
    { ...base, stream: true, stream_options: { include_obfuscation: false, include_usage: true }, seed: 7 },
    { ...base, ...asksUsage, user: "me" },
    base,
  ]);
});

/** A body that the test writes. */
function written() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (own) => {
      controller = own;
    },
  });
  return {
    answer: async () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
    write: (text: string | Uint8Array) => controller?.enqueue(typeof text === "string" ? encode(text) : text),
    close: () => controller?.close(),
  };
}

test("an_event_is_passed_on_as_soon_as_it_is_complete_whatever_the_reads", async () => {
  const random = randomFrom(6);
  const events = [says("a"), says("b", null, 1), says("c", "stop", 1), says("नम", null, 0), says("d", "stop", 0)];
  for (const most of [1, 9, 40, 4000]) {
    const { answer, write, close } = written();
    const upstream = { baseURL: "https://api.example.com/v1", apiKey: null, fetch: answer };
    const { fetch } = setUp(answer, { providers: { upstream } });
    const { body } = await fetch(CHAT, chat("hi", { stream: true, n: 2 }));
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    for (const event of events) {
      for (const piece of cut(encode(event), most, random)) write(piece);
      assert.equal(asText((await reader.read()).value as Uint8Array), event, `reads of up to ${most} bytes`);
    }
    for (const piece of cut(encode(usageEvent + DONE), most, random)) write(piece);
    close();
    let end = "";
    for (let next = await reader.read(); next.value; next = await reader.read()) end += asText(next.value);
    assert.equal(end, DONE, `reads of up to ${most} bytes`);
  }
});

test("a_slow_reader_keeps_the_provider_waiting", async () => {
  let reads = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        reads++;
        if (reads > 10_000) controller.close();
        else controller.enqueue(encode(says("x".repeat(10_000))));
      },
    },
    { highWaterMark: 0 },
  );
  const { fetch } = setUp(async () => new Response(body, { headers: { "content-type": "text/event-stream" } }));
  const answer = await fetch(CHAT, chat("hi", { stream: true }));
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  for (let taken = 1; taken <= 50; taken++) {
    await reader.read();
    await new Promise(setImmediate);
    assert.ok(reads <= taken + 2, `${reads} reads for ${taken} taken`);
  }
  await reader.cancel();
});

test("answers_that_overlap_do_not_mix", async () => {
  const { fetch, recorded } = withEmulator({}, { tokensPerSecond: 2000 });
  const words = Array.from({ length: 12 }, (_, n) => `number ${n} `.repeat(n + 1).trim());
  const answers = await Promise.all(
    words.map(async (text) => asText(await bytesOf(await fetch(CHAT, chat(`Echo: ${text}`, { stream: true }))))),
  );
  const said = answers.map((answer) =>
    answer
      .split("\n\n")
      .filter((block) => block.startsWith("data: {"))
      .map((block) => JSON.parse(block.slice(6)).choices[0].delta.content ?? "")
      .join(""),
  );
  assert.deepEqual(said, words);
  const records = await recorded(12);
  assert.equal(new Set(records.map(({ recordId }) => recordId)).size, 12);
});

test("a_page_in_place_of_an_answer_is_no_answer", async () => {
  const { fetch, recorded } = withEmulator();
  for (const stream of [true, false]) {
    const answer = await fetch(CHAT, chat("hi [emulator: html]", { stream }));
    assert.equal(answer.status, 502);
    assert.equal((await errorOf(answer)).code, "upstream_not_a_completion");
  }
  const outcomes = (await recorded(2)).map(({ outcome, status, tokens }) => [outcome, status, tokens]);
  assert.deepEqual(outcomes, Array(2).fill(["error", 502, null]));
});

test("nothing_in_place_of_an_answer_is_no_answer", async () => {
  const { fetch, recorded } = withEmulator();
  const whole = await fetch(CHAT, chat("hi [emulator: empty]"));
  assert.equal((await errorOf(whole)).code, "upstream_sent_nothing");
  const { fetch: fetchBlank } = setUp(async () => streamOf([" ", "\n"], "application/json"));
  assert.equal((await errorOf(await fetchBlank(CHAT, chat("hi")))).code, "upstream_sent_nothing");
  assert.equal((await recorded(1))[0]?.outcome, "error");
});

test("an_error_in_a_200_is_an_error", async () => {
  const error = { message: "db.internal:5432 is down, ask 10.0.0.7", type: "server_error" };
  const { fetch, recorded } = setUp(async () =>
    streamOf(cut(encode(JSON.stringify({ error })), 9, randomFrom(1)), "application/json"),
  );
  const answer = await fetch(CHAT, chat("hi"));
  assert.equal(answer.status, 502);
  assert.equal((await errorOf(answer)).message, "[address] is down, ask [address]");
  assert.equal((await recorded(1))[0]?.outcome, "error");
});

test("an_error_inside_a_stream_passes_and_is_recorded", async () => {
  const { fetch, recorded } = withEmulator();
  const answer = await fetch(CHAT, chat("Tell me a story [emulator: in-band-error]", { stream: true }));
  assert.match(asText(await bytesOf(answer)), /data: {"error"/);
  assert.equal((await recorded(1))[0]?.outcome, "error");
});

test("an_answer_that_breaks_off_breaks_off_for_the_caller_too", async () => {
  const { fetch, recorded } = withEmulator();
  const answer = await fetch(CHAT, chat("Tell me a story [emulator: reset=600]", { stream: true }));
  await assert.rejects(bytesOf(answer));
  const [record] = await recorded(1);
  assert.deepEqual([record?.outcome, record?.estimated, record?.disconnected], ["truncated", true, false]);
});

test("an_answer_that_breaks_off_counts_the_same_whether_its_events_came_alone_or_together", async () => {
  const events = Array.from({ length: 60 }, (_, at) => says(`word ${at} `, null, 0));
  const counted = async (reads: string[]) => {
    const { fetch, recorded } = setUp(async () => streamOf(reads));
    await assert.rejects(bytesOf(await fetch(CHAT, chat("hi", { stream: true }))));
    const { outcome, completionTokens, estimated } = (await recorded(1))[0] ?? {};
    return [outcome, completionTokens, estimated];
  };
  const together = await counted([events.join("")]);
  assert.ok((together[1] as number) >= 60);
  assert.deepEqual(await counted(events), together);
  // A read that ends within an event is counted after those before it.
  const [half, rest] = [events[30]?.slice(0, 9) ?? "", events[30]?.slice(9) ?? ""];
  assert.deepEqual(await counted([...events.slice(0, 30), half, rest, ...events.slice(31)]), together);
});

test("a_connection_held_open_after_the_end_is_not_waited_for", async () => {
  const { fetch, recorded, emulator } = withEmulator();
  const answer = await fetch(CHAT, chat("hi [emulator: linger]", { stream: true }));
  assert.match(asText(await bytesOf(answer)), /\[DONE\]\n\n$/);
  assert.equal((await recorded(1))[0]?.outcome, "complete");
  await until(() => emulator.ledger.open === 0);
});

test("an_answer_that_is_json_although_a_stream_was_asked_for_is_passed_and_counted", async () => {
  const { fetch, recorded } = withEmulator();
  const answer = await fetch(CHAT, chat("Echo: hi there [emulator: as-json]", { stream: true }));
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(((await answer.json()) as { object: string }).object, "chat.completion");
  assert.equal((await recorded(1))[0]?.completionTokens, 2);
});

test("the_first_token_of_the_only_choice_is_known_whatever_its_index", async () => {
  let leave: () => void = () => {};
  const { fetch, recorded } = setUp(async () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(encode(says("a word", null, 1)));
        leave = () => controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const answer = await fetch(CHAT, chat("hi", { stream: true }));
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  assert.match(asText((await reader.read()).value as Uint8Array), /a word/);
  await new Promise((resolve) => setTimeout(resolve, 200));
  leave();
  await reader.read().catch(() => {});
  const [record] = await recorded(1);
  const { firstToken, total } = record?.timing ?? {};
  assert.ok(typeof firstToken === "number" && typeof total === "number" && total - firstToken >= 100, "at once");
});
