/** `npx chatwire doctor`: what it says of projects, each a manifest. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { project } from "./packed.ts";

const extension = {
  manifest_version: 3,
  content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'" },
};

const cases: [what: string, files: Record<string, object>, isWell: boolean, said: RegExp][] = [
  ["nothing but Node", { "package.json": {} }, true, /chatwire \S+ is installed\.\nNo bundler/],
  [
    "Vite 8",
    { "package.json": { devDependencies: { vite: "^8.0.0" } } },
    true,
    /Vite 8: the engine is found: the tool ships the file/,
  ],
  [
    "Vite 6",
    { "package.json": { devDependencies: { vite: "^6.4.0" } } },
    true,
    /Vite 6: .*its spare\.\n {2}Optional: .*exclude: \["chatwire"\]/,
  ],
  [
    "esbuild",
    { "package.json": { dependencies: { esbuild: "0.28.2" } } },
    true,
    /esbuild: .*its spare.*\n {2}Optional: .*copy /,
  ],
  [
    "Jest with jsdom",
    { "package.json": { devDependencies: { jest: "30", "jest-environment-jsdom": "30" } } },
    false,
    /Write .*customExportConditions/,
  ],
  [
    "Parcel",
    { "package.json": { devDependencies: { parcel: "2" } } },
    false,
    /Parcel 2: .*\n {2}Write .*"packageExports": true/,
  ],
  [
    "Parcel that has the line",
    { "package.json": { devDependencies: { parcel: "2" }, "@parcel/resolver-default": { packageExports: true } } },
    true,
    /Parcel 2/,
  ],
  [
    "an extension",
    { "package.json": {}, "public/manifest.json": { manifest_version: 3 } },
    false,
    /chatwire\/static.*\n {2}Write into manifest\.json: .*wasm-unsafe-eval/,
  ],
  [
    "an extension that allows WebAssembly",
    { "package.json": {}, "manifest.json": extension },
    true,
    /Browser extension/,
  ],
  ["no project", {}, false, /There is no package\.json here/],
];

describe("chatwire doctor", { timeout: 120_000 }, () => {
  let folder: string;

  before(async () => {
    folder = await project("doctor", {});
  });

  const doctor = (where: string): Promise<{ code: number; said: string }> =>
    new Promise((resolve) => {
      const command = join(folder, "node_modules", "chatwire", "dist", "cli.js");
      execFile(process.execPath, [command, "doctor", where], (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), said: stdout + stderr }),
      );
    });

  for (const [index, [what, files, isWell, said]] of cases.entries()) {
    it(what, async () => {
      const where = join(folder, `case-${index}`);
      await mkdir(join(where, "public"), { recursive: true });
      for (const [path, content] of Object.entries(files)) await writeFile(join(where, path), JSON.stringify(content));
      const found = await doctor(where);
      assert.match(found.said, said);
      assert.equal(found.code, isWell ? 0 : 1, found.said);
    });
  }

  it("says where the file is missing", async () => {
    const copy = join(folder, "broken", "node_modules", "chatwire");
    await mkdir(copy, { recursive: true });
    await writeFile(join(copy, "package.json"), JSON.stringify({ name: "chatwire", version: "0.0.1" }));
    await writeFile(join(folder, "broken", "package.json"), "{}");
    const { code, said } = await doctor(join(folder, "broken"));
    assert.match(said, /chatwire\.wasm is missing/);
    assert.equal(code, 1);
  });
});
