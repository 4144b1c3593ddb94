export * from "../pages.ts";
