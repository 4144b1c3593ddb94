/**
 * One chat turn: opened, read and ended, in a fresh process whose streams have been used before, as they are by any page or
 * server. The first turn, the next five, and those after many.
 */
import type { Host } from "./hosts.ts";
import type { Contender } from "./inside/contenders.ts";
import type { ReadSize } from "./inside/reads.ts";
import { type Figure, figure } from "./race.ts";
import type { Stream } from "./streams.ts";

/** The cost of a turn, in CPU milliseconds. */
export interface Turn {
  first: Figure;
  next: Figure;
  warm: Figure;
}

/** Streams that are read by the bare loop before anything is measured. */
const STREAMS_BEFORE = 30;
/** Turns after which all that is compiled has been. */
const MANY = 300;
const WARM = 30;

/** Each contender's turns, in fresh processes that take turns themselves. */
export async function turns<Name extends Contender>(
  host: Host,
  stream: Stream,
  size: ReadSize,
  contenders: readonly Name[],
  rounds: number,
): Promise<Record<Name, Turn>> {
  const found = new Map(
    contenders.map((name) => [name, { first: [], next: [], warm: [] } as Record<keyof Turn, number[]>]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const [name, { first, next, warm }] of found) {
      const lane = await host.open();
      try {
        await lane.prepare(stream, size);
        await lane.run("bare read loop", STREAMS_BEFORE);
        // To be asked takes some time too.
        const asked = Math.min(await lane.run(name, 0), await lane.run(name, 0), await lane.run(name, 0));
        const taken = async (times: number) => ((await lane.run(name, times)) - asked) / times / 1000;
        first.push(await taken(1));
        next.push(await taken(5));
        await lane.run(name, MANY);
        warm.push(await taken(WARM));
      } finally {
        await lane.close();
      }
    }
  }
  const each = [...found].map(([name, { first, next, warm }]) => [
    name,
    { first: figure(first), next: figure(next), warm: figure(warm) },
  ]);
  return Object.fromEntries(each) as Record<Name, Turn>;
}

/** The cost of reading a stream once, in a process that has read none with this contender: CPU microseconds an event. */
export async function once<Name extends Contender>(
  host: Host,
  stream: Stream,
  size: ReadSize,
  contenders: readonly Name[],
  rounds: number,
): Promise<Record<Name, Figure>> {
  const found = new Map<Name, number[]>(contenders.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measures] of found) {
      const lane = await host.open();
      try {
        await lane.prepare(stream, size);
        await lane.run("bare read loop", STREAMS_BEFORE);
        measures.push((await lane.run(name, 1)) / stream.events);
      } finally {
        await lane.close();
      }
    }
  }
  return Object.fromEntries([...found].map(([name, measures]) => [name, figure(measures)])) as Record<Name, Figure>;
}
