/** Bundles for workerd and for pages, made as a deployment would make them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

/** The `.wasm` of the package, as its public subpath says. */
export const engine = new URL(import.meta.resolve("chatwire/chatwire.wasm"));

/** `.wasm` imports stay imports of a module beside the bundle. */
const wasmBeside: Plugin = {
  name: "wasm-beside",
  setup({ onResolve }) {
    onResolve({ filter: /\.wasm$/ }, () => ({ path: "./chatwire.wasm", external: true }));
  },
};

/** A source to bundle: a file, or text that may import what this folder can. */
export type Source = { file: string } | { text: string };

/** One ES module, and where its parts come from. */
export interface Bundle {
  script: string;
  /** A source map, as JSON. */
  map: string;
}

export async function bundle(source: Source, conditions: string[]): Promise<Bundle> {
  const { outputFiles } = await build({
    ...("file" in source
      ? { entryPoints: [join(import.meta.dirname, source.file)] }
      : { stdin: { contents: source.text, resolveDir: import.meta.dirname } }),
    bundle: true,
    minify: true,
    write: false,
    outfile: "bundle.js",
    sourcemap: "external",
    format: "esm",
    target: "es2022",
    conditions,
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: conditions.includes("workerd") ? [wasmBeside] : [],
    logLevel: "error",
  });
  const [map, script] = outputFiles.map(({ text }) => text);
  return { script: script ?? "", map: map ?? "" };
}

/** The bytes of the engine. */
export function engineBytes(): Buffer {
  return readFileSync(engine);
}
