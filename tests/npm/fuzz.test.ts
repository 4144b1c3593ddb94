// Anything at all, cut anywhere: the engine always answers, never traps, and always decides on one outcome.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder, EventStreamDecoder, init } from "chatwire";

const pieces = [
  "data: ",
  '{"choices":[{"index":0,"delta":{"content":"',
  '"}}]}',
  '"finish_reason":"stop"',
  '{"error":{"message":"no","code":429}}',
  '{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}',
  '{"usage":{"prompt_tokens":1,"completion_tokens":2}}',
  "data: [DONE]\n\n",
  "event: error\n",
  "id: 1\n",
  "<html><title>no</title>",
  "<think>",
  "</think>",
  "\\ud83d",
  "\\u12",
  "é日🙂",
  "\u0000",
  "-1e5",
  "null",
  ...'\n\r{}[],:"\\` ',
  "\n\n",
];
const outputs = ["events", "text", "chunks", "none"] as const;
const statuses = ["complete", "truncated", "error"];

/** A generator of numbers below a bound, the same for the same seed. */
function randomFrom(seed: number) {
  let state = seed;
  return (bound: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * bound);
  };
}

test("no_bytes_make_the_engine_trap_or_leave_a_stream_without_an_outcome", async () => {
  await init();
  const seed = Date.now() & 0xffff_ffff;
  const random = randomFrom(seed);
  const any = <T>(list: readonly T[]) => list[random(list.length)] as T;
  for (let round = 0; round < 3000; round++) {
    let text = "";
    for (let left = random(30); left > 0; left--) {
      text += random(3) ? any(pieces) : `data: {"choices":[{"index":0,"delta":{"content":"${any(pieces)}"}}]}\n\n`;
    }
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > 0 && random(4) === 0) bytes[random(bytes.length)] = random(256);
    const decoder = new ChatDecoder({ output: any(outputs), decoding: random(2) ? "tolerant" : "strict" });
    const framing = new EventStreamDecoder();
    try {
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + random(random(2) ? 4 : 400);
        decoder.push(bytes.subarray(at, at + length));
        framing.feed(bytes.subarray(at, at + length));
        at += length;
      }
      framing.end();
      assert.ok(statuses.includes(decoder.end().status));
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}: ${JSON.stringify(text)}`, { cause: error });
    } finally {
      decoder.free();
      framing.free();
    }
  }
});

test("ten_thousand_streams_at_once_do_not_mix", async () => {
  await init();
  const encoder = new TextEncoder();
  const decoders = Array.from({ length: 10_000 }, () => new ChatDecoder({ output: "text" }));
  const piece = (body: string) => encoder.encode(`data: {"choices":[{"index":0,"delta":{"content":"${body}"}}]}\n\n`);
  for (const part of ["a", "b", "c"]) {
    for (const [at, decoder] of decoders.entries()) assert.equal(decoder.push(piece(`${part}${at} `)), `${part}${at} `);
  }
  for (const [at, decoder] of decoders.entries()) {
    assert.equal(decoder.end().text, `a${at} b${at} c${at} `);
    decoder.free();
  }
});
