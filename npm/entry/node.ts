// Node and Bun: the file beside us, read on first use.
import { readFileSync } from "node:fs";
import { setLoader } from "../engine/engine.ts";

setLoader(() => readFileSync(new URL("../wasm/chatwire.wasm", import.meta.url)));

export * from "../index.ts";
