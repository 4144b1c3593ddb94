// Node and Bun: the file beside us, read on first use. A bundle that has lost the file has the spare.
import { readFileSync } from "node:fs";
import { setLoader } from "../engine/engine.ts";

setLoader(
  () => readFileSync(new URL("../wasm/chatwire.wasm", import.meta.url)),
  () => import("../wasm/spare.js"),
);

export * from "../index.ts";
