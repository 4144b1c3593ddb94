// Node and Bun: the file beside us, read on first use. A bundle that has lost the file has the spare.
import { readFileSync } from "node:fs";
import { setLoader } from "../engine/engine.ts";

setLoader(
  () => {
    const bytes = readFileSync(new URL("../wasm/chatwire.wasm", import.meta.url));
    // For the error of a file that is no module of this build.
    return Object.assign(bytes, { url: new URL("../wasm/chatwire.wasm", import.meta.url).href });
  },
  () => import("../wasm/spare.js"),
);

export * from "../index.ts";
