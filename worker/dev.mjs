/**
 * The page and its worker on this machine: builds the page, starts the worker in workerd, prints the address.
 *
 *     node worker/dev.mjs [--watch]
 *
 * PORT        the port to try first (8787); the next free one is taken
 * SMALLEST_API_KEY, ELECTRONHUB_API_KEY, OPENAI_API_KEY   keys; a provider without one is played by the emulator
 * PROVIDER, ACCESS_TOKEN, *_BASE_URL                      as in `wrangler.toml`
 */
import { watch } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { startWorker } from "./workerd.ts";

const root = join(import.meta.dirname, "..");
const isWatching = process.argv.includes("--watch");

const SETTINGS = [
  "SMALLEST_API_KEY",
  "ELECTRONHUB_API_KEY",
  "OPENAI_API_KEY",
  "ELECTRON_BASE_URL",
  "ELECTRONHUB_BASE_URL",
  "OPENAI_BASE_URL",
  "PROVIDER",
  "ACCESS_TOKEN",
  "MAX_BODY_BYTES",
];

/** Starts the worker at `port`, or at the first one after it that is free. */
async function startFrom(port, options) {
  try {
    return await startWorker({ ...options, port });
  } catch (error) {
    if (error.code !== "ERR_ADDRESS_IN_USE") throw error;
    return startFrom(port + 1, options);
  }
}

const bindings = { LOG: "short" };
for (const name of SETTINGS) if (process.env[name]) bindings[name] = process.env[name];

const page = await build({
  configFile: join(root, "www/vite.config.ts"),
  logLevel: "warn",
  ...(isWatching && { build: { watch: {} } }),
});
if (isWatching) {
  await new Promise((resolve) => {
    page.on("event", ({ code }) => code === "END" && resolve());
  });
}

const worker = await startFrom(Number(process.env.PORT) || 8787, { bindings, assets: join(root, "www/dist") });

if (isWatching) {
  let due;
  // An editor, or a compiler, writes several files in a row.
  const soon = () => {
    clearTimeout(due);
    due = setTimeout(() => worker.reload().catch((error) => console.error(error.message)), 150);
  };
  page.on("event", ({ code }) => code === "END" && soon());
  for (const folder of ["worker/src", "dist"]) watch(join(root, folder), { recursive: true }, soon);
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await worker.stop();
    process.exit();
  });
}

console.log(`\n  chatwire is at ${worker.url.origin}\n`);
for (const [label, key] of [
  ["Electron", "SMALLEST_API_KEY"],
  ["ElectronHub", "ELECTRONHUB_API_KEY"],
  ["OpenAI", "OPENAI_API_KEY"],
]) {
  console.log(
    `  ${label.padEnd(12)} ${bindings[key] ? "the real service" : `emulated; set ${key} for the real service`}`,
  );
}
console.log("\n  Ctrl+C stops it.\n");
