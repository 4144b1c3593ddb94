/**
 * Builds the demo page into dist/demo, for `npx chatwire demo` and for any host of static files, with the licences
 * of what is bundled into it.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, say } from "./run.mjs";

/** The packages that the page is made of, beside chatwire. */
const BUNDLED = ["dompurify", "highlight.js", "idb", "marked", "openai", "remend"];

export async function buildPage() {
  say("bundling the demo page");
  const { build } = await import("vite");
  await build({ configFile: join(root, "www/vite.config.ts"), logLevel: "error" });
  const target = join(root, "dist", "demo");
  rmSync(target, { recursive: true, force: true });
  cpSync(join(root, "www", "dist"), target, { recursive: true });
  const licences = BUNDLED.map((name) => {
    const folder = join(root, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), "utf8").trim() : ""}`;
  });
  const head = "The files of this folder contain the following packages.";
  writeFileSync(join(target, "LICENSES.txt"), `${[head, ...licences].join("\n\n----\n\n")}\n`);
}
