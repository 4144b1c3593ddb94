/**
 * JSON Schema made strict, as OpenAI's structured outputs want it: every object closed, every field required.
 */
import { OpenAIError } from "./errors.ts";

type Schema = Record<string, unknown>;

/** Where schemas lie within a schema: by name, in a list, or alone. */
const BY_NAME = ["properties", "$defs", "definitions"] as const;
const IN_LISTS = ["anyOf", "allOf"] as const;

/**
 * A copy of the schema that is strict.
 * @throws {OpenAIError} it cannot be: it is no object, has optional fields that are not nullable, or open objects
 */
export function toStrictJsonSchema(schema: object): Schema {
  const root = structuredClone(schema) as Schema;
  const strict = made(root, [], root);
  if (strict.type !== "object") {
    const type = strict.type === undefined ? "undefined" : `'${strict.type}'`;
    throw new OpenAIError(`Root schema must have type: 'object' but got type: ${type}`);
  }
  return strict;
}

function made(schema: Schema, path: string[], root: Schema): Schema {
  const where = path.join("/") || "<root>";
  if (isSchema(schema.additionalProperties) || schema.additionalProperties === true) {
    throw new OpenAIError(
      `Schema at \`${where}\` allows other fields than those it names, which a strict schema cannot.`,
    );
  }
  if (schema.type === "object") schema.additionalProperties = false;
  const { properties } = schema;
  if (isSchema(properties)) {
    const required = Array.isArray(schema.required) ? (schema.required as string[]) : [];
    for (const [name, field] of Object.entries(properties)) {
      if (!required.includes(name) && !isNullable(field as Schema)) {
        const at = [...path, "properties", name].join("/");
        throw new OpenAIError(
          `Schema field at \`${at}\` uses \`.optional()\` without \`.nullable()\` which is not supported by the API. See: https://platform.openai.com/docs/guides/structured-outputs?api-mode=responses#all-fields-must-be-required`,
        );
      }
    }
    schema.required = Object.keys(properties);
  }
  for (const word of BY_NAME) {
    const group = schema[word];
    if (!isSchema(group)) continue;
    for (const [name, one] of Object.entries(group)) group[name] = made(one as Schema, [...path, word, name], root);
  }
  for (const word of IN_LISTS) {
    const list = schema[word];
    if (!Array.isArray(list)) continue;
    schema[word] = list.map((one, at) => (isSchema(one) ? made(one, [...path, word, String(at)], root) : one));
  }
  if (isSchema(schema.items)) schema.items = made(schema.items, [...path, "items"], root);
  if (Array.isArray(schema.allOf) && schema.allOf.length === 1) {
    Object.assign(schema, schema.allOf[0]);
    delete schema.allOf;
  }
  if (schema.default === null) delete schema.default;
  // A reference stands alone, or gives way to what it refers to.
  const ref = schema.$ref;
  if (typeof ref === "string" && Object.keys(schema).length > 1) {
    const target = referred(ref, root);
    delete schema.$ref;
    const whole = { ...structuredClone(target), ...schema };
    return made(whole, path, root);
  }
  return schema;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNullable(schema: Schema): boolean {
  const { type, anyOf, oneOf } = schema;
  if (type === "null" || (Array.isArray(type) && type.includes("null"))) return true;
  return [anyOf, oneOf].some((list) => Array.isArray(list) && list.some((one) => isSchema(one) && isNullable(one)));
}

/** @throws {OpenAIError} there is no such place in the schema */
function referred(ref: string, root: Schema): Schema {
  let place: unknown = ref.startsWith("#/") ? root : undefined;
  for (const part of ref.slice(2).split("/")) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    place = isSchema(place) ? place[name] : undefined;
  }
  if (isSchema(place)) return place;
  throw new OpenAIError(`The schema has no definition for the reference ${JSON.stringify(ref)}.`);
}
