/**
 * Projects of their own, with the package installed from its tarball as a user would have it.
 *
 * `npm run build` comes first, as in `npm test`: what is packed here is dist/ as it stands.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import manifest from "../../package.json" with { type: "json" };

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

/** Packs the package; gives the tarball's path, in a folder of its own, and the files in it. */
export async function pack(): Promise<{ tarball: string; files: string[] }> {
  await mkdir(work, { recursive: true });
  const folder = await mkdtemp(join(work, "tarball-"));
  const args = ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder];
  const [packed] = JSON.parse(await run(root, "npm", args)) as [{ filename: string; files: { path: string }[] }];
  return { tarball: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** The package as it was packed and installed once, for all test files that find the same dist/. */
export interface Installed {
  tarball: string;
  /** The files in the tarball. */
  files: string[];
  /** The folder that `npm install` made of the tarball. */
  modules: string;
}

/** Packs and installs the package, unless that was done with files of the same times. */
export async function installed(): Promise<Installed> {
  const place = join(work, `installed-${await stateOfFiles()}`);
  const list = join(place, "files.json");
  if (!existsSync(list)) {
    const { tarball, files } = await pack();
    const fresh = dirname(tarball);
    const packed = join(fresh, "chatwire.tgz");
    await rename(tarball, packed);
    await writeManifest(fresh, "installed", packed);
    await run(fresh, "npm", ["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    await writeFile(join(fresh, "files.json"), JSON.stringify(files));
    for (const name of await readdir(work)) {
      if (name.startsWith("installed-") && name !== basename(place))
        await rm(join(work, name), { recursive: true, force: true });
    }
    await rename(fresh, place).catch(async (error) => {
      if (!existsSync(list)) throw error; // else another process was first
      await rm(fresh, { recursive: true });
    });
  }
  const files: string[] = JSON.parse(await readFile(list, "utf8"));
  return { tarball: join(place, "chatwire.tgz"), files, modules: join(place, "node_modules") };
}

/** A name for all that may be in the tarball, as it stands: paths, sizes and times. */
async function stateOfFiles(): Promise<string> {
  const parts = ["package.json", "README.md", "docs", ...manifest.files.filter((path) => !/[!*]/.test(path))];
  const paths: string[] = [...parts];
  for (const part of parts) {
    if (!(await stat(join(root, part))).isDirectory()) continue;
    paths.push(...(await readdir(join(root, part), { recursive: true })).map((name) => join(part, name)));
  }
  const hash = createHash("sha256");
  for (const path of paths.sort()) {
    const { size, mtimeMs } = await stat(join(root, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

async function writeManifest(folder: string, name: string, tarball: string): Promise<void> {
  const manifest = { name, private: true, type: "module", dependencies: { chatwire: `file:${tarball}` } };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
}

/** Writes a fresh project with these files, and the package as npm installed it from its tarball; gives its folder. */
export async function project(name: string, files: Record<string, string>): Promise<string> {
  const folder = join(work, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { tarball, modules } = await installed();
  await writeManifest(folder, name, tarball);
  // Without npm's own record, which names the tarball where it was: npm looks at the folders if more is installed here.
  const filter = (path: string): boolean => basename(path) !== ".package-lock.json";
  await cp(modules, join(folder, "node_modules"), { recursive: true, verbatimSymlinks: true, filter });
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
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
const paths = ["chatwire", "chatwire/static", "chatwire/slim"];
const required = paths.map((path) => require(path));
Promise.all(paths.map((path) => import(path))).then(async (imported) => {
  const names = ["Chatwire", "ChatwireError", "APIError", "ChatStream", "init"];
  const isOne = [...imported, ...required].every((from) => names.every((name) => !(name in from) || from[name] === required[0][name]));
  console.log(isOne ? await answer() : "two engines");
});
`,
  /** The names of both entries in one process. */
  entries: `${imports + streams}
import * as one from "chatwire/static";
if (one.Chatwire === Chatwire) answer().then(console.log);
else console.log("two engines");
`,
  page: `${imports + streams}\nanswer().then((text) => { document.title = text; }, (error) => { document.title = String(error); });\n`,
  prints: "complete, all of it",
};
