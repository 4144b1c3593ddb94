/**
 * Installs what the other scripts need and this machine lacks: npm packages, the WebAssembly target, what makes the
 * glue. Needs Node >= 20 and rustup, and takes no time when everything is there. Browsers are the matter of
 * browser.mjs.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attempt, root, run, say, tools } from "./run.mjs";

export async function setup() {
  await packages();
  await rust();
  await bindgen();
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
    console.error(
      "There is no rustup. Building chatwire needs Rust: install it from https://rustup.rs, then start again.",
    );
    process.exit(1);
  }
  say("installing the Rust toolchain");
  const [, channel] = readFileSync(join(root, "rust-toolchain.toml"), "utf8").match(/^channel = "(.*)"/m);
  if (code !== 0) await run("rustup", ["toolchain", "install", channel, "--profile", "minimal", "--no-self-update"]);
  await run("rustup", ["target", "add", "wasm32-unknown-unknown"]);
  await run("rustup", ["component", "add", "clippy", "rust-src", "rustfmt"]);
}

/** The version of wasm-bindgen that the crate is built with. Its tools have to be of the same. */
function bindgenVersion() {
  return readFileSync(join(root, "Cargo.lock"), "utf8").match(/name = "wasm-bindgen"\nversion = "(.*)"/)[1];
}

/**
 * Builds scripts/bindgen, once: what was built of the same sources is not built again, whatever the times of its
 * files are. The tool does the work of wasm-bindgen's own command line for the engine, without the web server and
 * the HTTP client in that.
 */
async function bindgen() {
  const crate = join(root, "scripts", "bindgen");
  const sources = ["Cargo.toml", "Cargo.lock", join("src", "main.rs")].map((file) =>
    readFileSync(join(crate, file), "utf8"),
  );
  const version = bindgenVersion();
  if (!sources[0].includes(`wasm-bindgen-cli-support = "=${version}"`)) {
    console.error(
      `scripts/bindgen/Cargo.toml names another version of wasm-bindgen than Cargo.lock. Set its wasm-bindgen-cli-support to "=${version}".`,
    );
    process.exit(1);
  }
  const hash = createHash("sha256").update(sources.join("\n")).digest("hex");
  const stamp = join(tools, "bindgen.sha256");
  const built = join(tools, "bin", bindgenProgram);
  if (existsSync(built) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  say(`building what makes the glue, with wasm-bindgen ${version} (once, less than a minute)`);
  const folder = join(tools, "bindgen-build");
  await run("cargo", [
    "build",
    "--release",
    "--locked",
    "--manifest-path",
    join(crate, "Cargo.toml"),
    "--target-dir",
    folder,
  ]);
  mkdirSync(join(tools, "bin"), { recursive: true });
  copyFileSync(join(folder, "release", bindgenProgram), built);
  writeFileSync(stamp, hash);
}

const bindgenProgram = `chatwire-bindgen${process.platform === "win32" ? ".exe" : ""}`;

/** Installs wasm-bindgen's command line, for its test runner. */
export async function setupTestRunner() {
  const version = bindgenVersion();
  const { output } = await attempt("wasm-bindgen", ["--version"], { capture: true });
  if (output.trim() === `wasm-bindgen ${version}`) return;
  say(`building the test runner of wasm-bindgen ${version} (once, some minutes)`);
  // Its own build folder, so that one that was interrupted goes on where it stopped.
  const folders = ["--root", tools, "--target-dir", join(tools, "build")];
  // Without optimisation: compiling takes less than half the time, and the runner reads two modules in its life.
  const env = { CARGO_PROFILE_RELEASE_OPT_LEVEL: "0" };
  await run("cargo", ["install", "wasm-bindgen-cli", "--version", version, ...folders], { env });
}
