/** The files of the package, and those that are not to be in it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { before, describe, it } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";
import manifest from "../../package.json" with { type: "json" };
// @ts-expect-error: a script, without types
import { buildEngine, unshrunkWithNames } from "../../scripts/engine.mjs";
import { installed, root } from "./packed.ts";

/** Every path that a part of the exports map leads to. */
function targets(exports: unknown): string[] {
  return typeof exports === "string" ? [exports] : Object.values(exports as object).flatMap(targets);
}

describe("the package", { timeout: 120_000 }, () => {
  let files: string[];

  before(async () => {
    ({ files } = await installed());
  });

  it("has every file its manifest leads to", () => {
    const all = [manifest.exports, manifest.bin, manifest.typesVersions].flatMap(targets);
    const wanted = all.map((path) => path.replace(/^\.\//, ""));
    const isThere = (path: string) => {
      const [before = "", after] = path.split("*");
      return files.some(
        (file) => file === path || (after !== undefined && file.startsWith(before) && file.endsWith(after)),
      );
    };
    assert.deepEqual(
      wanted.filter((path) => !isThere(path)),
      [],
    );
  });

  it("has types of every path for compilers that read no exports", () => {
    const code = Object.keys(manifest.exports).filter(
      (path) => path !== "." && !/\.(wasm(\?module)?|json)$/.test(path),
    );
    const typed = Object.keys(manifest.typesVersions["*"]);
    assert.deepEqual(typed.sort(), code.map((path) => path.slice(2)).sort());
  });

  it("leaves no condition without a default: tools such as Vite 7 look no further than the first that matches", () => {
    const open: string[] = [];
    const look = (target: unknown, path: string) => {
      if (typeof target !== "object" || target === null) return;
      if (Object.keys(target).at(-1) !== "default") open.push(path);
      for (const [condition, next] of Object.entries(target)) look(next, `${path} ${condition}`);
    };
    for (const [path, target] of Object.entries(manifest.exports)) look(target, path);
    assert.deepEqual(open, []);
  });

  it("has its licences and readme, what dist/ holds for its users, and nothing else", () => {
    const isGuide = (path: string) => /^(docs|skills)\/.*\.md$/.test(path);
    const isOfPage = (path: string) =>
      /^dist\/(demo\/|openai\/required\.cjs$|cjs\/(package\.json|import[\w-]*\.mjs)$)/.test(path);
    const beside = files
      .filter((path) => !isGuide(path) && !isOfPage(path) && !/^dist\/.*(\.js|\.d\.ts|\.wasm)$/.test(path))
      .sort();
    assert.deepEqual(beside, [
      "CHANGELOG.md",
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "llms.txt",
      "package.json",
    ]);
    assert.deepEqual(
      files.filter((path) => path.startsWith("dist/wasm/")),
      ["dist/wasm/chatwire.js", "dist/wasm/chatwire.wasm", "dist/wasm/spare.js"],
    );
  });

  it("has the guides, and a list of them for coding agents whose links lead somewhere", async () => {
    const list = await readFile(join(root, "llms.txt"), "utf8");
    assert.match(list, /^# chatwire\n\n> /);
    const linked = [...list.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path as string);
    assert.deepEqual(
      linked.filter((path) => !files.includes(path)),
      [],
    );
    const pages = files.filter((path) => /^docs\/[\w-]+\.md$/.test(path));
    assert.deepEqual(
      pages.filter((path) => !linked.includes(path)),
      [],
      "every page is on the list",
    );
    const skill = "skills/chatwire/SKILL.md";
    const text = await readFile(join(root, skill), "utf8");
    assert.match(text, /^---\nname: chatwire\ndescription: .+\n---\n/);
    for (const [, path = ""] of text.matchAll(/\]\(([^)]+)\)/g))
      assert.ok(files.includes(posix.join(skill, "..", path)), path);
  });

  it("has the demo page, with the licences of what is bundled into it", async () => {
    for (const file of ["index.html", "LICENSES.txt", "providers.json"])
      assert.ok(files.includes(`dist/demo/${file}`), file);
    const licences = await readFile(join(root, "dist/demo/LICENSES.txt"), "utf8");
    for (const name of ["openai", "marked", "dompurify"]) assert.match(licences, new RegExp(`^${name} \\d`, "m"));
  });

  it("has no part of another entry in what a page with `chatwire` loads", async () => {
    const { metafile } = await build({
      stdin: { contents: `import { Chatwire } from "chatwire"; new Chatwire();`, resolveDir: root },
      bundle: true,
      splitting: true,
      write: false,
      metafile: true,
      outdir: "out",
      format: "esm",
      conditions: ["browser"],
      logLevel: "error",
    });
    const loaded = new Set(
      Object.keys(metafile.outputs).filter((path) => metafile.outputs[path]?.entryPoint === "<stdin>"),
    );
    for (const path of loaded)
      for (const { path: needed, kind } of metafile.outputs[path]?.imports ?? [])
        if (kind === "import-statement") loaded.add(needed);
    const inputs = [...loaded].flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}));
    assert.ok(inputs.includes("dist/client.js"), "the client is among them");
    const others = /^dist\/(ag-ui|ai-sdk|edge|emulator|livekit|openai|otel|prices)\//;
    assert.deepEqual(
      inputs.filter((path) => others.test(path)),
      [],
    );
  });

  it("awaits nothing within a call of WebAssembly: Next moves such a call into a function that is not async", async () => {
    const scripts = files.filter((file) => file.endsWith(".js"));
    const found = await Promise.all(
      scripts.map(async (file) =>
        /WebAssembly\.(compile|instantiate)\(\s*await\b/.test(await readFile(join(root, file), "utf8")),
      ),
    );
    assert.ok(scripts.length > 0);
    assert.deepEqual(
      scripts.filter((_, index) => found[index]),
      [],
    );
  });

  it("is few files for Node to load, which chatwire and chatwire/slim share, and with them one engine", async () => {
    const program = `
      import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ load(url, context, next) { if (url.startsWith("file:")) loaded.push(url); return next(url, context); } });
      const { Chatwire, ChatDecoder } = await import("chatwire");
      const files = loaded.length;
      const slim = await import("chatwire/slim");
      new ChatDecoder({}).free();
      new slim.ChatDecoder({}).free();
      const client = new Chatwire({ baseURL: "https://upstream.invalid/v1", apiKey: "none" });
      console.log(JSON.stringify({ files, more: loaded.length - files, isSame: client instanceof slim.Chatwire }));
    `;
    const args = ["--input-type=module", "-e", program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: join(root, "tests") });
    const { files: count, more, isSame } = JSON.parse(stdout) as { files: number; more: number; isSame: boolean };
    assert.ok(count <= 5, `${count} files`);
    assert.deepEqual({ more, isSame }, { more: 1, isSame: true });
  });

  it("depends on nothing, and every peer is optional", () => {
    assert.deepEqual(
      Object.keys(manifest).filter((key) => /dependencies$/i.test(key)),
      ["devDependencies", "peerDependencies"],
    );
    const optional = Object.entries(manifest.peerDependenciesMeta).filter(([, { optional }]) => optional);
    assert.deepEqual(Object.keys(manifest.peerDependencies).sort(), optional.map(([name]) => name).sort());
  });

  it("has no part of a library in its engine that is large, and that plain code can do without", async () => {
    const folder = await mkdtemp(join(tmpdir(), "chatwire-names-"));
    const named = (await unshrunkWithNames(folder)).toString("latin1");
    await rm(folder, { recursive: true });
    assert.match(named, /chatwire[^\0]*::bindings::engine/, "names were stripped");
    // Each crept in once: serde_json, `str::find` and `split` by a string, what is a letter in all scripts, printed floats,
    // powers.
    const parts = [
      /serde_json[^\0]*::(de|ser|read)::/,
      /TwoWaySearcher/,
      /unicode_data/,
      /fmt::float/,
      /flt2dec/,
      /dec2flt/,
      /powidf2/,
    ];
    for (const part of parts) assert.ok(!part.test(named), String(part));
  });

  it("is not built again where only file times have changed, as in a copied tree", async () => {
    const [module, source] = ["dist/wasm/chatwire.wasm", "src/lib.rs"].map((file) => join(root, file)) as [
      string,
      string,
    ];
    const { mtimeMs } = await stat(module);
    const { atime, mtime } = await stat(source);
    await utimes(source, new Date(), new Date());
    try {
      await buildEngine();
      assert.equal((await stat(module)).mtimeMs, mtimeMs);
    } finally {
      await utimes(source, atime, mtime); // else cargo compiles it again, in other tests
    }
  });
});
