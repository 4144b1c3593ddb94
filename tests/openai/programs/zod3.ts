/** Formats and tools made of schemas of zod 3, which many programs still have. */
import { z } from "zod/v3";
import type { Context, Programs } from "../compare.ts";
import { call, calls, hello, pieces, says } from "../said.ts";

/** Asks with a schema, so that what is sent is compared, and the answer as it is read. */
const sends =
  (type: z.ZodTypeAny, answer: unknown, schemaDefinitions?: Record<string, z.ZodTypeAny>) =>
  async ({ client, answers, lib, print }: Context) => {
    answers(says(JSON.stringify(answer)));
    const props = schemaDefinitions && { schemaDefinitions };
    const response_format = lib.zod.zodResponseFormat(type, "answer", props);
    const parsed = await client().chat.completions.parse({ ...hello, response_format });
    print(parsed.choices[0]?.message.parsed);
  };

/** Says that a schema is refused, or what is made of it. */
const refuses =
  (type: z.ZodTypeAny, isSaid: RegExp) =>
  ({ lib, print }: Context) => {
    try {
      print(lib.zod.zodResponseFormat(type, "answer"));
    } catch (error) {
      print(isSaid.test((error as Error).message));
    }
  };

/** As TypeScript makes them of enums: one of numbers, one of texts. */
const Size = { 0: "Small", 1: "Large", Small: 0, Large: 1 } as const;
const Mood = { Good: "good", Bad: "bad" } as const;
interface Leaf {
  name: string;
  next: Leaf | null;
  leaves: Leaf[];
}
const leaf: z.ZodType<Leaf> = z.lazy(() =>
  z.object({ name: z.string(), next: leaf.nullable(), leaves: z.array(leaf) }),
);
interface Own {
  name: string;
  parts: Own[];
}
const own: z.ZodType<Own> = z.object({ name: z.string(), parts: z.array(z.lazy(() => own)) });
const point = z.object({ x: z.number(), y: z.number().nullable() });
const item = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("point"), at: point }),
]);

