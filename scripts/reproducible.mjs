/**
 * `npm run reproducible`: builds the package twice, in two folders, and compares every file of dist/ byte by byte.
 * The command fails, and names the files, where they differ. A few minutes.
 *
 * The comparison shows that neither the folder, nor the time, nor what was built before gets into the files. The
 * comparison does not show that another machine, or another version of a tool, gives the same; the versions are
 * those of Cargo.lock, package-lock.json and rust-toolchain.toml.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { attempt, root, run, say, tools } from "./run.mjs";
import { setup } from "./setup.mjs";

await setup();
const work = join(root, ".cache", "reproducible");
// Names of different lengths, because a path that gets into a file moves what comes after it.
const folders = ["one", "another-with-a-longer-name"].map((name) => join(work, name));
const listed = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { capture: true });
const sources = listed.split("\n").filter((file) => file !== "" && existsSync(join(root, file)));

rmSync(work, { recursive: true, force: true });
for (const folder of folders) {
  say(`building in ${folder.slice(root.length)}`);
  for (const file of sources) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  // Packages and tools are shared: they are given, not built.
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, "target"));
  symlinkSync(tools, join(folder, "target", "tools"));
  const env = { CARGO_TARGET_DIR: join(folder, "target") };
  const { code, output } = await attempt("node", ["scripts/build.mjs"], { cwd: folder, env, capture: true });
  if (code !== 0) {
    console.error(output);
    process.exit(code);
  }
}

const [one, other] = folders.map((folder) => hashesOf(join(folder, "dist")));
const files = [...new Set([...one.keys(), ...other.keys()])].sort();
const different = files.filter((file) => one.get(file) !== other.get(file));
for (const file of different) console.error(`differs: dist/${file}`);
console.log(
  `${files.length} files built twice, ${different.length} of them differ; chatwire.wasm is ${one.get("wasm/chatwire.wasm")}`,
);
if (different.length === 0) rmSync(work, { recursive: true });
process.exit(different.length > 0 ? 1 : 0);

/** The SHA-256 of each file below a folder. */
function hashesOf(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), createHash("sha256").update(readFileSync(path)).digest("hex")];
    }),
  );
}
