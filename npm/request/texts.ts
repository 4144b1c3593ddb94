/**
 * Headers and query of callers, in the form that the engine takes.
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

export function plainHeaders(
  headers: RequestOptions["headers"],
): Record<string, string | null | undefined> | undefined {
  // Not `instanceof`: Node would load its whole `fetch` for the name alone.
  const isIterable = typeof (headers as Headers | undefined)?.[Symbol.iterator] === "function";
  return isIterable ? Object.fromEntries(headers as Headers) : (headers as Record<string, string | null | undefined>);
}
