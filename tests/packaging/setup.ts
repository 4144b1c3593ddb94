/**
 * One set-up: a small project of its own with the package installed from its tarball, in one tool or runtime, and what to
 * try in it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import type { Browser } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { program, root, run } from "../package/packed.ts";

export { program, run };

/** A set-up, as the tables have it. */
export interface Setup {
  /** Its row is named for it: "Vite 5". `--only=` picks by the beginning of a name, in any case. */
  name: string;
  /**
   * The packages that it installs beside chatwire, by name: a version or a range. The versions of the first are in the
   * matrix.
   */
  packages?: Record<string, string>;
  /** The version in the matrix, where it is that of something else. */
  version?: ((project: Project) => Promise<string>) | undefined;
  /** Its files, by path. */
  files?: Record<string, string>;
  /** More of its package.json. */
  manifest?: object;
  /** Installed by something else than npm. */
  install?: (project: Project) => Promise<unknown>;
  /** The tries, by name. Each gives the program's output, which has to be `program.prints`; or what `says` expects. */
  tries: Record<string, (project: Project) => Promise<string>>;
  /** The line that this tool needs, for the docs; the files above have it. */
  recipe?: string;
  /** This machine cannot run it, and why. */
  notRun?: string;
}

/** The output of a try where it differs from that of the program. */
export const OK: string = program.prints;

const projects = join(root, ".cache", "packaging");
const LOCK = "package-lock.json";

/** The install scripts that tools need. */
const SCRIPTS = [
  "@parcel/watcher",
  "@swc/core",
  "bun",
  "deno",
  "esbuild",
  "lmdb",
  "msgpackr-extract",
  "node",
  "nx",
  "sharp",
];
SCRIPTS.push("unrs-resolver", "workerd", "@nestjs/core", "vue-demi", "less");

/** A set-up on the disk. */
export class Project {
  readonly folder: string;
  readonly #setup: Setup;
  readonly tarball: string;
  #isInstalled = false;
  #browser: Browser | undefined;
  #server: (Server & { key: string }) | undefined;
  readonly #closing: (() => unknown)[] = [];

  constructor(setup: Setup, tarball: string) {
    this.#setup = setup;
    this.tarball = tarball;
    this.folder = join(projects, setup.name.replaceAll(/[^\w.]+/g, "-").toLowerCase());
  }

  /** Whether two set-ups with the same word may have one installation after another; those that install in their own way may not. */
  static installationOf({ name, packages = {}, install, notRun }: Setup): string {
    return install || notRun ? name : JSON.stringify(packages);
  }

  /**
   * Writes the files and installs.
   * @param modules an installation of the same packages, which is moved here
   */
  async make(modules?: string): Promise<void> {
    const { files = {}, packages = {}, manifest = {}, install } = this.#setup;
    await rm(this.folder, { recursive: true, force: true });
    const dependencies = { chatwire: `file:${this.tarball}`, ...packages };
    const allowScripts = Object.fromEntries(SCRIPTS.map((name) => [name, true]));
    const all = { name: "project", private: true, type: "module", dependencies, allowScripts, ...manifest };
    await this.write({ "package.json": JSON.stringify(all, null, 2), ...files });
    if (modules) {
      await rename(modules, join(this.folder, "node_modules"));
      // Tools take the folder of the lock file for the project's.
      await rename(join(this.folder, "node_modules", LOCK), join(this.folder, LOCK)).catch(() => {});
    } else if (install) await install(this);
    else await this.run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    this.#isInstalled = true;
  }

