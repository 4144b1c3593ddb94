/** Runtimes that need no bundler, or bring their own. */
import { chromium } from "playwright-core";
import { chromiumVersion, nextPort, type Project, program, type Setup } from "../setup.ts";
import { hermes } from "./hermes.ts";

/** The program as a module that gives what it would print. */
const answer = program.esm.replace("answer().then(console.log)", "export const said = answer().catch(String)");

const thread = `
const { Worker, isMainThread, parentPort } = require("node:worker_threads");
if (isMainThread) new Worker(__filename).on("message", console.log);
else import("./answer.js").then(({ said }) => said).then((text) => parentPort.postMessage(text));
`;

const node = (major: string): Setup => ({
  name: `Node ${major}`,
  packages: { node: major },
  files: {
    "both.cjs": program.both,
    "stream.js": program.esm,
    "stream.cjs": program.cjs,
    "thread.cjs": thread,
    "answer.js": answer,
  },
  tries: {
    ESM: (project) => project.says("node_modules/.bin/node", ["stream.js"]),
    require: (project) => project.says("node_modules/.bin/node", ["stream.cjs"]),
    "require and import, one engine": (project) => project.says("node_modules/.bin/node", ["both.cjs"]),
    worker_threads: (project) => project.says("node_modules/.bin/node", ["thread.cjs"]),
    "permission flags": (project) => {
      const flag = Number.parseInt(project.version(), 10) < 24 ? "--experimental-permission" : "--permission";
      return project.says("node_modules/.bin/node", [flag, `--allow-fs-read=${project.folder}/*`, "stream.js"]);
    },
  },
});

const worker = `${program.esm.replace("answer().then(console.log);", "")}
export default { fetch: () => answer().then((text) => new Response(text), (error) => new Response(String(error))) };
`;

/** The emulator needs what workerd has since 2022-11-30; the client does not. */
const oldWorker = `
import { Chatwire } from "chatwire";
const body = 'data: {"choices":[{"index":0,"delta":{"content":"all of it"},"finish_reason":"stop"}]}\\n\\ndata: [DONE]\\n\\n';
const client = new Chatwire({ baseURL: "https://server.test/v1", apiKey: "any", fetch: async () => new Response(body) });
async function answer() {
  const { status, text } = await client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "Hi" }] }).outcome();
  return status + ", " + text;
}
export default { fetch: () => answer().then((text) => new Response(text), (error) => new Response(String(error))) };
`;

/** Through wrangler, which bundles and starts workerd. */
const workerd =
  (date: string, flags: string[], entry = "worker.js") =>
  (project: Project) => {
    const port = nextPort();
    const flagged = flags.map((flag) => `--compatibility-flags=${flag}`);
    const inspector = `--inspector-port=${nextPort()}`;
    return project.serving(
      ["wrangler", "dev", entry, `--port=${port}`, inspector, `--compatibility-date=${date}`, ...flagged],
      `http://127.0.0.1:${port}/`,
      async (url) => (await fetch(url)).text(),
    );
  };

// Vercel's edge runtime imports a compiled module, which its bundler puts beside the script.
const edge = `
import { EdgeRuntime } from "edge-runtime";
import { build } from "esbuild";
import { readFileSync } from "node:fs";
let bytes;
const wasm = { name: "wasm", setup({ onResolve, onLoad, resolve }) {
  onResolve({ filter: /\\.wasm\\?module$/ }, ({ path, resolveDir }) => {
    bytes = readFileSync(new URL(path.replace("?module", ""), "file://" + resolveDir + "/"));
    return { path, namespace: "module" };
  });
  onLoad({ filter: /./, namespace: "module" }, () => ({ contents: "export default globalThis.module" }));
} };
const { outputFiles } = await build({ entryPoints: ["answer.js"], bundle: true, write: false, format: "iife", globalName: "built",
  target: "es2022", conditions: ["edge-light", "worker", "browser"], plugins: [wasm], logLevel: "error" });
const runtime = new EdgeRuntime({ extend: (context) => Object.assign(context, { module: new WebAssembly.Module(bytes) }) });
console.log(await runtime.evaluate(outputFiles[0].text + "; built.said"));
process.exit();
`;

/** Pages that ask a worker; the service worker may not import(), so that it uses the entry without. */
const workers: Record<string, string> = {
  "web.js": `
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => { document.title = data; };
    worker.onerror = (event) => { document.title = event.message || "the worker failed"; };`,
  "worker.js": `import { said } from "./answer.js"; said.then((text) => postMessage(text));`,
  "shared.js": `
    const { port } = new SharedWorker(new URL("./sharing.js", import.meta.url), { type: "module" });
    port.onmessage = ({ data }) => { document.title = data; };`,
  "sharing.js": `onconnect = ({ ports }) => import("./answer.js").then(({ said }) => said).then((text) => ports[0].postMessage(text));`,
  "service.js": `
    navigator.serviceWorker.onmessage = ({ data }) => { document.title = data; };
    navigator.serviceWorker.register("/serving.js", { type: "module" }).then(() => navigator.serviceWorker.ready)
      .then(({ active }) => active.postMessage("go"), (error) => { document.title = String(error); });`,
  "serving.js": `
    import { said } from "./answer-static.js";
    addEventListener("install", () => skipWaiting());
    addEventListener("activate", (event) => event.waitUntil(clients.claim()));
    addEventListener("message", async ({ source }) => source.postMessage(await said));`,
  "answer-static.js": answer.replace('from "chatwire"', 'from "chatwire/static"'),
  "answer.js": answer,
  "vite.config.js": `export default {
    worker: { format: "es" },
    build: { target: "es2022", rollupOptions: { input: ["web.html", "shared.html", "service.html", "serving.js"],
      output: { entryFileNames: ({ name }) => name === "serving" ? "serving.js" : "assets/[name]-[hash].js" } } } };`,
};
for (const name of ["web", "shared", "service"]) {
  workers[`${name}.html`] = `<!doctype html><title></title><script type="module" src="/${name}.js"></script>`;
}

