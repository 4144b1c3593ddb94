/**
 * The race: all contenders over one stream, cut one way, in one process, taking turns. The figure of each is the
 * median.
 */
import type { Host } from "./hosts.ts";
import { type Contender, names } from "./inside/contenders.ts";
import type { ReadSize } from "./inside/reads.ts";
import type { Stream } from "./streams.ts";

/** How much is measured. */
export interface Effort {
  /** Fresh processes, 1 unless given: one race gives other figures in another process. */
  processes?: number;
  /** How often each contender has its turn in a process; one whose single run takes ten turns has every third. */
  rounds: number;
  /** CPU time of one turn, in microseconds; at least one run of the stream. */
  turn: number;
  /** CPU time in microseconds that each contender is given first, for the host to compile what it runs. */
  warming: number;
}

/** Several measures of one thing. */
export interface Figure {
  median: number;
  /** Half of what lies between the quartiles, as a part of the median. */
  spread: number;
  /** The median of more such measures lies between these, with a probability of 95 %. */
  bounds: readonly [low: number, high: number];
  /** Each measure, in the order of the rounds; `NaN` for a round that was left out. */
  measures: readonly number[];
}

/** The time of a contender for one event, in CPU microseconds; or why it has no figure. */
export type Result = Figure | { failed: string };

/** One race. */
export interface Race {
  host: string;
  stream: Stream;
  size: ReadSize;
  /** Of each contender that ran. */
  results: Partial<Record<Contender, Result>>;
}

export function figure(measures: readonly number[]): Figure {
  const sorted = measures.filter((measure) => !Number.isNaN(measure)).toSorted((a, b) => a - b);
  const at = (part: number) => {
    const place = (sorted.length - 1) * part;
    const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
    return low + (high - low) * (place % 1);
  };
  // The ranks between which the median lies, by the binomial distribution.
  const rank = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2));
  const bounds = [sorted[rank] ?? Number.NaN, sorted[sorted.length - 1 - rank] ?? Number.NaN] as const;
  return { median: at(0.5), spread: (at(0.75) - at(0.25)) / 2 / at(0.5), bounds, measures };
}

/** Compares two figures round by round, so that a machine that slows down in the middle of a run slows both sides. */
function compare(
  one: Figure | undefined,
  other: Figure | undefined,
  by: (one: number, other: number) => number,
): Figure | undefined {
  if (!one || !other) return undefined;
  return figure(one.measures.map((measure, round) => by(measure, other.measures[round] ?? Number.NaN)));
}

/** One as a multiple of the other, in each round. */
export const ratio = (one: Figure | undefined, other: Figure | undefined) =>
  compare(one, other, (one, other) => one / other);

/** One less the other, in each round. */
export const difference = (one: Figure | undefined, other: Figure | undefined) =>
  compare(one, other, (one, other) => one - other);

/** The figure of a contender that ran. */
export function figureOf(race: Race | undefined, name: Contender): Figure | undefined {
  const result = race?.results[name];
  return result && "median" in result ? result : undefined;
}

/** The race in as many fresh processes as wished, one after the other. */
export async function race(
  host: Host,
  stream: Stream,
  size: ReadSize,
  effort: Effort,
  contenders: readonly Contender[] = names,
): Promise<Race> {
  const runs: Map<Contender, number[] | string>[] = [];
  for (let run = 0; run < (effort.processes ?? 1); run++) {
    runs.push(await raceOnce(host, stream, size, effort, contenders));
  }
  const result = (name: Contender): Result => {
    const found = runs.map((run) => run.get(name) ?? "");
    const failed = found.find((each) => typeof each === "string");
    return typeof failed === "string" ? { failed } : figure(found.flat() as number[]);
  };
  return {
    host: host.name,
    stream,
    size,
    results: Object.fromEntries(contenders.map((name) => [name, result(name)])) as Race["results"],
  };
}

/** The race in a fresh process: the measures of each contender, in CPU microseconds an event, or why it fails. */
async function raceOnce(
  host: Host,
  stream: Stream,
  size: ReadSize,
  { rounds, turn, warming }: Effort,
  contenders: readonly Contender[],
): Promise<Map<Contender, number[] | string>> {
  const lane = await host.open();
  const slow = new Set<Contender>();
  const found = new Map<Contender, number[] | string>();
  try {
    await lane.prepare(stream, size);
    const times = new Map<Contender, number>();
    for (const name of contenders) {
      try {
        times.set(name, await warm(name));
      } catch (error) {
        found.set(name, error instanceof Error ? error.message : String(error));
      }
    }
    const running = [...times].map(([name, count]) => ({ name, count, measures: [] as number[] }));
    for (let round = 0; round < rounds; round++) {
      // Another one begins each round, so that nobody always comes after the same one.
      const begin = (round * 3) % running.length;
      for (const { name, count, measures } of [...running.slice(begin), ...running.slice(0, begin)]) {
        const isLeftOut = slow.has(name) && round % 3 !== 0;
        measures.push(isLeftOut ? Number.NaN : (await lane.run(name, count)) / count / stream.events);
      }
    }
    for (const { name, measures } of running) found.set(name, measures);
    return found;
  } finally {
    await lane.close();
  }

  /** Runs a contender until its code is compiled, and says how many runs make one turn. */
  async function warm(name: Contender): Promise<number> {
    let [count, spent] = [1, 0];
    for (;;) {
      const cpu = await lane.run(name, count);
      spent += cpu;
      if (count === 1 && cpu > 10 * turn) slow.add(name);
      if (spent >= warming && cpu >= turn / 3) return Math.max(1, Math.round((count * turn) / cpu));
      count = Math.min(count * 4, Math.max(1, Math.ceil((count * turn) / Math.max(cpu, 1))));
    }
  }
}
