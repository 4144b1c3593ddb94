/**
 * The memory that streams hold and the cost of many at once, in a process of its own: `node --expose-gc held.ts WHAT`. Prints one line of JSON.
 *
 * - `idle text`, `idle events`, `idle client`: bytes that a stream which has begun and waits for more holds, JavaScript's and the
 *   engine's, without what the host's own stream holds
 * - `long`: bytes of the module's memory after one answer of 64 MiB of text, with its outcome
 * - `kinds`: the kinds of objects that a stream of a client holds in JavaScript, without those of the host's own stream
 * - `many`: CPU microseconds an event where so many streams are read at once
 * - `framing`: CPU nanoseconds a byte of framing alone, 10 bytes a read
 * - `partial`: CPU milliseconds for 20 KB of JSON in 4-character deltas, read as it grows
 */
import { json } from "node:stream/consumers";
import { getHeapSnapshot } from "node:v8";
import { ChatStream, Chatwire, EventStreamDecoder, init } from "chatwire";
import { createParser } from "eventsource-parser";
import { engine } from "../bundle.ts";
import { electron } from "../streams.ts";
import { partial } from "./partial.ts";
import { cut } from "./reads.ts";

type Controller = ReadableStreamDefaultController<Uint8Array>;

await init();
const { engineMemory } = await import(new URL("../entry/engine.js", engine).href);
const memory: WebAssembly.Memory = engineMemory();
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function heapBytes(): Promise<number> {
  for (let time = 0; time < 4; time++) {
    await turn();
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Streams that can be written to. */
function opened(count: number, senders: Controller[]): Response[] {
  return Array.from({ length: count }, () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        senders.push(controller);
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
}

/** Streams that have begun and wait for more, and their senders. */
async function begun(count: number, read: (response: Response) => unknown): Promise<unknown[]> {
  const senders: Controller[] = [];
  const reading = opened(count, senders).map(read);
  for (const bytes of cut(electron(30).bytes, "event").slice(0, 12)) {
    for (const sender of senders) sender.enqueue(bytes);
    await turn();
  }
  return [...reading, ...senders];
}

/** Bytes that each of many streams holds while it waits, and those of the engine among them. */
async function held(read: (response: Response) => unknown): Promise<{ all: number; engine: number }> {
  const count = 4000;
  const [before, module] = [await heapBytes(), memory.buffer.byteLength];
  const streams = await begun(count, read);
  const engine = memory.buffer.byteLength - module;
  const all = (await heapBytes()) - before + engine;
  if (streams.length !== 2 * count) throw new Error("a stream was lost");
  return { all: all / count, engine: engine / count };
}

/** Objects of one kind, of each stream. */
export interface Kind {
  kind: string;
  count: number;
  bytes: number;
  /** The names of functions. */
  names: string[];
}

/** All objects of the heap, by what they are; functions by their names. */
async function heapKinds(): Promise<Map<string, { count: number; bytes: number }>> {
  globalThis.gc?.();
  const { snapshot, nodes, strings } = (await json(getHeapSnapshot())) as {
    snapshot: { meta: { node_fields: string[]; node_types: [string[]] } };
    nodes: number[];
    strings: string[];
  };
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name, size] = ["type", "name", "self_size"].map((field) => fields.indexOf(field)) as [
    number,
    number,
    number,
  ];
  const found = new Map<string, { count: number; bytes: number }>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const what = types[0][nodes[at + type] as number] as string;
    const called = strings[nodes[at + name] as number] as string;
    const isNamed = what === "object" || what === "closure" || what === "native" || called.startsWith("system / ");
    const kind = isNamed ? `${what}:${called}` : `${what}:`;
    const known = found.get(kind) ?? { count: 0, bytes: 0 };
    found.set(kind, { count: known.count + 1, bytes: known.bytes + (nodes[at + size] as number) });
  }
  return found;
}

async function kinds(): Promise<Kind[]> {
  const count = 1000;
  // The first of a kind brings what is no stream's own.
  for (const read of [bare, readers.client]) await begun(10, read as (response: Response) => unknown);
  const grown = async (read: (response: Response) => unknown) => {
    const before = await heapKinds();
    const streams = await begun(count, read);
    const after = await heapKinds();
    if (streams.length !== 2 * count) throw new Error("a stream was lost");
    const more = [...after].map(([kind, { count, bytes }]) => {
      const known = before.get(kind) ?? { count: 0, bytes: 0 };
      return [kind, { count: count - known.count, bytes: bytes - known.bytes }] as const;
    });
    return new Map(more);
  };
  const host = await grown(bare);
  const ours = await grown(readers.client as (response: Response) => unknown);
  const found = new Map<string, Kind>();
  for (const [what, own] of ours) {
    const [type = "", name = ""] = what.split(/:(.*)/s);
    const each = (own.count - (host.get(what)?.count ?? 0)) / count;
    const bytes = (own.bytes - (host.get(what)?.bytes ?? 0)) / count;
    if (Math.abs(each) < 0.5) continue;
    const kind = type === "closure" ? "functions" : name.replace("system / ", "") || type;
    const known = found.get(kind) ?? { kind, count: 0, bytes: 0, names: [] };
    if (type === "closure" && name) known.names.push(name);
    found.set(kind, { ...known, count: known.count + each, bytes: known.bytes + bytes });
  }
  return [...found.values()].sort((a, b) => b.bytes - a.bytes);
}

async function bare(response: Response): Promise<void> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  while (!(await reader.read()).done);
}

