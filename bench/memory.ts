/**
 * `npm run bench:memory`: what streams hold, and that they give it back. Prints a table; fails where a bar is missed.
 * With `--json` it prints the same as JSON; with `--quick`, fewer streams come one after another.
 */
import { ChatDecoder, ChatStream, Chatwire } from "chatwire";
import { engine } from "./bundle.ts";
import { body, cut, response } from "./inside/reads.ts";
import { electron } from "./streams.ts";

/** One thing that was looked at. */
export interface MemoryCheck {
  what: string;
  bar: string;
  measured: string;
  isMet: boolean;
}

const checks: MemoryCheck[] = [];
const READ = 16_384;

new ChatDecoder().free(); // so that the engine is loaded
const { engineMemory } = await import(new URL("../entry/engine.js", engine).href);
const memory: WebAssembly.Memory = engineMemory();
const wasmBytes = () => memory.buffer.byteLength;

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
const count = (number: number) => number.toLocaleString("en");
const short = electron(30);

/** Streams that have begun and wait for more. */
function idleState(): void {
  const streams = 20_000;
  const begun = cut(short.bytes, "event").slice(0, 12);
  const before = wasmBytes();
  const decoders = Array.from({ length: streams }, () => {
    const decoder = new ChatDecoder({ output: "text" });
    for (const read of begun) decoder.push(read);
    return decoder;
  });
  const each = (wasmBytes() - before) / streams;
  for (const decoder of decoders) decoder.free();
  checks.push({
    what: `engine state of an idle stream, one of ${count(streams)} after its first 12 events`,
    bar: "under 4 KiB",
    measured: kib(each),
    isMet: each < 4096,
  });
}

async function concurrent(): Promise<void> {
  const streams = 10_000;
  const before = heapBytes();
  const senders: ReadableStreamDefaultController<Uint8Array>[] = [];
  const reads = cut(short.bytes, 1400);
  const texts = Array.from({ length: streams }, async () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        senders.push(controller);
      },
    });
    let text = "";
    for await (const piece of ChatStream.fromReadableStream(body).textStream) text += piece;
    return text;
  });
  let held = 0;
  for (const [at, read] of reads.entries()) {
    for (const sender of senders) sender.enqueue(read);
    await new Promise((resolve) => setImmediate(resolve));
    if (at === reads.length >> 1) held = heapBytes() - before;
  }
  const [first = "", ...others] = await Promise.all(texts);
  const isRight = first.length > 0 && others.every((text) => text === first);
  checks.push({
    what: `${count(streams)} concurrent streams in one isolate`,
    bar: "all complete, with the same text",
    measured: `${isRight ? "all the same" : "they differ"}; half-way each holds ${kib(held / streams)} of JS memory`,
    isMet: isRight,
  });
}

async function oneAfterAnother(): Promise<void> {
  const [few, many] = [1_000, process.argv.includes("--quick") ? 10_000 : 100_000];
  const reads = cut(short.bytes, READ);
  const client = new Chatwire({
    baseURL: "https://upstream.invalid/v1",
    apiKey: "none",
    fetch: async () => response(reads),
  });
  const params = { model: "any", messages: [{ role: "user" as const, content: "Hello" }], stream: true as const };
  let [atFew, heapAtFew] = [0, 0];
  for (let done = 1; done <= many; done++) {
    const stream = await client.chat.completions.create(params);
    for await (const _ of stream.textStream);
    if (done === few) [atFew, heapAtFew] = [wasmBytes(), heapBytes()];
  }
  const [grown, heap] = [wasmBytes() - atFew, heapBytes() - heapAtFew];
  checks.push({
    what: `WASM memory after ${count(many)} streams one after another, against after ${count(few)}`,
    bar: "no growth",
    measured: `${grown === 0 ? "no growth" : `+${kib(grown)}`}; JS heap ${heap < 0 ? "" : "+"}${kib(heap)}`,
    isMet: grown === 0,
  });
}

async function notAccumulated(): Promise<void> {
  const [few, many] = [10_000, 1_000_000];
  const { bytes } = electron(few);
  let end = bytes.length;
  for (let left = 3; left > 0; left--) end = bytes.lastIndexOf(10, end - 3) + 1;
  const middle = cut(bytes.subarray(0, end), READ);
  const reads = [...Array.from({ length: many / few }, () => middle).flat(), ...cut(bytes.subarray(end), READ)];
  let [atFew, heapAtFew, grown, heap, seen] = [0, 0, 0, 0, 0];
  const stream = ChatStream.fromReadableStream(body(reads), { accumulate: false });
  for await (const _ of stream.textStream) {
    seen++;
    if (seen === middle.length) [atFew, heapAtFew] = [wasmBytes(), heapBytes()];
    if (seen === middle.length * (many / few - 1)) [grown, heap] = [wasmBytes() - atFew, heapBytes() - heapAtFew];
  }
  checks.push({
    what: `a stream of ${count(many)} events with accumulate: false, against its first ${count(few)}`,
    bar: "no growth",
    measured: `WASM ${grown === 0 ? "no growth" : `+${kib(grown)}`}; JS heap ${heap < 0 ? "" : "+"}${kib(heap)}`,
    isMet: grown === 0 && heap < 256 * 1024,
  });
}

// First those after which nothing may have grown: memory that many streams have used stays with the instance.
await oneAfterAnother();
await notAccumulated();
idleState();
await concurrent();

if (process.argv.includes("--json")) console.log(JSON.stringify(checks));
else
  for (const { what, bar, measured, isMet } of checks)
    console.log(`${isMet ? "✓" : "✗"} ${what}\n    bar: ${bar}; measured: ${measured}`);
if (checks.some(({ isMet }) => !isMet)) process.exitCode = 1;
