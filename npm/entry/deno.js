// Deno: a compiled module, which needs no permission to read files. Before Deno 2.6, which brought `import source`, it is made of the
// spare. Not TypeScript, which cannot say this yet.
import { setLoader } from "../engine/engine.js";

const { default: module } = await import("./deno-source.js").catch(() => import("./deno-spare.js"));

setLoader(() => module);

export * from "../index.js";
