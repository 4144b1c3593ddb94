/** The name of a type in a schema. */
export type JSONSchemaTypeName =
  | ({} & string)
  | "string"
  | "number"
  | "integer"
  | "boolean"
  | "object"
  | "array"
  | "null";

/** A JSON value. */
export type JSONSchemaType = string | number | boolean | JSONSchemaObject | JSONSchemaArray | null;
/** A JSON object. */
export interface JSONSchemaObject {
  [key: string]: JSONSchemaType;
}
/** A JSON list. */
export interface JSONSchemaArray extends Array<JSONSchemaType> {}
/** The address of a version of JSON Schema. */
export type JSONSchemaVersion = string;
/** A schema, or whether anything fits. */
export type JSONSchemaDefinition = JSONSchema | boolean;
type Named = Record<string, JSONSchemaDefinition>;

/** A JSON Schema, after draft 7. */
export interface JSONSchema {
  $schema?: JSONSchemaVersion | undefined;
  $id?: string | undefined;
  $comment?: string | undefined;
  $defs?: Named | undefined;
  $ref?: string | undefined;
  definitions?: Named | undefined;
  type?: JSONSchemaTypeName | JSONSchemaTypeName[] | undefined;
  enum?: JSONSchemaType[] | undefined;
  const?: JSONSchemaType | undefined;
  multipleOf?: number | undefined;
  maximum?: number | undefined;
  exclusiveMaximum?: number | undefined;
  minimum?: number | undefined;
  exclusiveMinimum?: number | undefined;
  maxLength?: number | undefined;
  minLength?: number | undefined;
  pattern?: string | undefined;
  format?: string | undefined;
  contentEncoding?: string | undefined;
  contentMediaType?: string | undefined;
  items?: JSONSchemaDefinition | JSONSchemaDefinition[] | undefined;
  additionalItems?: JSONSchemaDefinition | undefined;
  maxItems?: number | undefined;
  minItems?: number | undefined;
  uniqueItems?: boolean | undefined;
  contains?: JSONSchemaDefinition | undefined;
  maxProperties?: number | undefined;
  minProperties?: number | undefined;
  required?: string[] | undefined;
  properties?: Named | undefined;
  patternProperties?: Named | undefined;
  additionalProperties?: JSONSchemaDefinition | undefined;
  propertyNames?: JSONSchemaDefinition | undefined;
  if?: JSONSchemaDefinition | undefined;
  then?: JSONSchemaDefinition | undefined;
  else?: JSONSchemaDefinition | undefined;
  allOf?: JSONSchemaDefinition[] | undefined;
  anyOf?: JSONSchemaDefinition[] | undefined;
  oneOf?: JSONSchemaDefinition[] | undefined;
  not?: JSONSchemaDefinition | undefined;
  title?: string | undefined;
  description?: string | undefined;
  default?: JSONSchemaType | undefined;
  readOnly?: boolean | undefined;
  writeOnly?: boolean | undefined;
  examples?: JSONSchemaType | undefined;
}
