/**
 * `npm run test:openai`: `chatwire/openai` beside `openai`. The table of programs, the examples, and the packages
 * that are given a client or change its class (LangSmith, Braintrust, LangChain, OpenAI's Agents SDK, LiveKit, Langfuse,
 * Instructor, OpenInference, Traceloop), which are installed for it. Apart from `npm test` because these are half a gigabyte; the table of programs is in both.
 */
import { join } from "node:path";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { root, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

await setup();
await buildEngine();
await buildFacade();
say("installing the packages that are given a client");
const wrappers = join(root, "tests", "openai", "wrappers");
// The files that they would compile or download are not needed for chat.
await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: wrappers });
const files = ["*", "slow/*", "wrappers/*"].map((part) => `tests/openai/${part}.test.ts`);
await run("node", ["--test", "--test-timeout=600000", "--test-reporter=spec", ...files]);
