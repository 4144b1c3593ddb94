/**
 * JSON Schema made strict, as OpenAI's structured outputs want it: every object closed, every field required, nothing that they
 * cannot check. A schema that would mean something else when it is made strict is refused.
 */
import { OpenAIError } from "./errors.ts";

type Schema = Record<string, unknown>;

/** Keywords that say something to readers, and nothing about a value. */
const ANNOTATIONS = ["$comment", "default", "description", "examples", "readOnly", "title", "writeOnly"];
const DEFINITIONS = ["$defs", "definitions"];
/** The keywords that may stand beside a reference, or beside the only member of `allOf`. */
const BESIDE = new Set([...ANNOTATIONS, ...DEFINITIONS, "$id", "$schema"]);
/** Keywords that make a schema without a type one of an object. */
const OF_OBJECTS = ["additionalProperties", "properties", "required"];
/** The keywords of an object schema that can be joined with another. */
const JOINED = new Set([...BESIDE, ...OF_OBJECTS, "type"]);
/** Keywords that structured outputs refuse. */
const REFUSED = [
  ...["$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"],
  ...["allOf", "oneOf", "not", "if", "then", "else"],
  ...["dependentRequired", "dependentSchemas", "dependencies", "maxProperties", "minProperties", "patternProperties"],
  ...["propertyNames", "unevaluatedProperties"],
  ...["additionalItems", "contains", "maxContains", "minContains", "prefixItems", "unevaluatedItems", "uniqueItems"],
  ...["contentEncoding", "contentMediaType", "contentSchema"],
];

/**
 * A copy of the schema that is strict.
 * @throws {OpenAIError} it cannot be: it is no object, has optional fields that are not nullable, open objects, or keywords that
 * structured outputs do not know
 */
export function toStrictJsonSchema(schema: object): Schema {
  const root = structuredClone(schema) as Schema;
  for (const seen = new Set<string>(); typeof root.$ref === "string"; ) {
    if (seen.has(root.$ref)) throw new OpenAIError("The schema is a reference to itself, and says nothing else.");
    seen.add(root.$ref);
    becomeReferred(root, root.$ref);
  }
  joinAllOf(root, "<root>", root);
  const { type } = root;
  if ([type].flat().join() !== "object") {
    throw new OpenAIError(`Root schema must have type: 'object' but got type: ${type ? `'${type}'` : "undefined"}`);
  }
  if (root.anyOf !== undefined) {
    throw new OpenAIError(
      "Root schema must not use `anyOf`: a strict schema is one object. Put the choice into a field.",
    );
  }
  return makeStrict(root, [], root);
}

/** Puts the schema that the root refers to in the root's place. Definitions stay. */
function becomeReferred(root: Schema, ref: string): void {
  failBesides(root, "<root>");
  const target = structuredClone(referred(ref, root, "<root>"));
  const { $ref: _, ...own } = root;
  for (const name of Object.keys(root)) delete root[name];
  Object.assign(root, target, own);
}

function makeStrict(schema: unknown, path: string[], root: Schema): Schema {
  const where = path.join("/") || "<root>";
  if (!isSchema(schema)) {
    throw new OpenAIError(`The schema at \`${where}\` is ${JSON.stringify(schema)}, and a strict one is an object.`);
  }
  for (const [name, value] of Object.entries(schema)) if (value === undefined) delete schema[name];
  if (path.length > 0 && schema.$id !== undefined) {
    throw new OpenAIError(`The schema at \`${where}\` has an \`$id\`, which a strict schema has at its root alone.`);
  }
  if (Array.isArray(schema.type) && schema.type.length === 1) schema.type = schema.type[0];
  if (schema.$ref !== undefined) {
    failBesides(schema, where);
    referred(schema.$ref, root, where);
  }
  joinAllOf(schema, where, root);
  unwrapChoice(schema, where, root);
  if (isOfObject(schema)) closeObject(schema, where);
  requireFields(schema, path, root);
  const refused = REFUSED.find((word) => schema[word] !== undefined);
  if (refused) {
    throw new OpenAIError(`The schema at \`${where}\` has \`${refused}\`, which a strict schema cannot have.`);
  }
  if ([schema.type].flat().includes("array") && !isSchema(schema.items)) {
    throw new OpenAIError(`The list at \`${where}\` needs one schema for its items, in \`items\`.`);
  }
  for (const word of ["properties", ...DEFINITIONS]) {
    const group = schema[word];
    if (isSchema(group)) for (const [name, one] of Object.entries(group)) makeStrict(one, [...path, word, name], root);
  }
  if (Array.isArray(schema.anyOf)) {
    for (const [at, one] of schema.anyOf.entries()) makeStrict(one, [...path, "anyOf", String(at)], root);
  }
  if (schema.items !== undefined) makeStrict(schema.items, [...path, "items"], root);
  if (schema.default === null) delete schema.default;
  return schema;
}

