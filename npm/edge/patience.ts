/**
 * How long the gateway waits: for a provider, and for functions of its owner. A function that never settles would hold its callers
 * for ever, and `onUsage` its records.
 */
import { quietly } from "./alarm.ts";

/** Milliseconds of silence that a provider is allowed; Infinity for no limit. */
export interface Patience {
  /** Before its first token. */
  firstToken: number;
  /** Between two reads. */
  idle: number;
  /** The same while nothing but keep-alives comes. */
  keptAlive: { firstToken: number; idle: number };
}

/** Milliseconds. */
const PATIENCE = 30_000;

/**
 * Calls a function of the gateway's owner, and gives its result.
 * @throws {DOMException} a `TimeoutError`, the function took longer than 30 seconds; and what the function throws
 */
export async function ofOwner<T>(work: () => T | PromiseLike<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new DOMException("The function took longer than 30 seconds.", "TimeoutError"));
    timer = quietly(setTimeout(fail, PATIENCE));
  });
  try {
    return await Promise.race([(async () => work())(), late]);
  } finally {
    clearTimeout(timer);
  }
}
