export * from "../../errors.ts";