export const zod3: Programs = {
  "lists and objects": sends(
    z.object({
      steps: z.array(z.object({ say: z.string(), n: z.number().int().min(0).max(9) })).min(1),
      three: z.array(z.boolean()).length(1),
      few: z.array(z.string()).max(3),
      end: z.boolean(),
    }),
    { steps: [{ say: "a", n: 1 }], three: [true], few: [], end: true },
  ),
  numbers: sends(
    z.object({ a: z.number().gt(1).lt(9), b: z.number().multipleOf(3).gte(0).lte(9), c: z.number().int().positive() }),
    { a: 2, b: 3, c: 4 },
  ),
  texts: sends(
    z.object({
      mail: z.string().email().min(3),
      site: z.string().url().max(99),
      id: z.string().uuid(),
      at: z.string().datetime(),
      day: z.string().date(),
      hour: z.string().time(),
      host: z.string().ip(),
      four: z.string().ip({ version: "v4" }),
      code: z.string().regex(/^[a-z]+\/\d$/),
      first: z.string().startsWith("a.b/c d"),
      last: z.string().endsWith("$%"),
      within: z.string().includes("(x)"),
      two: z.string().length(2),
      bits: z.string().base64(),
    }),
    {
      mail: "a@b.cc",
      site: "https://a.b",
      id: "3f0e8a3c-0b1e-4c59-9d3d-7a3a1c0b2f11",
      at: "2020-01-01T00:00:00Z",
      day: "2020-01-01",
      hour: "10:00:00",
      host: "::1",
      four: "127.0.0.1",
      code: "a/1",
      first: "a.b/c d",
      last: "1$%",
      within: "f(x)",
      two: "ab",
      bits: "YWI=",
    },
  ),
  "names of kinds": sends(
    z.object({ a: z.string().cuid2(), b: z.string().ulid(), c: z.string().nanoid(), d: z.string().emoji() }),
    { a: "abc", b: "01ARZ3NDEKTSV4RRFFQ69G5FAV", c: "V1StGXR8_Z5jdHi6B-myT", d: "🙂" },
  ),
  "choices, constants and null": sends(
    z.object({
      kind: z.enum(["a", "b"]),
      size: z.nativeEnum(Size),
      mood: z.nativeEnum(Mood),
      tag: z.literal("x"),
      no: z.literal(null),
      none: z.null(),
      some: z.unknown(),
      any: z.any(),
    }),
    { kind: "a", size: 1, mood: "bad", tag: "x", no: null, none: null, some: 1, any: "b" },
  ),
  alternatives: sends(
    z.object({
      either: z.union([z.string(), z.number()]),
      one: z.union([z.literal("a"), z.literal(1), z.literal(null)]),
      name: z.union([z.enum(["a", "b"]), z.enum(["c", "d"])]),
      more: z.union([z.string().min(1), z.array(z.number())]),
      or: z.string().or(z.boolean()),
    }),
    { either: 5, one: null, name: "d", more: [1], or: true },
  ),
  "a discriminated union": sends(z.object({ item, items: z.array(item) }), {
    item: { type: "text", text: "a" },
    items: [{ type: "point", at: { x: 1, y: null } }],
  }),
  "null beside a value": sends(
    z.object({
      a: z.string().nullable(),
      b: z.string().min(1).nullable(),
      c: z.object({ d: z.number() }).nullable(),
      e: z.string().nullable().optional(),
      f: z.string().optional().nullable(),
      g: z.string().nullish().describe("G"),
      h: z.enum(["x"]).nullable(),
    }),
    { a: null, b: "x", c: null, e: null, f: "y", g: null, h: "x" },
  ),
  "defaults, brands and descriptions": sends(
    z
      .object({
        a: z.string().default("x"),
        b: z.number().int().default(3).describe("A number"),
        c: z.string().brand<"C">().describe("A brand"),
        d: z.object({ e: z.string() }).readonly(),
        f: z.array(z.string().describe("One")).describe("All"),
        g: z.object({}).strict(),
      })
      .describe("Everything"),
    { a: "b", b: 1, c: "c", d: { e: "f" }, f: ["g"], g: {} },
  ),
  "one that contains itself": sends(z.object({ root: leaf }), {
    root: { name: "a", next: { name: "b", next: null, leaves: [] }, leaves: [] },
  }),
  "one that is itself": sends(own, { name: "a", parts: [{ name: "b", parts: [] }] }),
  "a type used twice": sends(
    z.object({ from: point, to: point, "by way": z.object({ "of?": point }), list: z.array(point) }),
    {
      from: { x: 1, y: 2 },
      to: { x: 3, y: 4 },
      "by way": { "of?": { x: 5, y: 6 } },
      list: [],
    },
  ),
  "parts of a type used elsewhere": sends(
    (() => {
      const name = z.object({ first: z.string(), "last-name": z.object({ of: z.string() }) });
      return z.object({
        person: z.object({ name }),
        again: name,
        last: name.shape["last-name"],
        own: z.object({ l: name }),
      });
    })(),
    {
      person: { name: { first: "a", "last-name": { of: "b" } } },
      again: { first: "a", "last-name": { of: "b" } },
      last: { of: "b" },
      own: { l: { first: "a", "last-name": { of: "b" } } },
    },
  ),
  "schemas that are said once": sends(
    z.object({ from: point, to: point, also: z.object({ item }) }),
    { from: { x: 1, y: 1 }, to: { x: 2, y: null }, also: { item: { type: "text", text: "t" } } },
    { point, "an/item~1": item, unused: z.object({ a: z.string().nullable() }) },
  ),
  "a definition of the name of the whole": sends(
    z.object({ at: point, more: z.lazy(() => z.object({ a: point })) }),
    { at: { x: 1, y: 1 }, more: { a: { x: 1, y: 1 } } },
    { answer: point },
  ),
  "a field that may be missing": refuses(z.object({ a: z.object({ b: z.string().optional() }) }), /optional/),
  "a list at the root": refuses(z.array(z.string()), /must have type: 'object' but got type: 'array'/),
  "null or an object at the root": refuses(z.object({ a: z.string() }).nullable(), /must have type: 'object'/),
  "other fields": refuses(z.object({ a: z.object({ b: z.string() }).passthrough() }), /strict/),
  "fields of any name": refuses(z.object({ a: z.record(z.string()) }), /strict/),
  dates: refuses(z.object({ a: z.date() }), /strict/),
  pairs: refuses(z.object({ a: z.tuple([z.string(), z.number()]) }), /strict/),
  "two patterns": refuses(z.object({ a: z.string().startsWith("a").endsWith("b") }), /strict/),
  "a refinement": {
    differs: "refinements of zod 3",
    program: sends(z.object({ n: z.number().refine((n) => n > 0), t: z.string().trim() }), { n: 1, t: " a " }),
  },
  "the error of a value that does not fit": async ({ client, answers, lib, print }) => {
    const schema = z.object({ n: z.number().min(3) });
    const response_format = lib.zod.zodResponseFormat(schema, "n");
    const say = (error: unknown) => print(error instanceof z.ZodError && error.issues);
    answers(says('{"n":-1}'));
    await client()
      .chat.completions.parse({ ...hello, response_format })
      .catch(say);
    answers({ events: pieces('{"n":', "-1}") });
    await client()
      .chat.completions.stream({ ...hello, response_format })
      .done()
      .catch(say);
  },
  "a tool that runs": async ({ client, answers, lib, print }) => {
    answers(calls(call("move", { to: { x: 1, y: null } })), says("Moved."));
    const parameters = z.object({ to: point });
    const tool = lib.zod.zodFunction({
      name: "move",
      parameters,
      function: ({ to }) => `at ${to.x}`,
      description: "Moves",
    });
    const run = client().chat.completions.runTools({ ...hello, tools: [tool] });
    print(await run.finalContent(), run.messages);
  },
  "arguments of a tool": async ({ client, answers, lib, print }) => {
    answers(calls(call("move", { to: { x: 1, y: null } })));
    const tool = lib.zod.zodFunction({ name: "move", parameters: z.object({ to: point }) });
    const { choices } = await client().chat.completions.parse({ ...hello, tools: [tool] });
    const called = choices[0]?.message.tool_calls?.[0];
    print(called?.type === "function" && called.function.parsed_arguments);
  },
};
