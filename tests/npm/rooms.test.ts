/**
 * The rooms of the house: no import of the facade or of the demo page, types included, leads back to where it began, and no file is
 * long without a reason.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const facade = join(import.meta.dirname, "../../npm");
const page = join(import.meta.dirname, "../../www/src");

/** The imports of each file of a folder, by whatever kind of import. */
function imports(folder = facade): Map<string, string[]> {
  const names = readdirSync(folder, { recursive: true }).map((name) => String(name).replaceAll("\\", "/"));
  const files = names.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  return new Map(
    files.map((file) => {
      const source = readFileSync(join(folder, file), "utf8");
      const found = [...source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+\.ts)"/g)];
      const targets = found.map(([, path]) => join(dirname(file), path as string).replaceAll("\\", "/"));
      return [file, targets.filter((target) => files.includes(target))];
    }),
  );
}

/** The files that each file reaches, itself included where a way leads back. */
function reached(graph: Map<string, string[]>, from: string): Set<string> {
  const seen = new Set<string>();
  const next = [...(graph.get(from) ?? [])];
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    next.push(...(graph.get(file) ?? []));
  }
  return seen;
}

/** The one circle there is: an outcome has its error, and an error its outcome. */
const KNOWN = "errors.ts types/outcome.ts";

/** The circles of imports in a folder, each as the names of its files. */
function circlesOf(folder: string): string[] {
  const graph = imports(folder);
  assert.ok(graph.size > 50, "the sources were found");
  const ways = new Map([...graph.keys()].map((file) => [file, reached(graph, file)]));
  const circles = new Set<string>();
  for (const [file, way] of ways) {
    if (!way.has(file)) continue;
    const circle = [...way].filter((other) => ways.get(other)?.has(file)).sort();
    circles.add(circle.join(" "));
  }
  return [...circles];
}

test("no_import_leads_back_to_its_own_file", () => {
  assert.deepEqual(circlesOf(facade), [KNOWN]);
  assert.deepEqual(circlesOf(page), []);
});

/** The facade's floors, from the ground up, as docs/architecture.md has them. */
const FLOORS: RegExp[] = [
  /^(?:engine\/|types\/|types\.ts|errors\.ts|options\.ts|symbols\.ts|discard\.ts|prices\/)/,
  /^(?:request\/|stream\/|tools\/|decoders\.ts|client\.ts|on-demand\.ts|load\.ts)/,
  /^(?:index\.ts|slim\.ts|entry\/)/,
];

test("no_file_imports_from_a_floor_above_its_own_and_no_product_from_another", () => {
  const floorOf = (file: string) => FLOORS.findIndex((floor) => floor.test(file));
  const wrong: string[] = [];
  for (const [file, targets] of imports()) {
    const floor = floorOf(file);
    for (const target of targets) {
      // Products and commands have a folder, or a file, each, and use the package by its name.
      const isOwn = floor < 0 && (file.split("/")[0] === target.split("/")[0] || !file.includes("/"));
      const isBelow = floor >= 0 && floorOf(target) >= 0 && floorOf(target) <= floor;
      if (!isOwn && !isBelow) wrong.push(`${file} -> ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** The most lines of a file that has no reason to be longer. */
const LINES = 600;

test("a_file_that_is_long_says_why_in_its_first_comment", (t) => {
  const root = join(facade, "..");
  let listed: string;
  try {
    listed = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  } catch {
    return t.skip("the project is no repository here, so its own files are not known");
  }
  const files = listed.split("\n").filter((file) => /\.(?:rs|ts|mjs|js|css)$/.test(file));
  assert.ok(files.length > 300);
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(join(root, file), "utf8");
    } catch {
      continue; // removed, and not committed yet
    }
    const lines = text.split("\n").length;
    if (lines <= LINES) continue;
    const [first = ""] = text.match(/^(?:\s*\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+)/) ?? [];
    assert.match(
      first,
      /\bLong because /,
      `${file} has ${lines} lines: cut it, or say in its first comment why it is long`,
    );
  }
});
