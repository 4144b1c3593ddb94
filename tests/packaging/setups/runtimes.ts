/** Runtimes that need no bundler, or bring their own. */
import { chromiumVersion, nextPort, type Project, program, type Setup } from "../setup.ts";
import { extension } from "./extension.ts";
import { hermes } from "./hermes.ts";
import { windows } from "./windows.ts";

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

/** The worker's program as the error of a host that compiles no bytes tells people to write it. */
const toldWorker = `
import { init } from "chatwire/slim";
import module from "chatwire/chatwire.wasm";
${worker.replace('from "chatwire"', 'from "chatwire/slim"').replace("answer().then(", "init(module).then(answer).then(")}`;

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
import { fileURLToPath } from "node:url";
let bytes;
const wasm = { name: "wasm", setup({ onResolve, onLoad }) {
  onResolve({ filter: /\\.wasm\\?module$/ }, ({ path, resolveDir }) => {
    const file = path.startsWith(".") ? new URL(path, "file://" + resolveDir + "/") : new URL(import.meta.resolve(path));
    bytes = readFileSync(fileURLToPath(file).replace("?module", ""));
    return { path, namespace: "module" };
  });
  onLoad({ filter: /./, namespace: "module" }, () => ({ contents: "export default globalThis.module" }));
} };
const { outputFiles } = await build({ entryPoints: [process.argv[2]], bundle: true, write: false, format: "iife", globalName: "built",
  target: "es2022", conditions: ["edge-light", "worker", "browser"], plugins: [wasm], logLevel: "error" });
const runtime = new EdgeRuntime({ extend: (context) => Object.assign(context, { module: new WebAssembly.Module(bytes) }) });
runtime.evaluate(outputFiles[0].text + "; addEventListener('fetch', (event) => event.respondWith(built.default(event.request)))");
console.log(await (await runtime.dispatchFetch("https://site.test/")).text());
process.exit();
`;

/** An edge function: what another module has made of the answer. */
const edgeFunction = `
import { said } from "./answer.js";
export default () => said.then((text) => new Response(text));
`;

/** A middleware of Vercel, which runs before a route: a function of the request, without Next. */
const middleware = `${program.esm.replace("answer().then(console.log);", "")}
export const config = { matcher: "/" };
export default function middleware(request) {
  return answer().then((text) => new Response(text), (error) => new Response(String(error)));
}
`;

const toldMiddleware = `
import { init } from "chatwire/slim";
import module from "chatwire/chatwire.wasm?module";
${middleware.replace('from "chatwire"', 'from "chatwire/slim"').replace("answer().then(", "init(module).then(answer).then(")}`;

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
    files: { "worker.js": worker, "old.js": oldWorker, "told.js": toldWorker },
    tries: {
      "2021-11-02": workerd("2021-11-02", [], "old.js"),
      "2022-11-30, nodejs_compat": workerd("2022-11-30", ["nodejs_compat"]),
      "2026-11-17": workerd("2026-11-17", ["no_nodejs_compat"]),
      "2026-11-17, nodejs_compat": workerd("2026-11-17", ["nodejs_compat"]),
      "2026-11-17, chatwire/slim with init(module)": workerd("2026-11-17", [], "told.js"),
    },
  },
  {
    name: "edge-runtime",
    packages: { "edge-runtime": "latest", esbuild: "latest" },
    files: {
      "answer.js": answer,
      "function.js": edgeFunction,
      "middleware.js": middleware,
      "told.js": toldMiddleware,
      "run.js": edge,
    },
    tries: {
      "a bundle with the condition edge-light": (project) => project.says("node", ["run.js", "function.js"]),
      "a Routing Middleware, as for Vercel": (project) => project.says("node", ["run.js", "middleware.js"]),
      "chatwire/slim with init(module)": (project) => project.says("node", ["run.js", "told.js"]),
    },
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
  extension,
  windows,
  hermes,
  ...["Vercel", "Safari", "Phones", "React Native and Expo", "Tauri", "Electron"].map(
    (name): Setup => ({ name, tries: { "": async () => "" }, notRun: "it cannot be had here" }),
  ),
];
