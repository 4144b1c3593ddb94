/**
 * `npm run test:python`: OpenAI's Python client through the gateway. Apart from `npm test` because it needs Python 3.9 or
 * later and a package from PyPI, which is installed into a folder of the project.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { root, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

const OPENAI = "openai>=3,<4";

await setup();
await buildEngine();
await buildFacade();
const folder = join(root, ".cache", "python");
const python = join(folder, "bin", "python");
if (!existsSync(python)) await run("python3", ["-m", "venv", folder]);
say(`installing ${OPENAI}`);
await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", OPENAI]);
await run("node", ["--test", "--test-reporter=spec", "tests/python/*.test.ts"], { env: { PYTHON: python } });
