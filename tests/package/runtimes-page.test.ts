/** docs/runtimes.md is what the last run found, of all set-ups; and each line that it, doctor or an error tells people to write was run. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { TOOLS } from "../../dist/doctor.js";
import { readMatrix } from "../packaging/matrix.ts";
import { families } from "../packaging/setups.ts";
import { root } from "./packed.ts";

const part = new URL("../../dist/engine/unloadable.js", import.meta.url).href;
const { unloadable } = (await import(part)) as typeof import("../../npm/engine/unloadable.ts");

const document = await readFile(join(root, "docs", "runtimes.md"), "utf8");
const rows = [...readMatrix(document).values()];
const section = /\n## What to write\n(.*?)\n## /s.exec(document)?.[1] ?? "";
/** The lines to write, and the rows of the matrix that have them. */
const recipes = section
  .split("\n")
  .map((line) => line.split(" | "))
  .filter((cells) => cells.length === 3 && !/^\|( where|---)/.test(cells[0] ?? ""))
  .map(([, line = "", tried = ""]) => ({
    codes: [...line.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code),
    tried: tried.replace(/ \|$/, "").split("; "),
  }));
const codes = recipes.flatMap((recipe) => recipe.codes);

test("every_try_of_the_matrix_has_a_row_and_no_row_fails", () => {
  const wanted = Object.entries(families).flatMap(([family, setups]) =>
    setups.flatMap(({ name, tries, notRun }) =>
      Object.keys(tries).map((what) => `${family}/${name}/${what}: ${notRun ? `not run: ${notRun}` : "runs"}`),
    ),
  );
  const found = rows.map(({ family, name, what, verdict }) => `${family}/${name}/${what}: ${verdict}`);
  assert.deepEqual(found.sort(), wanted.sort());
});

test("each_line_to_write_was_run_by_a_row_of_the_matrix", () => {
  assert.ok(recipes.length > 15, "the table is read");
  const ran = new Set(rows.filter(({ verdict }) => verdict === "runs").map(({ name, what }) => `${name}: ${what}`));
  for (const { codes, tried } of recipes) {
    assert.ok(codes.length > 0);
    assert.deepEqual(
      tried.filter((row) => !ran.has(row)),
      [],
      `no row for ${codes.join(", ")}`,
    );
  }
});

test("what_doctor_tells_people_to_write_is_among_these_lines", () => {
  const lines = TOOLS.flatMap(({ line, option }) => [line, option]).filter((line) => line !== undefined);
  assert.ok(lines.length > 8);
  for (const line of lines) assert.ok(named(line), line);
});

/** Words of hosts that cannot load the engine, and the place where the file was looked for: one pair for each kind of remedy. */
const troubles: [words: string, source?: string][] = [
  ["WebAssembly is not defined"],
  ["violates the Content Security Policy: 'unsafe-eval'"],
  ["Wasm code generation disallowed by embedder"],
  ["Invalid URL"],
  ["ENOENT", "file:///app/out/wasm/chatwire.wasm"],
  ["404", "file:///app/.vite/deps/chatwire.wasm"],
  ["404", "file:///app/.next/server/chatwire.wasm"],
  ["404", "file:///app/.angular/cache/chatwire.wasm"],
  ["404", "chrome-extension://abc/chatwire.wasm"],
];

test("what_an_error_of_loading_tells_people_to_write_is_among_these_lines", async () => {
  for (const [words, source] of troubles) {
    const text = await unloadable(words, source, false, undefined);
    const remedy = text.slice(text.indexOf(": ") + 2);
    assert.ok(named(remedy), text);
  }
});

/** Whether a text has one of the lines. */
function named(text: string): boolean {
  return codes.some((code) => text.includes(code));
}
