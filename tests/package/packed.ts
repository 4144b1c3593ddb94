/**
 * Projects of their own, with the package installed from its tarball as a user would have it.
 *
 * `npm run build` comes first, as in `npm test`: what is packed here is dist/ as it stands.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

export const root = join(import.meta.dirname, "..", "..");
const work = join(root, ".cache", "package");
const exec = promisify(execFile);

/** The output of a command. Rejects when the command fails, with all of its output. */
export async function run(cwd: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  try {
    const { stdout } = await exec(command, args, { cwd, env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
    return stdout.trim();
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")} failed\n${stdout}\n${stderr}`);
  }
}

/** Packs the package; gives the tarball's path and the files in it. */
export async function pack(): Promise<{ tarball: string; files: string[] }> {
  await mkdir(work, { recursive: true });
  const folder = await mkdtemp(join(work, "tarball-"));
  const args = ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder];
  const [packed] = JSON.parse(await run(root, "npm", args)) as [{ filename: string; files: { path: string }[] }];
  return { tarball: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** Writes a fresh project with these files and installs the package in it; gives its folder. */
export async function project(name: string, files: Record<string, string>): Promise<string> {
  const folder = join(work, name);
  await rm(folder, { recursive: true, force: true });
  const { tarball } = await pack();
  const manifest = { name, private: true, type: "module", dependencies: { chatwire: `file:${tarball}` } };
  for (const [file, text] of Object.entries({ "package.json": JSON.stringify(manifest), ...files })) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  await run(folder, "npm", ["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error"]);
  await rm(dirname(tarball), { recursive: true });
  return folder;
}

const imports = `import { Chatwire } from "chatwire";
import { createEmulator } from "chatwire/emulator";
`;

const requires = `const { Chatwire } = require("chatwire");
const { createEmulator } = require("chatwire/emulator");
`;

// The same seed gives the same answer, so what streams in has to be what a call without streaming gets.
const streams = `
const messages = [{ role: "user", content: "Why is the sky blue?" }];

function ask() {
  const { fetch } = createEmulator({ seed: 4, timeToFirstToken: 0, tokensPerSecond: 0 });
  return new Chatwire({ provider: "electron", apiKey: "any", dangerouslyAllowBrowser: true, fetch }).chat.completions;
}

async function answer() {
  const whole = await ask().create({ messages });
  const stream = ask().stream({ messages });
  let text = "";
  for await (const piece of stream.textStream) text += piece;
  const { status } = await stream.outcome();
  const isWhole = text.length > 0 && text === whole.choices[0].message.content;
  return \`\${status}, \${isWhole ? "all of it" : "not all of it"}\`;
}
`;

const prints = `
answer().then(console.log);
`;

/** Programs that stream an answer from the emulator, and what they then print. */
export const program = {
  esm: imports + streams + prints,
  cjs: requires + streams + prints,
  /** `require` and `import` in one process: with two engines, the classes of one would be strangers to the other. */
  both: `${requires + streams}
const required = { ...require("chatwire/openai"), ...require("chatwire/slim"), ...require("chatwire") };
Promise.all(["chatwire/openai", "chatwire/slim", "chatwire"].map((path) => import(path))).then(async (imported) => {
  const one = Object.assign({}, ...imported);
  const isOne = ["Chatwire", "ChatwireError", "ChatStream", "init"].every((name) => one[name] === required[name]);
  console.log(isOne ? await answer() : "two engines");
});
`,
  page: `${imports + streams}\nanswer().then((text) => { document.title = text; }, (error) => { document.title = String(error); });\n`,
  prints: "complete, all of it",
};
