/**
 * Installs what the other scripts need and this machine lacks: npm packages, the WebAssembly target, wasm-bindgen.
 * Needs Node >= 20 and rustup, and takes no time when everything is there. Browsers are the matter of browser.mjs.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { attempt, root, run, say, tools } from "./run.mjs";

export async function setup() {
  await packages();
  await rust();
  await wasmBindgen();
}

async function packages() {
  if (installed(packagesIn("package-lock.json"), packagesIn("node_modules/.package-lock.json"))) return;
  say("installing npm packages");
  // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which a registry may lack.
  await run("npm", ["install", "--no-save", "--loglevel=error", "--no-fund", "--no-audit"]);
}

function packagesIn(lockFile) {
  const path = join(root, lockFile);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}

function installed(wanted, found) {
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === "" || optional || found[path]?.version === version,
  );
}

const rustParts = ["bin/cargo-clippy", "bin/rustfmt", "lib/rustlib/src", "lib/rustlib/wasm32-unknown-unknown"];

async function rust() {
  const { code, output } = await attempt("rustc", ["--print", "sysroot"], { capture: true });
  const sysroot = output.trim();
  if (code === 0 && rustParts.every((part) => existsSync(join(sysroot, part)))) return;
  if ((await attempt("rustup", ["--version"], { capture: true })).code !== 0) {
    console.error("Building chatwire needs Rust, installed with rustup: https://rustup.rs");
    process.exit(1);
  }
  say("installing the Rust toolchain");
  const [, channel] = readFileSync(join(root, "rust-toolchain.toml"), "utf8").match(/^channel = "(.*)"/m);
  if (code !== 0) await run("rustup", ["toolchain", "install", channel, "--profile", "minimal", "--no-self-update"]);
  await run("rustup", ["target", "add", "wasm32-unknown-unknown"]);
  await run("rustup", ["component", "add", "clippy", "rust-src", "rustfmt"]);
}

/** The command-line tool has to be of the very version of the crate. */
async function wasmBindgen() {
  const [, version] = readFileSync(join(root, "Cargo.lock"), "utf8").match(/name = "wasm-bindgen"\nversion = "(.*)"/);
  const { output } = await attempt("wasm-bindgen", ["--version"], { capture: true });
  if (output.trim() === `wasm-bindgen ${version}`) return;
  say(`building wasm-bindgen ${version} (once, about two minutes)`);
  // Its own build folder, so that one that was interrupted goes on where it stopped.
  const folders = ["--root", tools, "--target-dir", join(tools, "build")];
  await run("cargo", ["install", "wasm-bindgen-cli", "--version", version, ...folders]);
}
