/** Answers and arguments read as JSON of a shape: `parse`, and streams that parse. */
import { z } from "zod";
import type { Context, Programs } from "../compare.ts";
import {
  call,
  callPieces,
  calls,
  chunk,
  completion,
  end,
  hello,
  pieces,
  says,
  start,
  streams,
  streamsCalls,
} from "../said.ts";
import { printEvents } from "./emitter.ts";

const city = z.object({ city: z.string(), people: z.number() });
const paris = { city: "Paris", people: 2_100_000 };
const text = JSON.stringify(paris);

const jsonSchema = {
  type: "json_schema" as const,
  json_schema: { name: "city", strict: true, schema: { type: "object", properties: { city: { type: "string" } } } },
};

/** Asks with each of some zod schemas, so that what is sent is compared. */
const sendsSchema =
  (type: z.ZodType, answer: unknown) =>
  async ({ client, answers, lib, print }: Context) => {
    answers(says(JSON.stringify(answer)));
    const response_format = lib.zod.zodResponseFormat(type, "answer");
    const parsed = await client().chat.completions.parse({ ...hello, response_format });
    print(parsed.choices[0]?.message.parsed);
  };

/** A Standard Schema that is not zod's. */
const standard = {
  "~standard": {
    version: 1 as const,
    vendor: "own",
    validate: (value: unknown) =>
      typeof (value as { city?: unknown }).city === "string"
        ? { value: { upper: (value as { city: string }).city.toUpperCase() } }
        : { issues: [{ message: "city is a text", path: ["city"] }] },
    jsonSchema: {
      input: () => ({
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
        additionalProperties: false,
      }),
      output: () => ({}),
    },
    types: undefined as unknown as { input: { city: string }; output: { upper: string } },
  },
};

interface Leaf {
  name: string;
  next: Leaf | null;
}
const leaf: z.ZodType<Leaf> = z.lazy(() => z.object({ name: z.string(), next: leaf.nullable() }));

