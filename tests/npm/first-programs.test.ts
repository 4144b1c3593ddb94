/**
 * The first program that the page of an entry shows runs as it stands, against the emulator.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { PAGES, runFirstProgram } from "./first-programs.ts";

const folder = join(import.meta.dirname, "..", "..", ".cache", "first-programs");

describe("the first program of", { timeout: 500_000 }, () => {
  before(async () => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  });
  for (const page of Object.keys(PAGES)) it(page, () => runFirstProgram(folder, page));
});
