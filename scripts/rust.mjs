/**
 * `npm run test:rust`: the examples in Rust compile, and the worker among them runs in workerd against the emulator. Apart from
 * `npm test` because the frameworks need some four hundred crates, which take minutes the first time.
 */
import { join } from "node:path";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { root, run, say, target } from "./run.mjs";
import { setup } from "./setup.mjs";

const wasm = ["--locked", "--target", "wasm32-unknown-unknown", "--target-dir"];

await setup();
await buildEngine();
await buildFacade();
say("compiling the frameworks");
await run("cargo", ["check", ...wasm, join(target, "frameworks")], { cwd: join(root, "examples", "rust-frameworks") });
say("compiling the worker");
const examples = { cwd: join(root, "examples") };
await run("cargo", ["build", "--package", "rust-worker", ...wasm, join(target, "examples")], examples);
const compiled = join(target, "examples", "wasm32-unknown-unknown", "debug", "rust_worker.wasm");
await run("wasm-bindgen", [compiled, "--target", "web", "--out-dir", join(target, "examples", "bound")]);
await run("node", ["--test", "--test-reporter=spec", "tests/rust/*.test.ts"]);
