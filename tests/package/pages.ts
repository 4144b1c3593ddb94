/**
 * Pages without a bundler that import the packed package, each served in one way that servers have, right or wrong; and
 * what has to come of it in a browser.
 */

import { readFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import type { Browser as Firefox } from "puppeteer-core";
import { program } from "./packed.ts";

/** How one page is served. */
export interface PageCase {
  name: string;
  /** The answer to a request for a file of the package, where it is not the file. */
  serve?: (path: string, response: ServerResponse, folder: string) => boolean | Promise<boolean>;
  policy?: string;
  /** The page's script, where it is not the program that streams. */
  script?: (origins: Origins) => string;
  /** The file at /script.js, where there is one. */
  bundle?: boolean;
  /** The package is served from another origin. */
  isElsewhere?: boolean;
  /** One of its kind, for `npm test`; `npm run test:packaging` opens all of them. */
  isQuick?: boolean;
  /** The title that the page has to have. */
  title: RegExp;
  /** The same in Firefox, where its words are others. */
  titleInFirefox?: RegExp;
}

interface Origins {
  own: string;
  other: string;
}

const good = new RegExp(`^${program.prints}$`);
const isWasm = (path: string): boolean => path.endsWith(".wasm");
const isEngine = (path: string): boolean => isWasm(path) || path.endsWith("/spare.js");

function answers(status: number, type: string, body: string | Buffer, where: (path: string) => boolean) {
  return (path: string, response: ServerResponse): boolean => {
    if (!where(path)) return false;
    response.writeHead(status, { "content-type": type }).end(body);
    return true;
  };
}

/** Streams with an engine that is loaded from an address. */
const withInit = (entry: string, from: string): string => `
import { init } from "${entry}";
${program.page.replace('from "chatwire";', `from "${entry}";`).replace("answer().then", `init(${from}).then(answer).then`)}`;

const html = "<!doctype html><title>Not here</title>";
const strict = "default-src 'none'; script-src 'self' 'nonce-a'; connect-src 'self'";
const wasmAnd = (rest: string): string => `script-src 'self' 'nonce-a' 'wasm-unsafe-eval'; ${rest}`;

export const pageCases: PageCase[] = [
  { name: "an import map", isQuick: true, title: good },
  { name: "a plain script, told where the file is", bundle: true, title: good },
  { name: "a CDN: the package from another origin, with CORS", isElsewhere: true, title: good },
  { name: "the file with a wrong type", serve: typed("text/plain"), title: good },
  { name: "the file without a type", serve: typed(""), title: good },
  { name: "404 for the file", serve: answers(404, "text/plain", "no", isWasm), title: good },
  { name: "HTML for the file", serve: answers(200, "text/html", html, isWasm), title: good },
  {
    name: "404 for the file and its spare",
    isQuick: true,
    serve: answers(404, "text/plain", "no", isEngine),
    title:
      /from http:\S+\/wasm\/chatwire\.wasm: the server answered 404 Not Found.*Copy chatwire\/dist\/wasm\/chatwire\.wasm/,
  },
  {
    name: "500 for the file and its spare",
    serve: answers(500, "text/plain", "no", isEngine),
    title: /chatwire\.wasm: the server answered 500 /,
  },
  {
    name: "HTML for the file and its spare",
    isQuick: true,
    serve: answers(200, "text/html", html, isEngine),
    title: /chatwire\.wasm: the server answered with something else in its place \(200, text\/html\).*await init\(/,
  },
  {
    name: "half of the file, without its spare",
    serve: async (path, response, folder) => {
      if (!isWasm(path)) return answers(404, "text/plain", "no", isEngine)(path, response);
      const whole = await readFile(join(folder, path));
      response.writeHead(200, { "content-type": "application/wasm" }).end(whole.subarray(0, whole.length / 2));
      return true;
    },
    title: /what is there is no WebAssembly/,
    titleInFirefox: /what is there is (no WebAssembly|cut, or there is no memory for it)/,
  },
  {
    name: "another build's file",
    isQuick: true,
    serve: async (path, response, folder) => {
      if (!isWasm(path)) return false;
      const other = await readFile(join(folder, path));
      other.write("-", other.length - 1);
      response.writeHead(200, { "content-type": "application/wasm" }).end(other);
      return true;
    },
    title: /it is of another version: it is build \S+-, and the scripts are build \S+\. Reload the page/,
  },
  {
    name: "a strict policy that allows WebAssembly",
    policy: wasmAnd("connect-src 'self'; default-src 'none'"),
    title: good,
  },
  {
    name: "a strict policy that does not",
    isQuick: true,
    policy: strict,
    title:
      /a Content-Security-Policy forbids WebAssembly, in its directive "script-src 'self' 'nonce-a'.*'wasm-unsafe-eval'/,
    titleInFirefox: /a Content-Security-Policy forbids WebAssembly\. Write 'wasm-unsafe-eval' into its script-src/,
  },
  {
    name: "a strict policy that does not, with chatwire/js",
    isQuick: true,
    policy: strict,
    script: () => program.page.replace('from "chatwire";', 'from "chatwire/js";'),
    title: good,
  },
  {
    name: "a policy that forbids to fetch, without the spare",
    isQuick: true,
    policy: wasmAnd("connect-src 'none'"),
    serve: answers(404, "text/plain", "no", (path) => path.endsWith("/spare.js")),
    title: /forbids to fetch it, in its directive "connect-src".*connect-src 'self'/,
  },
  { name: "a policy that forbids to fetch: the spare", policy: wasmAnd("connect-src 'none'"), title: good },
  {
    name: "another origin without CORS",
    isQuick: true,
    script: ({ other }) => withInit("chatwire/slim", `"${other}/no-cors.wasm?key=secret"`),
    title: /from http:\S+\/no-cors\.wasm: its server is of another origin.*Access-Control-Allow-Origin/,
  },
  {
    name: "another origin with CORS",
    script: ({ other }) => withInit("chatwire/slim", `"${other}/chatwire/dist/wasm/chatwire.wasm"`),
    title: good,
  },
  {
    name: "a frame with sandbox, the package with CORS",
    isElsewhere: true,
    policy: "sandbox allow-scripts",
    title: good,
  },
  {
    name: "a frame with sandbox, the file without CORS",
    isQuick: true,
    isElsewhere: true,
    policy: "sandbox allow-scripts",
    script: ({ own }) => withInit("chatwire/slim", `"${own}/chatwire/dist/wasm/chatwire.wasm"`),
    title: /its server is of another origin and allows no pages of this one to read it.*Access-Control-Allow-Origin/,
  },
  {
    name: "no server",
    script: () => withInit("chatwire/slim", `"http://127.0.0.1:9/chatwire.wasm"`),
    title: /the network failed \(Failed to fetch\)/,
    titleInFirefox: /the network failed \(NetworkError /,
  },
  {
    name: "two copies in one page",
    script: () => `
      import { Chatwire as Second } from "/second/dist/entry/default.js";
      ${program.page.replace("answer().then", "second().then(answer).then")}
      async function second() {
        const { fetch } = createEmulator({ seed: 4, timeToFirstToken: 0, tokensPerSecond: 0 });
        const client = new Second({ provider: "electron", apiKey: "any", dangerouslyAllowBrowser: true, fetch });
        if (client instanceof Chatwire) throw new Error("one copy");
        await client.chat.completions.create({ messages });
      }`,
    title: good,
  },
];

function typed(type: string): NonNullable<PageCase["serve"]> {
  return async (path, response, folder) => {
    if (!isWasm(path)) return false;
    if (type) response.setHeader("content-type", type);
    response.end(await readFile(join(folder, path)));
    return true;
  };
}

/** The types that servers give. */
const TYPES: Record<string, string> = { js: "text/javascript", wasm: "application/wasm", html: "text/html" };

/** Serves a page of one case, opens it, and gives its title once it has one. */
export async function titleOf(page: PageCase, installed: string, open: Open): Promise<string> {
  const bundle = page.bundle ? await bundled(installed) : "";
  const servers: Server[] = [];
  const listen = async (handle: (path: string, response: ServerResponse) => unknown): Promise<string> => {
    const server = createServer(({ url = "/" }, response) => {
      Promise.resolve(handle(url.split("?")[0] as string, response)).catch(() => response.writeHead(404).end());
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const file = async (path: string, response: ServerResponse): Promise<void> => {
    const within = normalize(path).replace(/^\/(chatwire|second)\//, "");
    if (await page.serve?.(within, response, installed)) return;
    const bytes = await readFile(join(installed, within));
    response.writeHead(200, { "content-type": TYPES[path.split(".").pop() ?? ""] ?? "text/plain" }).end(bytes);
  };
  const other = await listen((path, response) => {
    if (path === "/no-cors.wasm") return file("/chatwire/dist/wasm/chatwire.wasm", response);
    response.setHeader("access-control-allow-origin", "*");
    return file(path, response);
  });
  const own: string = await listen((path, response) => {
    if (page.policy) response.setHeader("content-security-policy", page.policy);
    if (path === "/script.js") return response.writeHead(200, { "content-type": "text/javascript" }).end(bundle);
    if (path !== "/") return file(path, response);
    const dist = `${page.isElsewhere ? other : ""}/chatwire/dist`;
    const imports = {
      chatwire: `${dist}/entry/default.js`,
      "chatwire/slim": `${dist}/slim.js`,
      "chatwire/js": `${dist}/js/index.js`,
      "chatwire/emulator": `${dist}/emulator/index.js`,
    };
    const script = page.bundle
      ? `<script nonce="a" src="/script.js"></script>`
      : `<script nonce="a" type="importmap">${JSON.stringify({ imports })}</script>
         <script nonce="a" type="module">${page.script?.({ own, other }) ?? program.page}</script>`;
    return response.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html><title></title>${script}`);
  });
  try {
    return await open(`${own}/`);
  } finally {
    for (const server of servers) server.close();
  }
}

/** Opens an address, and gives the page's title once it has one. */
export type Open = (address: string) => Promise<string>;

const isTitled = (): boolean => document.title !== "";
const limit = { timeout: 20_000 };

/** In Chromium, through Playwright. */
export const inChromium =
  (browser: Browser): Open =>
  async (address) => {
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(address);
      await page.waitForFunction(isTitled, undefined, limit);
      return await page.title();
    } finally {
      await context.close();
    }
  };

/** In Firefox, through Puppeteer. */
export const inFirefox =
  (browser: Firefox): Open =>
  async (address) => {
    const context = await browser.createBrowserContext();
    try {
      const page = await context.newPage();
      await page.goto(address);
      await page.waitForFunction(isTitled, limit);
      return await page.title();
    } finally {
      await context.close();
    }
  };

/** A plain script of one file: `iife`, which has no address of its own. */
async function bundled(installed: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: withInit("chatwire/static", `"/chatwire/dist/wasm/chatwire.wasm"`),
      resolveDir: join(installed, "..", ".."),
    },
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}
