export * from "../pages.ts";
export type { CursorPageParams } from "../types.ts";
