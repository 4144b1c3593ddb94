/**
 * The parts that few pages need, in one module, so that a page that needs any of them loads one file more. The module is loaded
 * before the request that needs it. Few of the page's own modules are imported here: a bundler puts them into a file that both
 * share.
 */

export { runBatch } from "./request/batch.ts";
export { continuedBy } from "./request/continued.ts";
export { othersOf } from "./request/fallback.ts";
export { race } from "./request/hedge.ts";
export { readJSON } from "./request/json.ts";
export { openConnection } from "./request/warm-up.ts";
export { Recorder, replay } from "./stream/recording.ts";
export { protocolNamed } from "./stream/resume-protocols.ts";
export { toolLoop } from "./tools/loop.ts";
export { parse } from "./tools/parse.ts";
export { suited } from "./tools/schema-in-messages.ts";
