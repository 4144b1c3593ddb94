export * from "../../pages.ts";
