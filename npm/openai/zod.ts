/**
 * Formats and tools made of zod schemas, for `parse`, `stream` and `runTools`: of zod 4, and of zod 3 as it is in
 * the package from version 3.25 on.
 */
import { type $ZodType, parse, registry, toJSONSchema } from "zod/v4/core";
import { refuse } from "./elsewhere.ts";
import { OpenAIError } from "./errors.ts";
import {
  type AutoParseableResponseFormat,
  type AutoParseableTool,
  makeParseableResponseFormat,
  makeParseableTool,
  readJSON,
} from "./parsing.ts";
import type { ResponseFormatJSONSchema } from "./shapes.ts";
import { toStrictJsonSchema } from "./strict-schema.ts";
import { strictSchemaOfZod3, type Zod3Type } from "./zod3.ts";

/** A schema of zod: of its version 3, or 4. */
export type ZodTypeLike<Output = unknown> = Zod3Type<Output> | { _zod: { output: Output } };

/** The value that such a schema makes of another. */
export type InferZodType<Type> = Type extends { _output: infer Output }
  ? Output
  : Type extends { _zod: { output: infer Output } }
    ? Output
    : never;

/** The other members of a format. */
export type ZodResponseFormatProps = Omit<ResponseFormatJSONSchema.JSONSchema, "schema" | "strict" | "name"> & {
  /** Schemas to be said once, by name, and referred to where they are used. */
  schemaDefinitions?: Record<string, ZodTypeLike> | undefined;
};

/**
 * A `response_format` of a zod schema.
 * @example
 * ```ts
 * const format = zodResponseFormat(z.object({ city: z.string() }), "city");
 * const completion = await client.chat.completions.parse({ model, messages, response_format: format });
 * console.log(completion.choices[0]?.message.parsed?.city);
 * ```
 */
export function zodResponseFormat<Type extends ZodTypeLike>(
  zodObject: Type,
  name: string,
  { schemaDefinitions, ...props }: ZodResponseFormatProps = {},
): AutoParseableResponseFormat<InferZodType<Type>> {
  const format: ResponseFormatJSONSchema = {
    type: "json_schema",
    json_schema: { ...props, name, strict: true, schema: strictSchemaOf(zodObject, name, schemaDefinitions) },
  };
  return makeParseableResponseFormat(format, (content) => read(zodObject, content));
}

/**
 * A tool whose arguments are a zod schema; with `function`, one that `runTools` can run.
 * @example
 * ```ts
 * const parameters = z.object({ city: z.string() });
 * const weather = zodFunction({ name: "weather", parameters, function: ({ city }) => forecast(city) });
 * ```
 */
export function zodFunction<Parameters extends ZodTypeLike>(options: {
  name: string;
  parameters: Parameters;
  function?: ((args: InferZodType<Parameters>) => unknown) | undefined;
  description?: string | undefined;
}): AutoParseableTool<{
  arguments: InferZodType<Parameters>;
  name: string;
  function: (args: InferZodType<Parameters>) => unknown;
}> {
  const { name, parameters, description } = options;
  const definition = {
    name,
    parameters: strictSchemaOf(parameters, name),
    strict: true,
    ...(description && { description }),
  };
  return makeParseableTool(
    { type: "function", function: definition },
    { callback: options.function, parser: (text) => read(parameters, text) },
  );
}

/** @throws {OpenAIError} always: not for chat */
export function zodTextFormat(..._: unknown[]): never {
  return refuse("zodTextFormat");
}

/** @throws {OpenAIError} always: not for chat */
export function zodResponsesFunction(..._: unknown[]): never {
  return refuse("zodResponsesFunction");
}

/** @throws {OpenAIError} always: not for chat */
export function zodRealtimeFunction(..._: unknown[]): never {
  return refuse("zodRealtimeFunction");
}

function strictSchemaOf(
  type: ZodTypeLike,
  name: string,
  definitions?: Record<string, ZodTypeLike>,
): Record<string, unknown> {
  if (!type || typeof type !== "object" || !("_zod" in type)) {
    const typeName = (type as { _def?: { typeName?: unknown } } | null | undefined)?._def?.typeName;
    if (typeof typeName === "string") return strictSchemaOfZod3(type, name, definitions as Record<string, Zod3Type>);
    throw new OpenAIError("The value is not a schema of zod. Make one with the `z` of zod, or give a JSON Schema.");
  }
  const metadata = registry<{ id: string }>();
  for (const [id, one] of Object.entries(definitions ?? {})) metadata.add(one as unknown as $ZodType, { id });
  const schema = toJSONSchema(type as unknown as $ZodType, {
    target: "draft-7",
    ...(definitions && { metadata }),
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type === "union" && "discriminator" in def && Array.isArray(jsonSchema.oneOf)) {
        jsonSchema.anyOf = jsonSchema.oneOf;
        delete jsonSchema.oneOf;
      }
    },
  });
  return toStrictJsonSchema(schema);
}

function read<Type extends ZodTypeLike>(type: Type, text: string): InferZodType<Type> {
  const value = readJSON(text);
  // Its own method throws zod's public `ZodError`, which programs look for.
  const own = type as { parse?: (value: unknown) => unknown };
  return (own.parse ? own.parse(value) : parse(type as unknown as $ZodType, value)) as InferZodType<Type>;
}
