export * from "../../zod.ts";
