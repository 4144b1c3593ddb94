export * from "../completions.ts";
