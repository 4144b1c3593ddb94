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
    "Next",
    { "package.json": { dependencies: { next: "16" } } },
    true,
    /Next 16: .*\n {2}Optional: .*serverExternalPackages/,
  ],
  [
    "esbuild",
    { "package.json": { dependencies: { esbuild: "0.28.2" } } },
    true,
    /esbuild: .*its spare, a script of 1\d\d KB after gzip, is loaded\.\n {2}Optional: .*copy /,
  ],
  [
    "Jest with jsdom",
    { "package.json": { devDependencies: { jest: "30", "jest-environment-jsdom": "30" } } },
    false,
    /Write .*customExportConditions.*setupFiles.*into web\.js/,
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
  [
    "SvelteKit",
    { "package.json": { devDependencies: { "@sveltejs/kit": "^3.2.0", vite: "8" } } },
    true,
    /SvelteKit 3: .*as Vite gives it.*\nVite 8/,
  ],
  ["Astro", { "package.json": { dependencies: { astro: "^7" } } }, true, /Astro 7: the engine is found/],
  [
    "React Router",
    { "package.json": { devDependencies: { "@react-router/dev": "8.4.0" } } },
    true,
    /React Router 8: the engine is found/,
  ],
  ["Remix", { "package.json": { devDependencies: { "@remix-run/dev": "^2" } } }, true, /Remix 2: the engine is found/],
  [
    "Nuxt",
    { "package.json": { dependencies: { nuxt: "^4" } } },
    true,
    /Nuxt 4: .*\n {2}Optional: for Cloudflare, in nuxt\.config: nitro: \{ experimental: \{ wasm: true \} \}/,
  ],
  [
    "Nitro",
    { "package.json": { devDependencies: { nitropack: "^2" } } },
    true,
    /Nitro 2: .*\n {2}Optional: for Cloudflare, in nitro\.config: experimental/,
  ],
  ["Angular", { "package.json": { dependencies: { "@angular/core": "^22" } } }, true, /Angular 22: .*its spare/],
  [
    "Expo",
    { "package.json": { dependencies: { expo: "~57.0.0", "react-native": "0.90.0" } } },
    true,
    /Expo 57: .*as a script.*\n {2}Optional: .*import "fast-text-encoding"/,
  ],
  [
    "React Native",
    { "package.json": { dependencies: { "react-native": "0.90.0" } } },
    true,
    /React Native: the engine is found as a script/,
  ],
  ["Electron", { "package.json": { devDependencies: { electron: "42" } } }, true, /Electron 42: .*main process/],
  ["Bun", { "package.json": {}, "bun.lock": {} }, true, /Bun: the engine is found/],
  ["Bun by its types", { "package.json": { devDependencies: { "@types/bun": "1" } } }, true, /Bun 1: /],
  ["Deno", { "deno.json": {} }, true, /^Deno: the engine is found, and no permission/],
  ["Deno with a manifest", { "deno.json": {}, "package.json": {} }, true, /Deno: .*\nchatwire \S+ is installed/],
  [
    "Tauri whose policy forbids WebAssembly",
    {
      "package.json": { devDependencies: { vite: "8" } },
      "src-tauri/tauri.conf.json": { app: { security: { csp: "default-src 'self'" } } },
    },
    false,
    /Tauri: .*\n {2}Write into src-tauri\/tauri\.conf\.json.*wasm-unsafe-eval/,
  ],
  [
    "Tauri without a policy",
    { "package.json": {}, "src-tauri/tauri.conf.json": { app: { security: { csp: null } } } },
    true,
    /Tauri: /,
  ],
  ["no project", {}, false, /There is no package\.json here/],
];

describe("chatwire doctor", { timeout: 120_000 }, () => {
  let folder: string;
  let diagnose: (folder: string) => { lines: string[]; isWell: boolean };

  before(async () => {
    folder = await project("doctor", {});
    ({ diagnose } = await import(join(folder, "node_modules", "chatwire", "dist", "doctor.js")));
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
      for (const part of ["public", "src-tauri"]) await mkdir(join(where, part), { recursive: true });
      for (const [path, content] of Object.entries(files)) await writeFile(join(where, path), JSON.stringify(content));
      const found = diagnose(where);
      assert.match(found.lines.join("\n"), said);
      assert.equal(found.isWell, isWell, found.lines.join("\n"));
    });
  }

  it("is a command that prints the lines, and ends with 1 where something has to be written", async () => {
    for (const isWell of [true, false]) {
      const index = cases.findIndex((one) => one[2] === isWell);
      const where = join(folder, `case-${index}`);
      assert.deepEqual(await doctor(where), { code: isWell ? 0 : 1, said: `${diagnose(where).lines.join("\n")}\n` });
    }
  });

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
