/**
 * For each thing that the engine keeps, a stream that grows it without end, and the memory of the module meanwhile: within the limits.
 * The same streams as in tests/stream_bounds.rs, which measures the memory of a thread; here it is that of a page or a worker, which
 * is never given back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder } from "chatwire";
import { memory } from "./engine-memory.ts";

const KIB = 1024;
const LIMITS = {
  maxEventBytes: 64 * KIB,
  maxToolCallBytes: 256 * KIB,
  maxStreamBytes: 512 * KIB,
  maxChoices: 16,
};
/** As in tests/stream_bounds.rs, where an event is held in several forms while it is read; blocks of the module are powers of two. */
const MOST = 4 * LIMITS.maxStreamBytes + 24 * LIMITS.maxEventBytes;
/** Bytes of each stream. */
const SENT = 2 * LIMITS.maxStreamBytes;

const event = (data: string) => `data: ${data}\n\n`;
const choice = (members: string) => event(`{"choices":[{${members}}]}`);
const delta = (members: string) => choice(`"index":0,"delta":{${members}}`);
const call = (members: string) => delta(`"tool_calls":[{${members}}]`);
const big = (n: number) => `${n}${"x".repeat(30 * KIB)}`;
const growing = (n: number) => "y".repeat(Math.min(n * 256, 50 * KIB));
/** The part again and again, in one event. */
const many = (part: string) => part.repeat(Math.floor((60 * KIB) / part.length)).replace(/,$/, "");
const asJson = (first: string, then: string) => (n: number) => (n === 0 ? first : then.repeat(4 * KIB));
const inContent = (text: (n: number) => string) => (n: number) => delta(`"content":"${text(n)}"`);

/** By the name of what is kept: event number `n` of its stream. */
const streams: Record<string, (n: number) => string> = {
  text: inContent(big),
  "small text": inContent(() => "abcdefgh".repeat(8)),
  "escaped text": inContent(() => "\\u0001".repeat(8000)),
  "text in tags": inContent((n) => `<think>${big(n)}`),
  blanks: inContent(() => " ".repeat(30 * KIB)),
  code: inContent(() => "`".repeat(30 * KIB)),
  "half pairs": inContent(() => "\\ud83d".repeat(20)),
  "content in parts": (n) => delta(`"content":[{"type":"text","text":"${big(n)}"}]`),
  reasoning: (n) => delta(`"reasoning":"${big(n)}"`),
  "all so far in each delta": (n) => delta(`"reasoning":"${"ab ".repeat(Math.min(n * 300, 15 * KIB) + 1)}"`),
  refusal: (n) => delta(`"refusal":"${big(n)}"`),
  audio: (n) => delta(`"audio":{"id":"a","data":"${big(n)}","transcript":"${growing(n)}"}`),
  role: (n) => choice(`"index":${n % 16},"delta":{"role":"${big(n)}"}`),
  "finish reasons": (n) => choice(`"index":${n % 16},"delta":{},"finish_reason":"${big(n)}"`),
  "new names": (n) => delta(`"n${n}":"${growing(n)}"`),
  "long names": (n) => delta(`"${big(n)}":1`),
  "a growing value": (n) => delta(`"a":"${growing(n)}"`),
  "growing values": (n) => delta(`"a${n % 200}":"${growing(n)}"`),
  "a growing list": (n) => delta(`"a":["${big(n)}"]`),
  "deep values": (n) => delta(`"a${n % 200}":${"[".repeat(120)}${"]".repeat(120)}`),
  "members of a choice": (n) => choice(`"delta":{},"a${n % 200}":"${growing(n)}"`),
  logprobs: (n) => choice(`"delta":{},"logprobs":{"content":["${big(n)}"]}`),
  "logprobs by many names": (n) => choice(`"delta":{},"logprobs":{"c${n}":"${growing(n)}"}`),
  "members of a chunk": (n) => event(`{"choices":[],"a${n % 200}":"${growing(n)}"}`),
  usage: (n) => event(`{"choices":[],"usage":{"prompt_tokens":1,"a":"${growing(n)}"}}`),
  "id and model": (n) => event(`{"id":"${growing(n)}","model":"${growing(n)}","created":${n},"choices":[]}`),
  choices: (n) => choice(`"index":${n},"delta":{"content":"a"}`),
  "tool calls": (n) => call(`"index":${n},"function":{"name":"f"}`),
  "tool calls without a name": (n) => call(`"index":${n},"function":{"arguments":"1"}`),
  ids: (n) => call(`"index":${n},"id":"${big(n)}","function":{"name":"f"}`),
  names: (n) => call(`"index":${n},"id":"t${n}","function":{"name":"${big(n)}"}`),
  "a name in pieces": () => call(`"index":0,"function":{"name":"${"z".repeat(4 * KIB)}"}`),
  "types of calls": (n) => call(`"index":${n},"type":"${big(n)}","function":{"name":"f"}`),
  arguments: (n) => call(`"index":0,"function":{"name":"f","arguments":"${big(n)}"}`),
  "arguments of many calls": (n) => call(`"index":${n % 20},"function":{"name":"f","arguments":"[${big(n)}"}`),
  "arguments that are objects": (n) => call(`"index":${n},"function":{"name":"f","arguments":{"a":"${big(n)}"}}`),
  "all arguments so far": (n) =>
    call(`"index":0,"function":{"name":"f","arguments":"[${"1,".repeat(Math.min(n * 200, 20 * KIB))}"}`),
  "members of a call": (n) =>
    call(`"index":0,"a${n % 100}":"${growing(n)}","function":{"b${n % 100}":"${growing(n)}"}`),
  "a function call": (n) => delta(`"function_call":{"name":"f","arguments":"${big(n)}"}`),
  "one event of many choices": () => event(`{"choices":[${many("{},")}]}`),
  "one event of many calls": () => delta(`"tool_calls":[${many('{"function":{"name":"f"}},')}]`),
  "one event of many parts": () => delta(`"content":[${many('"",')}]`),
  "one event of many members": () => delta(many('"a":1,')),
  "one event of many lines": () => `data: {}\n${many("data: {}\n")}\n`,
  "one event that is a list": () => event(`[${many("{},")}]`),
  "types and ids of events": (n) => `event: ${growing(n)}\nid: ${growing(n)}\ndata: {}\n\n`,
  comments: (n) => `: ${big(n)}\n`,
  "a line that does not end": (n) => `${n === 0 ? "data: " : ""}${"x".repeat(4 * KIB)}`,
  "lines of data that do not end": () => `data: ${"x".repeat(4 * KIB)}\n`,
  nonsense: (n) => event(`nonsense ${big(n)}`),
  "a document": (n) => `${n === 0 ? '{"a":"' : ""}${"x".repeat(4 * KIB)}`,
  "a page": (n) => `${n === 0 ? "<html>" : ""}${"x".repeat(4 * KIB)}`,
  "json as text: a key": inContent(asJson('{\\"', "k")),
  "json as text: a number": inContent(asJson("[1", "2")),
  "json as text: a string": inContent(asJson('[\\"', "s")),
  "json as text: members": inContent((n) => (n === 0 ? "{" : `\\"k${n}\\":1,`.repeat(20))),
};

