/**
 * Preloaded, with the condition "browser": loads the engine in Node as a page does, in two halves. Node's own `fetch` reads
 * no files, and the package's WebAssembly is one here.
 *
 *     node --conditions=browser --import ./tests/npm/as-page.ts --test tests/npm/facade.test.ts
 */
import { readFileSync } from "node:fs";

const { fetch } = globalThis;

globalThis.fetch = async (input, init) => {
  const isOurs = input instanceof URL && input.protocol === "file:" && input.pathname.endsWith(".wasm");
  if (!isOurs) return fetch(input, init);
  return new Response(readFileSync(input), { headers: { "content-type": "application/wasm" } });
};
