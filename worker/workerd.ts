/**
 * Runs a worker in workerd on this machine: bundled as a deployment would be, reachable from this machine alone.
 *
 * Used by `dev.mjs` and by the tests. What `wrangler.toml` says of the runtime holds here too.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { Miniflare, type MiniflareOptions } from "miniflare";

const folder = import.meta.dirname;
const config = readFileSync(join(folder, "wrangler.toml"), "utf8");

/** The compatibility date and flags of `wrangler.toml`. */
const compatibility = {
  compatibilityDate: /^compatibility_date = "(.+)"/m.exec(config)?.[1] ?? "",
  compatibilityFlags: JSON.parse(/^compatibility_flags = (\[.+\])/m.exec(config)?.[1] ?? "[]"),
};

/** How to run a worker. */
export interface WorkerOptions {
  /** Its main module; that of `wrangler.toml` when it is left out. */
  entry?: string;
  /** 0, the default, is any free one. */
  port?: number;
  /** Its variables and secrets. */
  bindings?: Record<string, string>;
  /** The folder behind its binding `ASSETS`. */
  assets?: string;
}

/** A worker that runs. */
export interface RunningWorker {
  url: URL;
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
    plugins: [wasmModules],
    logLevel: "warning",
  });
  modules["worker.js"] = { type: "esm", contents: outputFiles[0]?.text ?? "" };
  return { mainModule: "worker.js", modules };
}

/** What miniflare is told about a worker. */
async function settings(options: WorkerOptions): Promise<MiniflareOptions> {
  const { entry = join(folder, "src/index.ts"), port = 0, bindings = {}, assets } = options;
  const env: Record<string, { type: "text"; value: string } | { type: "assets" }> = Object.fromEntries(
    Object.entries(bindings).map(([name, value]) => [name, { type: "text", value }]),
  );
  if (assets) env.ASSETS = { type: "assets" };
  return {
    host: "127.0.0.1",
    port,
    logRequests: false,
    telemetry: { enabled: false },
    workers: [
      {
        config: {
          name: "worker",
          ...compatibility,
          manifest: await bundle(entry),
          env,
          ...(assets && { assets: { directory: assets, hasUserWorker: true, runWorkerFirst: true } }),
        },
      },
    ],
  };
}

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
    reload: async () => miniflare.setOptions(await settings({ ...options, port: Number(url.port) })),
    stop: () => miniflare.dispose(),
  };
}
