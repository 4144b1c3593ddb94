/**
 * Schemas as callers have them: JSON Schema, or a Standard Schema (zod, valibot, arktype) that can be written as one.
 */
import { ChatwireError, define } from "../errors.ts";
import type { JSONSchema } from "../types.ts";
import { problemsOf } from "./json-schema.ts";
import type { Schema, SchemaProblem, StandardSchema } from "./schema-shapes.ts";

export function isStandard<T>(schema: Schema<T>): schema is StandardSchema<T> {
  return "~standard" in schema;
}

/** The schema as JSON Schema, to be sent. */
export function jsonSchemaOf(schema: Schema): JSONSchema {
  if (!isStandard(schema)) return withoutDialect(schema);
  const { jsonSchema, vendor } = schema["~standard"];
  if (!jsonSchema) {
    throw new ChatwireError(
      `This ${vendor} schema has no JSON Schema ("~standard.jsonSchema"), which the server needs. Update ${vendor}, or give a JSON Schema.`,
    );
  }
  try {
    return withoutDialect(jsonSchema.input({ target: "draft-2020-12" }));
  } catch (thrown) {
    throw failure("The schema's jsonSchema.input", thrown);
  }
}

/** Without `$schema`, which several servers refuse. */
function withoutDialect({ $schema: _, ...schema }: JSONSchema): JSONSchema {
  return schema;
}

/** The value as the schema makes it, or what is wrong with it. */
export async function check<T>(
  schema: Schema<T>,
  value: unknown,
): Promise<{ value: T } | { problems: SchemaProblem[] }> {
  if (!isStandard(schema)) {
    const problems = problemsOf(schema, value);
    return problems.length > 0 ? { problems } : { value: value as T };
  }
  return own("The schema's check", async () => {
    const result = await schema["~standard"].validate(value);
    if (typeof result !== "object" || result === null) throw new TypeError("it gave no result");
    if (!result.issues) return { value: result.value };
    const problems = result.issues.map(({ message, path = [] }) => ({
      message: String(message),
      path: path.map((part) => {
        const key = typeof part === "object" ? part.key : part;
        return typeof key === "number" ? key : String(key);
      }),
    }));
    return { problems };
  });
}

/** Calls a function of the caller's. Its failure is told by its name: it is none of this package. */
export async function own<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw thrown instanceof ChatwireError ? thrown : failure(name, thrown);
  }
}

function failure(name: string, thrown: unknown): ChatwireError {
  return define(new ChatwireError(`${name} failed: ${wordsOf(thrown)}`), "cause", thrown);
}

/** The words of anything that was thrown: its message, or else itself as text or as JSON. */
export function wordsOf(thrown: unknown): string {
  try {
    const { message } = Object(thrown) as { message?: unknown };
    if (typeof message === "string" && message !== "") return message;
    const text = String(thrown);
    return text === "[object Object]" ? JSON.stringify(thrown) : text || "no words";
  } catch {
    return "no words";
  }
}

/** Problems in one line. */
export function inWords(problems: readonly SchemaProblem[]): string {
  return problems.map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message)).join("; ");
}
