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
  const all = (pattern: RegExp): string[] => [...message.matchAll(pattern)].map((match) => match[1] ?? match[0]);
  const quoted = all(/["“«「]([^"”»」]{1,80})["”»」]/g);
  // Capitalised words that do not begin a sentence; a run of them is one name ("New Delhi").
  const capitals = all(
    /(?<![.!?¿¡]\s{0,3}|^\s{0,3})(?<!\p{L})\p{Lu}[\p{L}\p{M}'’-]*(?:\s{1,3}\p{Lu}[\p{L}\p{M}'’-]*)*/gu,
  );
  const after = all(
    /\b(?:in|for|at|near|to|from|of|about)\s{1,3}(?!(?:the|a|an|my|me)\b)([\p{L}\p{M}][\p{L}\p{M}-]+)/gu,
  );
  // Indic languages and Japanese mark a place behind its name.
  const before = all(/([\p{L}\p{M}]{1,40})\s{0,3}(?:में|का|की|के|এর|তে|の|で)(?![\p{L}\p{M}])/gu);
  const proper = [...quoted, ...capitals.filter((name) => !/^I(?:'|’|$)/.test(name))];
  return {
    message,
    names: [...new Set(proper.length > 0 ? proper : [...after, ...before])],
    numbers: all(/(?<![\w.])-?\d+(?:\.\d+)?(?!\w)/g).map(Number),
  };
}

/** A value that fits `schema`; `nth` chooses among several mentioned names. */
export function valueFor(schema: Schema, mentions: Mentions, nth = 0): unknown {
  return make(schema, "", nth, { said: mentions, root: schema, budget: 1000, open: ["#"] });
}

interface Making {
  said: Mentions;
  root: Schema;
  /** How many more values may be made: a schema may refer to itself. */
  budget: number;
  /** The references that the value being made lies within: a list of the same, or a choice of it, ends there. */
  open: readonly string[];
}

/** Schemas come from the caller and may hold anything, so every keyword is looked at before it is believed. */
function make(schema: unknown, name: string, nth: number, making: Making): unknown {
  if (!isSchema(schema) || making.budget-- <= 0) return null;
  const { said, root } = making;
  if (typeof schema.$ref === "string") {
    const within = { ...making, open: [...making.open, schema.$ref] };
    const value = make(resolve(schema.$ref, root), name, nth, within);
    making.budget = within.budget;
    return value;
  }
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) {
    const spoken = said.message.toLowerCase();
    return schema.enum.find((each) => spoken.includes(String(each).toLowerCase())) ?? schema.default ?? schema.enum[0];
  }
  if (Array.isArray(schema.allOf)) return make(merge(schema), name, nth, making);
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches)) {
    const values = branches.filter((each) => each?.type !== "null");
    const branch =
      values.find((each) => !isOpen(each, making)) ?? (values.length < branches.length ? { type: "null" } : values[0]);
    return make(branch, name, nth, making);
  }

  const types = [schema.type].flat();
  switch (types.find((type) => type !== "null") ?? (schema.properties ? "object" : undefined)) {
    case "object":
      return makeObject(schema, nth, making);
    case "array":
      return makeArray(schema, name, nth, making);
    case "integer":
    case "number":
      return makeNumber(schema, said.numbers[nth] ?? schema.default);
    case "boolean":
      return schema.default ?? !/\b(not|no|never|without)\b/i.test(said.message);
    case "string":
      return fit(schema, makeString(schema, name, said, nth));
    default:
      return types.includes("null") ? null : said.message;
  }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function makeObject(schema: Schema, nth: number, making: Making): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  const required = Array.isArray(schema.required) ? schema.required : [];
  for (const [key, each] of Object.entries(schema.properties ?? {})) {
    if (required.includes(key) || isMentioned(key, each, making.said.message))
      value[key] = make(each, key, nth, making);
  }
  return value;
}

/** An optional property is given only when the user spoke of it. */
function isMentioned(key: string, schema: Schema, message: string): boolean {
  const spoken = message.toLowerCase();
  const words = [key, ...(Array.isArray(schema?.enum) ? schema.enum.map(String) : [])];
  return words.some((each) => each.length > 2 && spoken.includes(each.toLowerCase().replaceAll("_", " ")));
}

function makeArray(schema: Schema, name: string, nth: number, making: Making): unknown[] {
  const { items, minItems } = schema;
  const named = isSchema(items) && items.type === "string" && !items.enum ? making.said.names.length : 0;
  const least = Number(minItems) || (isOpen(items, making) ? 0 : 1);
  const length = Math.min(Math.max(least, named), 100);
  return Array.from({ length }, (_, index) => make(items ?? {}, name, named > 0 ? index : nth, making));
}

/** A value of this schema would lie within one of the same. */
function isOpen(schema: unknown, { open }: Making): boolean {
  return isSchema(schema) && typeof schema.$ref === "string" && open.includes(schema.$ref);
}

function makeNumber({ type, minimum, maximum }: Schema, wanted: unknown): number {
  const start = typeof wanted === "number" ? wanted : 1;
  const value = [type].flat().includes("integer") ? Math.round(start) : start;
  const low = typeof minimum === "number" ? minimum : -Infinity;
  const high = typeof maximum === "number" ? maximum : Infinity;
  return Math.min(Math.max(value, low), high);
}

function makeString(schema: Schema, name: string, said: Mentions, nth: number): string {
  const { message } = said;
  const find = (pattern: RegExp): string | undefined => pattern.exec(message)?.[0];
  if (schema.format === "email" || /e-?mail/i.test(name))
    return find(/\b[\w.+-]{1,64}@[\w.-]{1,100}\b/) ?? "meera@example.com";
  if (schema.format === "uri" || /url|link/i.test(name)) return find(/https?:\/\/\S+/) ?? "https://example.com/";
  if (schema.format === "date-time") return "2026-01-15T09:00:00Z";
  if (schema.format === "date" || /date|day/i.test(name)) return find(/\d{4}-\d\d-\d\d/) ?? "2026-01-15";
  if (/time/i.test(name)) return find(/\b\d{1,2}:\d\d\b/) ?? "09:00";
  if (/(^|_)id$|number|order|code/i.test(name)) {
    const coded = find(/\b[\w-]{0,40}\d[\w-]{0,40}\b/);
    if (coded) return coded;
  }
  if (/query|question|text|prompt|message|input/i.test(name)) return message;
  const spoken = said.names[nth] ?? said.names[0];
  if (spoken) return spoken;
  if (typeof schema.default === "string") return schema.default;
  const example = Array.isArray(schema.examples) ? schema.examples[0] : undefined;
  if (typeof example === "string") return example;
  return /city|place|location/i.test(name) ? "Mumbai" : message || "example";
}

function fit({ minLength, maxLength }: Schema, value: string): string {
  const cut = [...value].slice(0, Math.min(Number(maxLength ?? 200), 2000)).join("");
  return cut.padEnd(Math.min(Number(minLength) || 0, 2000), "x");
}

function resolve(reference: string, root: Schema): Schema | undefined {
  if (reference === "#") return root;
  const name = /^#\/(?:\$defs|definitions)\/(.+)$/.exec(reference)?.[1] ?? "";
  return root.$defs?.[name] ?? root.definitions?.[name];
}

function merge(schema: Schema): Schema {
  const parts = [{ ...schema, allOf: undefined }, ...(schema.allOf ?? [])].filter(isSchema);
  return {
    type: "object",
    properties: Object.assign({}, ...parts.map((each) => each.properties ?? {})),
    required: parts.flatMap((each) => (Array.isArray(each.required) ? each.required : [])),
  };
}
