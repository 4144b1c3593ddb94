/** The part of `npm run supply` that needs no network: licences, and the list of direct dependencies. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
// @ts-expect-error: a script, without types
import { missingFrom } from "../../scripts/dependencies.mjs";
// @ts-expect-error: a script, without types
import { allowed, crates, isAllowed, npmPackages, problems } from "../../scripts/licences.mjs";

const root = join(import.meta.dirname, "..", "..");

test("every_npm_package_has_a_licence_that_is_allowed", () => {
  const packages = npmPackages();
  assert.ok(packages.length > 200);
  assert.deepEqual(problems(packages), []);
});

test("every_crate_has_a_licence_that_is_allowed", async () => {
  const list = await crates("Cargo.toml");
  assert.ok(list.length > 30);
  assert.deepEqual(problems(list), []);
});

test("a_licence_is_read_as_spdx_has_it", () => {
  const names: Set<string> = allowed();
  const verdict = (licence: string) => isAllowed(licence, names);
  for (const good of [
    "MIT",
    "MIT/Apache-2.0",
    "GPL-3.0 OR MIT",
    "(MIT OR GPL-3.0) AND ISC",
    "Apache-2.0 WITH LLVM-exception",
  ])
    assert.equal(verdict(good), true, good);
  for (const bad of ["GPL-3.0", "MIT AND GPL-3.0", "MIT WITH Strange-exception", "SEE LICENSE IN file", ""])
    assert.equal(verdict(bad), false, bad);
  assert.equal(problems([{ name: "own", version: "1.0.0", licence: "AGPL-3.0-only" }]).length, 1);
  assert.equal(problems([{ name: "own", version: "1.0.0", licence: undefined }]).length, 1);
});

test("the_page_of_dependencies_lists_each_of_them_and_no_others", () => {
  assert.deepEqual(missingFrom(), []);
  const text = readFileSync(join(root, "docs", "dependencies.md"), "utf8");
  assert.deepEqual(missingFrom(text.replace(/^\| `hono`.*\n/m, "")), [
    'docs/dependencies.md lacks hono under "Tools of the package"',
  ]);
  assert.equal(missingFrom(text.replace("| `hono` |", "| `gone` |")).length, 2);
});

test("nothing_is_installed_beside_the_package", () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.equal(dependencies, undefined);
});
