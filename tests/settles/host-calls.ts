/**
 * A host that fails once: the call of so many, counted from the first, of all that the package calls of a `fetch`, its response,
 * headers, body and reader.
 */
import type * as Package from "chatwire";
import type { Consumer, Way } from "./consumers.ts";
import { type End, ends, type Served } from "./ends.ts";
import { nameOf, trouble } from "./run.ts";

/** Whether a call throws, or gives a promise that rejects. */
export type Failure = "throws" | "rejects";

export interface Host {
  fetch: End;
  /** The calls so far, by name. */
  calls: string[];
}

/** The host's objects, in whose place a proxy stands. */
const OBJECTS = ["headers", "body", "getReader"];

/** The same answer from a host whose call number `at` fails. */
export function failingHost(end: End, at: number, how: Failure): Host {
  const calls: string[] = [];
  /** The failure that the chosen call gives in place of its result; undefined for all other calls. */
  const failed = (name: string, served: Served): Promise<never> | undefined => {
    const isIt = calls.length === at;
    calls.push(name);
    // A call without a promise can only throw.
    if (!isIt || (how === "rejects" && !/(fetch|read|cancel)$/.test(name))) return undefined;
    // A body that cannot be let go of is the host's own.
    if (name.endsWith("cancel")) served.isOver = true;
    const error = new Error(`${name} failed`);
    if (how === "throws") throw error;
    return Promise.reject(error);
  };
  const wrapped = <T extends object>(target: T, of: string, served: Served): T =>
    new Proxy(target, {
      get(target, key) {
        const value = Reflect.get(target, key, target);
        const name = `${of}.${String(key)}`;
        if (typeof value === "function") {
          return (...given: unknown[]) => {
            const failure = failed(name, served);
            if (failure) return failure;
            const result = value.apply(target, given);
            return OBJECTS.includes(String(key)) ? wrapped(result, "reader", served) : result;
          };
        }
        return OBJECTS.includes(String(key)) && value ? wrapped(value, String(key), served) : value;
      },
    });
  return {
    calls,
    fetch: async (served, signal) => {
      try {
        const failure = failed("fetch", served);
        if (failure) await failure;
      } catch (error) {
        served.isOver = true;
        throw error;
      }
      return wrapped(await end(served, signal), "response", served);
    },
  };
}

/** The answers that each consumer gets, good and bad. */
const ANSWERS = ["good", "truncated", "a document", "models", "refused", "call"];
const WAYS: readonly Way[] = ["whole", "break", "signal"];
/** How many consumers wait at the same time. */
const TOGETHER = 60;

/**
 * For each consumer of a table and each answer: each of the host's calls fails once, in each way in which it can.
 * @param isChosen whether a consumer is to meet the failures of an answer
 * @returns a line for each case that went wrong, how many cases there were, and the calls that failed
 */
export async function failEachCall(
  chatwire: typeof Package,
  table: Readonly<Record<string, Consumer>>,
  isChosen: () => boolean,
): Promise<{ wrong: string[]; cases: number; failed: string[] }> {
  const wrong: string[] = [];
  const failed = new Set<string>();
  let cases = 0;
  const run = async (consumer: string, end: string, way: Way, how: Failure): Promise<void> => {
    for (let at = 0; ; at++) {
      const one = { consumer, end, way };
      const host = failingHost(ends[end] as End, at, how);
      const found = await trouble(chatwire, one, host.fetch, { table });
      cases++;
      const call = host.calls[at];
      for (const line of found) wrong.push(`${nameOf(one)}, ${call} ${how}: ${line}`);
      if (call === undefined) return;
      failed.add(call);
    }
  };
  const jobs: (() => Promise<void>)[] = [];
  for (const [consumer, { ways }] of Object.entries(table)) {
    for (const end of ANSWERS) {
      for (const how of ["throws", "rejects"] as const) {
        for (const way of WAYS) {
          if (ways.includes(way) && isChosen()) jobs.push(() => run(consumer, end, way, how));
        }
      }
    }
  }
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) await job();
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { wrong, cases, failed: [...failed].sort() };
}
