/**
 * Programs as people write them, run as they are with `openai`, and with their imports changed to `chatwire/openai`: they print
 * the same, and ask for the same. So changed they compile under strict too, and so does the whole table of programs.
 */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { change, changeAll, compilerOn, outputOf, root } from "./runs.ts";

const tests = join(root, "tests", "openai");
const examples = await readdir(join(tests, "examples"));
/** Where the changed copies are. */
const changed = join(root, ".cache", "openai");

describe("examples", { concurrency: 2 }, () => {
  before(async () => {
    await rm(changed, { recursive: true, force: true });
    await mkdir(changed, { recursive: true });
    await changeAll(join(tests, "examples"), join(changed, "examples"));
  });
  after(() => rm(changed, { recursive: true, force: true }));

  for (const example of examples) {
    it(`${example} prints the same`, { timeout: 60_000 }, async () => {
      const settings = { azure: example === "azure.ts" };
      const theirs = await outputOf([join(tests, "examples", example)], settings);
      const ours = await outputOf([join(changed, "examples", example)], settings);
      assert.match(theirs, /^exit 0$/m);
      assert.equal(ours, theirs);
    });
  }

  it("compile with the import changed, and so do the programs", { timeout: 120_000 }, async () => {
    for (const file of ["said.ts", "server.ts"]) await cp(join(tests, file), join(changed, file));
    for (const file of ["compare.ts", "library.ts"]) {
      await writeFile(join(changed, file), change(await readFile(join(tests, file), "utf8")));
    }
    await changeAll(join(tests, "programs"), join(changed, "programs"));
    const config = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: { exactOptionalPropertyTypes: false },
      include: [changed],
      exclude: [],
    };
    await writeFile(join(changed, "tsconfig.json"), JSON.stringify(config));
    assert.equal(await compilerOn(changed), "");
  });
});
