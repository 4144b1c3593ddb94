/**
 * Why the engine could not be loaded, and the line that helps. Loaded only where loading fails, so that a page that works does not
 * carry it. This file decides nothing: the text repeats the host's words and names a remedy. The file imports nothing, so that no
 * bundler cuts the page's own scripts for it.
 */

/** Most letters of a message: a log line, not a page. */
const LONGEST = 1000;

/** Milliseconds that looking again may take. */
const PATIENCE = 3000;

/** The kinds of trouble, each with a remedy of its own. */
type Trouble =
  | "no-wasm"
  | "version"
  | "policy"
  | "no-compiling"
  | "fetch-policy"
  | "cors"
  | "no-address"
  | "from-file"
  | "in-node"
  | "missing"
  | "other";

interface Finding {
  trouble: Trouble;
  /** A clause: what happened. */
  why: string;
}

interface Host {
  WebAssembly?: unknown;
  process?: { versions?: { node?: string }; env?: Record<string, string | undefined> };
  Deno?: unknown;
  EdgeRuntime?: unknown;
  navigator?: { userAgent?: string; product?: string };
  location?: { href?: string; protocol?: string };
  origin?: string;
  window?: { document?: unknown };
}

const host = globalThis as Host;

/**
 * The message for an engine that could not be loaded.
 * @param cause the host's own words
 * @param source where it was to be loaded from, where that is known
 * @param isGiven the caller said where
 * @param spare the host's words for the spare engine, where one was tried
 */
export async function unloadable(
  cause: string,
  source: unknown,
  isGiven: boolean,
  spare: string | undefined,
): Promise<string> {
  const path = /'([^']+chatwire\.wasm)'/.exec(cause)?.[1];
  const address = addressOf(source) ?? (path && `file://${path}`);
  // Where the file was missing, the spare may say more: a host that compiles nothing refuses both.
  const findings = [finding(cause), ...(spare === undefined ? [] : [finding(spare)])].map((found) =>
    isGiven && found.trouble === "no-address" ? { ...found, why: NO_BASE } : found,
  );
  const told = findings.find(({ trouble }) => trouble !== "other" && trouble !== "missing");
  const { trouble, why } = told ?? (await lookAgain(address)) ?? (findings[0] as Finding);
  const where = address ? ` from ${withoutSecrets(address)}` : "";
  const lost = spare !== undefined && !told ? "; its spare, wasm/spare.js, could not be loaded either" : "";
  const text = `The WebAssembly of chatwire (chatwire.wasm) could not be loaded${where}: ${why}${lost}. ${remedy(trouble, address, isGiven)}`;
  return text.replaceAll(/ +(?=[.;]? )/g, "").slice(0, LONGEST);
}

const NO_BASE = "the address that init got is none, or is relative where no page has an address";

function addressOf(source: unknown): string | undefined {
  if (typeof source === "string") return source;
  if (Object.prototype.toString.call(source) === "[object URL]") return String(source);
  const { url } = (source ?? {}) as { url?: unknown };
  return typeof url === "string" && url !== "" ? url : undefined;
}

