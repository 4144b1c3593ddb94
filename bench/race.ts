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
  /** How often each contender has its turn; one whose single run takes ten turns has every third. */
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
  const sorted = measures.toSorted((a, b) => a - b);
  const at = (part: number) => {
    const place = (sorted.length - 1) * part;
    const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
    return low + (high - low) * (place % 1);
  };
  return { median: at(0.5), spread: (at(0.75) - at(0.25)) / 2 / at(0.5) };
}

export async function race(
  host: Host,
  stream: Stream,
  size: ReadSize,
  { rounds, turn, warming }: Effort,
  contenders: readonly Contender[] = names,
): Promise<Race> {
  const lane = await host.open();
  const slow = new Set<Contender>();
  try {
    await lane.prepare(stream, size);
    const failed = new Map<Contender, string>();
    const times = new Map<Contender, number>();
    for (const name of contenders) {
      try {
        times.set(name, await warm(name));
      } catch (error) {
        failed.set(name, error instanceof Error ? error.message : String(error));
      }
    }
    const running = [...times.keys()];
    const measures = new Map<Contender, number[]>(running.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      // Another one begins each round, so that nobody always comes after the same one.
      const begin = (round * 3) % running.length;
      for (const name of [...running.slice(begin), ...running.slice(0, begin)]) {
        if (slow.has(name) && round % 3 !== 0) continue;
        const count = times.get(name) ?? 1;
        measures.get(name)?.push((await lane.run(name, count)) / count / stream.events);
      }
    }
    const result = (name: Contender): Result =>
      failed.has(name) ? { failed: failed.get(name) ?? "" } : figure(measures.get(name) ?? []);
    return {
      host: host.name,
      stream,
      size,
      results: Object.fromEntries(contenders.map((name) => [name, result(name)])) as Race["results"],
    };
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