export const parse: Programs = {
  "without a format": async ({ client, answers, printResult }) => {
    answers(says("Hi"));
    await printResult(client().chat.completions.parse(hello));
  },
  "a json_schema": async ({ client, answers, printResult }) => {
    answers(says(text));
    await printResult(client().chat.completions.parse({ ...hello, response_format: jsonSchema }));
  },
  "any JSON is not read": async ({ client, answers, printResult }) => {
    answers(says(text));
    await printResult(client().chat.completions.parse({ ...hello, response_format: { type: "json_object" } }));
  },
  zodResponseFormat: async ({ client, answers, lib, printResult, print }) => {
    answers(says(text));
    const response_format = lib.zod.zodResponseFormat(city, "city");
    print(response_format, Object.keys(response_format));
    await printResult(client().chat.completions.parse({ ...hello, response_format }));
  },
  "zodResponseFormat with a description": async ({ client, answers, lib, print }) => {
    answers(says(text));
    const response_format = lib.zod.zodResponseFormat(city, "city", { description: "A city" });
    print((await client().chat.completions.parse({ ...hello, response_format })).choices[0]?.message.parsed?.people);
  },
  "zod: the error of a value that does not fit": async ({ client, answers, lib, print }) => {
    const schema = z.object({ n: z.number().refine((n) => n > 0, "too small") });
    const response_format = lib.zod.zodResponseFormat(schema, "n");
    const tools = [lib.zod.zodFunction({ name: "n", parameters: schema })];
    const say = (error: unknown) => print(error instanceof z.ZodError && error.issues);
    answers(says('{"n":-1}'));
    await client()
      .chat.completions.parse({ ...hello, response_format })
      .catch(say);
    answers(streams('{"n":', "-1}"));
    await client()
      .chat.completions.stream({ ...hello, response_format })
      .done()
      .catch(say);
    answers(calls(call("n", { n: -1 })));
    await client()
      .chat.completions.parse({ ...hello, tools })
      .catch(say);
  },
  "zod: optional, and not null": ({ lib, print }) => {
    try {
      lib.zod.zodResponseFormat(z.object({ a: z.string().optional() }), "a");
    } catch (error) {
      print((error as Error).message);
    }
  },
  "zod: lists and objects within objects": sendsSchema(
    z.object({ steps: z.array(z.object({ say: z.string(), n: z.number().int().min(0).max(9) })), end: z.boolean() }),
    { steps: [{ say: "a", n: 1 }], end: true },
  ),
  "zod: choices, constants and null": sendsSchema(
    z.object({
      kind: z.enum(["a", "b"]),
      tag: z.literal("x"),
      maybe: z.string().nullable(),
      either: z.union([z.string(), z.number()]),
    }),
    { kind: "a", tag: "x", maybe: null, either: 5 },
  ),
  "zod: a discriminated union": sendsSchema(
    z.object({
      item: z.discriminatedUnion("type", [
        z.object({ type: z.literal("text"), text: z.string() }),
        z.object({ type: z.literal("number"), number: z.number() }),
      ]),
    }),
    { item: { type: "number", number: 4 } },
  ),
  "zod: descriptions and formats": sendsSchema(
    z.object({ mail: z.email().describe("Where to write"), list: z.array(z.string()).min(1).max(3).describe("Names") }),
    { mail: "a@b.cc", list: ["x"] },
  ),
  "zod: one that contains itself": sendsSchema(z.object({ root: leaf }), {
    root: { name: "a", next: { name: "b", next: null } },
  }),
  "zod: optional and nullable": sendsSchema(z.object({ a: z.string().nullable().optional() }), { a: null }),
  "zod: a default": sendsSchema(z.object({ a: z.string().nullable().default(null) }), { a: "x" }),
  "zod: a type used twice": sendsSchema(
    (() => {
      const point = z.object({ x: z.number(), y: z.number() }).meta({ id: "Point" });
      return z.object({ from: point, to: point });
    })(),
    { from: { x: 1, y: 2 }, to: { x: 3, y: 4 } },
  ),
  "zod: schemas that are said once": async ({ client, answers, lib, print }) => {
    answers(says('{"from":{"x":1},"to":{"x":2}}'));
    const point = z.object({ x: z.number() });
    const line = z.object({ from: point, to: point });
    const response_format = lib.zod.zodResponseFormat(line, "line", { schemaDefinitions: { point } });
    print((await client().chat.completions.parse({ ...hello, response_format })).choices[0]?.message.parsed);
  },
  "zod: optional is refused": async ({ lib, print }) => {
    try {
      lib.zod.zodResponseFormat(z.object({ a: z.string().optional() }), "a");
      print("accepted");
    } catch (error) {
      print(/optional/.test((error as Error).message));
    }
  },
  "zod: a list at the root is refused": async ({ lib, printError }) => {
    try {
      lib.zod.zodResponseFormat(z.array(z.string()), "a");
    } catch (error) {
      printError((error as Error).message);
    }
  },
  "zod: a refinement runs": async ({ client, answers, lib, print }) => {
    answers(says('{"n": 3}'));
    const even = z.object({ n: z.number().refine((n) => n % 2 === 0, "even numbers only") });
    const response_format = lib.zod.zodResponseFormat(even, "even");
    const error = await client()
      .chat.completions.parse({ ...hello, response_format })
      .catch((thrown) => thrown);
    print(error instanceof z.core.$ZodError || error.name === "ZodError", error.issues);
  },
  "zod: a transform runs": sendsSchema(z.object({ at: z.string() }), { at: "2020-01-01" }),
  "an answer that does not fit": async ({ client, answers, lib, print }) => {
    answers(says('{"city": 7}'));
    const response_format = lib.zod.zodResponseFormat(city, "city");
    const error = await client()
      .chat.completions.parse({ ...hello, response_format })
      .catch((thrown) => thrown);
    print(error.issues?.map(({ path }: { path: unknown }) => path));
  },
  "an answer that is not JSON": async ({ client, answers, printError }) => {
    answers(says("Sure! Here it is"));
    const error = await client()
      .chat.completions.parse({ ...hello, response_format: jsonSchema })
      .catch((thrown) => thrown);
    printError(error);
  },
  "an answer cut at the limit": async ({ client, answers, lib, printError, print }) => {
    answers({ json: completion({ content: '{"city": "Pa' }, {}, { finish_reason: "length" }) });
    const error = await client()
      .chat.completions.parse({ ...hello, response_format: jsonSchema })
      .catch((thrown) => thrown);
    printError(error);
    print(error instanceof lib.error.LengthFinishReasonError);
  },
  "an answer that was filtered": async ({ client, answers, lib, printError, print }) => {
    answers({ json: completion({ content: "" }, {}, { finish_reason: "content_filter" }) });
    const error = await client()
      .chat.completions.parse({ ...hello, response_format: jsonSchema })
      .catch((thrown) => thrown);
    printError(error);
    print(error instanceof lib.error.ContentFilterFinishReasonError);
  },
  "a refusal": async ({ client, answers, printResult }) => {
    answers({ json: completion({ content: null, refusal: "No." }) });
    await printResult(client().chat.completions.parse({ ...hello, response_format: jsonSchema }));
  },
  zodFunction: async ({ client, answers, lib, printResult, print }) => {
    answers(calls(call("city", paris), call("city", { city: "Rome", people: 1 }, "c2")));
    const tool = lib.zod.zodFunction({ name: "city", parameters: city, description: "Finds it" });
    print(tool, Object.keys(tool));
    await printResult(client().chat.completions.parse({ ...hello, tools: [tool] }));
  },
  "a strict tool": async ({ client, answers, printResult }) => {
    answers(calls(call("city", paris)));
    const parameters = { type: "object", properties: {}, additionalProperties: false };
    const tool = { type: "function" as const, function: { name: "city", strict: true, parameters } };
    await printResult(client().chat.completions.parse({ ...hello, tools: [tool] }));
  },
  "a tool that is not strict": async ({ client, printError }) => {
    const tool = { type: "function" as const, function: { name: "city", parameters: {} } };
    try {
      await client().chat.completions.parse({ ...hello, tools: [tool] });
    } catch (error) {
      printError(error);
    }
  },
  "a custom tool": async ({ client, answers, printResult }) => {
    answers(calls({ id: "c", type: "custom", custom: { name: "sql", input: "select 1" } }));
    const tool = { type: "custom" as const, custom: { name: "sql" } };
    await printResult(client().chat.completions.parse({ ...hello, tools: [tool] }));
  },
  withResponse: async ({ client, answers, print }) => {
    answers(says(text));
    const { data, request_id } = await client()
      .chat.completions.parse({ ...hello, response_format: jsonSchema })
      .withResponse();
    print(data.choices[0]?.message.parsed, request_id, (data as { _request_id?: string })._request_id);
  },
  standardResponseFormat: async ({ client, answers, lib, print }) => {
    answers(says('{"city": "Paris"}'));
    const response_format = lib.standard.standardResponseFormat(standard, "city");
    print((await client().chat.completions.parse({ ...hello, response_format })).choices[0]?.message.parsed);
  },
  "standardResponseFormat: a problem": async ({ client, answers, lib, printResult }) => {
    answers(says('{"city": 3}'));
    const response_format = lib.standard.standardResponseFormat(standard, "city");
    await printResult(client().chat.completions.parse({ ...hello, response_format }));
  },
  standardFunction: async ({ client, answers, lib, print }) => {
    answers(calls(call("city", { city: "Rome" })));
    const tool = lib.standard.standardFunction({ name: "city", parameters: standard });
    const parsed = await client().chat.completions.parse({ ...hello, tools: [tool] });
    print(parsed.choices[0]?.message.tool_calls);
  },
  "formats and tools that openai made": async ({ client, answers, print }) => {
    answers(says(text), calls(call("city", paris)));
    const { zodResponseFormat, zodFunction } = await import("openai/helpers/zod");
    const openai = client();
    const response_format = zodResponseFormat(city, "city");
    print((await openai.chat.completions.parse({ ...hello, response_format })).choices[0]?.message.parsed);
    const tools = [zodFunction({ name: "city", parameters: city })];
    print((await openai.chat.completions.parse({ ...hello, tools })).choices[0]?.message.tool_calls);
  },
  "a stream with a format": async (context) => {
    context.answers(streams('{"ci', 'ty":"Pa', 'ris","peo', 'ple":21', "00000}"));
    const response_format = context.lib.zod.zodResponseFormat(city, "city");
    const stream = context.client().chat.completions.stream({ ...hello, response_format });
    printEvents(stream, context);
    context.print((await stream.finalChatCompletion()).choices[0]?.message);
  },
  "a stream with a format and empty pieces": async (context) => {
    const { client, answers, lib, print } = context;
    answers(streams("", " ", '{"city":', "", ' "Paris", "people": 2}', "", " "));
    const response_format = lib.zod.zodResponseFormat(city, "city");
    const stream = client().chat.completions.stream({ ...hello, response_format });
    printEvents(stream, context);
    print(await stream.finalMessage());
  },
  "a stream with a tool that reads and empty pieces": async (context) => {
    const { client, answers, lib, print } = context;
    answers(streamsCalls(callPieces("city", ["", '{"city": "Paris"', "", ', "people": 2}', ""])));
    const tools = [lib.zod.zodFunction({ name: "city", parameters: city })];
    const stream = client().chat.completions.stream({ ...hello, tools });
    printEvents(stream, context);
    print(await stream.finalMessage());
  },
  "a stream of nested JSON": async (context) => {
    const pieces = ['{"a":[tr', "ue,fal", "se,nul", 'l,{"b":"\\u00', 'e9\\"x","c":-1', '.5e2}],"d":', '""}'];
    context.answers(streams(...pieces));
    const stream = context.client().chat.completions.stream({ ...hello, response_format: jsonSchema });
    stream.on("content.delta", ({ parsed }) => context.print(structuredClone(parsed)));
    context.print(await stream.finalContent());
  },
  "a stream of an answer that does not fit": async (context) => {
    context.answers(streams('{"city"', ":7}"));
    const response_format = context.lib.zod.zodResponseFormat(city, "city");
    const stream = context.client().chat.completions.stream({ ...hello, response_format });
    const error = await stream.done().catch((thrown) => thrown);
    context.print(error instanceof context.lib.main.OpenAI.OpenAIError, error.cause?.issues?.length);
  },
  "a stream cut at the limit": async (context) => {
    context.answers({ events: [...pieces('{"ci').slice(0, 2), end("length")] });
    const stream = context.client().chat.completions.stream({ ...hello, response_format: jsonSchema });
    printEvents(stream, context);
    const error = await stream.done().catch((thrown) => thrown);
    context.print(error instanceof context.lib.error.LengthFinishReasonError);
  },
  "a stream that was filtered": async (context) => {
    context.answers({ events: [start, end("content_filter")] });
    const stream = context.client().chat.completions.stream({ ...hello, response_format: jsonSchema });
    await context.printResult(stream.done());
  },
  "a stream cut at the limit, without a format": async (context) => {
    context.answers({ events: [...pieces("abc").slice(0, 2), end("length")] });
    context.print(await context.client().chat.completions.stream(hello).finalChatCompletion());
  },
  "a stream of a refusal, with a format": async (context) => {
    context.answers({ events: [start, chunk({ refusal: "No." }), end("stop")] });
    const stream = context.client().chat.completions.stream({ ...hello, response_format: jsonSchema });
    printEvents(stream, context);
    context.print(await stream.finalMessage());
  },
  "a stream with tools that read": async (context) => {
    const { zodFunction } = context.lib.zod;
    context.answers(
      streamsCalls(
        callPieces("city", ['{"city":"Pa', 'ris","people":', "5}"]),
        callPieces("other", ['{"a":', "1}"], 1),
      ),
    );
    const tools = [
      zodFunction({ name: "city", parameters: city }),
      { type: "function" as const, function: { name: "other", parameters: {} } },
    ];
    const stream = context.client().chat.completions.stream({ ...hello, tools });
    printEvents(stream, context);
    context.print((await stream.finalChatCompletion()).choices[0]?.message.tool_calls);
  },
  "a stream with a strict tool": async (context) => {
    context.answers(streamsCalls(callPieces("f", ['{"a":"b', 'c"}'])));
    const tools = [{ type: "function" as const, function: { name: "f", strict: true, parameters: {} } }];
    const stream = context.client().chat.completions.stream({ ...hello, tools });
    printEvents(stream, context);
    context.print((await stream.finalMessage()).tool_calls);
  },
};
