/**
 * `npm run test:rust`: the examples in Rust compile, each with its own lock file, the crate's documentation and each of its features have
 * no warnings, and the worker runs in workerd. Apart from `npm test`,
 * which compiles the page alone, because the worker and the frameworks need some four hundred crates, which take minutes the first time.
 */
import { join } from "node:path";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { root, run, say, target } from "./run.mjs";
import { setup } from "./setup.mjs";

const wasm = ["check", "--locked", "--target", "wasm32-unknown-unknown", "--target-dir"];

for (const [folder, built] of [
  ["examples", "examples"],
  ["examples/rust-frameworks", "frameworks"],
]) {
  say(`compiling ${folder}`);
  await run("cargo", [...wasm, join(target, built)], { cwd: join(root, folder) });
}

say("the documentation of the crate, and its features, without warnings");
const onWasm = ["--target", "wasm32-unknown-unknown"];
for (const where of [[], onWasm]) {
  await run("cargo", ["doc", "--quiet", "--no-deps", ...where], { env: { RUSTDOCFLAGS: "-Dwarnings" } });
  for (const features of [[], ["--features", "npm"], ["--features", "client"]]) {
    const command = ["clippy", "--quiet", "--no-default-features", ...features, ...where, "--", "-Dwarnings"];
    await run("cargo", command);
  }
}

say("running the worker in workerd");
await setup();
await buildEngine();
await buildFacade();
const built = join(target, "examples");
const worker = ["build", "--release", "--locked", "--package", "rust-worker", ...wasm.slice(2), built];
await run("cargo", worker, { cwd: join(root, "examples") });
const module = join(built, "wasm32-unknown-unknown", "release", "rust_worker.wasm");
await run("chatwire-bindgen", [module, join(built, "bound")]);
await run("node", ["--test", "--test-timeout=300000", "tests/rust-worker/worker.test.ts"]);