  async write(files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.folder, path)), { recursive: true });
      await writeFile(join(this.folder, path), text);
    }
  }

  /** The text of one of its files. */
  read(path: string): Promise<string> {
    return readFile(join(this.folder, path), "utf8");
  }

  /** Runs a command in the project; gives what it printed. */
  run(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    return run(this.folder, command, args, { ...quiet(this.folder), ...env });
  }

  /** The same, and the last line only. */
  async says(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    return (await this.run(command, args, env)).split("\n").pop() as string;
  }

  /** The version of a package that is installed here. */
  version(name = Object.keys(this.#setup.packages ?? {})[0] ?? ""): string {
    const path = join(this.folder, "node_modules", name, "package.json");
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).version : "";
  }

  /** The version in the matrix. */
  async versionOfRow(): Promise<string> {
    return this.#setup.version ? this.#setup.version(this).catch(() => "") : this.version();
  }

  /** Opens an address in Chromium; gives the page's title once it has one. */
  async titleOf(url: string, milliseconds = 60_000): Promise<string> {
    this.#browser ??= await launchChromium();
    const page = await this.#browser.newPage();
    const said: string[] = [];
    page.on("console", (message) => message.type() === "error" && said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    try {
      await page.goto(url, { timeout: milliseconds });
      const ready = () => document.title !== "" && document.title !== "waiting";
      await page.waitForFunction(ready, undefined, { timeout: milliseconds });
      return await page.title();
    } catch (error) {
      throw new Error(`${String(error).split("\n")[0]}\n${said.join("\n")}`);
    } finally {
      await page.close();
    }
  }

  /** Serves a folder as a plain server does, under a base, and opens it; gives the page's title. */
  async open(folder: string, base = "/", path = ""): Promise<string> {
    const server = createServer(async ({ url = "/" }, response) => {
      const asked = decodeURI(url.split("?")[0] as string);
      const within = asked.startsWith(base) ? asked.slice(base.length) : "missing";
      try {
        const file = within === "" || within.endsWith("/") ? `${within}index.html` : within;
        const bytes = await readFile(join(this.folder, folder, file));
        response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain" }).end(bytes);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      return await this.titleOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}${base}${path}`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }

  /** Starts a server of the tool, waits until it answers at an address, and gives what `use` makes of it. */
  async serving<T>(
    command: [string, ...string[]],
    url: string,
    use: (url: string) => Promise<T>,
    env: NodeJS.ProcessEnv = {},
  ): Promise<T> {
    const server = this.#start(command, env);
    try {
      return await server.used(url, use);
    } finally {
      server.stop();
    }
  }

  /** The same, with a server that goes on for the next tries, until one with another key is asked for. */
  async kept<T>(
    key: string,
    start: (port: string) => [string, ...string[]],
    use: (url: string) => Promise<T>,
  ): Promise<T> {
    if (this.#server?.key !== key) {
      this.stop();
      const port = String(nextPort());
      const server = this.#start(start(port), { PORT: port, HOST: "127.0.0.1" });
      this.#server = Object.assign(server, { key, url: `http://127.0.0.1:${port}/` });
    }
    return this.#server.used(this.#server.url, use);
  }

  /** Ends the server that went on. */
  stop(): void {
    this.#server?.stop();
    this.#server = undefined;
  }

  #start([command, ...args]: [string, ...string[]], env: NodeJS.ProcessEnv): Server {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: { ...process.env, ...quiet(this.folder), ...env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.on("error", (error) => (output += error));
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    const stop = () => end(child);
    this.#closing.push(stop);
    const used = async <T>(url: string, use: (url: string) => Promise<T>): Promise<T> => {
      try {
        await answered(url, child);
        return await use(url);
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : error}\n${output.slice(-3000)}`);
      }
    };
    return { url: "", used, stop };
  }

  /**
   * Ends what was started, and removes the folder, which may be large.
   * @returns where the installation is now, for a set-up with the same packages
   */
  async remove(): Promise<string | undefined> {
    await this.close();
    const modules = join(this.folder, "node_modules");
    const moved = `${this.folder}-modules`;
    await rm(moved, { recursive: true, force: true });
    const isMoved = await rename(modules, moved).then(
      () => true,
      () => false, // nothing was installed
    );
    if (isMoved) await rename(join(this.folder, LOCK), join(moved, LOCK)).catch(() => {}); // not every tool writes npm's
    await rm(this.folder, { recursive: true, force: true });
    if (!isMoved) return undefined;
    if (!this.#isInstalled) {
      await rm(moved, { recursive: true });
      return undefined;
    }
    // The caches of tools know paths of this folder.
    for (const cache of [".vite", ".vite-temp", ".cache"])
      await rm(join(moved, cache), { recursive: true, force: true });
    return moved;
  }

  /** Ends what was started. */
  async close(): Promise<void> {
    for (const close of this.#closing) close();
    await this.#browser?.close();
  }
}

/** A server of a tool. */
interface Server {
  url: string;
  /** The result of `use`, which is called once the server answers. */
  used<T>(url: string, use: (url: string) => Promise<T>): Promise<T>;
  stop(): void;
}

/** The number that a program's `--version` has. */
export async function versionOf(program: string): Promise<string> {
  return /[\d.]{3,}/.exec(await run(root, program, ["--version"]))?.[0] ?? "";
}

export const chromiumVersion = (): Promise<string> => versionOf(process.env.CHROME ?? "/usr/bin/chromium");

/** Tools are to keep to the project, and to ask nobody. */
function quiet(folder: string): NodeJS.ProcessEnv {
  const bin = join(folder, "node_modules", ".bin");
  return {
    PATH: `${bin}:${dirname(process.execPath)}:${process.env.PATH}`,
    CI: "1",
    NO_COLOR: "1",
    FORCE_COLOR: "0",
    NODE_ENV: undefined,
    NODE_OPTIONS: undefined,
    DENO_DIR: join(root, ".cache", "deno"),
    DENO_NO_UPDATE_CHECK: "1",
    NEXT_TELEMETRY_DISABLED: "1",
    ASTRO_TELEMETRY_DISABLED: "1",
    NUXT_TELEMETRY_DISABLED: "1",
    NG_CLI_ANALYTICS: "false",
    WRANGLER_SEND_METRICS: "false",
    XDG_CACHE_HOME: join(projects, "cache"),
    PARCEL_WORKERS: "0",
    npm_config_update_notifier: "false",
  };
}

async function answered(url: string, child: ChildProcess): Promise<void> {
  const until = Date.now() + 180_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error("the server ended");
    try {
      await fetch(url, { signal: AbortSignal.timeout(60_000) }).then((response) => response.arrayBuffer());
      if (child.exitCode === null) return; // else another server has its port
    } catch (error) {
      if (Date.now() > until) throw new Error(`the server does not answer: ${error}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** Ends a process and what it started: it leads a group of its own. */
function end(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The process is over.
  }
}

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** Each run has ports of its own. */
let port = 10_000 + (process.pid % 400) * 50;
/** A port for a tool's server. */
export const nextPort = (): number => port++;
