export { toStrictJsonSchema } from "../../strict-schema.ts";