/** @throws {OpenAIError} there are constraints beside the reference, which it hides */
function failBesides(schema: Schema, where: string): void {
  const other = Object.keys(schema).find((name) => name !== "$ref" && !BESIDE.has(name));
  if (!other) return;
  throw new OpenAIError(
    `The reference at \`${where}\` has \`${other}\` beside it, which readers of schemas leave out.`,
  );
}

function closeObject(schema: Schema, where: string): void {
  if ((schema.additionalProperties ?? false) !== false) {
    throw new OpenAIError(
      `Schema at \`${where}\` allows other fields than those it names, which a strict schema cannot.`,
    );
  }
  schema.additionalProperties = false;
  const ghost = requiredOf(schema).find(
    (name) => !isSchema(schema.properties) || !Object.hasOwn(schema.properties, name),
  );
  if (ghost !== undefined) {
    throw new OpenAIError(`The object at \`${where}\` requires \`${ghost}\`, which is none of its \`properties\`.`);
  }
}

function requireFields(schema: Schema, path: string[], root: Schema): void {
  const { properties } = schema;
  if (!isSchema(properties)) return;
  const required = requiredOf(schema);
  for (const [name, field] of Object.entries(properties)) {
    if (required.includes(name) || isNullable(field, root)) continue;
    const at = [...path, "properties", name].join("/");
    throw new OpenAIError(
      `Schema field at \`${at}\` uses \`.optional()\` without \`.nullable()\` which is not supported by the API. See: https://platform.openai.com/docs/guides/structured-outputs?api-mode=responses#all-fields-must-be-required`,
    );
  }
  schema.required = Object.keys(properties);
}

function requiredOf({ required }: Schema): string[] {
  return Array.isArray(required) ? required : [];
}

/** A type beside a choice is left out where the choice says it: to be closed, it would need the fields of every branch. */
function unwrapChoice(schema: Schema, where: string, root: Schema): void {
  const { anyOf } = schema;
  if (!Array.isArray(anyOf)) return;
  const types = [schema.type].flat().filter((type) => type !== "null");
  const isSaidBy = (type: string) =>
    types.join() === type && anyOf.every((branch) => typesOf(branch, root)?.join() === type);
  if (isSchema(schema.properties) && Object.keys(schema.properties).length === 0) delete schema.properties;
  if (requiredOf(schema).length === 0) delete schema.required;
  if (isOfObject(schema)) {
    if (!isSaidBy("object") || OF_OBJECTS.some((word) => word in schema)) {
      throw new OpenAIError(
        `The object at \`${where}\` has a choice beside it, which a strict schema cannot. Put its fields into each branch.`,
      );
    }
    delete schema.type;
  } else if (schema.items === undefined && isSaidBy("array")) delete schema.type;
}

function typesOf(schema: unknown, root: Schema, depth = 0): unknown[] | undefined {
  if (!isSchema(schema) || depth > 50) return undefined;
  if (schema.$ref !== undefined) return typesOf(referred(schema.$ref, root, "<root>"), root, depth + 1);
  return schema.type === undefined ? undefined : [schema.type].flat();
}

