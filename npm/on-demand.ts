/**
 * What few pages need, in one module, so that a page that needs any of it loads one file more. It is loaded before the request
 * that needs it, and imports of the page's own modules only errors.ts, and constants of engine/boundary.ts.
 */

export { runBatch } from "./request/batch.ts";
export { othersOf } from "./request/fallback.ts";
export { race } from "./request/hedge.ts";
export { readJSON } from "./request/json.ts";
export { Recorder, replay } from "./stream/recording.ts";
export { toolLoop } from "./tools/loop.ts";
export { parse } from "./tools/parse.ts";
