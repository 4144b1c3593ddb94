/**
 * A simulation of many keys, each with an object that takes its messages one after the other.
 *
 * Streams begin at random, by a Poisson process for each key; a key's share of all streams falls with its rank (Zipf).
 */

/** The parameters of the simulation. */
export interface World {
  keys: number;
  /** Streams under way, on average and over all keys. */
  streams: number;
  /** Seconds that a stream runs. */
  length: number;
  /** Seconds between renewals. */
  renewal: number;
  /** Renewals of all streams of one key in one isolate are one message. */
  isolates?: number;
  /** Seconds that an object needs for a lease asked for, a renewal, and a settlement. */
  work: { admit: number; renew: number; settle: number };
  /** Seconds that are simulated, after as many to begin with. */
  time: number;
}

/** The result of the simulation. */
export interface Fate {
  /** Messages a second, over all keys and of the busiest. */
  messages: number;
  busiest: number;
  /** The share of its time that the busiest object works. More than 1 is a queue that grows. */
  load: number;
  /** Milliseconds from a message's arrival to its answer, at the busiest object: median and 99 of 100. */
  median: number;
  high: number;
  /** How many keys get more messages a second than `limit`. */
  over: number;
}

/** Runs it. The same seed gives the same. */
export function simulate(world: World, limit: number, seed = 1): Fate {
  const { keys, streams, time } = world;
  const random = generator(seed);
  const weights = Array.from({ length: keys }, (_, rank) => 1 / (rank + 1));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let [messages, over, busiest, load] = [0, 0, 0, 0];
  let waits: number[] = [];
  for (const [rank, weight] of weights.entries()) {
    const arrivals = messagesOf(world, (streams * weight) / all, random).filter(([at]) => at >= time);
    messages += arrivals.length / time;
    if (arrivals.length / time > limit) over++;
    if (rank > 0) continue;
    busiest = arrivals.length / time;
    load = arrivals.reduce((sum, [, work]) => sum + work, 0) / time;
    waits = served(arrivals);
  }
  return {
    messages,
    busiest,
    load,
    median: 1000 * (waits[waits.length >> 1] ?? 0),
    high: 1000 * (waits[Math.floor(waits.length * 0.99)] ?? 0),
    over,
  };
}

/** When the messages of one key arrive and what each takes, in order. */
function messagesOf(
  { length, renewal, isolates, work, time }: World,
  streams: number,
  random: () => number,
): [at: number, work: number][] {
  const found: [number, number][] = [];
  // Streams that began before count, too.
  for (let at = -length; at < 2 * time; at += (-Math.log(1 - random()) * length) / streams) {
    found.push([at, work.admit], [at + length, work.settle]);
    if (!isolates) for (let due = at + renewal; due < at + length; due += renewal) found.push([due, work.renew]);
  }
  // Together, a key's streams renew once an interval in each isolate that has any of them for so long.
  if (isolates && length > renewal) {
    const busy = isolates * (1 - Math.exp((-streams * (length - renewal)) / length / isolates));
    for (let at = random() * renewal; at < 2 * time; at += renewal / busy) found.push([at, work.renew]);
  }
  return found.filter(([at]) => at >= 0 && at < 2 * time).sort(([a], [b]) => a - b);
}

/** How long each was there, sorted. */
function served(arrivals: readonly [at: number, work: number][]): number[] {
  let free = 0;
  const stays = arrivals.map(([at, work]) => {
    free = Math.max(free, at) + work;
    return free - at;
  });
  return stays.sort((a, b) => a - b);
}

/** Numbers below 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
