/** The compiler of a strict project accepts the code that the README and the guides show. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..", "..");

/** The names that a reader has already: those that the snippets take for granted. */
const surroundings = `
import type * as chatwire from "chatwire";
declare global {
  const Chatwire: typeof chatwire.Chatwire;
  const z: typeof import("zod").z;
  const client: chatwire.Chatwire;
  const stream: chatwire.ChatStream;
  const messages: chatwire.ChatCompletionMessageParam[];
  const list: chatwire.ChatCompletionCreateParamsNonStreaming[];
  const apiKey: string, electronKey: string, interruption: string, charIndex: number;
  const sentence: Extract<chatwire.ChatEvent, { type: "sentence" }>;
  const thoughts: Element, answer: Element;
  const recognition: { onspeechstart: () => void };
  function speak(text: string): void;
  function show(value: unknown): void;
  const writeFile: typeof import("node:fs/promises").writeFile;
}
`;

const compilerOptions = {
  strict: true,
  noEmit: true,
  target: "ES2022",
  lib: ["ES2024", "DOM", "DOM.Iterable", "ESNext.Disposable"],
  module: "NodeNext",
  moduleDetection: "force",
  types: ["node"],
  skipLibCheck: true,
};

test("what_the_guides_show_compiles", { timeout: 120_000 }, async () => {
  const folder = join(root, ".cache", "snippets");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  await writeFile(join(folder, "surroundings.d.ts"), surroundings);
  for (const guide of [
    "README.md",
    "docs/guide.md",
    "docs/voice.md",
    "docs/from-ai-sdk.md",
    "docs/ag-ui.md",
    "docs/otel.md",
    "docs/livekit.md",
    "docs/prices.md",
    "skills/chatwire/SKILL.md",
  ]) {
    const text = await readFile(join(root, guide), "utf8");
    for (const { 1: snippet = "", index } of text.matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
      const line = text.slice(0, index).split("\n").length;
      await writeFile(join(folder, `${guide.replace(/\W/g, "-")}-line-${line}.ts`), snippet);
    }
  }
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  // The compiler's findings are in its output, which a failure does not show by itself.
  await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch(({ stdout }) => Promise.reject(Error(stdout)));
});
