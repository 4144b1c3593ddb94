/**
 * What plain text pays for the care that other streams need: a decoder that looks for reasoning, tools and other dialects
 * against one that was told there is none of it, in turns. Prints one line of JSON.
 */
import { ChatDecoder, type DecoderOptions } from "chatwire";
import { type Figure, figure } from "../race.ts";
import { electron } from "../streams.ts";
import { cut, type ReadSize } from "./reads.ts";

const EVENTS = 10_000;
const rounds = Number(process.argv[2]);
const { bytes } = electron(EVENTS);

/** What one size of reads came to: CPU microseconds for an event, and what the first takes for what the second does. */
export interface Tolerance {
  size: ReadSize;
  tolerant: Figure;
  told: Figure;
  ratio: Figure;
}

function compared(size: ReadSize): Tolerance {
  const reads = cut(bytes, size);
  const run = (options: DecoderOptions) => {
    const decoder = new ChatDecoder({ output: "text", ...options });
    for (const read of reads) decoder.push(read);
    if (decoder.end().status !== "complete") throw new Error("the stream was not read to its end");
  };
  const timed = (options: DecoderOptions) => {
    const before = process.cpuUsage();
    for (let time = 0; time < 4; time++) run(options);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / EVENTS / 4;
  };
  const told: DecoderOptions = { decoding: "strict", reasoning: "none" };
  for (let round = 0; round < 100; round++) run(round % 2 ? told : {}); // until its code is compiled
  const pairs = Array.from({ length: rounds }, (_, round) => {
    if (round % 2) return [timed({}), timed(told)] as const;
    const first = timed(told);
    return [timed({}), first] as const;
  });
  return {
    size,
    tolerant: figure(pairs.map(([tolerant]) => tolerant)),
    told: figure(pairs.map(([, told]) => told)),
    ratio: figure(pairs.map(([tolerant, told]) => tolerant / told)),
  };
}

console.log(JSON.stringify([compared("event"), compared(16_384)]));
