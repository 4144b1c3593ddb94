/**
 * `npm run test:examples`: the examples and recipes, and each entry beside the package that it is for, all with chatwire installed
 * from its tarball, on the emulator. Apart from `npm test` because it installs some hundred megabytes; those whose packages are here
 * are in both.
 */
import { chromium } from "./browser.mjs";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { run } from "./run.mjs";
import { setup } from "./setup.mjs";

await setup();
await buildEngine();
await buildFacade();
const browser = await chromium();
const files = ["*", "slow/*"].map((part) => `tests/examples/${part}.test.ts`);
const args = ["--test", "--test-concurrency=1", "--test-timeout=900000", "--test-reporter=spec", ...files];
await run("node", args, { env: { ...(browser && { CHROME: browser }) } });
