/**
 * Runs the tools of the project: the local ones come first on the path, among them the Node of the devDependencies.
 */
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** Where cargo builds, what it was told included. */
export const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");

/** Tools built for this project alone. */
export const tools = join(root, "target", "tools");

/** Where Playwright puts the browsers it downloads. */
export const browsers = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(root, ".cache", "browsers");

/** The environment of commands: the local tools, and caches in the project rather than at home. */
const environment = {
  ...process.env,
  PLAYWRIGHT_BROWSERS_PATH: browsers,
  WRANGLER_SEND_METRICS: "false",
  PATH: [join(root, "node_modules", ".bin"), join(tools, "bin"), process.env.PATH].join(delimiter),
};

/** A line that says what is being done. */
export function say(text) {
  console.error(`\x1b[36m›\x1b[0m ${text}`);
}

/**
 * Runs a command in the project's folder and gives `{ code, output }`, whatever the code is.
 * With `capture` its output is kept for the caller; otherwise it goes straight to the terminal.
 */
export function attempt(command, args = [], { env, cwd = root, capture = false } = {}) {
  return new Promise((done) => {
    const stdio = capture ? ["ignore", "pipe", "pipe"] : "inherit";
    const child = spawn(command, args, { cwd, stdio, env: { ...environment, ...env } });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
    child.on("error", (error) => done({ code: 127, output: `${command}: ${error.message}\n` }));
    child.on("close", (code) => done({ code: code ?? 1, output }));
  });
}

/** Runs a command that has to succeed; ends the process with its exit code when it does not. */
export async function run(command, args, options) {
  const { code, output } = await attempt(command, args, options);
  if (code === 0) return output;
  console.error(`${output}\nFailed (${code}): ${command} ${args.join(" ")}`);
  process.exit(code);
}
