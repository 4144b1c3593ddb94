/**
 * The price that plain text pays for the care that other streams need: a reader that looks for reasoning, tools and
 * other dialects against one that was told there is none of it, in turns. Prints one line of JSON.
 */
import { ChatDecoder, ChatStream, type DecoderOptions } from "chatwire";
import { type Figure, figure } from "../race.ts";
import { electron } from "../streams.ts";
import { body, cut, type ReadSize } from "./reads.ts";

const EVENTS = 10_000;
const rounds = Number(process.argv[2]);
const { bytes } = electron(EVENTS);
const told: DecoderOptions = { decoding: "strict", reasoning: "none" };

/** The figures of one reader: CPU microseconds for an event, and the ratio to the other reader. */
export interface Tolerance {
  reader: "textStream" | "ChatDecoder";
  size: ReadSize;
  tolerant: Figure;
  told: Figure;
  ratio: Figure;
}

const readers = {
  async textStream(reads: Uint8Array<ArrayBuffer>[], options: DecoderOptions) {
    const stream = ChatStream.fromReadableStream(body(reads), options);
    for await (const _ of stream.textStream);
    return stream.outcome();
  },
  async ChatDecoder(reads: Uint8Array<ArrayBuffer>[], options: DecoderOptions) {
    const decoder = new ChatDecoder({ output: "text", ...options });
    for (const read of reads) decoder.push(read);
    return decoder.end();
  },
};

async function compared(reader: Tolerance["reader"], size: ReadSize): Promise<Tolerance> {
  const reads = cut(bytes, size);
  const run = async (options: DecoderOptions, times: number) => {
    for (let time = 0; time < times; time++) {
      const { status } = await readers[reader](reads, options);
      if (status !== "complete") throw new Error("the stream was not read to its end");
    }
  };
  const timed = async (options: DecoderOptions) => {
    const times = 4;
    const before = process.cpuUsage();
    await run(options, times);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / EVENTS / times;
  };
  for (let round = 0; round < 50; round++) await run(round % 2 ? told : {}, 2); // until its code is compiled
  const pairs: { tolerant: number; told: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const first = await timed(round % 2 ? told : {});
    const second = await timed(round % 2 ? {} : told);
    pairs.push(round % 2 ? { tolerant: second, told: first } : { tolerant: first, told: second });
  }
  return {
    reader,
    size,
    tolerant: figure(pairs.map(({ tolerant }) => tolerant)),
    told: figure(pairs.map(({ told }) => told)),
    ratio: figure(pairs.map(({ tolerant, told }) => tolerant / told)),
  };
}

const found: Tolerance[] = [];
for (const reader of ["textStream", "ChatDecoder"] as const) {
  for (const size of ["event", 16_384] as const) found.push(await compared(reader, size));
}
console.log(JSON.stringify(found));
