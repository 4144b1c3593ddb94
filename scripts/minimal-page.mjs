/**
 * Minimal pages that stream an answer, with chatwire and with openai, built with Vite as users build theirs: what
 * each loads.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build as bundle } from "esbuild";
import { build } from "vite";
import { root } from "./run.mjs";

const HTML = '<!doctype html><title></title><script type="module" src="/page.js"></script>';

/**
 * The most that a minimal page may load, in bytes: growth past a bar is a decision, made here. The goal is 12,000
 * for the scripts after gzip, and less than openai's page loads for all, after gzip and after brotli.
 */
const BARS = { scripts: { gzip: 20_400, brotli: 18_450 }, all: { gzip: 141_400, brotli: 123_500 } };

/** Which of the bars are missed, in words. */
export function missedBars(sizes) {
  return Object.entries(BARS).flatMap(([part, bars]) =>
    Object.entries(bars)
      .filter(([compression, bar]) => sizes[part][compression] > bar)
      .map(([compression, bar]) => `${part}: ${sizes[part][compression]} bytes after ${compression}, more than ${bar}`),
  );
}

/** The pages' scripts. Each shows the text as it arrives, and says at the end that it is done. */
export const PAGES = {
  chatwire: `
    import { Chatwire } from "chatwire";
    const client = new Chatwire({ baseURL: "/v1" });
    const messages = [{ role: "user", content: "Hello" }];
    for await (const text of client.chat.completions.stream({ messages }).textStream) document.body.append(text);
    document.title = "done";
  `,
  openai: `
    import OpenAI from "openai";
    const client = new OpenAI({ baseURL: location.origin + "/v1", apiKey: "", dangerouslyAllowBrowser: true });
    const messages = [{ role: "user", content: "Hello" }];
    for await (const chunk of await client.chat.completions.create({ messages, stream: true }))
      document.body.append(chunk.choices[0]?.delta.content ?? "");
    document.title = "done";
  `,
};

PAGES.compatible = PAGES.openai.replace('"openai"', '"chatwire/openai"');
PAGES.js = PAGES.chatwire.replace('"chatwire"', '"chatwire/js"');
PAGES.static = PAGES.chatwire.replace('"chatwire"', '"chatwire/static"');

/**
 * Builds a page in a folder of its own, inside the project or inside one that has the package installed.
 * @returns {Promise<{ folder: string, files: { path: string, bytes: Buffer }[] }>} the files that the page loads before it runs,
 * and the module; what is only loaded on demand is not among them
 */
export async function buildMinimalPage(name, folder = join(root, ".cache", "size", name)) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "index.html"), HTML);
  writeFileSync(join(folder, "page.js"), PAGES[name]);
  const cacheDir = join(folder, ".vite");
  const target = "es2022"; // it has await in modules
  const { output } = await build({ root: folder, cacheDir, configFile: false, logLevel: "warn", build: { target } });
  const chunks = new Map(output.filter(({ type }) => type === "chunk").map((chunk) => [chunk.fileName, chunk]));
  const loaded = new Set([...chunks.values()].filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  for (const file of loaded) for (const needed of chunks.get(file).imports) loaded.add(needed);
  for (const { fileName } of output) if (fileName.endsWith(".wasm")) loaded.add(fileName);
  const files = [...loaded].map((path) => ({ path, bytes: readFileSync(join(folder, "dist", path)) }));
  return { folder, files };
}

/** The bytes of some files after compression, each on its own, as a server sends them. */
export function compressed(files) {
  const sum = (compress) => files.reduce((total, { bytes }) => total + compress(bytes).length, 0);
  return { gzip: sum((bytes) => gzipSync(bytes, { level: 9 })), brotli: sum(brotliCompressSync) };
}

/** The entries that stand on `chatwire`, each for those who import it. */
const PRODUCTS = ["ag-ui", "ai-sdk", "edge", "emulator", "livekit", "openai", "otel", "prices"];

/** The scripts of each entry by itself, minified: `chatwire` and the package that the entry is for are not counted. */
export async function entrySizes() {
  const sizes = {};
  for (const name of PRODUCTS) {
    const { outputFiles } = await bundle({
      entryPoints: [join(root, "dist", name, "index.js")],
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      target: "es2022",
      packages: "external",
      external: ["node:*"],
      logLevel: "error",
    });
    sizes[`chatwire/${name}`] = compressed(outputFiles.map(({ contents }) => ({ bytes: contents })));
  }
  return sizes;
}
