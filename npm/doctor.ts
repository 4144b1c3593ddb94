/**
 * `chatwire doctor`: which tool a project is built with, whether the engine will be found there, and the line to write. The command reads
 * manifests, runs nothing of the project and asks no server. The facts are those of docs/runtimes.md.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { BUILD } from "./wasm/chatwire.js";

/** The findings about a project. */
export interface Diagnosis {
  /** One sentence a line. */
  lines: string[];
  /** Nothing has to be written or mended. */
  isWell: boolean;
}

/** How a tool comes by the engine. */
export interface Tool {
  name: string;
  /** The package by which a manifest shows the tool. */
  of: string;
  /** From this major version on. The first that fits counts. */
  from?: number;
  found: string;
  /** The line that has to be written. */
  line?: string;
  /** The line that may be written, to load less. */
  option?: string;
}

/** Puts Node's `fetch` and streams into Jest's jsdom. */
export const JEST_SETUP =
  'Object.assign(globalThis, require("node:util"), require("node:stream/web"), { performance }); for (const name of ["fetch", "Response", "Request", "Headers", "WebAssembly"]) globalThis[name] ??= process.getBuiltinModule("node:vm").runInThisContext(name);';

const FILE = "the engine is found: the tool ships the file chatwire.wasm.";
const SPARE = `the engine is found: the tool loses the file chatwire.wasm, and its spare, a script${sizeOfSpare()}, is loaded.`;
const COPY =
  "to load the smaller file, copy node_modules/chatwire/dist/wasm/chatwire.wasm to where the page's scripts look for it";

const WITH_VITE =
  "the engine is found: pages get it as Vite gives it, and the server as its runtime does: Node reads the file, a worker imports it.";
const SCRIPT = "the engine is found as a script, through the condition react-native.";
const POLYFILL = 'where the host has no TextDecoder, before chatwire: import "fast-text-encoding"';
const POLICY = "where a page has a Content-Security-Policy, in its script-src: 'wasm-unsafe-eval'";

/** All tools that are known. docs/runtimes.md has each line, and the set-up in which it was tried. */
export const TOOLS: readonly Tool[] = [
  { name: "Expo", of: "expo", found: SCRIPT, option: POLYFILL },
  { name: "React Native", of: "react-native", found: SCRIPT, option: POLYFILL },
  {
    name: "Next",
    of: "next",
    found:
      "the engine is found: pages and edge routes get the file chatwire.wasm; where a Node route loses it, its spare is loaded.",
    option: 'for Node routes that read the file, in next.config: serverExternalPackages: ["chatwire"]',
  },
  { name: "Angular", of: "@angular/core", found: SPARE },
  { name: "SvelteKit", of: "@sveltejs/kit", found: WITH_VITE },
  { name: "Astro", of: "astro", found: WITH_VITE },
  { name: "React Router", of: "@react-router/dev", found: WITH_VITE },
  { name: "Remix", of: "@remix-run/dev", found: WITH_VITE },
  {
    name: "Nuxt",
    of: "nuxt",
    found: WITH_VITE,
    option: "for Cloudflare, in nuxt.config: nitro: { experimental: { wasm: true } }",
  },
  {
    name: "Nitro",
    of: "nitropack",
    found: "the engine is found.",
    option: "for Cloudflare, in nitro.config: experimental: { wasm: true }",
  },
  {
    name: "Electron",
    of: "electron",
    found: "the engine is found in its main process, as in Node; a page gets it as its bundler gives it.",
    option: POLICY,
  },
  { name: "Vitest", of: "vitest", found: "the engine is found." },
  {
    name: "Jest with jsdom",
    of: "jest-environment-jsdom",
    found: "the engine is found once jsdom takes Node's entry, and has Node's fetch and streams.",
    line: `in the configuration of Jest: testEnvironmentOptions: { customExportConditions: ["node", "node-addons"] }, setupFiles: ["./web.js"]; and into web.js, since jsdom has no fetch and no streams: ${JEST_SETUP}`,
  },
  { name: "Jest", of: "jest", found: "the engine is found, through CommonJS." },
  {
    name: "Vite PWA",
    of: "vite-plugin-pwa",
    found: "the engine is found in pages, and in a service worker that the plug-in writes into one script.",
    option:
      'for a service worker of your own that imports chatwire, in vite.config: injectManifest: { rollupFormat: "iife" }, or register(…, { type: "module" })',
  },
  { name: "Vite", of: "vite", from: 8, found: FILE },
  {
    name: "Vite",
    of: "vite",
    found: `the engine is found: a build ships the file, and the development server uses its spare.`,
    option: 'in vite.config: optimizeDeps: { exclude: ["chatwire"] } lets the development server use the file',
  },
  { name: "wrangler", of: "wrangler", found: "the engine is found: the import is a compiled module." },
  { name: "webpack", of: "webpack", found: FILE },
  { name: "Rspack", of: "@rspack/core", found: FILE },
  {
    name: "Parcel",
    of: "parcel",
    found: SPARE,
    line: 'for chatwire/emulator and other subpaths, in the package.json beside the lock file: "@parcel/resolver-default": { "packageExports": true }',
  },
  { name: "Rollup", of: "rollup", found: SPARE, option: COPY },
  { name: "Rolldown", of: "rolldown", found: SPARE, option: COPY },
  { name: "esbuild", of: "esbuild", found: SPARE, option: COPY },
  {
    name: "Bun",
    of: "@types/bun",
    found: "the engine is found: Bun reads the file, and what bun build makes has its spare.",
  },
  { name: "tsx", of: "tsx", found: "the engine is found." },
  { name: "ts-node", of: "ts-node", found: "the engine is found." },
];

