/**
 * Runs a worker in workerd on this machine: bundled as a deployment would be, reachable from this machine alone.
 *
 * Used by `dev.mjs` and by the tests. The settings of `wrangler.toml` for the runtime hold here too.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { Miniflare, type MiniflareOptions } from "miniflare";

const folder = import.meta.dirname;
const config = readFileSync(join(folder, "wrangler.toml"), "utf8");

/** The compatibility date and flags of `wrangler.toml`. */
const configured = {
  compatibilityDate: /^compatibility_date = "(.+)"/m.exec(config)?.[1] ?? "",
  compatibilityFlags: JSON.parse(/^compatibility_flags = (\[.+\])/m.exec(config)?.[1] ?? "[]") as string[],
};

/** How to run a worker. */
export interface WorkerOptions {
  /** In place of the date and flags of `wrangler.toml`. */
  compatibility?: { compatibilityDate: string; compatibilityFlags: string[] };
  /** Its main module; that of `wrangler.toml` when it is left out. */
  entry?: string;
  /** 0, the default, is any free one. */
  port?: number;
  /** Its variables and secrets. */
  bindings?: Record<string, string>;
  /** The folder behind its binding `ASSETS`. */
  assets?: string;
  /**
   * Its Durable Objects with SQLite, which live until it stops: the exported class behind each binding. Those of
   * `wrangler.toml` when its main module runs and nothing else is said.
   */
  objects?: Record<string, string>;
  /** How many isolates run it, with the same objects. 1 when it is left out. */
  instances?: number;
}

/** A worker that runs. */
export interface RunningWorker {
  url: URL;
  /** Asks one of its isolates; the first is the one behind `url`. */
  fetch(instance: number, path: string, init?: RequestInit): Promise<Response>;
  /** The ids of a class's objects. */
  objects(exportName: string): Promise<string[]>;
  /** Bundles it anew, at the same address. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** `entry` and all it imports as one module, and beside it the `.wasm` files as modules of their own. */
async function bundle(entry: string) {
  const modules: Record<string, { type: "esm" | "wasm"; contents: string | Uint8Array<ArrayBuffer> }> = {};
  const wasmModules: Plugin = {
    name: "wasm-modules",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        const name = basename(path);
        modules[name] = { type: "wasm", contents: readFileSync(join(resolveDir, path)) };
        return { path: `./${name}`, external: true };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    // Modules of the runtime itself.
    external: ["cloudflare:*", "node:*"],
    plugins: [wasmModules],
    logLevel: "warning",
  });
  modules["worker.js"] = { type: "esm", contents: outputFiles[0]?.text ?? "" };
  return { mainModule: "worker.js", modules };
}

/** The classes of `wrangler.toml`, by their bindings. */
function configuredObjects(): Record<string, string> {
  const bindings = config.matchAll(/^\[\[durable_objects\.bindings\]\]\nname = "(\w+)"\nclass_name = "(\w+)"/gm);
  return Object.fromEntries([...bindings].map(([, name = "", exportName = ""]) => [name, exportName]));
}

/** The options of miniflare for a worker. */
async function settings(options: WorkerOptions): Promise<MiniflareOptions> {
  const {
    entry = join(folder, "src/index.ts"),
    port = 0,
    bindings = {},
    assets,
    objects = options.entry ? {} : configuredObjects(),
    instances = 1,
    compatibility = configured,
  } = options;
  const env: NonNullable<WorkerConfig["env"]> = Object.fromEntries(
    Object.entries(bindings).map(([name, value]) => [name, { type: "text", value }]),
  );
  if (assets) env.ASSETS = { type: "assets" };
  for (const [binding, exportName] of Object.entries(objects)) {
    env[binding] = { type: "durable-object", worker: nameOf(0), exportName };
  }
  const exported = Object.values(objects).map((name) => [name, { type: "durable-object", storage: "sqlite" }] as const);
  const manifest = await bundle(entry);
  return {
    host: "127.0.0.1",
    port,
    logRequests: false,
    telemetry: { enabled: false },
    workers: Array.from({ length: instances }, (_, instance) => ({
      config: {
        name: nameOf(instance),
        ...compatibility,
        manifest,
        env,
        ...(instance === 0 && exported.length > 0 && { exports: Object.fromEntries(exported) }),
        ...(assets && { assets: { directory: assets, hasUserWorker: true, runWorkerFirst: true } }),
      },
    })),
  };
}

type WorkerConfig = Extract<MiniflareOptions, { workers: unknown }>["workers"][number]["config"];

const nameOf = (instance: number) => `worker-${instance}`;

/**
 * Starts a worker.
 * @throws {Error} with `code: "ERR_ADDRESS_IN_USE"`, the port is taken
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const miniflare = new Miniflare(await settings(options));
  const url = await miniflare.ready.catch(async (error: unknown) => {
    await miniflare.dispose();
    throw error;
  });
  return {
    url,
    async fetch(instance, path, init) {
      const worker = (await miniflare.getWorker(nameOf(instance))) as unknown as { fetch: typeof fetch };
      return worker.fetch(new URL(path, url).href, init);
    },
    objects: (exportName) => miniflare.listDurableObjectIds(exportName, nameOf(0)),
    reload: async () => miniflare.setOptions(await settings({ ...options, port: Number(url.port) })),
    stop: () => miniflare.dispose(),
  };
}
