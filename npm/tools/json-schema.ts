/**
 * Checks a value against a JSON Schema (draft 2020-12): the keywords that tool arguments and structured answers use.
 *
 * Not a whole validator: `format` and keywords it does not know are annotations, and `$ref` reaches within the schema only.
 */

import type { JSONSchema } from "../types.ts";
import type { SchemaProblem } from "./schema-shapes.ts";

type Path = (string | number)[];
type Check = (keyword: unknown, value: unknown, schema: JSONSchema, context: Context) => void;

interface Context {
  root: JSONSchema;
  path: Path;
  problems: SchemaProblem[];
  /** The `$ref`s being followed for this very value, so that a schema that only refers to itself ends. */
  refs: readonly string[];
}

/** Enough to mend a call by; a list that is wrong throughout is not repeated item by item. */
const MOST_PROBLEMS = 20;

/** Everything that is wrong with a value, up to 20 problems; the value itself is not repeated. */
export function problemsOf(schema: JSONSchema, value: unknown): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  visit(schema, value, { root: schema, path: [], problems, refs: [] });
  return problems;
}

function visit(schema: unknown, value: unknown, context: Context): void {
  if (context.problems.length >= MOST_PROBLEMS) return;
  if (schema === false) tell(context, "must not be there");
  if (!isObject(schema)) return;
  for (const [keyword, check] of Object.entries(checks)) {
    if (Object.hasOwn(schema, keyword)) check(schema[keyword], value, schema, context);
  }
}

const checks: Record<string, Check> = {
  $ref(ref, value, _, context) {
    if (typeof ref !== "string" || context.refs.includes(ref)) return;
    visit(resolve(context.root, ref), value, { ...context, refs: [...context.refs, ref] });
  },
  type(type, value, _, context) {
    const types = Array.isArray(type) ? type : [type];
    if (!types.some((name) => isOfType(name, value))) tell(context, `must be ${types.join(" or ")}`);
  },
  enum(values, value, _, context) {
    if (Array.isArray(values) && !values.some((each) => isEqual(each, value))) {
      tell(context, `must be one of ${values.map((each) => JSON.stringify(each)).join(", ")}`);
    }
  },
  const(only, value, _, context) {
    if (!isEqual(only, value)) tell(context, `must be ${JSON.stringify(only)}`);
  },
  required(names, value, _, context) {
    if (!isObject(value) || !Array.isArray(names)) return;
    for (const name of names) if (!Object.hasOwn(value, name)) tell(at(context, name), "is missing");
  },
  properties(properties, value, _, context) {
    if (!isObject(value) || !isObject(properties)) return;
    for (const [name, schema] of Object.entries(properties)) {
      if (Object.hasOwn(value, name)) visit(schema, value[name], at(context, name));
    }
  },
  additionalProperties(others, value, schema, context) {
    if (!isObject(value)) return;
    const known = isObject(schema.properties) ? schema.properties : {};
    const patterns = isObject(schema.patternProperties) ? Object.keys(schema.patternProperties).map(toPattern) : [];
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(known, name) || patterns.some((pattern) => pattern?.test(name))) continue;
      if (others === false) tell(at(context, name), "is not known");
      else visit(others, value[name], at(context, name));
    }
  },
  patternProperties(patterns, value, _, context) {
    if (!isObject(value) || !isObject(patterns)) return;
    for (const [source, schema] of Object.entries(patterns)) {
      const pattern = toPattern(source);
      for (const name of Object.keys(value)) if (pattern?.test(name)) visit(schema, value[name], at(context, name));
    }
  },
  prefixItems(schemas, value, _, context) {
    if (!Array.isArray(value) || !Array.isArray(schemas)) return;
    for (const [index, schema] of schemas.entries()) {
      if (index < value.length) visit(schema, value[index], at(context, index));
    }
  },
  items(items, value, schema, context) {
    if (!Array.isArray(value)) return;
    const from = Array.isArray(schema.prefixItems) ? schema.prefixItems.length : 0;
    for (let index = from; index < value.length; index++) visit(items, value[index], at(context, index));
  },
  anyOf(schemas, value, _, context) {
    if (matching(schemas, value, context) === 0) tell(context, "matches none of the allowed shapes");
  },
  oneOf(schemas, value, _, context) {
    const count = matching(schemas, value, context);
    if (count !== undefined && count !== 1) {
      tell(context, count === 0 ? "matches none of the allowed shapes" : "matches more than one of the shapes");
    }
  },
  allOf(schemas, value, _, context) {
    if (Array.isArray(schemas)) for (const schema of schemas) visit(schema, value, context);
  },
  not(schema, value, _, context) {
    if (matching([schema], value, context) === 1) tell(context, "has a shape that is not allowed");
  },
  minimum: (least, value, _, context) => compare(value, least, context, (a, b) => a >= b, "at least"),
  maximum: (most, value, _, context) => compare(value, most, context, (a, b) => a <= b, "at most"),
  exclusiveMinimum: (bound, value, _, context) => compare(value, bound, context, (a, b) => a > b, "more than"),
  exclusiveMaximum: (bound, value, _, context) => compare(value, bound, context, (a, b) => a < b, "less than"),
  multipleOf(step, value, _, context) {
    if (typeof value !== "number" || typeof step !== "number" || step <= 0) return;
    const times = value / step;
    if (Math.abs(times - Math.round(times)) > 1e-9 * Math.max(1, Math.abs(times))) {
      tell(context, `must be a multiple of ${step}`);
    }
  },
  minLength: (least, value, _, context) => measure(lengthOf(value), least, context, 1, "characters"),
  maxLength: (most, value, _, context) => measure(lengthOf(value), most, context, -1, "characters"),
  minItems: (least, value, _, context) => measure(countOf(value), least, context, 1, "items"),
  maxItems: (most, value, _, context) => measure(countOf(value), most, context, -1, "items"),
  minProperties: (least, value, _, context) => measure(sizeOf(value), least, context, 1, "members"),
  maxProperties: (most, value, _, context) => measure(sizeOf(value), most, context, -1, "members"),
  pattern(source, value, _, context) {
    if (typeof value !== "string" || typeof source !== "string") return;
    if (toPattern(source)?.test(value) === false) tell(context, `must match ${source}`);
  },
  uniqueItems(wanted, value, _, context) {
    if (wanted !== true || !Array.isArray(value)) return;
    if (new Set(value.map(canonical)).size < value.length) tell(context, "must not have the same item twice");
  },
};

