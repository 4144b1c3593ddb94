export * from "../pagination.ts";
