/**
 * Bundlers: a page without a line of configuration for chatwire, and a program for Node; and the lines that `chatwire doctor` and errors
 * tell people to write.
 */
import { nextPort, type Project, program, type Setup } from "../setup.ts";

const html = '<!doctype html><title></title><script type="module" src="./page.js"></script>';
const page = { "index.html": html, "page.js": program.page };
/** A page of scripts that a bundler wrote, named out/page.js. */
const built = { "page.js": program.page, "print.js": program.esm };
const shell = '<!doctype html><title></title><script type="module" src="page.js"></script>';
const classic = '<!doctype html><title></title><script src="page.js"></script>';

/** The page's program, which also says whether the spare came in place of the file. */
const pageWithFile = program.page.replace(
  "answer().then((text) => { document.title = text; }",
  `answer().then((text) => {
  const isSpare = performance.getEntriesByType("resource").some(({ name }) => name.includes("spare"));
  document.title = isSpare ? "the spare was loaded" : text;
}`,
);

/** A page that imports nothing but "chatwire": for tools that know no `exports`. */
const alone = `
import { Chatwire } from "chatwire";
const body = 'data: {"choices":[{"index":0,"delta":{"content":"all of it"},"finish_reason":"stop"}]}\\n\\ndata: [DONE]\\n\\n';
const client = new Chatwire({ baseURL: "https://server.test/v1", fetch: async () => new Response(body) });
client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "Hi" }] }).outcome()
  .then(({ status, text }) => { document.title = status + ", " + text; }, (error) => { document.title = String(error); });
`;

const FILE = "node_modules/chatwire/dist/wasm/chatwire.wasm";

/** A bundle of one file that knows no address, told where the bytes are. */
const told = program.esm
  .replace(
    'import { Chatwire } from "chatwire";',
    'import { Chatwire, init } from "chatwire/static";\nimport { readFileSync } from "node:fs";',
  )
  .replace("answer().then", `init(readFileSync("${FILE}")).then(answer).then`);

/** Builds into out/, and opens the page that loads out/page.js. */
const opens =
  (command: string, args: string[], text = shell) =>
  async (project: Project): Promise<string> => {
    await project.run(command, args);
    await project.write({ "out/index.html": text });
    return project.open("out");
  };

/** The same, with the file copied to where the scripts look for it: the page at /app/, and the file at /wasm/. */
const opensWithFile =
  (command: string, args: string[]) =>
  async (project: Project): Promise<string> => {
    await project.write({ "page.js": pageWithFile });
    await project.run(command, args);
    await project.run("sh", ["-c", "mkdir -p site/wasm && cp -r out site/app"]);
    await project.run("cp", [FILE, "site/wasm"]);
    await project.write({ "site/app/index.html": shell });
    return project.open("site", "/", "app/");
  };

/** Builds into out/, and runs a file of it in Node. */
const prints =
  (command: string, args: string[], file = "out/print.js") =>
  async (project: Project): Promise<string> => {
    await project.run(command, args);
    return project.says("node", [file]);
  };