/** An address without what may be secret in it, and not longer than a line. */
function withoutSecrets(address: string): string {
  if (/^(data|blob):/.test(address)) return `a ${address.slice(0, 5).replace(":", "")} address`;
  return address
    .replace(/[?#].*$/s, "")
    .replace(/\/\/[^/]*@/, "//")
    .slice(0, 300);
}

/** A host's words in one line, without what may be secret in the addresses that they quote. */
function clean(words: string): string {
  return words
    .slice(0, 2000)
    .replaceAll(/\s+/g, " ")
    .replaceAll(/:\/\/[^\s/]*@/g, "://")
    .replaceAll(/\?[^\s'"]*/g, "");
}

/** The meaning of an error of the host. */
function finding(words: string): Finding {
  const all = clean(words);
  const reason = all.slice(0, 240);
  if (
    typeof host.WebAssembly !== "object" ||
    /WebAssembly is not defined|variable: WebAssembly|Property 'WebAssembly'/.test(reason)
  ) {
    return { trouble: "no-wasm", why: "this host has no WebAssembly" };
  }
  if (/^it is of another version/.test(reason)) return { trouble: "version", why: reason };
  if (/disallowed by embedder/i.test(reason)) {
    return { trouble: "no-compiling", why: `this host compiles no bytes, it only takes compiled modules (${reason})` };
  }
  if (/unsafe-eval|Content.Security.Policy|blocked by CSP/i.test(all)) {
    const directive = /directive:? "(.+)"/i.exec(all)?.[1];
    const named = directive ? `, in its directive "${directive.slice(0, 160)}"` : "";
    return { trouble: "policy", why: `a Content-Security-Policy forbids WebAssembly${named}` };
  }
  if (/Invalid (base )?URL|not a valid URL|URL constructor|cannot be parsed as a URL/i.test(reason)) {
    return { trouble: "no-address", why: "a script of this format (iife, CommonJS) does not know its own address" };
  }
  if (/not implemented/i.test(reason)) return { trouble: "in-node", why: "Node's fetch reads no files" };
  if (/^the server answered|ENOENT|no such file|NotFound/i.test(reason)) return { trouble: "missing", why: reason };
  if (/magic|expected|malformed|compile|section|doesn't parse|extends past|validation error|is empty/i.test(reason)) {
    return { trouble: "missing", why: `what is there is no WebAssembly (${reason})` };
  }
  // Firefox's words for a file that ends too early, at times.
  if (/out of memory/i.test(reason)) {
    return { trouble: "missing", why: `what is there is cut, or there is no memory for it (${reason})` };
  }
  return { trouble: "other", why: reason };
}

/** Fetches the file once more, and looks closer than the engine does: at the type, at the policy, at other origins. */
async function lookAgain(address: string | undefined): Promise<Finding | undefined> {
  if (address && host.location?.protocol === "file:" && absolute(address).startsWith("file:")) {
    return { trouble: "from-file", why: "a page that was opened as a file may load no other file" };
  }
  if (!address || typeof fetch !== "function" || !/^(https?:|\/|\.)/.test(absolute(address))) return undefined;
  const violations = watchPolicy();
  try {
    const { ok, status, statusText, headers } = await fetch(address, { signal: AbortSignal.timeout(PATIENCE) });
    const type = headers.get("content-type") ?? "without a type";
    if (!ok) return { trouble: "missing", why: `the server answered ${status} ${statusText} (${type})` };
    if (/wasm|octet-stream/.test(type)) return undefined;
    return { trouble: "missing", why: `the server answered with something else in its place (${status}, ${type})` };
  } catch (error) {
    const directive = await violations.first();
    if (directive) {
      return {
        trouble: "fetch-policy",
        why: `a Content-Security-Policy forbids to fetch it, in its directive "${directive}"`,
      };
    }
    if (!(await answersWithoutCors(address)))
      return { trouble: "other", why: `the network failed (${clean((error as Error).message).slice(0, 240)})` };
    return {
      trouble: "cors",
      why: "its server is of another origin and allows no pages of this one to read it (CORS)",
    };
  } finally {
    violations.stop();
  }
}

/** A relative address is one of the page. */
function absolute(address: string): string {
  try {
    return new URL(address, host.location?.href).href;
  } catch {
    return address;
  }
}

/** Listens for what the page's policy forbids: the error of `fetch` does not say it. */
function watchPolicy(): { first(): Promise<string | undefined>; stop(): void } {
  const seen: string[] = [];
  const note = (event: Event): void => {
    const { effectiveDirective } = event as Event & { effectiveDirective?: string };
    if (effectiveDirective) seen.push(effectiveDirective);
  };
  const target = typeof document === "object" ? document : typeof self === "object" ? self : undefined;
  target?.addEventListener?.("securitypolicyviolation", note);
  return {
    first: async () => {
      // The event is a task of its own, after the rejection.
      if (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      return seen.find((directive) => /connect|default/.test(directive));
    },
    stop: () => target?.removeEventListener?.("securitypolicyviolation", note),
  };
}

/** Whether a server of another origin answers at all. A frame with `sandbox` has an origin that no address has. */
async function answersWithoutCors(address: string): Promise<boolean> {
  const from = host.location?.href;
  if (!from || new URL(absolute(address)).origin === (host.origin ?? new URL(from).origin)) return false;
  try {
    await fetch(address, { mode: "no-cors", signal: AbortSignal.timeout(PATIENCE) });
    return true;
  } catch {
    return false;
  }
}

/** The tools that are told by the address of the file, each with the line that it needs. */
const TOOLS: [RegExp, line: string][] = [
  [
    /\/\.vite\/|\/@fs\/|\/@id\/|\/\.vitepress\//,
    'This is Vite\'s development server. In vite.config write: optimizeDeps: { exclude: ["chatwire"] }.',
  ],
  [
    /\/_next\/|\/\.next\/|\[turbopack\]/,
    'This is Next. In next.config write: serverExternalPackages: ["chatwire"]; in a page write: await init("/chatwire.wasm"), with the file copied to public/.',
  ],
  [
    /\/\.angular\/|\/@angular\//,
    'This is Angular. In angular.json write: "assets": [{ "glob": "chatwire.wasm", "input": "node_modules/chatwire/dist/wasm", "output": "wasm" }].',
  ],
  [
    /^file:.*[\\/]node_modules[\\/]chatwire[\\/]/,
    "Install chatwire again: npm install chatwire; where only a part of node_modules is deployed, deploy this file too.",
  ],
  [
    /^(chrome|moz|safari-web)-extension:/,
    'This is an extension. Copy chatwire/dist/wasm/chatwire.wasm to this place of it; for a page of the web, name it in manifest.json under "web_accessible_resources".',
  ],
];

/** A sentence: what to write or do. */
function remedy(trouble: Trouble, address: string | undefined, isGiven: boolean): string {
  const isExtension = /-extension:$/.test(host.location?.protocol ?? "");
  switch (trouble) {
    case "no-wasm":
      return 'Write import { Chatwire } from "chatwire/js", where the engine is JavaScript.';
    case "policy":
      return `${
        isExtension
          ? `In manifest.json write: "content_security_policy": { "extension_pages": "script-src 'self' 'wasm-unsafe-eval'" }`
          : `Write 'wasm-unsafe-eval' into its script-src: script-src 'self' 'wasm-unsafe-eval'`
      }; or import from "chatwire/js", where the engine is JavaScript.`;
    case "version":
      return "Reload the page; if that does not help, deploy the files of one build together, the scripts and the .wasm.";
    case "no-compiling":
      return 'Write import { init } from "chatwire/slim", import module from "chatwire/chatwire.wasm" (on Vercel\'s edge runtime: "chatwire/chatwire.wasm?module"), and await init(module).';
    case "fetch-policy":
      return `Write the file's origin into its connect-src, such as: connect-src ${originOf(address)}.`;
    case "cors":
      return "Serve the file with the header Access-Control-Allow-Origin: *, or from the page's own origin.";
    case "no-address":
      if (isGiven) break;
      return 'Import from "chatwire" in place of "chatwire/static", so that the script has the engine in it; or build a module (format "esm"); or tell where the file is: await init("/chatwire.wasm"), with chatwire/dist/wasm/chatwire.wasm served there; in Node, await init(bytes).';
    case "from-file":
      return 'Bundle an import from "chatwire" or "chatwire/js" into one script that is no module (format "iife"), which has the engine in it; or open the page from a server.';
    case "in-node":
      return 'Give init the bytes: await init(readFileSync(address)), with import { readFileSync } from "node:fs".';
    case "missing":
    case "other":
  }
  if (isGiven) return "Give init the absolute address, the bytes or the compiled module of chatwire/chatwire.wasm.";
  const line = TOOLS.find(([pattern]) => pattern.test(address ?? ""))?.[1];
  if (line) return line;
  if (address?.startsWith("file:") || (host.process?.versions?.node && !host.window?.document)) {
    return 'Keep chatwire out of the bundle (esbuild: --external:chatwire; Rollup: external: ["chatwire"]; webpack: externals: { chatwire: "node-commonjs chatwire" }), or copy chatwire/dist/wasm/chatwire.wasm to this place.';
  }
  if (trouble === "other")
    return "Check the network, and try again: the next call does. A page that is older than its server's files has to be reloaded.";
  return 'Copy chatwire/dist/wasm/chatwire.wasm to this place, or tell where it is: await init("/chatwire.wasm"). A page that is older than its server\'s files has to be reloaded.';
}

function originOf(address: string | undefined): string {
  const origin = address ? new URL(absolute(address)).origin : "";
  return host.location?.href && origin === new URL(host.location.href).origin ? "'self'" : origin;
}
