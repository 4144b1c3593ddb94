/**
 * A provider's own words, as far as callers may read them.
 */

/** Longer ones are no explanation. */
const MAX_LENGTH = 1000;

/** Addresses of a network that callers are not in: numbers, and names that mean nothing outside it. */
const INTERNAL =
  /\b(?:\w+:\/\/)?(?:(?:\d{1,3}\.){3}\d{1,3}|localhost|[\w-]+(?:\.[\w-]+)*\.(?:internal|local|lan|svc|corp|intranet|invalid|test))\b(?::\d+)?(?:\/[^\s"']*)?/gi;
/** What looks like a key: services quote parts of one. */
const KEY = /\b(?:sk|pk|key|token)[-_][\w*.-]{6,}|\bBearer\s+\S+/gi;

/** `undefined` where there are none. */
export function publicWords(words: unknown): string | undefined {
  if (typeof words !== "string" || words.trim() === "") return undefined;
  return words.slice(0, MAX_LENGTH).replace(INTERNAL, "[address]").replace(KEY, "[key]");
}