/** As a Web project or for SSR, served or built, under a base, as a library that another page uses. */
const vite = (major: string): Setup => ({
  name: `Vite ${major}`,
  packages: { vite: major },
  files: {
    ...page,
    "print.js": program.esm,
    "library.js": `export { Chatwire } from "chatwire"; export { createEmulator } from "chatwire/emulator";`,
    "ssr.js": `
      import { createServer } from "vite";
      const server = await createServer({ server: { middlewareMode: true }, appType: "custom", logLevel: "error" });
      const { said } = await server.ssrLoadModule("/answer.js");
      console.log(await said);
      await server.close();
      process.exit();`,
    "answer.js": program.esm.replace("answer().then(console.log)", "export const said = answer()"),
  },
  tries: {
    dev: (project) => {
      const port = nextPort();
      return project.serving(
        ["vite", "--port", String(port), "--strictPort", "--host", "127.0.0.1"],
        `http://127.0.0.1:${port}/`,
        (url) => project.titleOf(url),
      );
    },
    // `chatwire doctor` and the error of a missing file tell people to write this.
    "dev, with chatwire in optimizeDeps.exclude": async (project) => {
      await project.write({
        "excluded.config.js": `export default { optimizeDeps: { exclude: ["chatwire"] } };`,
        "page.js": pageWithFile,
      });
      const port = nextPort();
      return project.serving(
        ["vite", "-c", "excluded.config.js", "--port", String(port), "--strictPort", "--host", "127.0.0.1"],
        `http://127.0.0.1:${port}/`,
        (url) => project.titleOf(url),
      );
    },
    build: async (project) => {
      await project.run("vite", ["build"]);
      return project.open("dist");
    },
    "build with a base": async (project) => {
      await project.run("vite", ["build", "--base=/under/"]);
      return project.open("dist", "/under/");
    },
    "ssr, development": (project) => project.says("node", ["ssr.js"]),
    "ssr, build": prints("vite", ["build", "--ssr", "print.js", "--outDir", "out"]),
    "ssr, build with noExternal": async (project) => {
      await project.write({ "inline.config.js": `export default { ssr: { noExternal: true } };` });
      await project.run("vite", ["build", "-c", "inline.config.js", "--ssr", "print.js", "--outDir", "inline"]);
      return project.says("node", ["inline/print.js"]);
    },
    library: async (project) => {
      const lib = `{ entry: "library.js", formats: ["es"], fileName: () => "library.js" }`;
      await project.write({ "library.config.js": `export default { build: { lib: ${lib}, outDir: "library" } };` });
      await project.run("vite", ["build", "-c", "library.config.js"]);
      const text = program.page.replace(/"chatwire(\/emulator)?"/g, `"./library.js"`);
      await project.write({ "library/index.html": html, "library/page.js": text });
      return project.open("library");
    },
  },
});

const webpack = (target: "web" | "node"): string => `
import { resolve } from "node:path";
export default {
  mode: "production", target: "${target}", entry: { ${target === "web" ? 'page: "./page.js"' : 'print: "./print.js"'} },
  ${target === "web" ? "" : 'experiments: { outputModule: true }, output: { module: true, chunkFormat: "module", path: resolve("out"), filename: "[name].mjs" },'}
  ${target === "web" ? 'output: { path: resolve("out"), filename: "[name].js" },' : ""}
};`;
/** The line of the error of a file that is missing, for a program of CommonJS and for one of modules. */
const externals = (isModule: boolean): string => `
import { resolve } from "node:path";
export default {
  mode: "production", target: "node", entry: { print: "./print.js" }, externals: { chatwire: "node-commonjs chatwire" },
  ${isModule ? "experiments: { outputModule: true }," : ""}
  output: { ${isModule ? 'module: true, chunkFormat: "module", ' : ""}path: resolve("out"), filename: "external.${isModule ? "mjs" : "cjs"}" },
};`;
const webpackConfigs = {
  "web.config.mjs": webpack("web"),
  "node.config.mjs": webpack("node"),
  "commonjs.config.mjs": externals(false),
  "module.config.mjs": externals(true),
};

const rollup = `
import { nodeResolve } from "@rollup/plugin-node-resolve";
export default [
  { input: "page.js", output: { dir: "out" }, plugins: [nodeResolve({ browser: true })] },
  { input: "print.js", output: { dir: "out" }, external: [/^node:/], plugins: [nodeResolve()] },
];`;

const rolldown = `
export default [
  { input: "page.js", platform: "browser", output: { dir: "out" } },
  { input: "print.js", platform: "node", output: { dir: "out" } },
];`;