/** `allOf` of one schema is that schema, and `allOf` of objects is one object, as far as both say the same of a field. */
function joinAllOf(schema: Schema, where: string, root: Schema): void {
  while (Array.isArray(schema.allOf) && schema.allOf.every((part) => part === true || isSchema(part))) {
    const texts = schema.allOf.map((part) => JSON.stringify(part));
    const parts = schema.allOf.filter((part, at) => part !== true && texts.indexOf(texts[at] as string) === at);
    const { allOf: _, ...own } = schema;
    const isPlain = Object.keys(own).every((name) => BESIDE.has(name));
    if (parts.length <= 1 && isPlain) {
      delete schema.allOf;
      Object.assign(schema, structuredClone(parts[0]), own);
      continue;
    }
    const joined = joinedObject(isPlain ? parts : [own, ...parts], where, root);
    if (!joined) return;
    for (const name of Object.keys(schema)) delete schema[name];
    const beside = Object.entries(own).filter(([name]) => BESIDE.has(name));
    const { properties, required, ...said } = joined;
    Object.assign(schema, said, Object.fromEntries(beside), { type: "object", properties, required });
  }
}

/** The object that is all of these; undefined where one is no plain object. */
function joinedObject(parts: Schema[], where: string, root: Schema): Schema | undefined {
  const properties: Schema = {};
  const required = new Set<string>();
  const annotations: Schema = {};
  const closed: Schema[] = [];
  for (const part of parts) {
    const object = structuredClone(part.$ref === undefined ? part : referred(part.$ref, root, where));
    if (object.allOf !== undefined && part !== parts[0]) joinAllOf(object, where, root);
    if (!isOfObject(object) || Object.keys(object).some((name) => !JOINED.has(name))) return undefined;
    const fields = isSchema(object.properties) ? object.properties : {};
    for (const [name, field] of Object.entries(fields)) {
      if (properties[name] !== undefined && JSON.stringify(properties[name]) !== JSON.stringify(field))
        return undefined;
      properties[name] = field;
    }
    for (const name of requiredOf(object)) required.add(name);
    if (object.additionalProperties !== undefined && object.additionalProperties !== false) return undefined;
    if (object.additionalProperties === false) closed.push(fields);
    for (const word of ANNOTATIONS) if (word in object) annotations[word] ??= object[word];
  }
  // A closed object allows no field of the others.
  if (closed.some((fields) => Object.keys(properties).some((name) => !(name in fields)))) return undefined;
  return { ...annotations, properties, required: [...required] };
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOfObject(schema: Schema): boolean {
  const { type } = schema;
  return type === undefined ? OF_OBJECTS.some((word) => word in schema) : [type].flat().includes("object");
}

/** Whether null fits. Where only an evaluation could tell, it does not. */
function isNullable(schema: unknown, root: Schema, depth = 0): boolean {
  if (typeof schema === "boolean") return schema;
  if (!isSchema(schema) || depth > 50) return false;
  const fits = (one: unknown) => isNullable(one, root, depth + 1);
  if (schema.$ref !== undefined) return fits(referred(schema.$ref, root, "<root>"));
  const { type, anyOf, oneOf, allOf } = schema;
  if (type !== undefined && ![type].flat().includes("null")) return false;
  if ("const" in schema && schema.const !== null) return false;
  if (Array.isArray(schema.enum) && !schema.enum.includes(null)) return false;
  if (Array.isArray(allOf) && !allOf.every(fits)) return false;
  if (Array.isArray(anyOf) && !anyOf.some(fits)) return false;
  if (Array.isArray(oneOf) && oneOf.filter(fits).length !== 1) return false;
  return ["not", "if", "then", "else"].every((word) => schema[word] === undefined);
}

/** @throws {OpenAIError} there is no such place in the schema */
function referred(ref: unknown, root: Schema, where: string): Schema {
  const [start, ...parts] = typeof ref === "string" ? ref.split("/") : [];
  let place: unknown = start === "#" ? root : undefined;
  for (const part of parts) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    const isThere = typeof place === "object" && place !== null && Object.hasOwn(place, name);
    place = isThere ? (place as Schema)[name] : undefined;
  }
  if (isSchema(place)) return place;
  throw new OpenAIError(`The schema has no definition for the reference ${JSON.stringify(ref)} at \`${where}\`.`);
}
