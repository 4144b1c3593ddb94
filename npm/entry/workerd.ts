// Cloudflare's workerd: an import is a compiled module, and bytes may not be compiled.
import { setLoader } from "../engine/engine.ts";
import module from "../wasm/chatwire.wasm";

setLoader(() => module);

export * from "../index.ts";
