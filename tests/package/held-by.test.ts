/**
 * The tests that docs/security.md and docs/reliability.md name are there: each file, and within it the titles that stand behind its
 * name.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");

/** The paths of the files of tests, by path and by name, which several may have; what is installed among them has none. */
function testFiles(): Map<string, string[]> {
  const files = new Map<string, string[]>();
  const look = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && entry.name !== "node_modules") look(path);
      else if (/\.(test\.ts|rs)$/.test(entry.name)) {
        files.set(entry.name, [...(files.get(entry.name) ?? []), path]);
        files.set(path, [path]);
      }
    }
  };
  look("tests");
  look("src");
  return files;
}

/** Words of titles are compared, however these are written. */
const wordsOf = (text: string): string =>
  text
    .replace(/[\W_]+/g, " ")
    .trim()
    .toLowerCase();

/** Each file that a page names, with the titles behind its name: `file`: one title, another; a third. */
function* namedIn(page: string): Generator<{ file: string; titles: string[] }> {
  for (const [, file = "", , words = ""] of page.matchAll(/`([\w./-]+\.(test\.ts|rs))`(?:: ([^|`\n)]*))?/g)) {
    const titles = words.split(";").map((title) => title.trim());
    yield { file, titles: titles.filter((title) => title !== "") };
  }
}

/** The tests that a page names and that are not there. */
function missingFrom(page: string, files: Map<string, string[]>): string[] {
  const missing: string[] = [];
  for (const { file, titles } of namedIn(page)) {
    const paths = files.get(file);
    if (!paths) {
      missing.push(file);
      continue;
    }
    const source = paths.map((path) => ` ${wordsOf(readFileSync(join(root, path), "utf8"))} `).join("\n");
    const isThere = (title: string) => source.includes(` ${wordsOf(title)} `);
    for (const title of titles) {
      // A comma is a title's own, or stands between two.
      if (!isThere(title) && !title.split(", ").every(isThere)) missing.push(`${file}: ${title}`);
    }
  }
  return missing;
}

const files = testFiles();

for (const page of ["security.md", "reliability.md"]) {
  test(`each_test_that_${page.replace(".", "_")}_names_is_there`, () => {
    const text = readFileSync(join(root, "docs", page), "utf8");
    const named = [...namedIn(text)];
    assert.ok(named.length > 4 && named.some(({ titles }) => titles.length > 0));
    assert.deepEqual(missingFrom(text, files), []);
  });
}

test("a_test_that_is_not_there_is_missed_by_its_file_and_by_its_title", () => {
  const page =
    "| a | b | `tests/npm/tee.test.ts`: a branch of a title that is gone |\n| `gone.test.ts`; `tests/npm/tee.test.ts` |";
  assert.deepEqual(missingFrom(page, files), [
    "tests/npm/tee.test.ts: a branch of a title that is gone",
    "gone.test.ts",
  ]);
});
