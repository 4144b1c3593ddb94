import type { JSONSchema } from "chatwire";

export type { JSONSchema };
/** A schema, or whether anything fits. */
export type JSONSchemaDefinition = JSONSchema | boolean;
