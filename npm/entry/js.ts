/**
 * `chatwire/js`: for hosts without WebAssembly, such as Hermes in React Native, and pages whose policy forbids it. The engine is a script
 * there, made of the same module. All of it is one file, without `import()` and without an address of its own.
 *
 * The script is larger (`npm run size` says by how much) and slower than the module: elsewhere import `chatwire`.
 */
import { Chatwire as Client } from "../client.ts";
import { setLoader } from "../engine/engine.ts";
import type { ClientOptions } from "../options.ts";
import { readsWhole } from "../request/whole.ts";
import make from "../wasm/script.js";

setLoader(() => make);

export * from "../index.ts";

/** As in `chatwire`; a response without a stream for its body, as React Native's `fetch` gives, is read whole. */
export class Chatwire extends Client {
  constructor(options: ClientOptions = {}) {
    super({ ...options, fetch: readsWhole(options.fetch) });
  }
}
