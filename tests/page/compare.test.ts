/** The README's table, and what the first view shows until it has run, are what a run gives; the troubles are all that there are. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { parseTrouble } from "../../npm/emulator/trouble.ts";
import { CUT_BETWEEN, TROUBLES } from "../../www/src/compare/troubles.ts";
import { root } from "./visit.ts";

/** The list that the emulator gives with its refusal of a wish. */
function listed(wish: string): string[] {
  try {
    parseTrouble(wish);
  } catch (error) {
    const list = /Use (?:one of )?(.+?)\.$/.exec((error as Error).message)?.[1] ?? "";
    return list.split(", ");
  }
  throw new Error(`The emulator took ${wish}.`);
}

test("every_trouble_of_the_emulator_is_compared_in_each_of_its_values", () => {
  const compared = TROUBLES.filter(({ name }) => name !== CUT_BETWEEN).map(({ name }) => parseTrouble(name));
  const names = listed("no such trouble");
  assert.ok(names.length > 30 && names.includes("interleave") && names.includes("as-sse"), names.join());
  const has = (name: string, value?: string) =>
    compared.some((trouble) => {
      const found = trouble[name as keyof typeof trouble];
      return found !== undefined && (value === undefined || found === value);
    });
  assert.deepEqual(
    names.filter((name) => !has(name)),
    ["id"],
    "none but the one that tells equal troubles apart",
  );
  for (const name of ["malformed", "in-band-error"]) {
    const values = listed(`${name}=no such value`);
    assert.ok(values.length > 1);
    assert.deepEqual(
      values.filter((value) => !has(name, value)),
      [],
      name,
    );
  }
});

test("what_is_said_of_the_three_clients_is_what_a_run_gives", { timeout: 600_000 }, async () => {
  await promisify(execFile)(process.execPath, [join(root, "scripts/compare.mjs"), "--check"]).catch(
    ({ stdout, stderr }) => Promise.reject(Error(`${stdout}${stderr}`)),
  );
});
