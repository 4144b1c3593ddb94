/**
 * The first program that the page of an entry shows runs as it stands, against the emulator.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..", "..");
const folder = join(root, ".cache", "first-programs");

/** Each page with a program, and words that the program prints. */
const PAGES: Record<string, RegExp> = {
  "docs/from-ai-sdk.md": /sky/i,
  "docs/ag-ui.md": /RUN_STARTED[\s\S]*TEXT_MESSAGE_CONTENT[\s\S]*RUN_FINISHED/,
  "docs/otel.md": /sky/i,
  "docs/livekit.md": /sky/i,
  "docs/prices.md": /0\.00[\s\S]*https:\/\//,
};

/** The emulator in place of the network. */
const WORLD = `
import { createEmulator } from "chatwire/emulator";
globalThis.fetch = createEmulator().fetch;
process.env.SMALLEST_API_KEY = "any";
`;

describe("the first program of", { timeout: 120_000 }, () => {
  before(async () => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "world.mjs"), WORLD);
  });

  for (const [page, prints] of Object.entries(PAGES)) {
    it(page, async () => {
      const [, program] = (await readFile(join(root, page), "utf8")).match(/^```ts\n([\s\S]*?)^```/m) ?? [];
      assert.ok(program, "there is one");
      const file = join(folder, page.replace(/\W/g, "-").replace(/-md$/, ".mts"));
      await writeFile(file, program);
      const args = ["--no-warnings", "--import", join(folder, "world.mjs"), file];
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
      assert.match(stdout, prints);
    });
  }
});
