/**
 * An MV3 extension in Chromium: its service worker, a page of it, and its scripts in a page of the web; with the lines that
 * `chatwire doctor` and errors tell people to write.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type BrowserContext, chromium } from "playwright-core";
import { chromiumVersion, type Project, program, type Setup } from "../setup.ts";

const manifest = (more: object): string =>
  JSON.stringify({
    manifest_version: 3,
    name: "Asks",
    version: "1",
    background: { service_worker: "background.js", type: "module" },
    ...more,
  });

const policy = {
  content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
};
const file = { resources: ["wasm/chatwire.wasm", "scripts/*"], matches: ["<all_urls>"] };
const inPages = { content_scripts: [{ matches: ["http://127.0.0.1/*"], js: ["content.js"] }] };

/** The program as a module that gives what it would print. */
const answerOf = (entry: string): string =>
  program.esm
    .replace("answer().then(console.log)", "export const said = answer().catch(String)")
    .replace('from "chatwire"', `from "${entry}"`);

/** A script in a page of the web has no address of its own that it could know: it is told where the file is. */
const script = program.page
  .replace('import { Chatwire } from "chatwire";', 'import { Chatwire, init } from "chatwire/static";')
  .replace(
    "answer().then",
    'export const run = () => init(chrome.runtime.getURL("wasm/chatwire.wasm")).then(answer).then',
  );

/** Does one or the other in a page of the web. */
const content = `
import { run } from "./script.js";
if (location.hash === "#script") run();
else import(chrome.runtime.getURL("scripts/module.js")).catch((error) => { document.title = String(error); });
`;

const files = {
  "background.js": `import { said } from "./answer-static.js"; globalThis.said = said;`,
  "background-js.js": `import { said } from "./answer-js.js"; globalThis.said = said;`,
  "answer-static.js": answerOf("chatwire/static"),
  "answer-js.js": answerOf("chatwire/js"),
  "page.js": program.page,
  "module.js": program.page,
  "content.js": content,
  "script.js": script,
};

async function build(project: Project): Promise<string> {
  const esbuild = (...args: string[]) => project.run("esbuild", [...args, "--bundle"]);
  await esbuild("background.js", "--format=esm", "--outfile=extension/background.js");
  await esbuild("page.js", "module.js", "--format=esm", "--splitting", "--outdir=extension/scripts");
  await esbuild("content.js", "--format=iife", "--outfile=extension/content.js");
  await project.run("sh", [
    "-c",
    "mkdir -p extension/wasm && cp node_modules/chatwire/dist/wasm/chatwire.wasm extension/wasm",
  ]);
  await project.write({
    "extension/manifest.json": manifest({ ...policy, ...inPages, web_accessible_resources: [file] }),
    "extension/page.html": '<!doctype html><title></title><script type="module" src="scripts/page.js"></script>',
  });
  return `${project.folder}/extension`;
}

/** Chromium with an extension; `use` has its address too. */
async function withExtension<T>(
  folder: string,
  use: (context: BrowserContext, address: string) => Promise<T>,
): Promise<T> {
  const context = await chromium.launchPersistentContext(`${folder}-profile`, {
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: ["--no-sandbox", `--disable-extensions-except=${folder}`, `--load-extension=${folder}`],
  });
  try {
    const [background = await context.waitForEvent("serviceworker", { timeout: 30_000 })] = context.serviceWorkers();
    return await use(context, new URL("/", background.url()).href);
  } finally {
    await context.close();
  }
}

/** The answer, or the error, that the program in the extension's service worker came to. */
const saidByWorker = async (context: BrowserContext): Promise<string> => {
  const [background] = context.serviceWorkers();
  return (await background?.evaluate(() => (globalThis as unknown as { said: Promise<string> }).said)) ?? "no worker";
};

/** The title of a page, once it has one. */
async function titleOf(context: BrowserContext, address: string): Promise<string> {
  const page = await context.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(address);
  return page
    .waitForFunction(() => document.title !== "", undefined, { timeout: 30_000 })
    .then(
      () => page.title(),
      () => said.join("\n"),
    );
}

/** The title that a script of the extension gives to a page of the web. */
async function titleInWeb(context: BrowserContext, hash: string): Promise<string> {
  const server = createServer((_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title></title>"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await titleOf(context, `http://127.0.0.1:${(server.address() as AddressInfo).port}/${hash}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

export const extension: Setup = {
  name: "MV3 extension in Chromium",
  version: chromiumVersion,
  packages: { esbuild: "latest" },
  files,
  tries: {
    "its service worker": async (project) => withExtension(await build(project), saidByWorker),
    "its service worker, with chatwire/js and no policy": async (project) => {
      const script = ["background-js.js", "--bundle", "--format=esm", "--outfile=plain/background.js"];
      await project.run("esbuild", script);
      await project.write({ "plain/manifest.json": manifest({}) });
      return withExtension(`${project.folder}/plain`, saidByWorker);
    },
    "a page of it": async (project) =>
      withExtension(await build(project), (context, address) => titleOf(context, `${address}page.html`)),
    "a content script, with init and web_accessible_resources": async (project) =>
      withExtension(await build(project), (context) => titleInWeb(context, "#script")),
    "a module that a content script imports, in web_accessible_resources": async (project) =>
      withExtension(await build(project), (context) => titleInWeb(context, "#module")),
  },
  recipe: `in the service worker \`import … from "chatwire/static"\`; \`chatwire.wasm\` copied to \`wasm/\` beside the scripts' folder or at its root; \`'wasm-unsafe-eval'\` in the manifest; for pages of the web \`web_accessible_resources\``,
};
