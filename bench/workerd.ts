/** workerd itself, with one worker and nothing around it, so that its CPU time is the worker's. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { bundle, engineBytes, type Source } from "./bundle.ts";

const require = createRequire(import.meta.url);
/** The one that miniflare brings. */
const executable: string = createRequire(require.resolve("miniflare"))("workerd").default;

/** Where its objects are stored: the folder that this names. */
const DISK = "objects";

const config = (hasEngine: boolean, variables: Record<string, string>, objects: readonly string[]) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    ${objects.length > 0 ? `(name = "disk", disk = (path = "${DISK}", writable = true)),` : ""}
    (name = "internet", network = (allow = ["public", "private"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    ${hasEngine ? '(name = "chatwire.wasm", wasm = embed "chatwire.wasm"),' : ""}
  ],
  bindings = [${[
    ...Object.entries(variables).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`),
    ...objects.map((name) => `(name = "${name}", durableObjectNamespace = "${name}")`),
  ]}],
  ${
    objects.length > 0
      ? `durableObjectNamespaces = [${objects.map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`)}],
  durableObjectStorage = (localDisk = "disk"),`
      : ""
  }
  compatibilityDate = "2026-01-01",
  compatibilityFlags = ["nodejs_compat", "enable_request_signal"]
);`;

/** A worker ready to be started, any number of times. */
export class Worker {
  readonly #folder: string;
  /** The source map of its script. */
  readonly map: string;

  private constructor(folder: string, map: string) {
    this.#folder = folder;
    this.map = map;
  }

  /** `variables` are in its environment, and so are the classes of Durable Objects that it exports, each by its name. */
  static async from(
    source: Source,
    variables: Record<string, string> = {},
    objects: readonly string[] = [],
  ): Promise<Worker> {
    const cache = join(import.meta.dirname, "../.cache");
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, "bench-"));
    const { script, map } = await bundle(source, ["workerd", "worker", "browser"]);
    const hasEngine = script.includes("./chatwire.wasm");
    writeFileSync(join(folder, "worker.js"), script);
    writeFileSync(join(folder, "config.capnp"), config(hasEngine, variables, objects));
    mkdirSync(join(folder, DISK));
    if (hasEngine) writeFileSync(join(folder, "chatwire.wasm"), engineBytes());
    return new Worker(folder, map);
  }

  /**
   * Starts a process of its own and waits until it listens.
   * @param isInspected offers an inspector too
   */
  start(isInspected = false): Promise<RunningWorker> {
    const inspector = isInspected ? ["--inspector-addr=127.0.0.1:0"] : [];
    const args = ["serve", join(this.#folder, "config.capnp"), "--control-fd=3", ...inspector];
    const child = spawn(executable, args, { cwd: this.#folder, stdio: ["ignore", "ignore", "pipe", "pipe"] });
    return new Promise((resolve, reject) => {
      let [said, complaint] = ["", ""];
      child.stderr?.on("data", (text) => {
        complaint += text;
      });
      child.stdio[3]?.on("data", (text) => {
        said += text;
        const port = /"socket":"http","port":(\d+)/.exec(said)?.[1];
        const inspected = /"listen-inspector","port":(\d+)/.exec(said)?.[1];
        if (!port || (isInspected && !inspected)) return;
        resolve(new RunningWorker(child, `http://127.0.0.1:${port}`, `http://127.0.0.1:${inspected}`));
      });
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`workerd ended: ${complaint}`)));
    });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** A worker that runs. */
export class RunningWorker {
  readonly url: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** Where its inspector listens, if it was started with one. */
  readonly inspector: string;

  constructor(child: ChildProcess, url: string, inspector: string) {
    this.process = child;
    this.pid = child.pid ?? 0;
    this.url = url;
    this.inspector = inspector;
  }

  stop(): Promise<void> {
    // A process that has ended by itself says so once.
    if (this.process.exitCode !== null || this.process.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.process.removeAllListeners("exit").once("exit", () => resolve());
      this.process.kill();
    });
  }
}
