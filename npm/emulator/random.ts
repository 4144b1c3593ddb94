/**
 * The emulator's only source of chance: a small seeded generator (mulberry32).
 *
 * Not for secrets. The same seed and stream give the same numbers on every runtime, so a test can name the
 * id of the third request before sending it.
 */

/** A stream of reproducible numbers. */
export interface Random {
  /** The next number, 0 <= n < 1. */
  next(): number;
  /** The next whole number, 0 <= n < limit. */
  below(limit: number): number;
  /** One item of a list that is not empty. */
  pick<Item>(items: readonly [Item, ...Item[]]): Item;
  /** `length` letters and digits. */
  id(length: number): string;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Starts the generator for one `stream` (the number of a request) of a `seed`. */
export function createRandom(seed: number, stream = 0): Random {
  let state = mix(mix(seed | 0) + Math.imul(stream | 0, 0x9e3779b9));

  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    return (mix(state) >>> 0) / 4294967296;
  }
  function below(limit: number): number {
    return Math.floor(next() * limit);
  }
  return {
    next,
    below,
    pick: (items) => items[below(items.length)] ?? items[0],
    id(length) {
      let text = "";
      while (text.length < length) text += ALPHABET[below(ALPHABET.length)];
      return text;
    },
  };
}

function mix(value: number): number {
  let t = Math.imul(value ^ (value >>> 15), 1 | value);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return t ^ (t >>> 14);
}
