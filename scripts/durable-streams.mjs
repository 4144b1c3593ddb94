/**
 * `npm run test:durable-streams`: the client reads from the reference server of Durable Streams, over connections that break. Apart
 * from `npm test` because of what the server brings with it, which is installed into a folder of the project.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { root, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

const SERVER = "@durable-streams/server@0.3.7";

await setup();
await buildEngine();
await buildFacade();
const folder = join(root, ".cache", "durable-streams");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
say(`installing ${SERVER}`);
await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", SERVER], {
  cwd: folder,
});
const env = { DURABLE_STREAMS: join(folder, "node_modules/@durable-streams/server/dist/index.js") };
await run("node", ["--test", "--test-reporter=spec", "tests/durable-streams/*.test.ts"], { env });
