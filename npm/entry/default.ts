// Browsers, and whatever else can fetch: bundlers recognise this form and ship the file. Those that do not ship the spare.
import { setLoader } from "../engine/engine.ts";

setLoader(
  () => new URL("../wasm/chatwire.wasm", import.meta.url),
  () => import("../wasm/spare.js"),
);

export * from "../index.ts";
