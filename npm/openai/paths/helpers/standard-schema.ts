export * from "../../standard-schema.ts";
