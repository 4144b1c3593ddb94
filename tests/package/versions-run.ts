/**
 * `npm run versions`: the oldest versions that the package claims, each by a run. The packed package streams in each Node, and the
 * crate compiles with the oldest Rust. A version that cannot be had here is named and is no success.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { program, project, root, run } from "./packed.ts";

const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { engines: { node: string } };
const [, oldest] = engines.node.match(/^>=(\d+)$/) ?? [];
assert.ok(oldest, "engines.node names a version of Node: >=20");
const [, rust] = readFileSync(join(root, "Cargo.toml"), "utf8").match(/^rust-version = "(.*)"/m) ?? [];
assert.ok(rust, "Cargo.toml names rust-version");

/** Versions of Node, as npm has them: the oldest, those whose `require` loads modules and does not, and each line since. */
const NODES = [`${oldest}.0.0`, "20.19.0", "22.0.0", "22.12.0", "24.0.0", "26"];
const failures: string[] = [];
const report = (what: string, result: string, isGood: boolean) => {
  console.log(`${isGood ? "✓" : "✗"} ${what}: ${result}`);
  if (!isGood) failures.push(what);
};

const folder = await project("versions", {
  "stream.js": program.esm,
  "stream.cjs": program.cjs,
  "both.cjs": program.both,
});
for (const version of NODES) {
  const home = join(root, ".cache", "node", version);
  mkdirSync(home, { recursive: true });
  // The package of Node fetches the program for this machine when it is installed.
  const manifest = { private: true, allowScripts: { node: true } };
  writeFileSync(join(home, "package.json"), JSON.stringify(manifest));
  const node = join(home, "node_modules", "node", "bin", "node");
  try {
    const install = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", home];
    await run(home, "npm", [...install, `node@${version}`]);
    const own = (await run(home, node, ["--version"])).slice(1);
    for (const file of ["stream.js", "stream.cjs", "both.cjs"]) {
      const said = await run(folder, node, [file]);
      report(`Node ${own}, ${file}`, said, said === program.prints);
    }
  } catch (error) {
    report(`Node ${version}`, `not run: ${(error as Error).message.trim().split("\n").slice(0, 3).join(" ")}`, false);
  }
}

const wasm = ["--target", "wasm32-unknown-unknown"];
try {
  const install = ["toolchain", "install", rust, "--profile", "minimal", "--no-self-update", ...wasm];
  await run(root, "rustup", install);
  const target = ["--target-dir", join(root, "target", `rust-${rust}`), "--locked", "--quiet"];
  await run(root, "cargo", [`+${rust}`, "check", ...target]);
  report(`Rust ${rust}, native`, "compiles", true);
  await run(root, "cargo", [`+${rust}`, "check", ...target, ...wasm]);
  report(`Rust ${rust}, WebAssembly`, "compiles", true);
} catch (error) {
  report(`Rust ${rust}`, `not run: ${(error as Error).message.trim().split("\n").slice(0, 3).join(" ")}`, false);
}

console.log(failures.length === 0 ? "every version ran" : `${failures.length} failed or did not run`);
process.exit(failures.length === 0 ? 0 : 1);
