/**
 * Headers, query and names of options of callers, in the form that the engine takes, and text in the form that servers take.
 */
import type { RequestOptions } from "../options.ts";

/** A record with its numbers and booleans as text. */
export function texts(record: unknown): unknown {
  if (typeof record !== "object" || record === null || Array.isArray(record)) return record;
  const copy = { ...record } as Record<string, unknown>;
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === "number" || typeof value === "boolean") copy[name] = String(value);
  }
  return copy;
}

/**
 * The names in an object of options, or in each of a list, that only this side reads: the engine knows which there may be. An object
 * of a class of the caller's may have members of its own.
 */
export function names(given: unknown): string[] {
  const found: string[] = [];
  for (const one of Array.isArray(given) ? given : [given]) {
    const kind = Object.getPrototypeOf(one ?? {});
    if (kind && Object.getPrototypeOf(kind)) continue;
    for (const name of Object.keys(one ?? {})) if (one[name] !== undefined) found.push(name);
  }
  return found;
}

export function plainHeaders(
  headers: RequestOptions["headers"],
): Record<string, string | null | undefined> | undefined {
  // Not `instanceof`: Node would load its whole `fetch` for the name alone.
  const isIterable = typeof (headers as Headers | undefined)?.[Symbol.iterator] === "function";
  return isIterable ? Object.fromEntries(headers as Headers) : (headers as Record<string, string | null | undefined>);
}

/** Half a surrogate pair, which JSON writes as an escape, is U+FFFD: many servers refuse it, also in the JSON of arguments. */
export function wellFormed(json: string): string {
  if (!/\\ud/i.test(json)) return json;
  return json
    .replace(
      /"arguments":("(?:[^"\\]|\\.)*")/g,
      (_, text) => `"arguments":${JSON.stringify(wellFormed(JSON.parse(text)))}`,
    )
    .replace(/\\(?:ud[89ab]..\\ud[c-f]..|u(d[89a-f]..)|.)/gis, (escaped, half) => (half ? "\uFFFD" : escaped));
}
