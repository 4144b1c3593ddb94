/**
 * `npm run test:openai`: `chatwire/openai` beside `openai`. The table of programs, the examples, and the packages
 * that are given a client or change its class (LangSmith, Braintrust, LangChain, OpenAI's Agents SDK, LiveKit, Langfuse,
 * Instructor, OpenInference, Traceloop), which are installed for it. Apart from `npm test` because these are half a gigabyte; the table of programs is in both.
 *
 *     npm run test:openai -- --examples ../openai-node/examples
 *
 * runs `openai`'s own examples too. They are in its repository, https://github.com/openai/openai-node, and not in its package.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { root, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

const { examples } = parseArgs({ options: { examples: { type: "string" } } }).values;
// The folder is named from where the command was given.
const folder = examples && resolve(process.env.INIT_CWD ?? ".", examples);
if (folder && !existsSync(folder)) {
  console.error(`There is no folder ${folder}. Give --examples the folder of openai-node that has its examples.`);
  process.exit(2);
}

await setup();
await buildEngine();
await buildFacade();
say("installing the packages that are given a client");
const wrappers = join(root, "tests", "openai", "wrappers");
// The files that they would compile or download are not needed for chat.
await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: wrappers });
const files = ["*", "slow/*", "wrappers/*"].map((part) => `tests/openai/${part}.test.ts`);
const env = folder ? { OPENAI_EXAMPLES: folder } : {};
await run("node", ["--test", "--test-timeout=600000", "--test-reporter=spec", ...files], { env });
