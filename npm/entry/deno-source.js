// The compiled module, in Deno 2.6 and later.
import source module from "../wasm/chatwire.wasm";

export default module;
