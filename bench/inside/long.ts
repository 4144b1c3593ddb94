/** The cost of a stream as it grows, measured in a process of its own. Prints one line of JSON. */
import { figure } from "../race.ts";
import { electron } from "../streams.ts";
import { contenders } from "./contenders.ts";
import { partial, timed } from "./partial.ts";
import { cut } from "./reads.ts";

const READ = 16_384;
const SHORT = 10_000;
const LONG = 1_000_000;
const rounds = Number(process.argv[2]);

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

/** The figures that this program found. */
export interface Long {
  short: ReturnType<typeof figure>;
  long: ReturnType<typeof figure>;
  partial: Awaited<ReturnType<typeof partial>>;
}

const found: Long = { short: figure(perShort), long: figure(perLong), partial: await partial(rounds) };
console.log(JSON.stringify(found));
