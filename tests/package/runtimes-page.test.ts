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

test("a_page_that_was_opened_as_a_file_is_told_what_to_build", async () => {
  const host = globalThis as { location?: unknown };
  host.location = { href: "file:///app/index.html", protocol: "file:" };
  const text = await unloadable("Failed to fetch", "chatwire.wasm", true, undefined).finally(
    () => delete host.location,
  );
  assert.match(text, /a page that was opened as a file may load no other file\. Bundle .*\(format "iife"\)/);
});

/** Sources that `init` was given, the words of the host that refused them, and the advice that the error has to have. */
const given: [source: unknown, words: string, told: RegExp][] = [
  [
    "/chatwire.wasm",
    "Failed to parse URL from /chatwire.wasm: Invalid URL",
    /is relative where no page has an address\. Give init the absolute/,
  ],
  ["./chatwire.wasm", "Failed to parse URL from ./chatwire.wasm: Invalid URL", / from \.\/chatwire\.wasm: the address/],
  [{}, "Failed to parse URL from [object Object]: Invalid URL", /the address that init got is none.*Give init/],
  [
    new URL("file:///app/chatwire.wasm"),
    "fetch failed: not implemented... yet...",
    /Node's fetch reads no files\. .*readFileSync/,
  ],
  [
    new Uint8Array(0),
    "WebAssembly.Module(): BufferSource argument is empty",
    /what is there is no WebAssembly.*Give init/,
  ],
  [undefined, "the server answered 404 ", /: the server answered 404\. Give init/],
];

test("an_init_that_got_no_module_is_told_what_to_give", async () => {
  for (const [source, words, told] of given) assert.match(await unloadable(words, source, true, undefined), told);
});

test("an_installation_that_is_broken_is_told_with_its_file", async () => {
  const path = "/app/node_modules/chatwire/dist/wasm/chatwire.wasm";
  const cut = Object.assign(new Uint8Array(3), { url: `file://${path}` });
  const troubles: [string, unknown][] = [
    [`ENOENT: no such file or directory, open '${path}'`, undefined],
    ["WebAssembly.Module(): expected 4 bytes, fell off end @+0", cut],
  ];
  for (const [words, source] of troubles) {
    const text = await unloadable(words, source, false, "the same");
    assert.match(text, /from file:\/\/\/app\/node_modules\/chatwire\/\S+\.wasm: .*Install chatwire again/);
  }
});

/** Whether a text has one of the lines. */
function named(text: string): boolean {
  return codes.some((code) => text.includes(code));
}
