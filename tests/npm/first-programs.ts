/** The first program that the page of an entry shows, and what it prints when it runs on the emulator. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..", "..");

/** Each page with a program, and words that the program prints. */
export const PAGES: Readonly<Record<string, RegExp>> = {
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

/** Runs a program in a folder where its packages are installed, or above which they are; gives what it printed. */
export async function runProgram(folder: string, name: string, program: string): Promise<string> {
  const world = join(folder, "world.mjs");
  await writeFile(world, WORLD);
  const file = join(folder, `${name}.mts`);
  await writeFile(file, program);
  const args = ["--no-warnings", "--import", world, file];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 180_000, cwd: folder });
  return stdout;
}

/** Runs the first program of a page. */
export async function runFirstProgram(folder: string, page: string): Promise<void> {
  const [, program] = (await readFile(join(root, page), "utf8")).match(/^```ts\n([\s\S]*?)^```/m) ?? [];
  assert.ok(program, "there is one");
  assert.match(await runProgram(folder, page.replace(/\W/g, "-"), program), PAGES[page] as RegExp);
}