/** A service worker of its own, which the plug-in bundles into one script: its bundle is a module, or none. */
const pwa: Setup = {
  name: "Vite PWA",
  packages: { "vite-plugin-pwa": "latest", vite: "8" },
  files: {
    ...page,
    "page.js": `
      navigator.serviceWorker.onmessage = ({ data }) => { document.title = data; };
      navigator.serviceWorker.register("/worker.js", { type: globalThis.type }).then(() => navigator.serviceWorker.ready)
        .then(({ active }) => active.postMessage("go"), (error) => { document.title = String(error); });`,
    "worker.js": `${program.esm.replace("answer().then(console.log);", "")}
      addEventListener("install", () => skipWaiting());
      addEventListener("activate", (event) => event.waitUntil(clients.claim()));
      globalThis.files = self.__WB_MANIFEST;
      addEventListener("message", async ({ source }) => source.postMessage(await answer().catch(String)));`,
  },
  tries: {
    'injectManifest, rollupFormat: "iife"': (project) => withPwa(project, "iife", "classic"),
    "injectManifest, registered as a module": (project) => withPwa(project, "es", "module"),
  },
  recipe:
    'in a service worker of your own, `injectManifest: { rollupFormat: "iife" }`, or `register(…, { type: "module" })`',
};

async function withPwa(project: Project, format: string, type: string): Promise<string> {
  const options = `{ strategies: "injectManifest", srcDir: ".", filename: "worker.js", injectRegister: false, injectManifest: { rollupFormat: "${format}" } }`;
  await project.write({
    "vite.config.js": `import { VitePWA } from "vite-plugin-pwa";\nexport default { plugins: [VitePWA(${options})] };`,
    "index.html": html.replace("<script", `<script>globalThis.type = "${type}";</script><script`),
  });
  await project.run("vite", ["build"]);
  return project.open("dist");
}

/** A bundle of all, for Node, as modules and as CommonJS. */
const ofLibrary = `export default { entry: ["print.js"], format: ["esm", "cjs"], outDir: "out", noExternal: [/chatwire/] };`;

