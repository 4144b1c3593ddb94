/**
 * JSON Schema made strict, by `openai` and by `chatwire/openai`: the same for every schema of zod 4 and every Standard Schema that
 * they take, and the same ones are refused.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { z } from "zod";
import * as mini from "zod/mini";
import { libraries } from "./library.ts";

const point = z.object({ x: z.number(), y: z.number() });
const Cat = z.object({
  name: z.string(),
  get kittens() {
    return z.array(Cat);
  },
});
const Chain = z.object({
  value: z.string(),
  get next() {
    return Chain.describe("more of it").nullable();
  },
});
const One = z.object({
  get other() {
    return Other.nullable();
  },
});
const Other = z.object({
  get one() {
    return One.nullable();
  },
});

const zods: Record<string, z.core.$ZodType> = {
  intersection: z.object({ a: z.intersection(z.object({ b: z.string() }), z.object({ c: z.number() })) }),
  "intersection at the root": z.intersection(z.object({ b: z.string() }), z.object({ c: z.number() })),
  record: z.object({ a: z.record(z.string(), z.number()) }),
  tuple: z.object({ a: z.tuple([z.string(), z.number()]) }),
  "tuple with a rest": z.object({ a: z.tuple([z.string()], z.number()) }),
  "one that contains itself": Cat,
  "one that contains itself, described": Chain,
  "two that contain each other": One,
  "union at the root": z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]),
  loose: z.looseObject({ a: z.string() }),
  strict: z.strictObject({ a: z.string() }),
  catchall: z.object({ a: z.string() }).catchall(z.number()),
  date: z.object({ a: z.date() }),
  dates: z.object({ a: z.iso.datetime(), b: z.iso.date(), c: z.iso.time(), d: z.iso.duration() }),
  formats: z.object({ a: z.email(), b: z.url(), c: z.uuid(), d: z.ipv4(), e: z.ipv6(), f: z.nanoid(), g: z.jwt() }),
  base64: z.object({ a: z.base64() }),
  numbers: z.object({ a: z.int(), b: z.float32(), c: z.number().gt(1).lt(5).multipleOf(2), d: z.number().positive() }),
  bigint: z.object({ a: z.bigint() }),
  enums: z.object({ a: z.enum({ A: "a", B: "b" }), b: z.literal(["x", "y"]), c: z.literal([1, "z", null]) }),
  nullish: z.object({ a: z.string().nullish(), b: point.nullable(), c: z.enum(["a"]).nullable() }),
  defaults: z.object({ a: z.string().default("x"), b: z.array(z.string()).default([]), c: z.string().prefault("y") }),
  "null as a default": z.object({ a: z.string().nullable().default(null), b: z.number().nullable().default(3) }),
  catch: z.object({ a: z.string().catch("x") }),
  transform: z.object({ a: z.string().transform((text) => text.length) }),
  pipe: z.object({ a: z.string().pipe(z.string().min(3)) }),
  any: z.object({ a: z.any(), b: z.unknown(), c: z.array(z.any()) }),
  never: z.object({ a: z.never() }),
  undefined: z.object({ a: z.undefined() }),
  map: z.object({ a: z.map(z.string(), z.string()) }),
  file: z.object({ a: z.file() }),
  template: z.object({ a: z.templateLiteral(["a", z.number()]) }),
  json: z.object({ a: z.json() }),
  "used twice": z.object({ a: point, b: z.array(point) }),
  "used twice, by name": z.object({ a: point.meta({ id: "P", title: "T" }), b: point.meta({ id: "Q" }).nullable() }),
  meta: z.object({ a: z.string().meta({ title: "A", description: "d", examples: ["x"], deprecated: true, extra: 1 }) }),
  described: z.object({ a: point.describe("first"), b: point.describe("second") }).describe("all"),
  partial: z.object({ a: z.string() }).partial(),
  xor: z.object({ a: z.xor([z.string(), z.number()]) }),
  empty: z.object({}),
  mini: mini.object({ a: mini.string(), b: mini.nullable(mini.number()) }),
  lengths: z.object({ a: z.array(z.string()).min(1).max(3), b: z.string().min(1).max(2).regex(/^a/) }),
  "two patterns": z.object({ a: z.string().startsWith("a").endsWith("b") }),
  "no object": z.array(z.string()),
  "null or an object": point.nullable(),
  "discriminated unions": z.object({
    a: z.discriminatedUnion("t", [
      z.object({ t: z.literal("a"), p: point }),
      z.object({ t: z.literal("b"), p: point.nullable() }),
    ]),
  }),
};

const text = { type: "string" };
const named = (name: string, more: object = {}) => ({
  type: "object",
  properties: { [name]: text },
  required: [name],
  ...more,
});
const within = (schema: unknown, more: object = {}) => ({
  type: "object",
  properties: { a: schema },
  required: ["a"],
  ...more,
});

const schemas: Record<string, Record<string, unknown>> = {
  "a field that may be missing": { type: "object", properties: { a: text } },
  "a field": named("a"),
  "fields that may be null": {
    type: "object",
    properties: {
      a: { type: ["string", "null"] },
      b: { anyOf: [text, { type: "null" }] },
      c: { enum: ["x", null] },
      d: { const: null },
      e: { $ref: "#/$defs/n" },
      f: { default: null, type: ["string", "null"] },
      g: {},
    },
    $defs: { n: { type: ["string", "null"] } },
  },
  "a field with nullable": { type: "object", properties: { a: { nullable: true, type: "string" } } },
  "a list of types without null in the enum": {
    type: "object",
    properties: { a: { type: ["string", "null"], enum: ["x"] } },
  },
  oneOf: within({ oneOf: [text, { type: "number" }] }),
  "oneOf of objects": within({
    oneOf: [
      { type: "object", properties: { t: { const: "a" } }, required: ["t"] },
      { type: "object", properties: { t: { const: "b" } }, required: ["t"] },
    ],
  }),
  "oneOf and anyOf": within({ oneOf: [text], anyOf: [{ type: "number" }] }),
  "allOf of one": within({ allOf: [named("x")] }),
  "allOf of one, described": within({ allOf: [named("x", { description: "inner" })], description: "outer" }),
  "allOf of one reference": within({ allOf: [{ $ref: "#/$defs/x" }], description: "d" }, { $defs: { x: named("q") } }),
  "allOf of objects": within({ allOf: [named("x"), named("y", { description: "y" })] }),
  "allOf beside an object": within(named("x", { allOf: [named("y")] })),
  "allOf of references": within(
    { allOf: [{ $ref: "#/$defs/x" }, { $ref: "#/$defs/y" }] },
    { $defs: { x: named("x"), y: named("y") } },
  ),
  "allOf of the same": within({ allOf: [text, text, true] }),
  "allOf of objects that contradict": within({ allOf: [named("x"), within({ type: "number" }), named("a")] }),
  "allOf of a closed object": within({ allOf: [named("x", { additionalProperties: false }), named("y")] }),
  "allOf of texts": within({ allOf: [text, { minLength: 3 }] }),
  "allOf at the root": { allOf: [named("x"), named("y")], title: "both" },
  "a reference, described": within({ $ref: "#/$defs/x", description: "d" }, { $defs: { x: named("q") } }),
  "a reference and a constraint": within({ $ref: "#/$defs/x", minProperties: 1 }, { $defs: { x: named("q") } }),
  "a reference at the root": { $ref: "#/$defs/x", $defs: { x: named("q") }, title: "T" },
  "references at the root": { $ref: "#/$defs/x", $defs: { x: { $ref: "#/$defs/y" }, y: named("q") } },
  "a reference to itself": { $ref: "#/$defs/x", $defs: { x: { $ref: "#/$defs/x" } } },
  "a reference to nothing": within({ $ref: "#/$defs/none" }),
  "a reference to a place in a list": within(
    { $ref: "#/properties/b/anyOf/0" },
    {
      properties: { a: { $ref: "#/properties/b/anyOf/0" }, b: { anyOf: [named("c"), { type: "null" }] } },
      required: ["a", "b"],
    },
  ),
  "a reference to the whole": within({ anyOf: [{ $ref: "#" }, { type: "null" }] }),
  "a name with a slash": within({ $ref: "#/$defs/a~1b" }, { $defs: { "a/b": named("q") } }),
  definitions: within({ $ref: "#/definitions/x" }, { definitions: { x: within({ $ref: "#/definitions/x" }) } }),
  "an id at the root": named("a", { $id: "https://example.com/a" }),
  "an id within": within({ $id: "https://example.com/a", type: "string" }),
  "other fields": within({ type: "object", additionalProperties: true }),
  "other fields of a type": within({ type: "object", additionalProperties: text }),
  patternProperties: within({ type: "object", patternProperties: { "^x": text } }),
  if: named("a", { if: { properties: { a: { const: "x" } } } }),
  not: within({ not: text }),
  uniqueItems: within({ type: "array", items: text, uniqueItems: true }),
  true: within(true),
  false: within(false),
  "an object or null": within(named("b", { type: ["object", "null"] })),
  "an object or null at the root": named("a", { type: ["object", "null"] }),
  "a list of one type": within({ type: ["string"] }, { type: ["object"] }),
  "an object without a type": within({ properties: { b: text }, required: ["b"] }),
  "no type at the root": { properties: { a: text }, required: ["a"] },
  "items of each place": within({ type: "array", items: [text] }),
  prefixItems: within({ type: "array", prefixItems: [text] }),
  "a list of anything": within({ type: "array" }),
  "a list of lists": within({ type: "array", items: { type: "array", items: named("b") } }),
  "a required field that is none": named("a", { required: ["a", "ghost"] }),
  "a choice of objects, an object": within({ type: "object", anyOf: [named("x"), named("y")] }),
  "a choice beside fields": within(named("x", { anyOf: [named("x"), named("y")] })),
  "a choice at the root": { type: "object", anyOf: [named("x"), named("y")] },
  "a choice of lists, a list": within({ type: "array", anyOf: [{ type: "array", items: text }] }),
  "undefined keywords": within({ type: "string", not: undefined, description: undefined }),
  "defaults of fields": within({ type: "string", default: "x" }, { default: null }),
  nothing: {},
};

const standard = (schema: Record<string, unknown>) => ({
  "~standard": {
    version: 1 as const,
    vendor: "own",
    validate: (value: unknown) => ({ value }),
    jsonSchema: { input: () => structuredClone(schema), output: () => schema },
    types: undefined as unknown as { input: unknown; output: unknown },
  },
});

const said = (make: () => { json_schema: { schema?: unknown } }): unknown => {
  try {
    // As it is sent: without fields that are undefined.
    return JSON.parse(JSON.stringify(make().json_schema.schema));
  } catch {
    return "refused";
  }
};

const [theirs, ours] = await libraries;
const results: unknown[] = [];
after(() => {
  const refused = results.filter((result) => result === "refused").length;
  assert.ok(refused > 30 && results.length - refused > 50, `${refused} of ${results.length} were refused`);
});

describe("zod 4", () => {
  for (const [name, type] of Object.entries(zods)) {
    it(name, () => {
      const [expected, actual] = [theirs, ours].map(({ zod }) =>
        said(() => zod.zodResponseFormat(type as z.ZodType, "a")),
      );
      assert.deepEqual(actual, expected);
      results.push(actual);
    });
  }
});

describe("Standard Schemas", () => {
  for (const [name, schema] of Object.entries(schemas)) {
    it(name, () => {
      const [expected, actual] = [theirs, ours].map(({ standard: { standardResponseFormat } }) =>
        said(() => standardResponseFormat(standard(schema), "a")),
      );
      assert.deepEqual(actual, expected);
      results.push(actual);
    });
  }
});
