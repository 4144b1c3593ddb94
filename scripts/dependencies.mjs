/**
 * The direct dependencies: that docs/dependencies.md lists each of them and no others, and the bytes that it states.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.mjs";

/** Where each of them is named, as the headings of docs/dependencies.md have it. */
const SOURCES = {
  "The crate": () => cargoDependencies("Cargo.toml"),
  "The package's peers": () => npmDependencies("peerDependencies"),
  "Tools of the package": () => npmDependencies("devDependencies"),
  "The tool that makes the glue": () => cargoDependencies("scripts/bindgen/Cargo.toml"),
  "The fuzzer": () => cargoDependencies("fuzz/Cargo.toml").filter((name) => name !== "chatwire"),
  "The benchmark of framing": () => cargoDependencies("bench/framing/Cargo.toml").filter((name) => name !== "chatwire"),
};

function npmDependencies(kind) {
  return Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8"))[kind] ?? {});
}

/** The names in all sections of dependencies of a manifest. */
function cargoDependencies(manifest) {
  const names = new Set();
  let isWithin = false;
  for (const line of readFileSync(join(root, manifest), "utf8").split("\n")) {
    if (line.startsWith("[")) isWithin = /dependencies\]$/.test(line);
    else if (isWithin) {
      const name = line.match(/^([\w-]+)\s*=/)?.[1];
      if (name) names.add(name);
    }
  }
  return [...names];
}

/** The rows of a section's table, each by the name in its first cell. */
function rowsOf(text, heading) {
  const section = text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => /^\| `/.test(line));
  return new Map(rows.map((row) => [row.match(/^\| `([^`]+)`/)[1], row]));
}

/** The rows that docs/dependencies.md lacks, has too much, or leaves empty; one line each. */
export function missingFrom(text = readFileSync(join(root, "docs", "dependencies.md"), "utf8")) {
  const found = [];
  for (const [heading, list] of Object.entries(SOURCES)) {
    const rows = rowsOf(text, heading);
    const names = list();
    for (const name of names) {
      if (!rows.has(name)) found.push(`docs/dependencies.md lacks ${name} under "${heading}"`);
    }
    for (const [name, row] of rows) {
      if (!names.includes(name)) found.push(`docs/dependencies.md lists ${name}, which "${heading}" no longer has`);
      const cells = row.split("|").slice(1, -1);
      if (cells.length !== 5 || cells.some((cell) => cell.trim() === "")) {
        found.push(`docs/dependencies.md has an empty cell for ${name}: name, use, reason, bytes, replacement`);
      }
    }
  }
  return found;
}

/** Prints what each dependency costs: installed, in the files that are published, and in the engine. */
export async function printBytes() {
  console.log("installed, in kB");
  for (const name of [...npmDependencies("devDependencies")]) {
    console.log(`${String(Math.round(bytesBelow(join(root, "node_modules", name)) / 1000)).padStart(8)}  ${name}`);
  }
  console.log("\nin dist/edge/index.js, in bytes");
  print(await bytesInGateway());
  console.log("\nin the demo page, in bytes before minifying");
  print(await bytesInPage());
  console.log("\nin the engine, in bytes before and after gzip");
  const { partsOfEngine } = await import("./parts.mjs");
  for (const { part, raw, gzip } of await partsOfEngine()) {
    if (!part.startsWith("src/")) console.log(`${String(raw).padStart(8)} ${String(gzip).padStart(7)}  ${part}`);
  }
}

function print(bytes) {
  const rows = Object.entries(bytes).sort(([, one], [, other]) => other - one);
  for (const [name, count] of rows) console.log(`${String(count).padStart(8)}  ${name}`);
}

function bytesBelow(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

/** The package that a file of node_modules belongs to. */
const packageOf = (path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];

async function bytesInGateway() {
  const { build } = await import("esbuild");
  const { metafile } = await build({
    entryPoints: [join(root, "npm", "edge", "index.ts")],
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["chatwire"],
    write: false,
    metafile: true,
    logLevel: "error",
  });
  const sums = {};
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) add(sums, packageOf(path), bytesInOutput);
  }
  return sums;
}

async function bytesInPage() {
  const { build } = await import("vite");
  const built = await build({
    configFile: join(root, "www/vite.config.ts"),
    logLevel: "error",
    build: { write: false, emptyOutDir: false },
  });
  const sums = {};
  for (const { modules = {} } of [built].flat().flatMap(({ output }) => output)) {
    for (const [path, { renderedLength }] of Object.entries(modules)) add(sums, packageOf(path), renderedLength);
  }
  return sums;
}

function add(sums, name, bytes) {
  if (name) sums[name] = (sums[name] ?? 0) + bytes;
}
