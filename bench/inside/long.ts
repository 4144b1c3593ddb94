/** The cost of a stream as it grows, measured in a process of its own. Prints one line of JSON. */
import { isDeepStrictEqual } from "node:util";
import { ChatDecoder, type ChatEvent, type DecoderOptions } from "chatwire";
import { figure } from "../race.ts";
import { electron } from "../streams.ts";
import { contenders } from "./contenders.ts";
import { cut } from "./reads.ts";

const READ = 16_384;
const SHORT = 10_000;
const LONG = 1_000_000;
const rounds = Number(process.argv[2]);

/** Microseconds of CPU. */
async function timed(work: () => unknown): Promise<number> {
  globalThis.gc?.({ type: "minor" });
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** A stream of `events` events, whose text comes again and again. */
function growing(events: number) {
  const { bytes } = electron(SHORT);
  let end = bytes.length;
  for (let left = 3; left > 0; left--) end = bytes.lastIndexOf(10, end - 3) + 1;
  const middle = cut(bytes.subarray(0, end), READ);
  return [...Array.from({ length: events / SHORT }, () => middle).flat(), ...cut(bytes.subarray(end), READ)];
}

const [short, long] = [growing(SHORT), growing(LONG)];
const [perShort, perLong]: [number[], number[]] = [[], []];
const read = contenders["chatwire textStream"];
const [some, all] = [(await read(short)).text, (await read(long)).text];
if (all.length !== some.length * (LONG / SHORT)) throw new Error("the long stream lost text");
for (let round = 0; round < rounds; round++) {
  const few = await timed(async () => {
    for (let time = 0; time < LONG / SHORT; time++) await read(short);
  });
  perShort.push(few / LONG);
  perLong.push((await timed(() => read(long))) / LONG);
}

/** Milliseconds for 20 KB of JSON in 4-character deltas; undefined where the package cannot do it. */
async function partial() {
  const value = {
    items: Array.from({ length: 400 }, (_, id) => ({ id, name: `item number ${id}`, tags: ["a", "b"] })),
  };
  const json = JSON.stringify(value);
  const events = [];
  for (let at = 0; at < json.length; at += 4) {
    const choices = [{ index: 0, delta: { content: json.slice(at, at + 4) }, finish_reason: null }];
    events.push(
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices })}\n\n`,
    );
  }
  const finish = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
  const text = `${events.join("")}data: ${JSON.stringify(finish)}\n\ndata: [DONE]\n\n`;
  const reads = cut(new TextEncoder().encode(text), READ);
  const run = () => {
    let last: unknown;
    const decoder = new ChatDecoder({ output: "events", partial: true } as DecoderOptions & { output: "events" });
    for (const read of reads) {
      for (const event of decoder.push(read) as (ChatEvent | { type: "partial"; value: unknown })[]) {
        if (event.type === "partial") last = event.value;
      }
    }
    decoder.end();
    return last;
  };
  try {
    if (!isDeepStrictEqual(run(), value)) return undefined;
  } catch {
    return undefined;
  }
  for (let round = 0; round < 30; round++) run(); // until its code is compiled
  const measures = [];
  for (let round = 0; round < 10 * rounds; round++) measures.push((await timed(run)) / 1000);
  return { bytes: json.length, ...figure(measures) };
}

/** The figures that this program found. */
export interface Long {
  short: ReturnType<typeof figure>;
  long: ReturnType<typeof figure>;
  partial: Awaited<ReturnType<typeof partial>>;
}

const found: Long = { short: figure(perShort), long: figure(perLong), partial: await partial() };
console.log(JSON.stringify(found));