interface Manifest {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  version?: string;
  "@parcel/resolver-default"?: { packageExports?: boolean };
}

function read<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    return undefined;
  }
}

/** Of a page that loads the spare, after compression. */
function sizeOfSpare(): string {
  const file = join(dirname(fileURLToPath(import.meta.url)), "wasm", "spare.js");
  return existsSync(file) ? ` of ${Math.round(gzipSync(readFileSync(file)).length / 1000)} KB after gzip` : "";
}

/** The major version of a tool: of what is installed, else of what the manifest asks for. */
function majorOf(folder: string, name: string, asked: string): number {
  const { version = asked } = read<Manifest>(join(folder, "node_modules", name, "package.json")) ?? {};
  return Number(/\d+/.exec(version)?.[0] ?? 0);
}

/** Looks at the project in a folder. */
export function diagnose(folder: string): Diagnosis {
  const lines: string[] = [];
  let isWell = true;
  const bad = (line: string): void => {
    isWell = false;
    lines.push(line);
  };
  const manifest = read<Manifest>(join(folder, "package.json"));
  const isOfDeno = ["deno.json", "deno.jsonc"].some((name) => existsSync(join(folder, name)));
  if (isOfDeno) lines.push("Deno: the engine is found, and no permission is needed for it.");
  if (!manifest && isOfDeno) return { lines, isWell };
  if (!manifest)
    return { lines: ["There is no package.json here: run this in the folder of a project."], isWell: false };

  installation(folder, lines, bad);
  const packages = { ...manifest.dependencies, ...manifest.devDependencies };
  const seen = new Set<string>();
  for (const { name, of, from = 0, found, line, option } of TOOLS) {
    const asked = packages[of];
    if (asked === undefined || seen.has(of) || majorOf(folder, of, asked) < from) continue;
    seen.add(of);
    if (of === "jest-environment-jsdom") seen.add("jest");
    const major = majorOf(folder, of, asked);
    lines.push(`${name}${major ? ` ${major}` : ""}: ${found}`);
    const isWritten = of === "parcel" && manifest["@parcel/resolver-default"]?.packageExports === true;
    if (line && !isWritten) bad(`  Write ${line}`);
    if (option) lines.push(`  Optional: ${option}`);
  }
  const isOfBun = ["bun.lock", "bun.lockb", "bunfig.toml"].some((name) => existsSync(join(folder, name)));
  if (isOfBun && !seen.has("@types/bun")) {
    seen.add("@types/bun");
    lines.push(`Bun: ${TOOLS.find(({ name }) => name === "Bun")?.found}`);
  }
  extension(folder, lines, bad);
  tauri(folder, lines, bad);
  if (seen.size === 0 && !isOfDeno) {
    lines.push(
      "No bundler is named in package.json: Node, Bun and Deno find the engine; a page needs an import map, or one of the tools of docs/runtimes.md.",
    );
  }
  return { lines, isWell };
}

/** The package itself: which copy the project gets, and whether its files are of one build. */
function installation(folder: string, lines: string[], bad: (line: string) => void): void {
  const own = join(dirname(fileURLToPath(import.meta.url)), "..");
  let installed: string | undefined;
  try {
    installed = dirname(createRequire(join(folder, "package.json")).resolve("chatwire/package.json"));
  } catch {
    bad("chatwire is not installed here: npm install chatwire.");
  }
  if (installed) {
    const { version } = read<Manifest>(join(installed, "package.json")) ?? {};
    lines.push(`chatwire ${version} is installed.`);
    if (realpathSync(installed) !== realpathSync(own))
      lines.push("  This command is another copy: npx chatwire in the project's folder runs the project's own.");
    const file = join(installed, "dist", "wasm", "chatwire.wasm");
    if (!existsSync(file)) bad(`  Its file dist/wasm/chatwire.wasm is missing: install it again.`);
    else if (realpathSync(installed) === realpathSync(own) && !readFileSync(file).includes(BUILD)) {
      bad("  Its file dist/wasm/chatwire.wasm is of another build than its scripts: install it again.");
    }
  }
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) bad(`Node ${process.versions.node} is too old: chatwire needs 20 or later.`);
}

/** An extension of a browser: its service worker may not import(), and its policy forbids WebAssembly unless it says otherwise. */
function extension(folder: string, lines: string[], bad: (line: string) => void): void {
  for (const place of ["", "public", "src", "extension"]) {
    const found = read<{ manifest_version?: number; content_security_policy?: { extension_pages?: string } }>(
      join(folder, place, "manifest.json"),
    );
    if (found?.manifest_version !== 3) continue;
    lines.push(
      'Browser extension: its service worker may not import(): import … from "chatwire/static" there, with chatwire.wasm copied to wasm/ at its root.',
    );
    if (!/wasm-unsafe-eval/.test(found.content_security_policy?.extension_pages ?? "")) {
      bad(
        `  Write into manifest.json: "content_security_policy": { "extension_pages": "script-src 'self' 'wasm-unsafe-eval'" }`,
      );
    }
  }
}

/** A window of Tauri is a page, whose policy is in the configuration; without one there is none. */
function tauri(folder: string, lines: string[], bad: (line: string) => void): void {
  const found = read<{ app?: { security?: { csp?: unknown } } }>(join(folder, "src-tauri", "tauri.conf.json"));
  if (!found) return;
  lines.push("Tauri: its windows get the engine as the bundler of the page gives it.");
  const policy = found.app?.security?.csp;
  if (policy && !/wasm-unsafe-eval/.test(JSON.stringify(policy))) {
    bad(
      "  Write into src-tauri/tauri.conf.json, in app.security.csp: script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' and the server's origin.",
    );
  }
}
