/**
 * `npm run dev`: the demo page, kept up to date. An edit in npm/, www/ or worker/ is on the page at once; one in src/
 * runs the native tests, and builds the engine when they pass.
 */
import { watch } from "node:fs";
import { join } from "node:path";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { attempt, root, say } from "./run.mjs";
import { setup } from "./setup.mjs";

await setup();
await buildEngine();
await buildFacade();

attempt("tsc", ["-p", "tsconfig.build.json", "--watch", "--preserveWatchOutput"]);
attempt("node", ["worker/dev.mjs", "--watch", ...process.argv.slice(2)]);

let isTesting = false;
let isDue = false;

watch(join(root, "src"), { recursive: true }, async () => {
  isDue = true;
  if (isTesting) return;
  isTesting = true;
  while (isDue) {
    isDue = false;
    say("testing the core");
    const { code } = await attempt("cargo", ["test", "--tests"]);
    if (code === 0 && !isDue) await buildEngine();
  }
  isTesting = false;
});
