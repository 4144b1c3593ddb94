export * from "../../runnable.ts";
