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
import { createServer } from "node:net";
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

/** The first port from `port` on that nothing listens on. */
async function freePort(port) {
  const isFree = await new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
  return isFree ? port : freePort(port + 1);
}

const bindings = {};
for (const name of SETTINGS) if (process.env[name]) bindings[name] = process.env[name];

await build({
  configFile: join(root, "www/vite.config.ts"),
  logLevel: "warn",
  ...(isWatching && { build: { watch: {} } }),
});

const worker = await startWorker({
  port: await freePort(Number(process.env.PORT) || 8787),
  bindings,
  assets: join(root, "www/dist"),
});

if (isWatching) {
  let due;
  const soon = () => {
    clearTimeout(due);
    due = setTimeout(() => worker.reload().catch((error) => console.error(error.message)), 150);
  };
  for (const folder of ["worker/src", "www/dist", "dist"]) watch(join(root, folder), { recursive: true }, soon);
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
