/**
 * `npm run test:rust`: the examples in Rust compile, each with its own lock file. Apart from `npm test`, which compiles the page
 * and the worker, because the frameworks need some four hundred crates, which take minutes the first time.
 */
import { join } from "node:path";
import { root, run, say, target } from "./run.mjs";

const wasm = ["check", "--locked", "--target", "wasm32-unknown-unknown", "--target-dir"];

for (const [folder, built] of [
  ["examples", "examples"],
  ["examples/rust-frameworks", "frameworks"],
]) {
  say(`compiling ${folder}`);
  await run("cargo", [...wasm, join(target, built)], { cwd: join(root, folder) });
}
