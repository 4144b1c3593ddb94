// The compiled module, in a Deno that does not know `import source`.
import text from "../wasm/spare.js";

export default new WebAssembly.Module(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
