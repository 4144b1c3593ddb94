// Chunks are what JSON.parse makes of each event, however the engine hands them out.
import assert from "node:assert/strict";
import test from "node:test";
import { ChatDecoder } from "chatwire";

const encoder = new TextEncoder();

/** The chunks of events with this JSON, in reads of so many bytes. */
function read(events: readonly string[], size: number): unknown[] {
  const bytes = encoder.encode(events.map((json) => `data: ${json}\n\n`).join(""));
  const decoder = new ChatDecoder({ output: "chunks" });
  const chunks: unknown[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(...decoder.push(bytes.subarray(at, at + size)));
  decoder.end("aborted");
  return chunks;
}

function check(events: readonly string[]): void {
  for (const size of [16_384, 100, 7]) {
    const chunks = read(events, size);
    const parsed = events.map((json) => JSON.parse(json));
    assert.deepEqual(chunks, parsed, `in reads of ${size}`);
    // Own members only, in the order they were sent in.
    assert.deepEqual(
      chunks.map((chunk) => JSON.stringify(chunk)),
      parsed.map((chunk) => JSON.stringify(chunk)),
    );
  }
}

const bodies = [
  "Hello",
  " there",
  "",
  "\\n",
  '\\"',
  "\\\\",
  "\\ud83d",
  "\\ude00",
  "é🙂",
  "न",
  "a".repeat(300),
  "0",
  " ",
];
const written = (write: (body: string, at: number) => string) => bodies.map(write);

test("content, reasoning and arguments that go on", () => {
  check(written((body) => `{"id":"c","choices":[{"index":0,"delta":{"content":"${body}"},"finish_reason":null}]}`));
  check(written((body) => `{"choices":[{"delta":{"content":null,"reasoning_content":"x${body}"}}],"x":[]}`));
  const call = '"id":"i","function":{"name":"f","arguments":""}';
  check([
    `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,${call}}]}}]}`,
    ...written(
      (body) => `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"${body}"}}]}}]}`,
    ),
  ]);
});

test("members that change beside it: id, created, padding, usage", () => {
  check(
    written(
      (body, at) =>
        `{"id":"c${at}","created":${1e9 + at},"usage":{"completion_tokens":${at},"details":{"cached":[${at}]}},` +
        `"choices":[{"delta":{"content":"${body}"}}],"obfuscation":"${"x".repeat(at + 1)}"}`,
    ),
  );
});

test("names that come twice, spelled with escapes, or mean something to the language", () => {
  const delta = (delta: string) => written((body) => `{"choices":[{"delta":${delta.replaceAll("…", body)}}]}`);
  check(delta('{"content":"x","content":"…"}'));
  check(delta('{"content":"…","cont\\u0065nt":"x"}'));
  check(delta('{"content":"…","__proto__":{"a":1}}'));
  check(delta('{"content":"…","__proto__":null,"toString":1,"2":3,"1":2}'));
  check(written((body) => `{"choices":[{"delta":{"content":"${body}"}}],"choices":[]}`));
  check(written((body) => `{"choices":[{"delta":{"content":"x"},"delta":{"content":"${body}"}}]}`));
  check(written((body) => `{"choices":[0,[],{"delta":{"content":"${body}"}}]}`));
  check(written((body) => `{"__proto__":{"choices":1},"choices":{"delta":{"content":"${body}"}}}`));
});

test("chunks share nothing", () => {
  const events = written(
    (body) => `{"choices":[{"delta":{"content":"${body}"},"filter":{"hate":{"filtered":false}}}],"list":[[1]]}`,
  );
  type Chunk = { choices: { filter: { hate: { filtered: boolean } } }[]; list: number[][] };
  const chunks = read(events, 16_384) as Chunk[];
  for (const [at, chunk] of chunks.entries()) {
    assert.deepEqual(chunk, JSON.parse(events[at] as string));
    for (const choice of chunk.choices) choice.filter.hate.filtered = true;
    chunk.choices.length = 0;
    for (const list of chunk.list) list.push(at);
    Object.freeze(chunk);
  }
});

test("streams of all kinds, one after another in one answer", () => {
  const all = written(
    (body, at) =>
      [
        `{"choices":[{"delta":{"content":"${body}"}}]}`,
        `{"choices":[{"delta":{"content":"${body}"}}],"usage":{"total_tokens":${at}}}`,
        `{"choices":[{"delta":{"reasoning":"r${body}"}}],"usage":{"total_tokens":${at}}}`,
        `{"choices":[]}`,
      ][at >> 2] as string,
  );
  check([...all, ...all, ...all.toReversed(), ...all]);
});
