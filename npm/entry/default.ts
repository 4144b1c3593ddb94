// Browsers, and whatever else can fetch: bundlers recognise this form and ship the file.
import { setLoader } from "../engine/engine.ts";

setLoader(() => new URL("../wasm/chatwire.wasm", import.meta.url));

export * from "../index.ts";
