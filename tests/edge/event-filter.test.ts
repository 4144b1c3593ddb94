/** The gateway's filter passes whole events as the engine finds them, wherever a stream is cut, and knows an error among other lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder, EventStreamDecoder, ProtocolError } from "chatwire";
import { EventFilter } from "../../npm/edge/event-filter.ts";
import { WholeEvents } from "../../npm/edge/whole-events.ts";
import { streams } from "./recordings.ts";
import { asText, cut, DONE, encode, event, KEY, randomFrom, says, usageEvent } from "./setting.ts";

const ERROR = '"}}],"error":{"message":"';
const CR = 13;
const LF = 10;

test("the_filter_passes_what_the_engine_says_is_whole_at_every_split", () => {
  const stream = `${says("a")}: a comment\n\nevent: x\n${says("नमस्ते", "stop")}${usageEvent}retry: 5\n\n${says("b")}data: unfinished`;
  const half = stream.indexOf("event: x") + 4;
  const streams = [
    ...["\n", "\r", "\r\n"].map((lineBreak) => stream.replaceAll("\n", lineBreak)),
    `\n${stream.replaceAll("\n\n", "\n\n\n")}`,
    // Lines that end otherwise from the middle of an event on.
    ...["\r", "\r\n"].flatMap((lineBreak) => [
      stream.slice(0, half) + stream.slice(half).replaceAll("\n", lineBreak),
      stream.slice(0, half).replaceAll("\n", lineBreak) + stream.slice(half),
    ]),
  ];
  for (const stream of streams) {
    const bytes = encode(stream);
    const random = randomFrom(7);
    const splits = [...bytes].map((_, at) => [bytes.slice(0, at), bytes.slice(at)]);
    for (const pieces of [...splits, ...[1, 3, 40].map((most) => cut(bytes, most, random))]) {
      const filter = new EventFilter();
      const decoder = new EventStreamDecoder();
      let passed = "";
      let fed = 0;
      for (const piece of pieces) {
        const { whole } = decoder.locate(piece);
        passed += asText(filter.push(piece));
        fed += piece.length;
        // The filter does not wait for an LF either. One that comes later passes with the event behind it.
        const isLateLineFeed = whole < fed && bytes[whole] === LF && bytes[whole - 1] === CR;
        const length = encode(passed).length;
        assert.ok(length === whole || (isLateLineFeed && length === whole + 1), `${length} of ${whole} bytes`);
      }
      decoder.free();
      assert.equal(passed + asText(filter.end()), asText(bytes));
    }
  }
});

test("an_error_between_comments_becomes_an_event_that_callers_can_read", () => {
  const error = JSON.stringify({ error: { message: "Out of memory", code: 503 } });
  for (const lineBreak of ["\n", "\r", "\r\n"]) {
    const bytes = encode(`: waiting\n\n: waiting\n\n${error}\n\n`.replaceAll("\n", lineBreak));
    for (let at = 0; at <= bytes.length; at++) {
      const filter = new EventFilter();
      const passed =
        asText(filter.push(bytes.slice(0, at))) + asText(filter.push(bytes.slice(at))) + asText(filter.end());
      const decoder = new EventStreamDecoder();
      const said = decoder.feed(encode(passed)).map(({ data }) => JSON.parse(data).error.message);
      decoder.free();
      assert.deepEqual(said, ["Out of memory"], `${JSON.stringify(lineBreak)} at ${at}: ${passed}`);
    }
  }
});

test("the_end_of_an_answer_passes_byte_for_byte_and_no_escape_hides_a_key_in_it", () => {
  const pushed = (text: string) => asText(new EventFilter({ secrets: [KEY] }).push(encode(text)));
  for (const end of ["\n\n", "\r\n\r\n"]) {
    const whole = `${says("a", "stop")}${usageEvent}${DONE}`.replaceAll("\n\n", end);
    assert.equal(pushed(whole), whole);
  }
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const escaped = [...KEY].map((letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join("");
  for (const key of [KEY, escaped, KEY.replace("-", "\\u002d")]) {
    for (const chunk of [
      event({ choices: [], usage, served_by: "KEY" }),
      event({ choices: [{ index: 0, delta: {}, finish_reason: "stop", note: "KEY" }] }),
    ]) {
      const passed = pushed(chunk.replace("KEY", key));
      const { served_by, choices } = JSON.parse(passed.slice("data: ".length));
      assert.equal(served_by ?? choices[0].note, "[key]", passed);
    }
  }
  const quoted = pushed(
    event({ choices: [], usage, "err\\u006fr": "x" }).replace("\\\\u", "\\u").replace('"x"', `"at 10.0.0.1"`),
  );
  assert.match(quoted, /\[address\]/);
});

test("an_event_without_an_end_is_too_long_after_16_mib_and_one_of_many_reads_is_whole", () => {
  const MIB = 1024 * 1024;
  for (const first of ["data: ", "data: a\r"]) {
    const filter = new EventFilter();
    assert.equal(filter.push(encode(first)).length, 0);
    const more = new Uint8Array(MIB).fill("a".charCodeAt(0));
    for (let mib = 0; mib < 15; mib++) assert.equal(filter.push(more).length, 0);
    assert.throws(() => [filter.push(more), filter.push(more)], ProtocolError);
    filter.free();
  }
  const filter = new EventFilter();
  const reads = [...says("whole")].map(encode);
  assert.equal(reads.map((read) => asText(filter.push(read))).join(""), says("whole"));
});

test("events_that_a_decoder_says_repeat_others_pass_as_if_they_had_been_looked_at", () => {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const chunk = (content: string, more: object = {}) =>
    event({ id: "c", choices: [{ index: 0, delta: { content }, finish_reason: null }], ...more });
  const many = (of: (word: string) => string) =>
    Array.from({ length: 30 }, (_, at) => of(at % 7 === 5 ? `"error": {"message": "${at}` : `word ${at}`)).join("");
  const end = says("", "stop") + usageEvent + DONE;
  const hostile: [string, string][] = [
    ["plain", many((word) => chunk(word)) + end],
    ["words of the provider in each event", many((word) => chunk(word, { message: "at 10.0.0.1" })) + end],
    ["usage in each event", many((word) => chunk(word, { usage })) + end],
    [
      "a key that is spelled with an escape, beside usage",
      many((word) => chunk(word === "word 20" ? KEY : word, { usage })).replaceAll(KEY, KEY.replace("s", "\\u0073")) +
        end,
    ],
    ["a key in the model's words", many((word) => chunk(word === "word 20" ? `the key is ${KEY}` : word)) + end],
    ["an error among them", many((word) => chunk(word)) + event({ error: { message: `${KEY} at 10.0.0.1` } }) + end],
    [
      "comments among them",
      `${many((word) => chunk(word))}: at 10.0.0.1\n\n${many((word) => chunk(word))}: at 10.0.0.1\n\n${end}`,
    ],
    ["a comment in each event", many((word) => `: at 10.0.0.1\n${chunk(word)}`) + end],
    ["other fields", many((word) => `id: 10.0.0.${word.length}\n${chunk(word)}`) + end],
    ["lines of words in place of events", many((word) => `${chunk(word)}at 10.0.0.1\n\n`) + end],
    ["events behind the end", many((word) => chunk(word)) + end + many((word) => chunk(word))],
  ];
  const own = hostile.flatMap(([name, text]): [string, Uint8Array][] => [
    [name, encode(text)],
    [`${name}, cr lf`, encode(text.replaceAll("\n", "\r\n"))],
  ]);
  let repeated = 0;
  for (const [name, bytes] of [...own, ...streams()]) {
    for (const most of [1, 3, 40, 300, 5000]) {
      for (const hidesUsage of [false, true]) {
        const options = { hidesUsage, secrets: [KEY] };
        const decoder = new ChatDecoder({ n: 1, output: "none" });
        const read: Uint8Array[] = [];
        const reader = (bytes: Uint8Array) => {
          read.push(bytes.slice());
          decoder.push(bytes);
          repeated += decoder.repeatedBytes;
          return decoder.repeatedBytes;
        };
        const [looks, trusts] = [new EventFilter(options), new EventFilter({ ...options, reader })];
        const where = `${name}, up to ${most} bytes a read`;
        for (const piece of cut(bytes, most, randomFrom(most))) {
          assert.equal(asText(trusts.push(piece)), asText(looks.push(piece)), where);
          assert.equal(trusts.isAnswered, looks.isAnswered, where);
        }
        assert.equal(asText(trusts.end()), asText(looks.end()), name);
        assert.ok(Buffer.concat(read).equals(bytes), where);
        decoder.free();
      }
    }
  }
  assert.ok(repeated > 0, "some do");
});

test("an_event_that_repeats_others_behind_lines_of_an_earlier_read_is_looked_at_with_them", () => {
  for (const lines of [": at 10.0.0.1\n", "at 10.0.0.1\n", ' {"error":{"message":"no"}}\n', "retry: 1\n"]) {
    const decoder = new ChatDecoder({ n: 1, output: "none" });
    const reader = (bytes: Uint8Array) => {
      decoder.push(bytes);
      return decoder.repeatedBytes;
    };
    const [looks, trusts] = [new EventFilter(), new EventFilter({ reader })];
    for (const read of [says("a"), says("b"), lines, says("c") + says("d"), says("e")].map(encode)) {
      assert.equal(asText(trusts.push(read)), asText(looks.push(read)), lines);
    }
    decoder.free();
  }
});

test("a_reader_gets_each_byte_once_and_in_order_and_those_of_a_line_when_it_has_ended", () => {
  const chunk = says("a").trimEnd();
  const reads = [
    // A mark at the beginning of a line that is found to be blank when it has been read.
    [`\ufeff\n${chunk}`, "\r", "\n\r\n", says("b", "stop") + DONE],
    [says("r"), `\ufeff\n${chunk}`, "\r", "\n\r\n"],
    [`\ufeff\n${chunk.slice(0, 120)}`, `${chunk.slice(120)}\r\n`, "\r\n", DONE],
    ["\ufeff\ndata: [DONE]", "\r\n", "\r\n"],
    // Lines without blank lines are an answer for the decoder.
    [`\n${chunk}\n`, `${chunk}\n${DONE.trimEnd()}\n`],
    [`${chunk}\n`, `${chunk}\n\n${DONE.trimEnd()}\n`],
    [DONE, ": x", says("after") + chunk],
  ].map((texts): Uint8Array[] => texts.map(encode));
  const random = randomFrom(5);
  for (const text of [
    says("a"),
    `\ufeff${says("a")}`,
    `: a\n${says("b")}`,
    `\ufeff\n${says("c")}`,
    `${chunk}\n${chunk}\n\n`,
  ]) {
    for (const lineBreak of ["\n", "\r", "\r\n"]) {
      const bytes = encode((says("first") + text + text + chunk).replaceAll("\n", lineBreak));
      for (const most of [1, 7, 90, 400]) reads.push(cut(bytes, most, random));
    }
  }
  for (const pieces of reads) {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
    let [read, fed] = ["", ""];
    const filter = new EventFilter({
      reader: (bytes) => {
        read += text(bytes);
        return 0;
      },
    });
    for (const piece of pieces) {
      fed += text(piece);
      filter.push(piece);
      assert.ok(fed.startsWith(read), JSON.stringify([fed, read]));
      const lines = Math.max(fed.lastIndexOf("\n"), fed.lastIndexOf("\r")) + 1;
      assert.ok(read.length >= lines, JSON.stringify([fed, read]));
    }
    filter.end();
    assert.equal(read, fed);
  }
});

test("no_address_passes_beside_chunks_however_lines_end", () => {
  for (const lineBreak of ["\n", "\r", "\r\n"]) {
    for (const line of [": at 10.0.0.1", "junk at 10.0.0.1", "id: 10.0.0.1"]) {
      for (const text of [`${line}\n${says("b")}`, `${line}\n\n${says("b")}`, `${says("b").trimEnd()}\n${line}\n\n`]) {
        const bytes = encode(`${says("a")}${text}${says("c")}${DONE}`.replaceAll("\n", lineBreak));
        const filter = new EventFilter();
        const passed = asText(filter.push(bytes)) + asText(filter.end());
        assert.ok(!passed.includes("10.0.0.1"), JSON.stringify(passed));
        for (const word of ["a", "b", "c"]) assert.ok(passed.includes(`"${word}"`), JSON.stringify(passed));
      }
    }
  }
});

test("neither_a_key_nor_the_words_of_an_error_pass_in_a_chunk_that_is_no_json", () => {
  const passed = (text: string) => {
    const filter = new EventFilter({ secrets: [KEY] });
    return asText(filter.push(encode(text))) + asText(filter.end());
  };
  const chunk = (more: string) => `data: {"choices":[{"index":0,"delta":{"content":"at 10.0.0.2 ${more}`;
  for (const key of [KEY, KEY.replace("-", "\\u002d"), `\\u00${KEY.charCodeAt(0).toString(16)}${KEY.slice(1)}`]) {
    for (const start of key === KEY ? ["", ERROR] : [ERROR]) {
      for (const end of ["", "\n\n", '"}\n\n']) {
        const text = passed(chunk(start + key) + end);
        assert.ok(!text.includes(KEY) && !text.includes(key), text);
      }
    }
  }
  const error = passed(`${chunk(`${ERROR}at 10.0.0.1"}`)}\n\n`);
  assert.ok(!error.includes("10.0.0.1"), error);
  const cut = chunk("and on");
  assert.equal(passed(cut), cut, "the model's words");
});

test("memory_that_a_long_event_took_is_given_back_where_each_read_ends_within_an_event", () => {
  const events = new WholeEvents();
  const length = 1024 * 1024;
  for (const read of [`: ${"long".repeat(length / 4)}`, "\n\n: a", "\n\n: b", "\n\n: c"]) events.push(encode(read));
  assert.ok(events.push(encode("\n\n")).buffer.byteLength < length);
});
