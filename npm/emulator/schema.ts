/**
 * A plausible value for a JSON Schema, with details taken from what the user said.
 *
 * Not a validator and not a generator of every case: it follows the keywords that tool definitions use.
 */
import type { Schema } from "./request.ts";

/** Things a message mentions that arguments can be made of. */
export interface Mentions {
  message: string;
  /** Proper names, quoted words, and what stands after "in", "for", "to" ...: `["Mumbai", "Delhi"]`. */
  names: readonly string[];
  numbers: readonly number[];
}

/** Looks for names and numbers in a message. */
export function mentionsIn(message: string): Mentions {
  const quoted = [...message.matchAll(/["“«「]([^"”»」]{1,80})["”»」]/g)].map((match) => match[1] ?? "");
  // Capitalised words that do not begin a sentence; runs of them are one name ("New Delhi").
  const capitals = [
    ...message.matchAll(/(?<![.!?¿¡]\s*|^\s*)\p{Lu}[\p{L}\p{M}'’-]*(?:\s+\p{Lu}[\p{L}\p{M}'’-]*)*/gu),
  ].map((match) => match[0]);
  const after = [
    ...message.matchAll(
      /\b(?:in|for|at|near|to|from|of|about)\s+(?!the\b|a\b|an\b|my\b|me\b)([\p{L}\p{M}][\p{L}\p{M}-]+)/gu,
    ),
  ].map((match) => match[1] ?? "");
  // Indic and Japanese mark a place after its name.
  const before = [...message.matchAll(/([\p{L}\p{M}]+)\s*(?:में|का|की|के|এর|তে|の|で)(?![\p{L}\p{M}])/gu)].map(
    (match) => match[1] ?? "",
  );
  const names = [...quoted, ...capitals.filter((name) => !/^I('|’|$)/.test(name))];
  return {
    message,
    names: [...new Set(names.length > 0 ? names : [...after, ...before])],
    numbers: [...message.matchAll(/(?<![\w.])-?\d+(?:\.\d+)?(?![\w])/g)].map((match) => Number(match[0])),
  };
}

/** A value that fits `schema`; `nth` chooses among several mentioned names. */
export function valueFor(schema: Schema, mentions: Mentions, nth = 0): unknown {
  return make(schema, "", mentions, nth, schema, 0);
}

function make(schema: Schema, name: string, said: Mentions, nth: number, root: Schema, depth: number): unknown {
  if (typeof schema !== "object" || schema === null || depth > 12) return null;
  const inner = (each: Schema, label = name): unknown => make(each, label, said, nth, root, depth + 1);

  if (typeof schema.$ref === "string") return inner(resolve(schema.$ref, root));
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) {
    const spoken = said.message.toLowerCase();
    return schema.enum.find((each) => spoken.includes(String(each).toLowerCase())) ?? schema.default ?? schema.enum[0];
  }
  if (Array.isArray(schema.allOf)) return inner(merge(schema));
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches)) return inner(branches.find((each) => each?.type !== "null") ?? {});

  const types = [schema.type].flat();
  switch (types.find((type) => type !== "null") ?? (schema.properties ? "object" : undefined)) {
    case "object":
      return members(schema, said, inner);
    case "array": {
      const items = schema.items ?? {};
      const simple = items.type === "string" && !items.enum && said.names.length > 0;
      const length = Math.max(schema.minItems ?? 1, simple ? said.names.length : 1);
      return Array.from({ length }, (_, index) => make(items, name, said, index, root, depth + 1));
    }
    case "integer":
    case "number":
      return numeric(schema, said.numbers[nth] ?? schema.default);
    case "boolean":
      return schema.default ?? !/\b(not|no|never|without)\b/i.test(said.message);
    case "string":
      return fit(schema, string(schema, name, said, nth));
    default:
      return types.includes("null") ? null : said.message;
  }
}

function members(
  schema: Schema,
  said: Mentions,
  inner: (each: Schema, label: string) => unknown,
): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(schema.properties ?? {})) {
    if (schema.required?.includes(key) || isMentioned(key, each, said.message)) value[key] = inner(each, key);
  }
  return value;
}

/** An optional property is given only when the user spoke of it. */
function isMentioned(key: string, schema: Schema, message: string): boolean {
  const spoken = message.toLowerCase();
  const words = [key, ...(Array.isArray(schema?.enum) ? schema.enum.map(String) : [])];
  return words.some((each) => each.length > 2 && spoken.includes(each.toLowerCase().replaceAll("_", " ")));
}

function numeric(schema: Schema, wanted: unknown): number {
  const minimum = schema.minimum ?? -Infinity;
  const maximum = schema.maximum ?? Infinity;
  const start = typeof wanted === "number" ? wanted : 1;
  const value = [schema.type].flat().includes("integer") ? Math.round(start) : start;
  return Math.min(Math.max(value, minimum), maximum);
}

function string(schema: Schema, name: string, said: Mentions, nth: number): string {
  const { message } = said;
  if (schema.format === "email" || /e-?mail/i.test(name))
    return /\S+@\S+\.\w+/.exec(message)?.[0] ?? "meera@example.com";
  if (schema.format === "uri" || /url|link/i.test(name))
    return /https?:\/\/\S+/.exec(message)?.[0] ?? "https://example.com/";
  if (schema.format === "date" || /date|day/i.test(name)) return /\d{4}-\d\d-\d\d/.exec(message)?.[0] ?? "2026-01-15";
  if (schema.format === "date-time") return "2026-01-15T09:00:00Z";
  if (/time/i.test(name)) return /\b\d{1,2}:\d\d\b/.exec(message)?.[0] ?? "09:00";
  if (/(^|_)id$|number|order|code/i.test(name)) {
    const coded = /\b[\w-]*\d[\w-]*\b/.exec(message)?.[0];
    if (coded) return coded;
  }
  if (/query|question|text|prompt|message|input/i.test(name)) return message;
  const spoken = said.names[nth] ?? said.names[0];
  if (spoken) return spoken;
  if (typeof schema.default === "string") return schema.default;
  const example = schema.examples?.[0];
  return typeof example === "string" ? example : /city|place|location/i.test(name) ? "Mumbai" : message || "example";
}

function fit(schema: Schema, value: string): string {
  const cut = [...value].slice(0, schema.maxLength ?? 200).join("");
  return cut.padEnd(Math.min(schema.minLength ?? 0, 200), "x");
}

function resolve(reference: string, root: Schema): Schema {
  const name = /^#\/(?:\$defs|definitions)\/(.+)$/.exec(reference)?.[1] ?? "";
  if (reference === "#") return root;
  return root.$defs?.[name] ?? root.definitions?.[name] ?? {};
}

function merge(schema: Schema): Schema {
  const all = [{ ...schema, allOf: undefined }, ...(schema.allOf ?? [])];
  return {
    type: "object",
    properties: Object.assign({}, ...all.map((each) => each.properties ?? {})),
    required: all.flatMap((each) => each.required ?? []),
  };
}
