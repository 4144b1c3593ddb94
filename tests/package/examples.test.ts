/**
 * The example of a page in Rust compiles against this crate. `npm run test:rust` compiles all of the examples in Rust: a worker and the
 * frameworks need some hundred crates more.
 */
import { join } from "node:path";
import { it } from "node:test";
import { root, run } from "./packed.ts";

it("the example rust-page compiles", { timeout: 600_000 }, async () => {
  // The target folder of this project has most of its crates already, from the lint for WebAssembly.
  const target = [
    "--target",
    "wasm32-unknown-unknown",
    "--target-dir",
    process.env.CARGO_TARGET_DIR ?? join(root, "target"),
  ];
  await run(join(root, "examples"), "cargo", ["check", "--locked", "--package", "rust-page", ...target]);
});
