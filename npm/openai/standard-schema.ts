/**
 * Formats and tools made of Standard Schemas (https://standardschema.dev), for `parse`, `stream` and `runTools`.
 */
import type { StandardSchema } from "chatwire";
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

/** The value that such a schema makes of another. */
export type InferStandardOutput<Schema> = Schema extends StandardSchema<infer Output> ? Output : never;

/** The other members of a format. `schema` is for a Standard Schema that cannot be written as JSON Schema. */
export type StandardResponseFormatProps = Omit<ResponseFormatJSONSchema.JSONSchema, "schema" | "strict" | "name"> & {
  schema?: object | undefined;
};

/** A `response_format` of a Standard Schema, whose check is synchronous. */
export function standardResponseFormat<Schema extends StandardSchema>(
  standardSchema: Schema,
  name: string,
  { schema, ...props }: StandardResponseFormatProps = {},
): AutoParseableResponseFormat<InferStandardOutput<Schema>> {
  const format: ResponseFormatJSONSchema = {
    type: "json_schema",
    json_schema: { ...props, name, strict: true, schema: strictSchemaOf(standardSchema, schema) },
  };
  return makeParseableResponseFormat(format, (content) => read(standardSchema, content));
}

/** A tool whose arguments are a Standard Schema; with `function`, one that `runTools` can run. */
export function standardFunction<Parameters extends StandardSchema>(options: {
  name: string;
  parameters: Parameters;
  schema?: object | undefined;
  function?: ((args: InferStandardOutput<Parameters>) => unknown) | undefined;
  description?: string | undefined;
}): AutoParseableTool<{
  arguments: InferStandardOutput<Parameters>;
  name: string;
  function: (args: InferStandardOutput<Parameters>) => unknown;
}> {
  const { name, parameters, description, schema } = options;
  const strict = { parameters: strictSchemaOf(parameters, schema), strict: true };
  return makeParseableTool(
    { type: "function", function: { name, ...strict, ...(description && { description }) } },
    { callback: options.function, parser: (text) => read(parameters, text) },
  );
}

/** @throws {OpenAIError} always: not for chat */
export function standardTextFormat(..._: unknown[]): never {
  return refuse("standardTextFormat");
}

/** @throws {OpenAIError} always: not for chat */
export function standardResponsesFunction(..._: unknown[]): never {
  return refuse("standardResponsesFunction");
}

function strictSchemaOf(standard: StandardSchema, given: object | undefined): Record<string, unknown> {
  const schema = given ?? standard["~standard"].jsonSchema?.input({ target: "draft-07" });
  if (schema) return toStrictJsonSchema(withoutOneOf(structuredClone(schema)));
  throw new OpenAIError(
    "Standard Schema helpers require a JSON Schema. Pass `schema` or use a schema that implements `~standard.jsonSchema.input()`.",
  );
}

/** `oneOf` is not for strict schemas; alternatives that differ in a constant field are the same as `anyOf`. */
function withoutOneOf<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  const schema = value as Record<string, unknown>;
  for (const part of Object.values(schema)) withoutOneOf(part);
  if (Array.isArray(schema.oneOf) && schema.anyOf === undefined) {
    schema.anyOf = schema.oneOf;
    delete schema.oneOf;
  }
  return value;
}

function read<Schema extends StandardSchema>(schema: Schema, text: string): InferStandardOutput<Schema> {
  const result = schema["~standard"].validate(readJSON(text));
  if (result instanceof Promise) {
    result.catch(() => {});
    throw new OpenAIError(
      "Standard Schema helpers only support synchronous validation. Use a schema with a synchronous `~standard.validate()` implementation.",
    );
  }
  if (!result.issues) return result.value as InferStandardOutput<Schema>;
  const said = result.issues.map(({ message, path = [] }) => {
    const at = path.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return at ? `${at}: ${message}` : message;
  });
  throw new OpenAIError(`Standard Schema validation failed: ${said.join("; ")}`);
}
