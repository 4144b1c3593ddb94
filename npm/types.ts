/**
 * The shapes that cross the public API, in one place to import them from. Types only.
 */
export type * from "./types/outcome.ts";
export type * from "./types/settings.ts";
export type * from "./types/wire.ts";
