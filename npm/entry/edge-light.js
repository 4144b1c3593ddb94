// Vercel's edge runtime: `?module` imports a compiled module, and bytes may not be compiled. Not TypeScript, which does not know it.
import { setLoader } from "../engine/engine.js";
import module from "../wasm/chatwire.wasm?module";

setLoader(() => module);

export * from "../index.js";
