/**
 * Compiles npm/ into dist/, which is laid out the same. Files that TypeScript cannot write are copied.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, run, say } from "./run.mjs";

const sources = join(root, "npm");
const dist = join(root, "dist");

export async function buildFacade() {
  say("compiling the facade");
  await run("tsc", ["-p", "tsconfig.build.json"]);
  const present = filesIn(sources);
  for (const file of present.filter((file) => /\.(js|d\.ts)$/.test(file))) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    cpSync(join(sources, file), join(dist, file));
  }
  for (const file of filesIn(dist).filter((file) => /\.(js|d\.ts)$/.test(file))) {
    const stem = file.replace(/\.d\.ts$|\.js$/, "");
    if (!present.some((source) => source.startsWith(`${stem}.`))) rmSync(join(dist, file)); // its source is gone
  }
  await bundleEdge();
  await bundleStatic();
}

/** The gateway with what it is built on, in one file. The package itself stays outside, so that there is one engine. */
async function bundleEdge() {
  const { build } = await import("esbuild");
  const bundled = ["hono", "jose"];
  const licences = bundled.map((name) => {
    const folder = join(root, "node_modules", name);
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    return `${name}\n\n${readFileSync(join(folder, file), "utf8").trim()}`;
  });
  await build({
    entryPoints: [join(sources, "edge", "index.ts")],
    outfile: join(dist, "edge", "index.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["chatwire"],
    footer: { js: `/*!\nThis file contains the following packages.\n\n${licences.join("\n\n")}\n*/` },
    logLevel: "warning",
  });
  for (const file of filesIn(join(dist, "edge"))) {
    if (file.endsWith(".js") && file !== "index.js") rmSync(join(dist, "edge", file));
  }
}

/**
 * `chatwire/static`: each entry with all that is loaded on demand elsewhere, in one file without `import()`. They lie as deep as
 * the entries they are made of, so that the way to the `.wasm` is the same.
 */
async function bundleStatic() {
  const { build } = await import("esbuild");
  await build({
    entryPoints: ["default", "node", "workerd"].map((entry) => join(dist, "entry", `${entry}.js`)),
    outdir: join(dist, "static"),
    bundle: true,
    format: "esm",
    target: "es2022",
    minifyWhitespace: true,
    external: ["*.wasm", "node:*"],
    plugins: [withoutSpare],
    logLevel: "warning",
  });
}

/** The spare engine is only for what can import() it. */
const withoutSpare = {
  name: "without-spare",
  setup(build) {
    build.onResolve({ filter: /\/spare\.js$/ }, () => ({ path: "spare", namespace: "none" }));
    build.onLoad({ filter: /.*/, namespace: "none" }, () => ({ contents: `export default "";` }));
  },
};

/** All but those of the engine. */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => !/^wasm\b/.test(file));
}