export const bundlers: Setup[] = [
  ...["5", "6", "7", "8"].map(vite),
  pwa,
  {
    name: "webpack 5",
    packages: { webpack: "5", "webpack-cli": "latest" },
    files: { ...built, ...webpackConfigs },
    tries: {
      page: opens("webpack", ["-c", "web.config.mjs"], classic),
      Node: prints("webpack", ["-c", "node.config.mjs"], "out/print.mjs"),
      "Node, chatwire among externals, CommonJS": prints("webpack", ["-c", "commonjs.config.mjs"], "out/external.cjs"),
      "Node, chatwire among externals, modules": prints("webpack", ["-c", "module.config.mjs"], "out/external.mjs"),
    },
  },
  {
    name: "Rspack",
    packages: { "@rspack/core": "latest", "@rspack/cli": "latest" },
    files: { ...built, ...webpackConfigs },
    tries: {
      page: opens("rspack", ["build", "-c", "web.config.mjs"], classic),
      Node: prints("rspack", ["build", "-c", "node.config.mjs"], "out/print.mjs"),
      "Node, chatwire among externals, CommonJS": prints(
        "rspack",
        ["build", "-c", "commonjs.config.mjs"],
        "out/external.cjs",
      ),
      "Node, chatwire among externals, modules": prints(
        "rspack",
        ["build", "-c", "module.config.mjs"],
        "out/external.mjs",
      ),
    },
  },
  {
    name: "Rollup",
    packages: { rollup: "latest", "@rollup/plugin-node-resolve": "latest" },
    files: { ...built, "rollup.config.js": rollup },
    tries: {
      page: opens("rollup", ["-c"]),
      Node: prints("rollup", ["-c"]),
      "page, the file copied": opensWithFile("rollup", ["-c"]),
      "Node, external": prints("rollup", [
        "print.js",
        "--dir=out",
        "--format=es",
        "--external=chatwire,chatwire/emulator",
      ]),
    },
  },
  {
    name: "Rolldown",
    packages: { rolldown: "latest" },
    files: { ...built, "rolldown.config.js": rolldown },
    tries: {
      page: opens("rolldown", ["-c", "rolldown.config.js"]),
      Node: prints("rolldown", ["-c", "rolldown.config.js"]),
      "page, the file copied": opensWithFile("rolldown", ["-c", "rolldown.config.js"]),
    },
  },
  {
    name: "esbuild",
    packages: { esbuild: "latest" },
    files: { ...built, "told.js": told },
    tries: {
      "esm, splitting": opens("esbuild", ["page.js", "--bundle", "--format=esm", "--splitting", "--outdir=out"]),
      "esm, splitting, the file copied": opensWithFile("esbuild", [
        "page.js",
        "--bundle",
        "--format=esm",
        "--splitting",
        "--outdir=out",
      ]),
      "Node, esm, --external:chatwire": prints("esbuild", [
        "print.js",
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--external:chatwire",
        "--outfile=out/print.js",
      ]),
      "esm, one file": opens("esbuild", ["page.js", "--bundle", "--format=esm", "--outfile=out/page.js"]),
      iife: opens("esbuild", ["page.js", "--bundle", "--format=iife", "--outfile=out/page.js"], classic),
      "iife, opened as a file": async (project) => {
        await project.run("esbuild", ["page.js", "--bundle", "--format=iife", "--outfile=file/page.js"]);
        await project.write({ "file/index.html": classic });
        return project.titleOf(`file://${project.folder}/file/index.html`);
      },
      "Node, esm": prints("esbuild", [
        "print.js",
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--outfile=out/print.js",
      ]),
      "Node, cjs": prints(
        "esbuild",
        ["print.js", "--bundle", "--platform=node", "--format=cjs", "--outfile=out/print.cjs"],
        "out/print.cjs",
      ),
      "Node, esm, the file copied": async (project) => {
        const options = ["--bundle", "--platform=node", "--format=esm", "--splitting", "--outdir=copied/app"];
        await project.run("esbuild", ["print.js", ...options]);
        const copies = `mkdir -p copied/wasm && cp ${FILE} copied/wasm && rm copied/app/spare-*.js`;
        await project.run("sh", ["-c", copies]);
        return project.says("node", ["copied/app/print.js"]);
      },
      "Node, cjs, chatwire/static with init(bytes)": prints(
        "esbuild",
        ["told.js", "--bundle", "--platform=node", "--format=cjs", "--outfile=out/told.cjs"],
        "out/told.cjs",
      ),
    },
  },
  {
    name: "Parcel",
    packages: { parcel: "latest" },
    files: { ...page, "page.js": alone },
    tries: {
      build: async (project) => {
        await project.run("parcel", ["build", "index.html", "--no-cache", "--dist-dir", "out"]);
        return project.open("out");
      },
    },
  },
  {
    name: "Parcel, subpaths",
    packages: { parcel: "latest" },
    files: page,
    manifest: { "@parcel/resolver-default": { packageExports: true } },
    tries: {
      build: async (project) => {
        await project.run("parcel", ["build", "index.html", "--no-cache", "--dist-dir", "out"]);
        return project.open("out");
      },
    },
    recipe: 'in the package.json beside the lock file: `"@parcel/resolver-default": { "packageExports": true }`',
  },
  {
    name: "bun build",
    packages: { bun: "latest" },
    files: built,
    tries: {
      page: opens("bun", ["build", "page.js", "--target=browser", "--outdir=out"]),
      "page, splitting": opens("bun", ["build", "page.js", "--target=browser", "--splitting", "--outdir=out"]),
      Node: prints("bun", ["build", "print.js", "--target=node", "--outdir=out"]),
    },
  },
  {
    name: "Rsbuild",
    packages: { "@rsbuild/core": "latest" },
    files: { "page.js": program.page },
    tries: {
      page: async (project) => {
        const config = `export default { source: { entry: { index: "./page.js" } }, html: { title: "" }, output: { distPath: { root: "out" } } };`;
        await project.write({ "rsbuild.config.mjs": config });
        await project.run("rsbuild", ["build"]);
        return project.open("out");
      },
    },
  },
  {
    name: "ncc",
    packages: { "@vercel/ncc": "latest" },
    files: built,
    tries: { Node: prints("ncc", ["build", "print.js", "-o", "out"], "out/index.js") },
  },
  {
    name: "tsup",
    packages: { tsup: "latest", typescript: "5.9" },
    files: { "print.js": program.esm, "tsup.config.js": ofLibrary },
    tries: { Node: prints("tsup", []), "Node, CommonJS": prints("tsup", [], "out/print.cjs") },
  },
];
