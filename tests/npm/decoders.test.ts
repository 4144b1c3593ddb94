/**
 * The engine without a transport: decoders fed by hand.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  ChatDecoder,
  ChatwireError,
  EventStreamDecoder,
  EventStreamDecoderStream,
  type EventStreamEvent,
  ProtocolError,
  TruncatedError,
} from "chatwire";
import { alive, memory } from "./engine-memory.ts";
import { collect, DONE, encode, event, says } from "./serving.ts";

test("a_chat_decoder_gives_what_was_asked_for", () => {
  const bytes = encode(says("a") + says("b", "stop"));
  assert.equal(new ChatDecoder({ output: "text" }).push(bytes), "ab");
  assert.equal(new ChatDecoder({ output: "none" }).push(bytes), undefined);
  const chunks = new ChatDecoder({ output: "chunks" }).push(bytes);
  assert.equal(`data: ${JSON.stringify(chunks[0])}\n\n`, says("a"));
  const events = new ChatDecoder().push(bytes);
  assert.deepEqual(events, [
    { type: "text", choice: 0, text: "a" },
    { type: "text", choice: 0, text: "b" },
    { type: "finish", choice: 0, finishReason: "stop" },
  ]);
  for (const output of ["events", "chunks"] as const)
    assert.deepEqual(new ChatDecoder({ output }).push(encode(": \n")), []);
  assert.equal(new ChatDecoder({ output: "text" }).push(new Uint8Array()), "");
});

test("a_chat_decoder_knows_when_the_first_token_has_come", () => {
  const delta = (delta: object) => event({ choices: [{ index: 0, delta, finish_reason: null }] });
  const call = { index: 0, id: "call_1", type: "function", function: { name: "f", arguments: "" } };
  for (const output of ["events", "text", "chunks", "none"] as const) {
    for (const first of [{ content: "a" }, { reasoning_content: "a" }, { refusal: "a" }, { tool_calls: [call] }]) {
      const decoder = new ChatDecoder({ output });
      for (const early of [": \n\n", delta({ role: "assistant", content: "" })]) {
        decoder.push(encode(early));
        assert.equal(decoder.hasToken, false, JSON.stringify([output, first, early]));
      }
      decoder.push(encode(delta(first)));
      assert.equal(decoder.hasToken, true, JSON.stringify([output, first]));
      decoder.end();
    }
  }
});

test("an_outcome_has_the_text_in_each_of_its_places", () => {
  const chunk = (choices: object[]) => event({ choices });
  const content = (index: number, content: string, finish_reason: string | null = "stop") =>
    chunk([{ index, delta: { content }, finish_reason }]);
  const reasoned = (delta: object) => chunk([{ index: 0, delta, finish_reason: null }]);
  const long = '0123456789abcdef \u20ac "0" '.repeat(1_000_000);
  const call = { index: 0, id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };
  const called = chunk([{ index: 0, delta: { content: "Hi", tool_calls: [call] }, finish_reason: "tool_calls" }]);
  const silent = chunk([{ index: 0, delta: { tool_calls: [call] }, finish_reason: "tool_calls" }]);
  const cases: [name: string, body: string, text: string, contents: (string | null)[], message: unknown][] = [
    ["one choice", content(0, "Hi"), "Hi", ["Hi"], "Hi"],
    ["the text 0", content(0, "0"), "0", ["0"], "0"],
    ["no text", content(0, ""), "", [""], ""],
    ["two choices", content(0, "a", null) + content(1, "b"), "a", ["a", "b"], "a"],
    ["the second first", content(1, "b", null) + content(0, "a"), "a", ["a", "b"], "a"],
    ["another index", content(3, "c"), "c", ["c"], "c"],
    ["a silent choice 0", content(0, "", null) + content(1, "b"), "b", ["", "b"], "b"],
    ["a call beside it", called, "Hi", ["Hi"], "Hi"],
    ["a call alone", silent, "", [null], null],
    ["reasoning", reasoned({ reasoning_content: "so" }) + content(0, "Hi"), "Hi", ["Hi"], "Hi"],
    ["tags", content(0, "<think>so</think>Hi"), "Hi", ["Hi"], "<think>so</think>Hi"],
    ["a long text", content(0, long), long, [long], long],
  ];
  for (const [name, body, text, contents, message] of cases) {
    const decoder = new ChatDecoder({
      n: 2,
      output: "none",
      limits: { maxEventBytes: 2 ** 26, maxStreamBytes: 2 ** 27 },
    });
    decoder.push(encode(body + DONE));
    const outcome = decoder.end();
    const said = outcome.completion?.choices.map((choice) => choice.message.content);
    assert.ok(outcome.text === text, name);
    assert.ok(said?.length === contents.length && contents.every((each, at) => said[at] === each), name);
    assert.ok(outcome.message?.content === message, name);
  }
});

test("an_outcome_has_the_reasoning_in_each_of_its_places", () => {
  const fields = [
    "reasoning",
    "reasoning_content",
    "reasoning_text",
    "thinking",
    "thinking_content",
    "reasoningContent",
  ];
  for (const field of [...fields, "thought"]) {
    for (const reasoning of ["so", "0", "0123456789abcdef \u20ac ".repeat(10_000), ""]) {
      const part = (index: number, delta: object, finish_reason: string | null = null) =>
        event({ choices: [{ index, delta, finish_reason }] });
      const body =
        part(1, { [field]: "other" }) +
        part(0, { [field]: reasoning, reasoning_tokens: 0 }) +
        part(1, { content: "b" }, "stop") +
        part(0, { content: "Hi" }, "stop");
      const decoder = new ChatDecoder({ n: 2, output: "none" });
      decoder.push(encode(body + DONE));
      const outcome = decoder.end();
      assert.ok(outcome.reasoning === reasoning, field);
      const [first, second] = (outcome.completion?.choices ?? []).map(
        ({ message }) => message as unknown as Record<string, unknown>,
      );
      assert.equal(second?.[field], "other", field);
      assert.equal(second?.reasoning, "other", field);
      assert.equal(first?.reasoning_tokens, 0, field);
      const message = outcome.message as unknown as Record<string, unknown>;
      assert.ok(message[field] === reasoning, field);
      assert.equal(message.content, "Hi", field);
      for (const name of reasoning ? [field, "reasoning"] : []) assert.ok(first?.[name] === reasoning, field);
    }
  }
});

test("a_chat_decoder_ends_as_it_is_told", () => {
  const ended = (reason?: "closed" | "lost" | "aborted", text = says("a")) => {
    const decoder = new ChatDecoder();
    decoder.push(encode(text));
    return decoder.end(reason);
  };
  assert.equal(ended().status, "truncated");
  assert.equal(ended("closed", says("a", "stop")).status, "complete");
  const lost = ended("lost");
  assert.equal(lost.status, "truncated");
  assert.ok(lost.error instanceof TruncatedError);
  assert.equal(lost.error.outcome, lost);
  assert.deepEqual([ended("aborted").status, ended("aborted").text], ["aborted", "a"]);
});

test("a_chat_decoder_is_safe_to_use_after_its_end", () => {
  const decoder = new ChatDecoder({ output: "text" });
  assert.equal(decoder.push(encode(says("a", "stop") + DONE)), "a");
  assert.equal(decoder.ended, true);
  assert.equal(decoder.push(encode(says("more"))), "");
  const outcome = decoder.end("lost");
  assert.equal(outcome.status, "complete");
  assert.equal(outcome.text, "a");
  decoder.free();
  decoder.free();
  assert.equal(decoder.end(), outcome);
  assert.throws(() => decoder.push(encode("x")), ChatwireError);

  const freed = new ChatDecoder();
  freed[Symbol.dispose]();
  assert.throws(() => freed.push(encode("x")), ChatwireError);
  assert.throws(() => freed.end(), ChatwireError);
});

test("a_chat_decoder_refuses_what_is_not_bytes_or_makes_no_sense", () => {
  for (const value of ["data: [DONE]", null, undefined, 7, {}, [1]]) {
    assert.throws(() => new ChatDecoder().push(value as never), ChatwireError);
  }
  for (const options of [
    { output: "bytes" },
    { decoding: "loose" },
    { reasoning: "nowhere" },
    { limits: { maxEventBytes: -1 } },
  ]) {
    assert.throws(() => new ChatDecoder(options as never), ChatwireError, JSON.stringify(options));
  }
  const view = new DataView(encode(says("a")).buffer);
  assert.equal(new ChatDecoder({ output: "text" }).push(view as never), "a");
});

test("decoders_take_turns_on_one_buffer", () => {
  const decoders = Array.from({ length: 5 }, () => new ChatDecoder({ output: "text" }));
  const texts = decoders.map(() => "");
  const bytes = decoders.map((_, at) => encode(says(`${at}é`.repeat(50)) + DONE));
  for (let position = 0; bytes.some((each) => position < each.length); position += 3) {
    for (const [at, decoder] of decoders.entries()) {
      texts[at] += decoder.push(bytes[at]?.subarray(position, position + 3) ?? new Uint8Array());
    }
  }
  assert.deepEqual(
    texts,
    decoders.map((_, at) => `${at}é`.repeat(50)),
  );
});

test("a_limit_is_kept_to_the_byte", () => {
  const text = says("x".repeat(100));
  const line = text.length - 2;
  const push = (maxEventBytes: number) => {
    const decoder = new ChatDecoder({ output: "text", limits: { maxEventBytes } });
    decoder.push(encode(text));
    return decoder.end();
  };
  assert.equal(push(line + 10).error?.name, "TruncatedError");
  const refused = push(line - 20);
  assert.equal(refused.status, "error");
  assert.ok(refused.error instanceof ProtocolError);
});

test("answers_past_the_limit_are_refused", () => {
  const end = (maxChoices: number) => {
    const decoder = new ChatDecoder({ limits: { maxChoices } });
    decoder.push(encode(says("a")));
    decoder.push(encode(says("b").replace('"index":0', '"index":1')));
    return decoder.end().error;
  };
  assert.equal(end(2)?.name, "TruncatedError");
  assert.ok(end(1) instanceof ProtocolError);
});

test("an_event_stream_decoder_frames_and_nothing_else", () => {
  const decoder = new EventStreamDecoder();
  assert.deepEqual(decoder.feed(encode("\uFEFF: hi\r\nevent: a\r\nid: 1\r\ndata: x\r\ndata:y\r\n\r")), [
    { event: "a", data: "x\ny", id: "1" },
  ]);
  assert.deepEqual(decoder.feed(encode("\nretry: 1500\nda")), []);
  assert.deepEqual(decoder.feed(encode("ta: z\n\n")), [{ event: "message", data: "z", id: "1" }]);
  assert.equal(decoder.reconnectionTime, 1500);
  assert.deepEqual(decoder.feed(encode("data: half")), []);
  assert.deepEqual(decoder.end(), [{ event: "message", data: "half", id: "1", unfinished: true }]);
  assert.deepEqual([decoder.lastEventId, decoder.reconnectionTime], ["1", 1500]);
  assert.throws(() => decoder.feed(encode("x")), ChatwireError);
  assert.throws(() => decoder.end(), ChatwireError);
});

test("an_event_stream_decoder_is_spent_after_an_overflow", () => {
  const decoder = new EventStreamDecoder({ maxEventBytes: 1000 });
  assert.equal(decoder.feed(encode(`data: ${"x".repeat(900)}\n\n`)).length, 1);
  assert.throws(() => decoder.feed(encode(`data: ${"x".repeat(2000)}`)), ProtocolError);
  assert.throws(() => decoder.feed(encode("\n\n")), ChatwireError);
  for (const maxEventBytes of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "many"]) {
    assert.throws(() => new EventStreamDecoder({ maxEventBytes } as never), ChatwireError);
  }
});

test("an_event_stream_decoder_says_where_events_lie_at_every_split", () => {
  const long = `data: ${"é".repeat(70_000)}\n\n`;
  const blocks: [text: string, isEvent: boolean][] = [
    ["\ufeffdata: a\n\n", true],
    [": a comment\n\n", false],
    ["event: x\n: and one inside\ndata: b\ndata: c\nid: 7\n\n", true],
    ["\n", false],
    ["data: d\n\n", true],
  ];
  for (const lineBreak of ["\n", "\r", "\r\n"]) {
    const pieces = blocks.map(([text, isEvent]) => ({ bytes: encode(text.replaceAll("\n", lineBreak)), isEvent }));
    const events: { start: number; end: number }[] = [];
    let whole = 0;
    for (const { bytes, isEvent } of pieces) {
      if (isEvent) events.push({ start: whole, end: whole + bytes.length });
      whole += bytes.length;
    }
    const stream = encode(`${blocks.map(([text]) => text).join("")}data: unfinished`.replaceAll("\n", lineBreak));
    for (let cut = 0; cut <= stream.length; cut++) {
      // Of a line that ends with CR and LF, the bytes before the cut have the CR, and count as its end.
      const seen = (end: number) => (lineBreak === "\r\n" && end === cut + 1 ? cut : end);
      const decoder = new EventStreamDecoder();
      const [first, second] = [stream.subarray(0, cut), stream.subarray(cut)].map((bytes) => decoder.locate(bytes));
      assert.deepEqual(
        [...(first?.events ?? []), ...(second?.events ?? [])],
        events.map(({ start, end }) => ({ start: seen(start), end: seen(end) })),
        `cut at ${cut}`,
      );
      assert.equal(second?.whole, seen(whole));
      assert.equal(decoder.lastEventId, "7");
      assert.deepEqual(decoder.end(), [{ event: "message", data: "unfinished", id: "7", unfinished: true }]);
    }
  }
  const decoder = new EventStreamDecoder();
  const bytes = encode(`${long}${long}`);
  const end = bytes.length / 2;
  assert.deepEqual(decoder.locate(bytes), {
    events: [
      { start: 0, end },
      { start: end, end: 2 * end },
    ],
    whole: 2 * end,
  });
  assert.deepEqual(decoder.locate(encode("")), { events: [], whole: 2 * end });
  decoder.free();
  const tight = new EventStreamDecoder({ maxEventBytes: 5 });
  assert.throws(() => tight.locate(encode("data: too long for it\n\n")), ProtocolError);
  assert.throws(() => tight.locate(encode("\n\n")), ChatwireError);
});

test("an_event_stream_can_be_piped_through", async () => {
  const text = `data: ${"é".repeat(70_000)}\n\nevent: end\ndata: 1\n\ndata: cut`;
  const pieces = encode(text);
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < pieces.length; at += 50_001) controller.enqueue(pieces.subarray(at, at + 50_001));
      controller.close();
    },
  });
  const events = await collect(source.pipeThrough(new EventStreamDecoderStream()) as AsyncIterable<EventStreamEvent>);
  assert.deepEqual(
    events.map(({ event, data, unfinished }) => [event, data.length, unfinished ?? false]),
    [
      ["message", 70_000, false],
      ["end", 1, false],
      ["message", 3, true],
    ],
  );
  const tight = serveText("data: too long for it\n\n").pipeThrough(new EventStreamDecoderStream({ maxEventBytes: 5 }));
  await assert.rejects(collect(tight as AsyncIterable<unknown>), ProtocolError);
});

function serveText(text: string): ReadableStream<Uint8Array> {
  return new Response(text).body as ReadableStream<Uint8Array>;
}

test("ended_decoders_hold_no_engine_memory", () => {
  alive.clear();
  const chat = new ChatDecoder();
  chat.push(encode(says("a")));
  chat.end();
  const events = new EventStreamDecoder();
  events.feed(encode("data: a\n\n"));
  events.end();
  {
    using left = new ChatDecoder();
    left.push(encode(says("a")));
  }
  assert.equal(alive.size, 0);
});

const recorded = new URL("../../../shared/wire/recorded/", import.meta.url);
test("recorded_streams_add_up_at_any_chunking", {
  skip: existsSync(recorded) ? false : "the recordings are not here",
}, () => {
  for (const name of readdirSync(recorded)) {
    const bytes = readFileSync(new URL(name, recorded));
    const text = bytes
      .toString()
      .split("\n")
      .filter((line) => line.startsWith("data: {"))
      .map((line) => JSON.parse(line.slice(6)).choices?.[0]?.delta?.content)
      .filter((content) => typeof content === "string")
      .join("");
    for (const size of [bytes.length, 1, 13, 1024]) {
      const decoder = new ChatDecoder({ output: "text" });
      let read = "";
      for (let at = 0; at < bytes.length; at += size) read += decoder.push(bytes.subarray(at, at + size));
      const outcome = decoder.end();
      assert.equal(outcome.status, "complete", name);
      if (!name.startsWith("mistral-reasoning")) assert.equal(outcome.text, text, `${name} in pieces of ${size}`);
      assert.equal(read, outcome.text, `${name} in pieces of ${size}`);
    }
  }
});

test("chunks_are_what_json_parse_makes_of_each_event", () => {
  const odd = [
    { choices: [], usage: { prompt_tokens: 1e21, x: -0.5e-7 } },
    { choices: [{ index: 0, delta: { content: "\u2028\ud83d" }, z: { "": [null, true] } }] },
    { choices: [{ index: 0, delta: { content: '\\u0000"' } }] },
  ];
  const decoder = new ChatDecoder({ output: "chunks" });
  assert.deepEqual(decoder.push(encode(odd.map(event).join(""))), odd);
});

test("memory_that_the_host_adds_for_itself_stays_its_own", () => {
  const decoder = new ChatDecoder({ output: "none" });
  const piece = encode(says("a".repeat(60_000)));
  const own = () => new Uint8Array(memory().buffer, page * 65_536, 65_536);
  for (let pushed = 0; pushed < 50; pushed++) decoder.push(piece);
  const page = memory().grow(1);
  own().fill(7);
  for (let pushed = 0; pushed < 200; pushed++) decoder.push(piece);
  assert.equal(decoder.end().text.length, 250 * 60_000);
  assert.ok(own().every((byte) => byte === 7));
});

test("ten_thousand_streams_at_once_do_not_mix", () => {
  const decoders = Array.from({ length: 10_000 }, () => new ChatDecoder({ output: "text" }));
  for (const part of ["a", "b", "c"]) {
    for (const [at, decoder] of decoders.entries())
      assert.equal(decoder.push(encode(says(`${part}${at} `))), `${part}${at} `);
  }
  for (const [at, decoder] of decoders.entries()) {
    assert.equal(decoder.end().text, `a${at} b${at} c${at} `);
    decoder.free();
  }
});
