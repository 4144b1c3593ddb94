/**
 * The most text that a stream may hold, and the memory of the module with it: the answer once, and its outcome in parts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder } from "chatwire";
import { memory } from "./engine-memory.ts";

const MIB = 1024 * 1024;
const encoder = new TextEncoder();

/** An event whose delta is this JSON. */
const delta = (json: string): Uint8Array => encoder.encode(`data: {"choices":[{"index":0,"delta":${json}}]}\n\n`);

const piece = "one word after the other, and a \\n now and then; ".repeat(1300);
const spoken = JSON.parse(`"${piece}"`) as string;

/** Pushes as many deltas as 64 MiB of text take, and gives the outcome. */
function read(bytes: Uint8Array) {
  const decoder = new ChatDecoder({});
  const count = Math.floor((64 * MIB) / spoken.length);
  for (let sent = 0; sent < count; sent++) decoder.push(bytes);
  decoder.push(delta("{}"));
  const outcome = decoder.end("closed");
  decoder.free();
  return { outcome, length: count * spoken.length };
}

for (const field of ["content", "reasoning"]) {
  test(`64 MiB of ${field} take no more than 200 MiB of the module, its outcome included`, () => {
    const { outcome, length } = read(delta(`{"${field}":"${piece}"}`));
    const text = field === "content" ? outcome.text : outcome.reasoning;
    assert.equal(text.length, length);
    assert.ok(text.startsWith(spoken) && text.endsWith(spoken));
    const message = outcome.message as unknown as Record<string, string>;
    if (field === "content") assert.equal(message.content?.length, length);
    const held = memory().buffer.byteLength / MIB;
    assert.ok(held <= 200, `${held} MiB`);
  });
}

test("past the limit the stream is refused by name, with what had arrived", () => {
  const decoder = new ChatDecoder({ limits: { maxStreamBytes: MIB } });
  const bytes = delta(`{"content":"${piece}"}`);
  for (let sent = 0; sent < 32; sent++) decoder.push(bytes);
  const outcome = decoder.end("closed");
  assert.equal(outcome.status, "error");
  assert.match(outcome.error?.message ?? "", /maxStreamBytes/);
  assert.ok(outcome.text.length > MIB - 2 * spoken.length);
});

test("one event of millions of choices, tool calls or parts is refused or read, and takes a few times its size", () => {
  const many = (part: string): string => part.repeat(Math.floor((12 * MIB) / part.length)).slice(0, -1);
  const before = memory().buffer.byteLength;
  for (const [name, bytes, message] of [
    ["choices", encoder.encode(`data: {"choices":[${many("{},")}]}\n\n`), /maxChoices/],
    ["tool calls", delta(`{"tool_calls":[${many('{"function":{"name":"f"}},')}]}`), /maxStreamBytes/],
    ["empty tool calls", delta(`{"tool_calls":[${many("{},")}]}`), undefined],
    ["parts", delta(`{"content":[${many('"",')}]}`), undefined],
    ["members", delta(`{${many('"a":1,')}}`), undefined],
    ["lines", encoder.encode(`data: {}\n${many("data: {}\n")}\n\n`), undefined],
  ] as const) {
    const decoder = new ChatDecoder({});
    decoder.push(bytes);
    const outcome = decoder.end("closed");
    if (message) assert.match(outcome.error?.message ?? "", message, name);
    else assert.notEqual(outcome.status, "error", name);
  }
  const grown = (memory().buffer.byteLength - before) / MIB;
  assert.ok(grown <= 128, `${grown} MiB`);
});
