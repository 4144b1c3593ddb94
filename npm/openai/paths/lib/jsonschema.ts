export type { JSONSchema } from "chatwire";
