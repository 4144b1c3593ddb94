export * from "../streaming.ts";