const modes = [
  { output: "events", sentences: true },
  { output: "chunks", accumulate: false },
] as const;

/** Whether the next call of the engine traps, which brings a fresh instance: what one stream took is no other's. */
let isBroken = false;
let instances = 0;
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    super(module, imports);
    instances++;
    const { exports } = this;
    const call = (...given: unknown[]) => {
      if (isBroken) {
        isBroken = false;
        throw new WebAssembly.RuntimeError("unreachable");
      }
      (exports.call as (...given: unknown[]) => void)(...given);
    };
    Object.defineProperty(this, "exports", { value: { ...exports, call } });
  }
};

function fresh(): void {
  new ChatDecoder().free(); // there is one
  const before = instances;
  isBroken = true;
  try {
    new ChatDecoder().push(new Uint8Array(1));
  } catch {
    // The trap.
  }
  assert.equal(instances, before + 1);
  new ChatDecoder().free();
}

test("whatever_a_stream_grows_the_memory_of_the_module_stays_within_the_limits", () => {
  const encoder = new TextEncoder();
  const wrong: string[] = [];
  for (const [name, piece] of Object.entries(streams)) {
    for (const mode of modes) {
      fresh();
      const before = memory().buffer.byteLength;
      const decoder = new ChatDecoder({ limits: LIMITS, ...mode });
      let sent = 0;
      for (let n = 0; sent < SENT && !decoder.ended; n++) {
        const bytes = encoder.encode(piece(n));
        decoder.push(bytes);
        sent += bytes.length;
      }
      decoder.end("lost");
      const grown = memory().buffer.byteLength - before;
      if (grown > MOST) wrong.push(`${name}, ${JSON.stringify(mode)}: ${Math.ceil(grown / KIB)} KiB of ${MOST / KIB}`);
    }
  }
  assert.deepEqual(wrong, []);
});
