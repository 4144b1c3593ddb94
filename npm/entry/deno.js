// Deno: a compiled module, which needs no permission to read files. Not TypeScript, which cannot say this yet.

import { setLoader } from "../engine/engine.js";
import source module from "../wasm/chatwire.wasm";

setLoader(() => module);

export * from "../index.js";
