/**
 * Builds the engine: `dist/wasm/chatwire.wasm`, and `dist/wasm/chatwire.js`, which names the build.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root, run, say, target } from "./run.mjs";

const finished = join(root, "dist", "wasm");
const outputs = ["chatwire.js", "chatwire.wasm", "spare.js", "script.js"];
const stamp = join(root, ".cache", "engine.sha256");

// The standard library is compiled along, without what only panic messages and `{:?}` need: no text that reaches a user
// comes from them, and they are a fifth of the module. All of it is made small, but for the functions that run for
// each event (`chatwire_speed`). Each crate compiles what it calls of other crates itself, so that it is made for
// these calls. Half a megabyte of stack is more than enough, and addresses after it take three bytes, not four. The
// options with -Z are unstable, which RUSTC_BOOTSTRAP admits.
const command = "build --release --lib --target wasm32-unknown-unknown --no-default-features --features npm";
const standardLibrary = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
const flags =
  "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none --cfg chatwire_speed " +
  "-Zshare-generics=no -Zcross-crate-inline-threshold=always -Clink-arg=-zstack-size=524288 " +
  "-Ctarget-feature=-reference-types,-multivalue";
const env = { RUSTC_BOOTSTRAP: "1", CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: flags };

// Just what rustc emits; every runtime that chatwire supports can do it.
const features = "bulk-memory mutable-globals nontrapping-float-to-int sign-ext".split(" ");
// Low memory is the far end of the stack. Inlining what has one caller saves bytes, and costs more of them after
// gzip; so do finding what is computed twice, one of three rounds over the locals, and cutting runs of zeros out of the
// data. A function of a few instructions is no longer than a call of it. Alignments, all alike, are hints only.
const shrinking = [
  ...["--low-memory-unused", "-Oz", "--dealign"],
  ...["--one-caller-inline-max-function-size=20", "--always-inline-max-function-size=6"],
  ...["--skip-pass=local-cse", "--skip-pass=memory-packing", "--skip-pass=simplify-locals"],
  ...["--strip-debug", "--strip-producers", "--strip-target-features"],
  ...features.map((feature) => `--enable-${feature}`),
];

/** Compiles the crate in a folder, and gives the path of the module as the compiler leaves it, names included. */
async function compile(folder) {
  await run("cargo", [...command.split(" "), ...standardLibrary, "--target-dir", target], { env, cwd: folder });
  return join(target, "wasm32-unknown-unknown", "release", "chatwire.wasm");
}

/**
 * Writes `chatwire.js` and `chatwire.wasm`, made of a compiled module, to a folder; with the functions' names if
 * wanted.
 */
async function bindAndShrink(compiled, folder, { names = false } = {}) {
  await run("chatwire-bindgen", [compiled, folder, ...(names ? ["--keep-names"] : [])]);
  const options = names ? shrinking.map((option) => option.replace("--strip-debug", "-g")) : shrinking;
  await run("wasm-opt", [join(folder, "chatwire_bg.wasm"), ...options, "-o", join(folder, "chatwire.wasm")]);
}

/**
 * Names the build in both files, so that the scripts of one build refuse the module of another. Of the glue nothing
 * else is needed: the module imports nothing and holds no JavaScript value.
 */
function nameBuild(folder) {
  const [glue, module] = ["chatwire.js", "chatwire.wasm"].map((file) => join(folder, file));
  const hash = createHash("sha256").update(readFileSync(glue)).update(readFileSync(module)).digest("hex");
  const build = `${version()}-${hash.slice(0, 12)}`;
  writeFileSync(glue, `export const BUILD = ${JSON.stringify(build)};\n`);
  // A custom section: 0, its length, and its name with its length before its content. All lengths here are below 128.
  const content = Buffer.concat([Buffer.from([8]), Buffer.from(`chatwire${build}`)]);
  writeFileSync(module, Buffer.concat([Buffer.from([0, content.length]), content]), { flag: "a" });
}