function tell({ problems, path }: Context, message: string): void {
  if (problems.length < MOST_PROBLEMS) problems.push({ path, message });
}

function at(context: Context, key: string | number): Context {
  return { ...context, path: [...context.path, key], refs: [] };
}

/** How many of the schemas a value matches; undefined where there are none. */
function matching(schemas: unknown, value: unknown, context: Context): number | undefined {
  if (!Array.isArray(schemas)) return undefined;
  return schemas.filter((schema) => {
    const problems: SchemaProblem[] = [];
    visit(schema, value, { ...context, problems });
    return problems.length === 0;
  }).length;
}

function compare(
  value: unknown,
  bound: unknown,
  context: Context,
  holds: (value: number, bound: number) => boolean,
  words: string,
): void {
  if (typeof value === "number" && typeof bound === "number" && !holds(value, bound)) {
    tell(context, `must be ${words} ${bound}`);
  }
}

/** `direction` 1 asks for at least the bound, -1 for at most. */
function measure(size: number | undefined, bound: unknown, context: Context, direction: 1 | -1, of: string): void {
  if (size !== undefined && typeof bound === "number" && (size - bound) * direction < 0) {
    tell(context, `must have at ${direction === 1 ? "least" : "most"} ${bound} ${of}`);
  }
}

// JSON Schema counts characters, not UTF-16 units.
const lengthOf = (value: unknown) => (typeof value === "string" ? [...value].length : undefined);
const countOf = (value: unknown) => (Array.isArray(value) ? value.length : undefined);
const sizeOf = (value: unknown) => (isObject(value) ? Object.keys(value).length : undefined);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOfType(type: unknown, value: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

/** The same text for equal values, whatever the order of their members. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  );
}

const isEqual = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

/** A pattern that is no valid one checks nothing. */
function toPattern(source: string): RegExp | undefined {
  try {
    return new RegExp(source, "u");
  } catch {
    return undefined;
  }
}

/** The schema that `#/$defs/name` and its like point to. */
function resolve(root: JSONSchema, ref: string): unknown {
  if (!ref.startsWith("#")) return undefined;
  let found: unknown = root;
  for (const part of ref.split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(found)) found = found[Number(key)];
    else found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return found;
}
