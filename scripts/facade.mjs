/**
 * Compiles npm/ into dist/, which is laid out the same, and bundles what is to be one file. Files that TypeScript cannot write are
 * copied.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
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
  await bundleScript();
  await writeCommonJS();
  await bundleForNode();
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

/** `chatwire/js`: the engine as a script, and all else, in one file that knows no address. */
async function bundleScript() {
  const { build } = await import("esbuild");
  const entry = join(dist, "entry", "js.js");
  const host = join(dist, "entry", "js-host.js");
  await build({
    entryPoints: [entry],
    inject: [host],
    outfile: join(dist, "js", "index.js"),
    bundle: true,
    format: "esm",
    target: "es2018",
    minifyWhitespace: true,
    plugins: [growingMemory],
    logLevel: "warning",
  });
  for (const file of [entry, host, host.replace(/js$/, "d.ts")]) rmSync(file);
}

/** Memory that grows is another buffer. WebAssembly empties the old one, which the engine looks at; a script cannot. */
const growingMemory = {
  name: "growing-memory",
  setup(build) {
    build.onLoad({ filter: /engine[\\/]engine\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const contents = text.replace("this.#bytes.length === 0", "this.#bytes.buffer !== this.exports.memory.buffer");
      if (contents === text)
        throw new Error(
          "engine.js has another test for memory that has grown: adapt growingMemory in scripts/facade.mjs.",
        );
      return { contents };
    });
  },
};

/**
 * `chatwire` and `chatwire/slim` for Node and Bun, in `dist/entry`: three dozen modules in four files, because Node takes most of
 * a millisecond to load one. The two entries share files, so that a process has one engine; `engine.js` gives it to measurements.
 * Parts that are loaded on demand stay apart. The bundles take the places of the entries, which `npm run types` writes anew.
 */
async function bundleForNode() {
  const { build } = await import("esbuild");
  await build({
    entryPoints: ["node", "slim", "engine"].map((entry) => join(dist, "entry", `${entry}.js`)),
    outdir: join(dist, "entry"),
    chunkNames: "[name]-[hash]",
    absWorkingDir: root,
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    plugins: [spareApart],
    logLevel: "warning",
  });
}

/** The spare engine stays where it is. */
const spareApart = {
  name: "spare-apart",
  setup(build) {
    build.onResolve({ filter: /\/spare\.js$/ }, ({ path }) => ({ path, external: true }));
  },
};

/**
 * `dist/cjs`: the package once more, for `require()` in a Node that takes no modules there, and for Jest. The same files as CommonJS,
 * with their declarations. Where `import` and `require` may meet in such a Node, `import` gets the same copy, through `import.mjs`.
 */
async function writeCommonJS() {
  const { build } = await import("esbuild");
  const outdir = join(dist, "cjs");
  rmSync(outdir, { recursive: true, force: true });
  const isOfNode = (file) => !/^(cjs|cli|demo|doctor|terminal|key-command|entry|static|js)\b/.test(file);
  const files = filesIn(dist).filter(isOfNode);
  await build({
    entryPoints: [...files.filter((file) => file.endsWith(".js")), join("wasm", "chatwire.js")].map((file) =>
      join(dist, file),
    ),
    outdir,
    outbase: dist,
    format: "cjs",
    platform: "node",
    target: "node20",
    supported: { "dynamic-import": false },
    minifyWhitespace: true,
    logLevel: "warning",
  });
  const copy = (from, to) => {
    mkdirSync(dirname(join(outdir, to)), { recursive: true });
    cpSync(from, join(outdir, to));
  };
  for (const file of files.filter((file) => file.endsWith(".d.ts"))) copy(join(dist, file), file);
  copy(join(sources, "entry", "node.cjs"), join("entry", "node.js"));
  importOwn(outdir);
  // With a name of its own: `bun build` drops what import.mjs exports where the package's `sideEffects` counts for it.
  writeFileSync(join(outdir, "package.json"), `${JSON.stringify({ name: "chatwire", type: "commonjs" })}\n`);
  writeRequired(join(outdir, "openai"));
  for (const [file, from] of [
    ["import.mjs", "./entry/node.js"],
    ["import-slim.mjs", "./slim.js"],
  ]) {
    writeFileSync(
      join(outdir, file),
      `// The copy that require() gets, so that a process has one engine.\nexport * from "${from}";\n`,
    );
  }
}

/** Files of the copy that import "chatwire" get the copy, by a path, wherever the package lies and whatever resolves them. */
function importOwn(folder) {
  const imported = /(\brequire\(|^(?:(?:import|export)\b[^\n]*|\}) from )"chatwire(\/[\w-]+)?"/gm;
  for (const file of readdirSync(folder, { recursive: true }).map(String)) {
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    const main = file.endsWith(".js") ? "entry/node.js" : "index.js";
    const text = readFileSync(join(folder, file), "utf8").replace(imported, (_, before, subpath) => {
      const own = subpath ? `${subpath.slice(1)}/index.js` : main;
      const path = relative(dirname(file), own).replaceAll("\\", "/");
      return `${before}"${path.startsWith(".") ? path : `./${path}`}"`;
    });
    writeFileSync(join(folder, file), text);
  }
}

/**
 * `chatwire/openai` for `require()`. As with `openai`, that gives the class itself, which needs no `new`, and has all names of the
 * module. Each name is assigned, `default` among them, as TypeScript does it: tools that read CommonJS understand no other form.
 */
function writeRequired(folder) {
  const [index, all] = ["index.js", "all.js"].map((file) => join(folder, file));
  renameSync(index, all);
  const [, names] = readFileSync(all, "utf8").match(/0\s*&&\s*\(module\.exports\s*=\s*\{([\w,\s]+)\}\)/) ?? [];
  if (!names)
    throw new Error("The output of esbuild for CommonJS has changed: adapt writeRequired in scripts/facade.mjs.");
  const lines = ["default", ...names.split(",").filter((name) => name.trim())].map(
    (name) => `exports.${name}=all.${name};`,
  );
  const text = (from) => `"use strict";
const all=require("${from}");
const Class=all.OpenAI;
function OpenAI(...settings){return Reflect.construct(Class,settings,new.target??Class);}
OpenAI.prototype=Class.prototype;
exports=module.exports=Object.setPrototypeOf(OpenAI,Class);
Object.defineProperty(exports,"__esModule",{value:true});
${lines.join("\n")}
`;
  writeFileSync(index, text("./all.js"));
  // The same over the modules, for a Node whose require() takes those.
  writeFileSync(join(dist, "openai", "required.cjs"), text("./index.js"));
}

/** The spare engine is only for what can import() it. */
const withoutSpare = {
  name: "without-spare",
  setup(build) {
    build.onResolve({ filter: /\/spare\.js$/ }, () => ({ path: "spare", namespace: "none" }));
    build.onLoad({ filter: /.*/, namespace: "none" }, () => ({ contents: `export default "";` }));
  },
};

/** All but those of the engine and of the copy as CommonJS. */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => !/^(wasm|cjs)\b/.test(file));
}
