/**
 * Compiles npm/ into dist/, which is laid out the same. Files that TypeScript cannot write are copied.
 */
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, run, say } from "./run.mjs";

const sources = join(root, "npm");
const dist = join(root, "dist");

export async function buildFacade() {
  say("compiling the facade");
  await run("tsc", ["-p", "tsconfig.build.json"]);
  const present = filesIn(sources);
  for (const file of present.filter((file) => /\.(js|d\.ts)$/.test(file))) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    cpSync(join(sources, file), join(dist, file));
  }
  for (const file of filesIn(dist).filter((file) => /\.(js|d\.ts)$/.test(file))) {
    const stem = file.replace(/\.d\.ts$|\.js$/, "");
    if (!present.some((source) => source.startsWith(`${stem}.`))) rmSync(join(dist, file)); // its source is gone
  }
}

/** All but those of the engine. */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => !/^wasm\b/.test(file));
}
