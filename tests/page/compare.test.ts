/** The README's table, and what the first view shows until it has run, are what a run gives. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "./visit.ts";

test("what_is_said_of_the_three_clients_is_what_a_run_gives", { timeout: 600_000 }, async () => {
  await promisify(execFile)(process.execPath, [join(root, "scripts/compare.mjs"), "--check"]).catch(
    ({ stdout, stderr }) => Promise.reject(Error(`${stdout}${stderr}`)),
  );
});
