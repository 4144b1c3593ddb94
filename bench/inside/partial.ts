/** The cost of JSON that is read as it grows. */
import { isDeepStrictEqual } from "node:util";
import { ChatDecoder, type ChatEvent, type DecoderOptions } from "chatwire";
import { figure } from "../race.ts";
import { cut } from "./reads.ts";

const READ = 16_384;

/** Microseconds of CPU. */
export async function timed(work: () => unknown): Promise<number> {
  globalThis.gc?.({ type: "minor" });
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** 20 KB of JSON, and a stream that brings it in deltas of four characters. */
export function grown() {
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
  return { value, json, bytes: new TextEncoder().encode(text) };
}

/** Milliseconds for 20 KB of JSON in 4-character deltas; undefined where the package cannot do it. */
export async function partial(rounds: number) {
  const { value, json, bytes } = grown();
  const reads = cut(bytes, READ);
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