/** The module as it is before it is shrunk, with the names of its functions: all that is in the shrunk one is in it. */
export async function unshrunkWithNames(folder) {
  await run("chatwire-bindgen", [await compile(root), folder, "--keep-names"]);
  return readFileSync(join(folder, "chatwire_bg.wasm"));
}

/** Builds the module of the crate in another folder, in that folder, and gives its bytes. */
export async function buildElsewhere(folder) {
  await bindAndShrink(await compile(folder), folder);
  return readFileSync(join(folder, "chatwire.wasm"));
}

/** Writes the module with the names of its functions to a folder. */
export async function buildWithNames(folder) {
  await bindAndShrink(await compile(root), folder, { names: true });
  return readFileSync(join(folder, "chatwire.wasm"));
}

/** The options of wasm-opt, for modules to compare with. */
export { shrinking };

/** All that the engine is made of, by content: cargo looks at file times, and a copied tree has new ones. */
function hashOfSources() {
  const hash = createHash("sha256");
  const sources = readdirSync(join(root, "src"), { recursive: true }).map((file) => join("src", file));
  const files = sources.filter((file) => file.endsWith(".rs")).sort();
  const others = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];
  others.push(...["engine.mjs", "bindgen/Cargo.toml", "bindgen/src/main.rs"].map((file) => join("scripts", file)));
  for (const file of [...files, ...others]) hash.update(`${file}\n`).update(readFileSync(join(root, file)));
  return hash.update(version()).digest("hex");
}

function version() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

/** The module as a script, for tools that do not ship the file: base64, since every bundler passes a string on. */
function writeSpare(folder) {
  const text = readFileSync(join(folder, "chatwire.wasm")).toString("base64");
  writeFileSync(join(folder, "spare.js"), `export default ${JSON.stringify(text)};\n`);
}

// wasm2js knows none of these instructions; it is given plain ones.
const plain = [
  "--dce",
  "--vacuum",
  "--llvm-memory-copy-fill-lowering",
  "--llvm-nontrapping-fptoint-lowering",
  "--signext-lowering",
];

/** The module as plain JavaScript: a function that makes an instance. */
async function writeScript(folder) {
  const enabled = features.map((feature) => `--enable-${feature}`);
  const [module, script] = ["plain.wasm", "script.js"].map((file) => join(folder, file));
  await run("wasm-opt", [join(folder, "chatwire.wasm"), ...enabled, ...plain, "-o", module]);
  await run("wasm2js", [module, "-O2", ...enabled, "-o", script]);
  const text = readFileSync(script, "utf8");
  const from = text.indexOf("var retasmFunc = ");
  if (from < 0 || !text.includes("function asmFunc(") || text.includes("import "))
    throw new Error("The output of wasm2js has changed: adapt writeScript in scripts/engine.mjs, or pin binaryen.");
  const { transformSync } = await import("esbuild");
  const made = transformSync(`${text.slice(0, from)}export default () => asmFunc({});`, {
    minify: true,
    target: "es2018",
  });
  writeFileSync(script, made.code);
}

/** Builds the engine, unless it was built of the same sources. */
export async function buildEngine() {
  const files = outputs.map((file) => join(finished, file));
  const hash = hashOfSources();
  if (files.every(existsSync) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  say("building the engine");
  const compiled = await compile(root);
  say("binding and shrinking it");
  mkdirSync(join(root, ".cache"), { recursive: true });
  const fresh = mkdtempSync(join(root, ".cache", "engine-")); // its own: another build may be running
  await bindAndShrink(compiled, fresh);
  nameBuild(fresh);
  writeSpare(fresh);
  say("making a script of it, for hosts without WebAssembly");
  await writeScript(fresh);
  mkdirSync(finished, { recursive: true });
  for (const file of outputs) renameSync(join(fresh, file), join(finished, file));
  rmSync(fresh, { recursive: true });
  writeFileSync(stamp, hash);
}
