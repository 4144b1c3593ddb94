/**
 * A host that fails once: the call of so many, counted from the first, of all that the package calls of a `fetch`, its response,
 * headers, body and reader.
 */
import type { End, Served } from "./ends.ts";

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
