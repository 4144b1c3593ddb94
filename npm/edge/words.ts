/**
 * A provider's own words, as far as callers may read them.
 */

/** The longest text that is passed on, in UTF-16 units: a longer one is no explanation. */
const MAX_LENGTH = 1000;

/**
 * Addresses of a network that callers are not in: numbers, names that mean nothing outside it, and names without a dot where
 * they stand in an address.
 */
const INTERNAL = new RegExp(
  [
    String.raw`\b(?:\w+:\/\/)?(?:(?:\d{1,3}\.){3}\d{1,3}|localhost|[\w-]+(?:\.[\w-]+)*\.(?:internal|local|lan|svc|corp|intranet|invalid|test))\b(?::\d+)?(?:\/[^\s"']*)?`,
    String.raw`\b\w+:\/\/(?:[^\s"'/@]*@)?[\w-]+(?::\d+)?(?=[/\s"',)]|$)(?:\/[^\s"']*)?`,
    String.raw`\[?(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\]?(?::\d+)?|\[?(?:[0-9a-f]{1,4}:)+:(?:[0-9a-f]{1,4}:?)*\]?(?::\d+)?`,
    String.raw`\b[a-z][\w.-]*:\d{4,5}\b`,
    String.raw`\bhost=['"]?[\w.-]+['"]?`,
  ].join("|"),
  "gi",
);
/** Text that looks like a key: services quote parts of one. */
const KEY = new RegExp(
  [
    String.raw`\b(?:sk|pk|rk|gsk|hf|xai|pplx|nvapi|key|token|cwp|cwk)[-_][\w*.-]{6,}`,
    String.raw`\bAIza[\w-]{10,}`,
    String.raw`\bBearer\s+\S+`,
    String.raw`\b[0-9a-f]{32}\b|\b[\w-]{48,}\b`,
  ].join("|"),
  "gi",
);

/**
 * The sentence in an error's body, in whatever envelope: OpenAI's `{ error: { message } }` and what the client makes of it,
 * OpenRouter's, which quotes another's body in `metadata.raw`, FastAPI's `{ detail }` (a text, or a list with `msg`), TGI's and Ollama's `{ error: "…" }`, Mistral's `{ message }`.
 */
export function wordsIn(body: unknown, depth = 0): string | undefined {
  if (typeof body === "string") return body.trim() === "" ? undefined : body;
  if (typeof body !== "object" || body === null || depth > 3) return undefined;
  if (Array.isArray(body)) {
    const all = body.flatMap((one) => wordsIn(one, depth + 1) ?? []);
    return all.length > 0 ? all.join("; ") : undefined;
  }
  const { message, metadata } = body as { message?: unknown; metadata?: { raw?: unknown } | null };
  const raw = typeof message === "string" && typeof metadata?.raw === "string" ? rawWords(metadata.raw) : undefined;
  if (raw !== undefined) return `${message}: ${raw}`;
  for (const name of ["message", "msg", "error", "errors", "detail", "error_message", "title", "reason"]) {
    const found = wordsIn((body as Record<string, unknown>)[name], depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The sentence in a body that is quoted. */
function rawWords(raw: string): string | undefined {
  try {
    return wordsIn(JSON.parse(raw), 1);
  } catch {
    return raw.trim() === "" || raw.includes("<") ? undefined : raw;
  }
}

/** Members of an object that hold words of its sender, and not a model's answer. */
export const WORDS: readonly string[] = [
  ...["error", "errors", "error_message", "detail", "details", "message", "msg", "title", "reason", "base_resp"],
];

/** A text as callers may read it. */
export function publicText(text: string, secrets: readonly string[] = []): string {
  return scrubbed(text, secrets);
}

/** A copy of a value whose texts callers may read. */
export function publicValue(value: unknown, secrets: readonly string[] = []): unknown {
  if (typeof value === "string") return scrubbed(value, secrets);
  if (Array.isArray(value)) return value.map((one) => publicValue(one, secrets));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, own]) => [scrubbed(name, secrets), publicValue(own, secrets)]),
  );
}

/** `undefined` where there are none. */
export function publicWords(words: unknown, secrets: readonly string[] = []): string | undefined {
  if (typeof words !== "string" || words.trim() === "") return undefined;
  // The text is scrubbed before it is cut: half a key would not be recognised.
  return scrubbed(words.slice(0, 4 * MAX_LENGTH), secrets).slice(0, MAX_LENGTH);
}

function scrubbed(words: string, secrets: readonly string[]): string {
  const known = secrets.reduce((text, secret) => text.replaceAll(secret, "[key]"), words);
  return known.replace(INTERNAL, "[address]").replace(KEY, "[key]");
}
