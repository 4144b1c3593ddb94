/** The tests that docs/security.md and docs/reliability.md name are there. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");
const files = readdirSync(join(root, "tests"), { recursive: true }).map((name) => basename(String(name)));

for (const page of ["security.md", "reliability.md"]) {
  test(`each_test_that_${page.replace(".", "_")}_names_is_there`, () => {
    const text = readFileSync(join(root, "docs", page), "utf8");
    const named = [...text.matchAll(/`([\w./-]+\.(?:test\.ts|rs))`/g)].map(([, path]) => path as string);
    assert.ok(named.length > 4);
    const missing = named.filter((path) => !(path.includes("/") ? existsSync(join(root, path)) : files.includes(path)));
    assert.deepEqual(missing, []);
  });
}
