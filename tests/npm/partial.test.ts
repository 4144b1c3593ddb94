/**
 * Partial JSON from the engine to a live JavaScript value.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { init } from "chatwire";
import { output, place } from "../../dist/engine.js";
import { type PartialEdits, PartialValue } from "../../dist/partial.js";
import type { EngineDecoder } from "../../npm/boundary.ts";
import { DONE, encode, says } from "./serving.ts";

await init();
const glue = new URL("../../dist/wasm/chatwire.js", import.meta.url);
const { Decoder } = (await import(glue.href)) as { Decoder: new (options: object) => EngineDecoder };

const EVENTS = 3;

interface Event extends PartialEdits {
  type: string;
}

/** Reads a stream in reads of so many bytes; `seen` gets the live value after each of its events. */
function read(stream: string, size: number, seen: (value: unknown) => void = () => {}): unknown {
  const decoder = new Decoder({ reasoning: "none", partial: true });
  decoder.setOutput(EVENTS);
  const live = new PartialValue();
  const bytes = encode(stream);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    place(piece);
    const length = decoder.push(piece.length, 0, 0);
    const events: Event[] = JSON.parse(output(length < 0 ? ~length : length));
    const partials = events.filter(({ type }) => type === "partial");
    assert.ok(partials.length <= 1, "one a read");
    for (const partial of partials) seen(live.apply(partial));
  }
  decoder.free();
  return live.value;
}

/** The stream of a text in deltas of so many UTF-16 units. */
function streamed(text: string, size: number): string {
  let stream = "";
  for (let at = 0; at < text.length; at += size) stream += says(text.slice(at, at + size));
  return stream + says("", "stop") + DONE;
}

const values: unknown[] = [
  { name: "Ada", tags: ["x", "y", ""], nested: { a: { b: [{}, [], null, true, 1.5e-7] } }, last: "é日🙂" },
  [[[]], [{}], [[1, [2, [3]]]]],
  'only text, "quoted" \\ and\nbroken 🙂',
  42,
  null,
  { "2": "b", "1": { "0": ["x"] }, "": "empty", 'a"b': "c" },
  JSON.parse('{"__proto__":{"__proto__":"deep"},"constructor":["x"]}'),
];

test("the_value_at_the_end_is_what_json_parse_gives", () => {
  for (const value of values) {
    for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
      for (const delta of [1, 3, 1000]) {
        for (const size of [1, 50, 5000]) assert.deepEqual(read(streamed(text, delta), size), value, text);
      }
    }
  }
});

test("lone_and_cut_surrogates_are_what_json_parse_gives", () => {
  for (const text of [
    String.raw`{"a":"\ud83d\ude00","b":"\ud83d","c":"\ude00\ud83dx","d":"\ud83d\n"}`,
    String.raw`["\uD83D\uD83D\uDE00"]`,
  ]) {
    for (const delta of [1, 5, 100]) assert.deepEqual(read(streamed(text, delta), 64), JSON.parse(text), text);
  }
});

test("one_object_grows_in_place", () => {
  const text = JSON.stringify({ list: [{ note: "some words" }, { note: "more" }], end: true });
  const seen = new Set<unknown>();
  const lists = new Set<unknown>();
  const states: string[] = [];
  read(streamed(text, 4), 1e6 / 4, (value) => seen.add(value));
  assert.equal(seen.size, 1);
  seen.clear();
  read(streamed(text, 4), 100, (value) => {
    seen.add(value);
    const { list } = value as { list?: unknown };
    if (list) lists.add(list);
    states.push(JSON.stringify(value));
  });
  assert.equal(seen.size, 1);
  assert.equal(lists.size, 1);
  assert.ok(
    states.includes('{"list":[{"note":"some"}]}') || states.includes('{"list":[{"note":"some w"}]}'),
    `${states}`,
  );
  assert.equal(states.at(-1), text);
});

test("a_member_called_proto_is_a_member", () => {
  const live = read(streamed('{"a":1,"__proto__":{"polluted":"yes"}}', 2), 60) as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(live), Object.prototype);
  assert.equal(live.polluted, undefined);
  assert.ok(Object.hasOwn(live, "__proto__"));
});

test("time_is_linear_in_the_text", (context) => {
  const row = { name: "a name", tags: ["x", "y"], note: "some words of text" };
  const time = (kilobytes: number) => {
    const text = JSON.stringify(Array(Math.ceil((kilobytes * 1024) / JSON.stringify(row).length)).fill(row));
    const stream = streamed(text, 4);
    const bytes = encode(stream).length;
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      read(stream, 16_384);
      best = Math.min(best, performance.now() - started);
    }
    context.diagnostic(
      `${kilobytes} KB in 4-character deltas, ${bytes} bytes in reads of 16 KB: ${best.toFixed(2)} ms`,
    );
    return best;
  };
  time(20);
  const one = time(20);
  const sixteen = time(320);
  // Linear is 16 times, quadratic 256 times.
  assert.ok(sixteen < one * 80, `20 KB took ${one} ms, 320 KB ${sixteen} ms`);
});
