/**
 * The boundary between scripts and WebAssembly: one list of operations and of constants, plain WebAssembly, and files of one build only.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const wasm = readFileSync(new URL("../../dist/wasm/chatwire.wasm", import.meta.url));

test("both_sides_of_the_boundary_have_one_list_of_operations", () => {
  const numbered = (text: string, constant: RegExp) =>
    [...text.matchAll(constant)].map(([, name, number]) => [name, number]);
  const ours = numbered(read("src/bindings/operations.rs"), /const ([A-Z_]+): u32 = (\d+);/g);
  const theirs = read("npm/engine/boundary.ts");
  const list = theirs.slice(
    theirs.indexOf("/** The kinds of part that `make` makes"),
    theirs.indexOf("/** Why nothing was made"),
  );
  assert.ok(ours.length > 10);
  assert.deepEqual(numbered(list, /^export const ([A-Z_]+) = (\d+);/gm), ours);
});

test("constants_that_both_sides_need_have_one_value", () => {
  const product = (text: string) =>
    text.split("*").reduce((all, factor) => all * Number(factor.trim().replaceAll("_", "")), 1);
  const valuesIn = (text: string, constant: RegExp) =>
    new Map([...text.matchAll(constant)].map(([, name, value = ""]) => [name, product(value)]));
  const theirs = read("npm/engine/boundary.ts");
  const list = theirs.slice(theirs.indexOf("// Constants of the engine"), theirs.indexOf("/** The kinds of output"));
  const ours = ["src/bindings/memory.rs", "src/policy/retry.rs", "src/policy/timeouts.rs", "src/sse.rs"];
  const known = valuesIn(ours.map(read).join("\n"), /const ([A-Z_]+): \w+ = ([\d_.* ]+);/g);
  const needed = valuesIn(list, /^export const ([A-Z_]+) = ([\d_* ]+);/gm);
  assert.equal(needed.size, 5);
  for (const [name, value] of needed) assert.equal(value, known.get(name), name);
  assert.deepEqual(
    valuesIn(read("npm/edge/relay.ts"), /^const (IDLE) = ([\d_]+);/gm),
    new Map([["IDLE", known.get("IDLE_MS")]]),
  );
});

test("the_module_has_one_table_and_imports_nothing", () => {
  // So that a host without WebAssembly can run what wasm2js makes of it: no JavaScript value is in its memory or its tables.
  const module = new WebAssembly.Module(wasm);
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  const kinds = WebAssembly.Module.exports(module).map(({ kind }) => kind);
  assert.equal(kinds.filter((kind) => kind === "memory").length, 1);
  assert.ok(!kinds.includes("table"));
});
