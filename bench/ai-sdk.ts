/**
 * `npm run bench:ai-sdk`: the provider of `chatwire/ai-sdk` beside `@ai-sdk/openai-compatible`. The CPU time that a
 * model takes for an event, by itself and inside `streamText`, and the bytes of a bundle. Prints a table; with
 * `--json`, the same as JSON.
 */
import { gzipSync } from "node:zlib";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";
import { createChatwire } from "chatwire/ai-sdk";
import { build } from "esbuild";
import { engineBytes } from "./bundle.ts";
import { cut, type ReadSize, response } from "./inside/reads.ts";
import { electron } from "./streams.ts";

/** The CPU time of both, in µs an event: the median of the turns. */
export interface ProviderRace {
  what: string;
  reads: string;
  chatwire: number;
  compatible: number;
}

/** Bytes of a bundle after gzip, minified. */
export interface ProviderSize {
  what: string;
  scripts: number;
  module: number;
}

export interface ProviderFindings {
  races: ProviderRace[];
  sizes: ProviderSize[];
}

const isQuick = process.argv.includes("--quick");
const ROUNDS = isQuick ? 3 : 9;
const settings = { baseURL: "https://upstream.invalid/v1", apiKey: "none" };
const prompt = "Hello";

let next: readonly Uint8Array<ArrayBuffer>[] = [];
const fetch = async () => response(next);
const models = {
  chatwire: createChatwire({ ...settings, fetch })("electron"),
  compatible: createOpenAICompatible({ ...settings, name: "upstream", fetch, includeUsage: true })("electron"),
};
type Name = keyof typeof models;

const asked = { prompt: [{ role: "user" as const, content: [{ type: "text" as const, text: prompt }] }] };

const uses: Record<string, (name: Name) => Promise<string>> = {
  async "the model by itself (`doStream`)"(name) {
    const { stream } = await models[name].doStream(asked);
    let text = "";
    for await (const part of stream) if (part.type === "text-delta") text += part.delta;
    return text;
  },
  async "inside `streamText`"(name) {
    let text = "";
    for await (const piece of streamText({ model: models[name], prompt, maxRetries: 0 }).textStream) text += piece;
    return text;
  },
};

const median = (list: readonly number[]) => list.toSorted((a, b) => a - b)[list.length >> 1] as number;

async function race(what: string, use: (name: Name) => Promise<string>, size: ReadSize): Promise<ProviderRace> {
  const stream = electron(2_000);
  const reads = cut(stream.bytes, size);
  const times: Record<Name, number[]> = { chatwire: [], compatible: [] };
  let expected: string | undefined;
  // The first two turns warm up. Both take turns, so that a slow minute is slow for both.
  for (let round = -2; round < ROUNDS; round++) {
    for (const name of ["chatwire", "compatible"] as const) {
      next = reads;
      const before = process.cpuUsage();
      const text = await use(name);
      const { user, system } = process.cpuUsage(before);
      expected ??= text;
      if (text !== expected) throw new Error(`${name} read another text`);
      if (round >= 0) times[name].push((user + system) / stream.events);
    }
  }
  const reading = size === "event" ? "one event" : `${size / 1024} KiB`;
  return { what, reads: reading, chatwire: median(times.chatwire), compatible: median(times.compatible) };
}

/** The bytes that a page loads before it runs: files that are only loaded on demand are not counted. */
async function sizeOf(what: string, contents: string, module: number): Promise<ProviderSize> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: "out",
    format: "esm",
    target: "es2022",
    conditions: ["browser"],
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  const loaded = new Set(
    Object.keys(metafile.outputs).filter((path) => metafile.outputs[path]?.entryPoint === "<stdin>"),
  );
  for (const path of loaded) {
    for (const { path: needed, kind } of metafile.outputs[path]?.imports ?? []) {
      if (kind === "import-statement") loaded.add(needed);
    }
  }
  const files = outputFiles.filter(({ path }) => [...loaded].some((one) => path.endsWith(one)));
  const scripts = files.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
  return { what, scripts, module };
}

async function sizes(): Promise<ProviderSize[]> {
  const module = gzipSync(engineBytes(), { level: 9 }).length;
  const chatwire = `export { createChatwire } from "chatwire/ai-sdk";`;
  const compatible = `export { createOpenAICompatible } from "@ai-sdk/openai-compatible";`;
  const functions = `export { streamText } from "ai";`;
  return [
    await sizeOf("`chatwire/ai-sdk`, the provider alone", chatwire, module),
    await sizeOf("`@ai-sdk/openai-compatible`, the provider alone", compatible, 0),
    await sizeOf("`chatwire/ai-sdk` with `streamText`", chatwire + functions, module),
    await sizeOf("`@ai-sdk/openai-compatible` with `streamText`", compatible + functions, 0),
  ];
}

/** The findings as Markdown. */
export function providerSection({ races, sizes }: ProviderFindings): string {
  const number = (value: number) => value.toLocaleString("en");
  return [
    "## As a provider of the AI SDK",
    "In Node, Electron-shaped, the same bytes for both: CPU time in µs an event, the median of turns that alternate.",
    "| what | reads | `chatwire/ai-sdk` | `@ai-sdk/openai-compatible` | ratio |\n| --- | --- | --- | --- | --- |\n" +
      races
        .map(({ what, reads, chatwire, compatible }) => {
          const times = [chatwire, compatible].map((time) => time.toPrecision(3));
          return `| ${what} | ${reads} | ${times.join(" | ")} | ${(compatible / chatwire).toFixed(2)}x |`;
        })
        .join("\n"),
    "Bundles for pages by esbuild, minified, without what is only loaded on demand, in bytes after gzip:",
    "| bundle | scripts | WebAssembly |\n| --- | --- | --- |\n" +
      sizes
        .map(({ what, scripts, module }) => `| ${what} | ${number(scripts)} | ${module ? number(module) : "–"} |`)
        .join("\n"),
  ].join("\n\n");
}

if (import.meta.main) {
  const races: ProviderRace[] = [];
  for (const [what, use] of Object.entries(uses)) {
    for (const size of ["event", 16_384] as const) races.push(await race(what, use, size));
  }
  const found: ProviderFindings = { races, sizes: await sizes() };
  console.log(process.argv.includes("--json") ? JSON.stringify(found) : providerSection(found));
}
