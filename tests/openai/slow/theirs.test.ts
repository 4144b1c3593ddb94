/**
 * The examples of `openai` itself, which its package does not have: those of chat, in a copy of its repository, named by
 * `npm run test:openai -- --examples FOLDER`. They run with `openai` and with their imports changed to `chatwire/openai`, print
 * the same and ask for the same, and the compiler says the same of both.
 */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { transform } from "esbuild";
import { change, changeAll, compilerOn, outputOf, root } from "./runs.ts";

const folder = process.env.OPENAI_EXAMPLES;
const room = join(import.meta.dirname, "room.mjs");
/** Where the copies are: as they are in `openai`, changed in `chatwire`. */
const copies = join(root, ".cache", "openai-theirs");

/** Packages that there are, or that stand-ins.mjs stands for. */
const AT_HAND = /^(node:|openai|zod|express$|@azure\/identity$|dotenv\/config$|next\/server$)/;
/** Parts of `openai` that are not of chat: clients of other services, and resources. */
const ELSEWHERE =
  /openai\/(providers|realtime)|Bedrock|\b(client|openai)\s*\.(audio|beta|completions|embeddings|files|fineTuning|images|responses|vectorStores)\b/;

/** Why an example is not run, if it is not. */
function reasonAgainst(text: string): string | undefined {
  if (!/chat\s*\.completions|ChatCompletionStream/.test(text) || ELSEWHERE.test(text)) return "it is not of chat alone";
  const imported = [...text.matchAll(/(?:from|import|import\()\s*["']([^"'.][^"']*)["']/g)].map(
    ([, name]) => name ?? "",
  );
  const missing = imported.find((name) => !AT_HAND.test(name));
  return missing && `it needs ${missing}`;
}

const examples: { path: string; name: string; azure: boolean; reason: string | undefined }[] = [];
if (folder) {
  for (const path of (await readdir(folder, { recursive: true })).sort()) {
    if (!path.endsWith(".ts") || path.includes("node_modules")) continue;
    const text = await readFile(join(folder, path), "utf8");
    const azure = text.includes("AzureOpenAI");
    examples.push({ path, name: path.replace(/\.ts$/, ""), azure, reason: reasonAgainst(text) });
  }
}
const run = examples.filter(({ reason }) => reason === undefined);

describe("the examples of openai", {
  concurrency: 2,
  skip: folder ? false : "without `--examples FOLDER`, a copy of the examples of its repository",
}, () => {
  before(async () => {
    await rm(copies, { recursive: true, force: true });
    for (const { path, name } of run) {
      const text = await readFile(join(folder as string, path), "utf8");
      for (const [part, source] of [
        ["openai", text],
        ["chatwire", change(text)],
      ] as const) {
        // Not by the types that Node takes away: examples import types without saying so.
        const { code } = await transform(source, { loader: "ts", format: "esm" });
        const file = join(copies, part, `${name}.mjs`);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, code);
      }
    }
  });
  after(() => rm(copies, { recursive: true, force: true }));

  for (const { name, azure, reason } of examples) {
    it(`${name} prints the same`, { timeout: 120_000, skip: reason ?? false }, async () => {
      const [theirs = "", ours] = await Promise.all(
        ["openai", "chatwire"].map((part) => outputOf([room, join(copies, part, `${name}.mjs`)], { azure })),
      );
      assert.match(theirs, /^exit 0$/m);
      assert.equal(ours, theirs);
    });
  }

  it("are the nineteen of chat at least", () => {
    assert.ok(run.length >= 19, `${folder} has only ${run.length} examples of chat`);
  });

  it("the compiler says the same of both", { timeout: 120_000, skip: run.length === 0 }, async () => {
    const said: string[] = [];
    for (const part of ["openai", "chatwire"]) {
      const place = join(copies, `${part}-types`);
      for (const { path } of run) await cp(join(folder as string, path), join(place, path));
      if (part === "chatwire") await changeAll(place, place);
      const packages = ["express", "@azure/identity", "dotenv/config"].map((name) => `declare module "${name}";`);
      await writeFile(join(place, "packages.d.ts"), packages.join("\n"));
      const compilerOptions = { verbatimModuleSyntax: false, exactOptionalPropertyTypes: false };
      const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: [place], exclude: [] };
      await writeFile(join(place, "tsconfig.json"), JSON.stringify(config));
      said.push((await compilerOn(place)).replaceAll(basename(place), "PLACE").replaceAll("chatwire/openai", "openai"));
    }
    assert.equal(said[1], said[0]);
  });
});
