export * from "../../parsing.ts";
