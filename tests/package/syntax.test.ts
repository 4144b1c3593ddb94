/**
 * The oldest browsers that can run the package: its scripts are ES2022, but for the file that only Deno reads, and its module needs
 * no more of WebAssembly than docs/runtimes.md says.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { transform } from "esbuild";
import { root, run } from "./packed.ts";

const dist = join(root, "dist");
/** `import source`, for Deno. */
const NOT_FOR_BROWSERS = ["entry/deno-source.js"];

test("scripts_are_es2022", async () => {
  const files = readdirSync(dist, { recursive: true })
    .map((name) => String(name).replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".js") && !name.startsWith("demo/") && !NOT_FOR_BROWSERS.includes(name));
  assert.ok(files.length > 50);
  for (const file of files) {
    const text = readFileSync(join(dist, file), "utf8");
    if (text.length > 500_000) continue; // the module as text
    // esbuild rewrites newer syntax for the older target, so that the two outputs differ.
    const [older, newer] = await Promise.all(["es2022", "esnext"].map((target) => transform(text, { target })));
    assert.equal(older?.code, newer?.code, file);
  }
});

/** The calls with which Next builds no middleware, wherever in a module they stand: its build looks for these spellings. */
const REFUSED_BY_NEXT = /(?<![\w.$])(global\.)?(WebAssembly\.(compile|instantiate)|eval|Function)\(/;

test("no_script_that_an_edge_runtime_may_load_has_a_call_that_next_refuses_in_a_middleware", () => {
  assert.match("await WebAssembly.compile(bytes)", REFUSED_BY_NEXT);
  const files = readdirSync(dist, { recursive: true })
    .map((name) => String(name).replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".js") && !/^(demo|static|cjs|js)\//.test(name));
  assert.ok(files.length > 50);
  for (const file of files) {
    const code = readFileSync(join(dist, file), "utf8").replaceAll(/\/\*.*?\*\/|^\s*\/\/.*$/gms, "");
    assert.doesNotMatch(code, REFUSED_BY_NEXT, file);
  }
});

test("newer_syntax_would_be_seen", async () => {
  const text = "using one = two();";
  const [older, newer] = await Promise.all(["es2022", "esnext"].map((target) => transform(text, { target })));
  assert.notEqual(older?.code, newer?.code);
});

test("the_module_needs_four_features_beyond_the_first_webassembly", async () => {
  const module = join(dist, "wasm", "chatwire.wasm");
  const wasmOpt = join(root, "node_modules", ".bin", "wasm-opt");
  const page = readFileSync(join(root, "docs", "runtimes.md"), "utf8");
  const features = ["bulk-memory", "mutable-globals", "nontrapping-float-to-int", "sign-ext"];
  for (const feature of features) assert.ok(page.includes(`\`${feature}\``), feature);
  const admit = (list: string[]) => run(root, wasmOpt, [module, "-mvp", ...list.map((one) => `--enable-${one}`)]);
  await admit(features);
  await assert.rejects(admit(features.slice(1)), /bulk/i);
});
