/**
 * `npm run size`: what a minimal streaming page loads, in bytes after gzip, part by part. Fails over the budget.
 * With `--parts`, also what the engine consists of.
 */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { root } from "./run.mjs";
import { setup } from "./setup.mjs";

/** The goal, and the limit until the goal is met. Growth past the limit is a decision, made here. */
const GOAL = 70_000;
const BUDGET = 84_000;

const page = `
  import { Chatwire } from "chatwire";
  const client = new Chatwire({ baseURL: "/v1" });
  const stream = client.chat.completions.stream({ messages: [{ role: "user", content: "Hello" }] });
  for await (const text of stream.textStream) document.body.append(text);
`;

await setup();
await buildEngine();
await buildFacade();
const { build } = await import("esbuild");

/** The page's own file and those it imports at once, minified; what is only loaded on demand does not count. */
async function bundle(...external) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: page, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    splitting: true,
    metafile: true,
    outdir: root,
    absWorkingDir: root,
    format: "esm",
    target: "es2022",
    external,
  });
  const loaded = new Set(["stdin.js"]);
  for (const name of loaded) {
    for (const { path, kind } of metafile.outputs[name].imports) {
      if (kind === "import-statement" && path in metafile.outputs) loaded.add(path);
    }
  }
  const files = outputFiles.filter(({ path }) => loaded.has(relative(root, path)));
  return files.reduce((sum, { contents }) => sum + zipped(contents), 0);
}

function zipped(bytes) {
  return gzipSync(bytes, { level: 9 }).length;
}

const engine = zipped(readFileSync(join(root, "dist", "wasm", "chatwire.wasm")));
const script = await bundle();
const facade = await bundle("*/wasm/chatwire.js");
const total = engine + script;
if (facade === 0 || script <= facade) throw new Error("The page's scripts were not all found: this measures nothing.");

for (const [part, bytes] of [
  ["engine (.wasm)", engine],
  ["its glue (.js)", script - facade],
  ["facade (.js)", facade],
  ["total", total],
  ["goal", GOAL],
  ["budget", BUDGET],
]) {
  console.log(`${part.padEnd(16)}${String(bytes).padStart(7)}`);
}
if (process.argv.includes("--parts")) {
  const { partsOfEngine } = await import("./parts.mjs");
  console.log("\n  gzip    raw  part of the engine");
  for (const { part, raw, gzip } of await partsOfEngine()) {
    if (gzip >= 100) console.log(`${String(gzip).padStart(6)} ${String(raw).padStart(6)}  ${part}`);
  }
}
if (total > BUDGET) {
  console.error(`A minimal page is ${total - BUDGET} bytes over its budget.`);
  process.exit(1);
}
