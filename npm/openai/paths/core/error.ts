export * from "../error.ts";
