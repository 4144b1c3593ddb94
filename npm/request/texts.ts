/**
 * Headers, query and names of options of callers, in the form that the engine takes, and text in the form that servers take.
 */
import type { RequestOptions } from "../options.ts";

/** A record with its numbers and booleans as text. */
export function texts(record: unknown): unknown {
  if (typeof record !== "object" || record === null) return record;
  const text = (value: unknown) => (/number|boolean/.test(typeof value) ? String(value) : value);
  return Array.isArray(record)
    ? record
    : Object.fromEntries(
        Object.entries(record)
          // An undefined value counts as left out.
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => [name, text(value)]),
      );
}

/**
 * The names in an object of options, or in each of a list, that only this side reads: the engine knows which there may be. An object
 * of a class of the caller's may have members of its own.
 */
export function names(given: unknown): string[] {
  return [given].flat().flatMap((one) => {
    const kind = Object.getPrototypeOf(one ?? {});
    if (kind && Object.getPrototypeOf(kind)) return [];
    return Object.entries(one ?? {}).flatMap(([name, value]) => (value === undefined ? [] : name));
  });
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
