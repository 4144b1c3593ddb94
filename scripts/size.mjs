/**
 * `npm run size`: what a minimal page that streams an answer loads, built with Vite, beside the same page with openai; in bytes
 * after compression, each file on its own. Fails over the bars of minimal-page.mjs.
 * With `--parts`, also what the engine consists of.
 */
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { buildMinimalPage, compressed, entrySizes, missedBars } from "./minimal-page.mjs";
import { setup } from "./setup.mjs";

await setup();
await buildEngine();
await buildFacade();

const { files } = await buildMinimalPage("chatwire");
const isModule = ({ path }) => path.endsWith(".wasm");
const scripts = compressed(files.filter((file) => !isModule(file)));
const module = compressed(files.filter(isModule));
const all = compressed(files);
const linked = compressed((await buildMinimalPage("static")).files.filter((file) => !isModule(file)));
const script = compressed((await buildMinimalPage("js")).files.filter((file) => !isModule(file)));
const compatible = (await buildMinimalPage("compatible")).files;
const theirs = compressed((await buildMinimalPage("openai")).files);

const row = (name, gzip, brotli) =>
  console.log(`${name.padEnd(22)}${String(gzip).padStart(8)}${String(brotli).padStart(8)}`);
row("", "gzip", "brotli");
for (const [name, { gzip, brotli }] of Object.entries({
  "chatwire, JS": scripts,
  "chatwire, WebAssembly": module,
  "chatwire, both": all,
  "chatwire/static, JS": linked,
  "chatwire/js, JS alone": script,
  "chatwire/openai, JS": compressed(compatible.filter((file) => !isModule(file))),
  "chatwire/openai, both": compressed(compatible),
  openai: theirs,
})) {
  row(name, gzip, brotli);
}
console.log("\nThe scripts of an entry by itself, beside those of chatwire");
for (const [name, { gzip, brotli }] of Object.entries(await entrySizes())) row(name, gzip, brotli);
if (process.argv.includes("--parts")) {
  const { partsOfEngine } = await import("./parts.mjs");
  console.log("\n  gzip    raw  part of the engine");
  for (const { part, raw, gzip } of await partsOfEngine()) {
    if (gzip >= 100) console.log(`${String(gzip).padStart(6)} ${String(raw).padStart(6)}  ${part}`);
  }
}
const missed = missedBars({ scripts, all });
if (missed.length > 0) {
  console.error(`Over the bars. ${missed.join("; ")}.`);
  process.exit(1);
}
