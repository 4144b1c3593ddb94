/** The examples in Rust compile against this crate, for the target that they are for. */
import { join } from "node:path";
import { describe, it } from "node:test";
import { root, run } from "./packed.ts";

describe("the examples in Rust", { timeout: 600_000 }, () => {
  const target = ["--target", "wasm32-unknown-unknown", "--target-dir", join(root, "target", "examples")];

  for (const example of ["rust-page", "rust-worker"]) {
    it(`${example} compiles`, async () => {
      await run(join(root, "examples"), "cargo", ["check", "--locked", "--package", example, ...target]);
    });
  }
});