const extension = {
  "manifest.json": JSON.stringify({
    manifest_version: 3,
    name: "Asks",
    version: "1",
    background: { service_worker: "background.js", type: "module" },
    content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
  }),
};

async function inExtension(project: Project): Promise<string> {
  await project.run("esbuild", ["source.js", "--bundle", "--format=esm", "--outfile=extension/background.js"]);
  await project.run("cp", ["-r", "node_modules/chatwire/dist/wasm", "wasm"]);
  await project.run("sh", ["-c", "mkdir -p extension/wasm && cp wasm/chatwire.wasm extension/wasm"]);
  await project.run("cp", ["manifest.json", "extension"]);
  const folder = `${project.folder}/extension`;
  const context = await chromium.launchPersistentContext(`${project.folder}/profile`, {
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: ["--no-sandbox", `--disable-extensions-except=${folder}`, `--load-extension=${folder}`],
  });
  try {
    const [background = await context.waitForEvent("serviceworker", { timeout: 30_000 })] = context.serviceWorkers();
    return await background.evaluate(() => (globalThis as unknown as { said: Promise<string> }).said);
  } finally {
    await context.close();
  }
}

export const runtimes: Setup[] = [
  ...["20.0.0", "20", "22.0.0", "22", "24", "26"].map(node),
  {
    name: "Deno, newest",
    packages: { deno: "latest" },
    files: { "stream.js": program.esm },
    tries: { "no permission": (project) => project.says("deno", ["run", "--no-prompt", "stream.js"]) },
  },
  {
    name: "Deno, oldest",
    packages: { deno: "2.0.0" },
    files: { "stream.js": program.esm },
    tries: { "no permission": (project) => project.says("deno", ["run", "--no-prompt", "stream.js"]) },
  },
  {
    name: "Bun, newest",
    packages: { bun: "latest" },
    files: { "stream.js": program.esm, "stream.cjs": program.cjs, "both.cjs": program.both },
    tries: {
      "require and import, one engine": (project) => project.says("bun", ["both.cjs"]),
      ESM: (project) => project.says("bun", ["stream.js"]),
      require: (project) => project.says("bun", ["stream.cjs"]),
    },
  },
  {
    name: "Bun, oldest",
    packages: { bun: "1.1.0" },
    files: { "stream.js": program.esm, "stream.cjs": program.cjs },
    tries: {
      ESM: (project) => project.says("bun", ["stream.js"]),
      require: (project) => project.says("bun", ["stream.cjs"]),
    },
  },
  {
    name: "workerd (wrangler)",
    packages: { workerd: "*", wrangler: "4" },
    files: { "worker.js": worker, "old.js": oldWorker },
    tries: {
      "2021-11-02": workerd("2021-11-02", [], "old.js"),
      "2022-11-30, nodejs_compat": workerd("2022-11-30", ["nodejs_compat"]),
      "2026-11-17": workerd("2026-11-17", ["no_nodejs_compat"]),
      "2026-11-17, nodejs_compat": workerd("2026-11-17", ["nodejs_compat"]),
    },
  },
  {
    name: "edge-runtime",
    packages: { "edge-runtime": "latest", esbuild: "latest" },
    files: { "answer.js": answer, "run.js": edge },
    tries: { "a bundle with the condition edge-light": (project) => project.says("node", ["run.js"]) },
  },
  {
    name: "Workers in Chromium",
    version: chromiumVersion,
    packages: { vite: "8" },
    files: workers,
    tries: Object.fromEntries(
      [
        ["Web Worker", "web"],
        ["Shared Worker", "shared"],
        ["Service Worker (chatwire/static)", "service"],
      ].map(([what, name]) => [
        what as string,
        async (project: Project) => {
          await project.run("vite", ["build", "--logLevel=warn"]);
          return project.open("dist", "/", `${name}.html`);
        },
      ]),
    ),
    recipe: 'in a Service Worker: `import … from "chatwire/static"`',
  },
  {
    name: "MV3 extension in Chromium",
    version: chromiumVersion,
    packages: { esbuild: "latest" },
    files: {
      "source.js": `import { said } from "./answer.js"; globalThis.said = said;`,
      "answer.js": workers["answer-static.js"] as string,
      ...extension,
    },
    tries: { "its service worker": inExtension },
    recipe: `\`import … from "chatwire/static"\`, \`chatwire.wasm\` copied to \`wasm/\` beside the scripts' folder or at its root, \`'wasm-unsafe-eval'\` in the manifest`,
  },
  hermes,
  {
    name: "Vercel, Safari, phones",
    tries: { "": async () => "" },
    notRun: "they cannot be had here",
  },
];
