/**
 * The packed package in a runner of tests: Vitest, in Node and with a DOM in Node, which is no page. `npm run test:packaging` has other
 * versions of it, jsdom, and Jest.
 */
import { before, describe, it } from "node:test";
import { inVitest } from "../packaging/setups/runners.ts";
import { project, run } from "./packed.ts";

describe("the packed package in Vitest", { timeout: 180_000 }, () => {
  let folder: string;

  before(async () => {
    folder = await project("runner", { "stream.test.js": inVitest });
  });

  for (const environment of ["node", "happy-dom"]) {
    it(`streams in a test with the environment ${environment}`, async () => {
      await run(folder, "vitest", ["run", "--environment", environment], { CI: "1" });
    });
  }
});
