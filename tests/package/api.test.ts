/**
 * The public types are those of the reports in `api/`. A difference is no mistake by itself: look at it, write what breaks a
 * program into the changelog, and renew the reports with `npm run api`.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
// @ts-expect-error: a script, without types
import { reports } from "../../scripts/api-report.mjs";

const folder = join(import.meta.dirname, "api");

/** The lines of one text that the other lacks, as often as they are in it. */
function lacking(text: string, other: string): string[] {
  const left = new Map<string, number>();
  for (const line of other.split("\n")) left.set(line, (left.get(line) ?? 0) + 1);
  return text.split("\n").filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

test("the_public_types_are_those_of_the_reports", () => {
  const built: Map<string, string> = reports();
  assert.deepEqual(
    readdirSync(folder)
      .filter((name) => name !== "crate.txt")
      .sort(),
    [...built.keys()].sort(),
  );
  for (const [name, text] of built) {
    const known = readFileSync(join(folder, name), "utf8");
    assert.deepEqual(
      { gone: lacking(known, text), added: lacking(text, known) },
      { gone: [], added: [] },
      `${name}: look at the difference, then run \`npm run api\``,
    );
    assert.equal(text, known, name);
  }
});

test("a_report_has_what_a_program_uses_and_nothing_private", () => {
  const text = readFileSync(join(folder, "chatwire.txt"), "utf8");
  assert.match(text, /^export declare class Chatwire \{$/m);
  assert.match(text, /maxRetries\?: number;/);
  assert.doesNotMatch(text, /#private|\/\*\*|caller: Caller/);
});
