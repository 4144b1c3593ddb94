/**
 * `npm start`: sets up, builds, and serves the demo page with its worker. worker/dev.mjs knows its settings.
 */
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

await setup();
await buildEngine();
await buildFacade();
say("building the page, starting the worker");
await run("node", ["worker/dev.mjs", ...process.argv.slice(2)]);
