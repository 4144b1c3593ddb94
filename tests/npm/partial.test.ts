/**
 * Partial JSON from the engine to a live JavaScript value.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder, init } from "chatwire";
import { clientOf, collect, DONE, encode, event, hello, says, serve } from "./serving.ts";

await init();

/** Reads a stream in reads of so many bytes; `seen` gets the live value after each of its events. */
function read(stream: string, size: number, seen: (value: unknown) => void = () => {}): unknown {
  const decoder = new ChatDecoder({ reasoning: "none", partial: true });
  const bytes = encode(stream);
  let live: unknown;
  for (let at = 0; at < bytes.length; at += size) {
    const partials = decoder.push(bytes.subarray(at, at + size)).filter(({ type }) => type === "partial");
    assert.ok(partials.length <= 1, "one a read");
    for (const partial of partials) {
      live = partial.type === "partial" ? partial.value : live;
      seen(live);
    }
  }
  decoder.end();
  return live;
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

test("a_structured_answer_grows_among_the_events_of_a_stream", async () => {
  const answer = { city: "पुणे", people: [3_124_458, null], note: 'a "quoted" word' };
  const pieces = [...JSON.stringify(answer)];
  const client = clientOf(serve([...pieces.map((piece) => says(piece)), says("", "stop"), DONE]));
  const values: unknown[] = [];
  let text = "";
  for await (const event of client.chat.completions.stream(hello).events) {
    if (event.type === "text") text += event.text;
    if (event.type !== "partial") continue;
    values.push(event.value);
  }
  assert.equal(text, pieces.join(""));
  assert.deepEqual(values.at(-1), answer);
  assert.ok(values.length > 10, "it grows while it arrives");
  assert.ok(
    values.every((value) => value === values[0]),
    "one object",
  );
});

test("arguments_of_tool_calls_grow_with_the_index_of_their_call", async () => {
  const call = (index: number, part: object) => ({
    choices: [{ index: 0, delta: { tool_calls: [{ index, ...part }] } }],
  });
  const stream = [
    event(call(0, { id: "a", function: { name: "one", arguments: '{"x":[1' } })),
    event(call(1, { id: "b", function: { name: "two", arguments: '{"y":"hel' } })),
    event(call(0, { function: { arguments: ",2]}" } })),
    event(call(1, { function: { arguments: 'lo"}' } })),
    event({ choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] }),
    DONE,
  ];
  const events = await collect(clientOf(serve(stream)).chat.completions.stream(hello).events);
  const partials = events.filter((event) => event.type === "partial");
  assert.deepEqual(
    partials.map(({ index }) => index),
    [0, 1, 0, 1],
  );
  assert.deepEqual(partials.at(-2)?.value, { x: [1, 2] });
  assert.deepEqual(partials.at(-1)?.value, { y: "hello" });
});

test("prose_has_no_partial_events_and_they_can_be_turned_off", () => {
  const prose = new ChatDecoder().push(encode(says("2024 was [warm] and {dry}") + says("", "stop")));
  assert.deepEqual(new Set(prose.map(({ type }) => type)), new Set(["text", "finish"]));
  const off = new ChatDecoder({ partial: false }).push(encode(says('{"a":1}') + says("", "stop")));
  assert.deepEqual(new Set(off.map(({ type }) => type)), new Set(["text", "finish"]));
});