async function through(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

const streamOf = ({ body }: Response) => ChatStream.fromReadableStream(body as ReadableStream<Uint8Array>);
const params = { model: "electron", messages: [{ role: "user" as const, content: "Hello" }], stream: true as const };
const answers: Response[] = [];
const client = new Chatwire({
  baseURL: "https://upstream.invalid/v1",
  apiKey: "none",
  fetch: async () => answers.shift() as Response,
});

const readers: Record<string, (response: Response) => unknown> = {
  text: (response) => through(streamOf(response).textStream),
  events: (response) => through(streamOf(response).events),
  client(response) {
    answers.push(response);
    return through(client.chat.completions.stream(params).textStream);
  },
};

async function idle(kind: string): Promise<object> {
  await held(bare); // what the first of its kind takes is no stream's own
  const host = await held(bare);
  const ours = await held(readers[kind] as (response: Response) => unknown);
  return { bytes: ours.all - host.all, engine: ours.engine };
}

async function long(): Promise<object> {
  const piece = JSON.stringify("x".repeat(16_000));
  const event = new TextEncoder().encode(`data: {"choices":[{"index":0,"delta":{"content":${piece}}}]}\n\n`);
  const end = new TextEncoder().encode(
    'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
  );
  let left = Math.ceil((64 * 1024 * 1024) / 16_000);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(left > 0 ? event : end);
      if (left-- <= 0) controller.close();
    },
  });
  const stream = ChatStream.fromReadableStream(body, { limits: { maxStreamBytes: 128 * 1024 * 1024 } });
  let length = 0;
  for await (const text of stream.textStream) length += text.length;
  const { text } = await stream.outcome();
  if (text.length !== length) throw new Error("text was lost");
  return { bytes: memory.buffer.byteLength };
}

async function many(): Promise<object> {
  const found: Record<string, number> = {};
  const events = cut(electron(200).bytes, "event");
  const run = async (count: number, read: (response: Response) => unknown) => {
    const senders: Controller[] = [];
    const all = opened(count, senders).map(read);
    const before = cpu();
    for (const bytes of events) {
      for (const sender of senders) sender.enqueue(bytes);
      await turn();
    }
    for (const sender of senders) {
      try {
        sender.close();
      } catch {
        // Its reader was slow to see the end, and has cancelled it.
      }
    }
    await Promise.all(all);
    return (cpu() - before) / count / events.length;
  };
  const text = readers.text as (response: Response) => unknown;
  for (let time = 0; time < 40; time++) await run(50, text); // until its code is compiled
  for (const count of [10, 1000, 10_000]) {
    const times = count === 10 ? 20 : count === 1000 ? 3 : 1;
    const measures: number[] = [];
    const hosts: number[] = [];
    for (let time = 0; time < times; time++) {
      measures.push(await run(count, text));
      hosts.push(await run(count, bare));
    }
    found[count] = median(measures);
    found[`${count}, bare`] = median(hosts);
  }
  return found;
}

function framing(): object {
  const reads = cut(electron(2000).bytes, 10);
  const bytes = reads.reduce((sum, { length }) => sum + length, 0);
  const ways: Record<string, () => number> = {
    EventStreamDecoder() {
      const decoder = new EventStreamDecoder();
      let count = 0;
      for (const read of reads) count += decoder.feed(read).length;
      decoder.free();
      return count;
    },
    "eventsource-parser"() {
      let count = 0;
      const decoder = new TextDecoder();
      const parser = createParser({ onEvent: () => void count++ });
      for (const read of reads) parser.feed(decoder.decode(read, { stream: true }));
      return count;
    },
  };
  const measures: Record<string, number[]> = {};
  for (let round = -5; round < 15; round++) {
    for (const [name, run] of Object.entries(ways)) {
      const before = cpu();
      if (run() !== 2000) throw new Error(`${name} lost an event`);
      if (round >= 0) measures[name] = [...(measures[name] ?? []), ((cpu() - before) * 1000) / bytes];
    }
  }
  return Object.fromEntries(Object.entries(measures).map(([name, all]) => [name, median(all)]));
}

const [what = "", kind = ""] = process.argv.slice(2);
const found = await { idle, kinds, long, many, framing, partial: (rounds: string) => partial(Number(rounds) || 9) }[
  what as "idle"
](kind);
console.log(JSON.stringify(found));
process.exit();
