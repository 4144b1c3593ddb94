/**
 * Frameworks: a page and what runs on the server, built as their own commands build, without a line for chatwire; and the lines that
 * `chatwire doctor` and errors tell people to write.
 */
import { nextPort, type Project, type Setup } from "../setup.ts";
import { answer, builtThenServes, respond, serves, show, showFrom } from "./framework.ts";
import { next } from "./next.ts";

const inNode = (file: string) => (): [string, ...string[]] => ["node", file];

const viteDev = (port: string): [string, ...string[]] => [
  "vite",
  "dev",
  "--port",
  port,
  "--strictPort",
  "--host",
  "127.0.0.1",
];

/** Moves chatwire among devDependencies: adapter-node bundles what stands there. */
async function asDevDependency(project: Project): Promise<void> {
  const manifest = JSON.parse(await project.read("package.json"));
  const { chatwire, ...dependencies } = manifest.dependencies;
  await project.write({
    "package.json": JSON.stringify({ ...manifest, dependencies, devDependencies: { chatwire } }),
  });
}

export const kit: Setup = {
  name: "SvelteKit",
  packages: {
    "@sveltejs/kit": "latest",
    "@sveltejs/adapter-node": "latest",
    "@sveltejs/vite-plugin-svelte": "latest",
    svelte: "latest",
    typescript: "6.0",
    vite: "8",
  },
  files: {
    "vite.config.js": `
      import adapter from "@sveltejs/adapter-node";
      import { sveltekit } from "@sveltejs/kit/vite";
      export default { plugins: [sveltekit({ adapter: adapter() })] };`,
    "src/app.html":
      '<!doctype html><html><head><title>waiting</title>%sveltekit.head%</head><body data-sveltekit-preload-data="hover"><div>%sveltekit.body%</div></body></html>',
    "src/answer.js": answer,
    "src/routes/+page.svelte": `<script>
      import { onMount } from "svelte";
      import { answer } from "../answer.js";
      onMount(() => { ${show} });
    </script>`,
    "src/routes/server/+server.js": `import { answer } from "../../answer.js";\nexport const GET = () => ${respond};`,
  },
  tries: {
    "adapter-node, page": builtThenServes(["vite", "build"], inNode("build/index.js"), ""),
    "adapter-node, server": builtThenServes(["vite", "build"], inNode("build/index.js"), "server"),
    "adapter-node, server, chatwire among devDependencies": async (project) => {
      await asDevDependency(project);
      await project.run("vite", ["build"]);
      return serves(project, inNode("build/index.js"), "server", "devDependencies");
    },
    "dev, page": (project) => serves(project, viteDev, ""),
    "dev, server": (project) => serves(project, viteDev, "server"),
  },
};

const astroDev = (port: string): [string, ...string[]] => ["astro", "dev", "--port", port, "--host", "127.0.0.1"];

const astro: Setup = {
  name: "Astro",
  packages: { astro: "latest", "@astrojs/node": "latest" },
  files: {
    "astro.config.mjs": `
      import node from "@astrojs/node";
      export default { output: "server", adapter: node({ mode: "standalone" }) };`,
    "src/answer.js": answer,
    "src/pages/index.astro": `<html><head><title>waiting</title></head><body><script>
      import { answer } from "../answer.js";
      ${show}
    </script></body></html>`,
    "src/pages/server.js": `import { answer } from "../answer.js";\nexport const GET = () => ${respond};`,
  },
  tries: {
    "build, page": builtThenServes(["astro", "build"], inNode("dist/server/entry.mjs"), ""),
    "build, server": builtThenServes(["astro", "build"], inNode("dist/server/entry.mjs"), "server"),
    "dev, page": (project) => serves(project, astroDev, ""),
    "dev, server": (project) => serves(project, astroDev, "server"),
  },
};

const nuxtOptions = 'compatibilityDate: "2026-01-01", app: { head: { title: "waiting" } }';

const nuxtDev = (port: string): [string, ...string[]] => ["nuxt", "dev", "--port", port, "--host", "127.0.0.1"];

/** Runs in workerd the worker that Nitro built for Cloudflare. */
function inWorkerd(project: Project, path = ""): Promise<string> {
  const [port, inspector] = [String(nextPort()), String(nextPort())];
  const ports = ["--port", port, "--inspector-port", inspector, "--compatibility-date", "2026-01-01"];
  return project.serving(
    ["wrangler", "dev", ".output/server/index.mjs", "--assets", ".output/public", ...ports],
    `http://127.0.0.1:${port}/`,
    async (url) => (await fetch(url + path)).text(),
  );
}

const nuxt: Setup = {
  name: "Nuxt",
  packages: { nuxt: "latest", wrangler: "4" },
  files: {
    "nuxt.config.js": `export default defineNuxtConfig({ ${nuxtOptions} });`,
    "app/answer.js": answer,
    "server/answer.js": answer,
    "app/app.vue": `<script setup>
      import { onMounted } from "vue";
      import { answer } from "./answer.js";
      onMounted(() => { ${show} });
    </script>
    <template><div /></template>`,
    "server/routes/server.js": `import { answer } from "../answer.js";\nexport default defineEventHandler(() => answer().catch(String));`,
  },
  tries: {
    "build, page": builtThenServes(["nuxt", "build"], inNode(".output/server/index.mjs"), ""),
    "build, server": builtThenServes(["nuxt", "build"], inNode(".output/server/index.mjs"), "server"),
    "dev, page": (project) => serves(project, nuxtDev, ""),
    "dev, server": (project) => serves(project, nuxtDev, "server"),
  },
};

const nuxtOnCloudflare: Setup = {
  ...nuxt,
  name: "Nuxt on Cloudflare",
  files: {
    ...nuxt.files,
    "nuxt.config.js": `export default defineNuxtConfig({ ${nuxtOptions}, nitro: { experimental: { wasm: true } } });`,
  },
  tries: {
    "build, worker": async (project) => {
      await project.run("nuxt", ["build", "--preset", "cloudflare_module"]);
      return inWorkerd(project, "server");
    },
  },
  recipe: "in nuxt.config: `nitro: { experimental: { wasm: true } }`",
};

const nitro: Setup = {
  name: "Nitro on Cloudflare",
  packages: { nitropack: "2", wrangler: "4" },
  files: {
    "nitro.config.js": `export default { srcDir: "server", compatibilityDate: "2026-01-01", experimental: { wasm: true } };`,
    "server/answer.js": answer,
    "server/routes/index.js": `import { answer } from "../answer.js";\nexport default defineEventHandler(() => answer().catch(String));`,
  },
  tries: {
    "build, worker": async (project) => {
      await project.run("nitropack", ["build", "--preset", "cloudflare_module"]);
      return inWorkerd(project);
    },
  },
  recipe: "in nitro.config: `experimental: { wasm: true }`",
};

const routerDev = (port: string): [string, ...string[]] => [
  "react-router",
  "dev",
  "--port",
  port,
  "--strictPort",
  "--host",
  "127.0.0.1",
];

const reactRouter: Setup = {
  name: "React Router",
  packages: {
    // One version for all: their newest need not come out together, and npm refuses a mixture.
    "@react-router/dev": "8.4.0",
    "@react-router/node": "8.4.0",
    "@react-router/serve": "8.4.0",
    "react-router": "8.4.0",
    isbot: "latest",
    react: "19",
    "react-dom": "19",
    vite: "8",
  },
  files: {
    "vite.config.js": `import { reactRouter } from "@react-router/dev/vite";\nexport default { plugins: [reactRouter()] };`,
    "app/answer.js": answer,
    "app/routes.js": `import { index, route } from "@react-router/dev/routes";\nexport default [index("./page.jsx"), route("server", "./server.js")];`,
    "app/root.jsx": `import { Outlet, Scripts } from "react-router";
      export default () => <html><head><title>waiting</title></head><body><Outlet /><Scripts /></body></html>;`,
    "app/page.jsx": `import { useEffect } from "react";
      import { answer } from "./answer.js";
      export default function Page() { useEffect(() => { ${show} }, []); return null; }`,
    "app/server.js": `import { answer } from "./answer.js";\nexport const loader = () => ${respond};`,
  },
  tries: {
    "build, page": builtThenServes(
      ["react-router", "build"],
      () => ["react-router-serve", "build/server/index.js"],
      "",
    ),
    "build, server": builtThenServes(
      ["react-router", "build"],
      () => ["react-router-serve", "build/server/index.js"],
      "server",
    ),
    "dev, page": (project) => serves(project, routerDev, ""),
    "dev, server": (project) => serves(project, routerDev, "server"),
  },
};

/** The entry of `assets` in `angular.json` that the error of a missing file tells people to write. */
const FILE = { glob: "chatwire.wasm", input: "node_modules/chatwire/dist/wasm", output: "wasm" };

const angularDev = (port: string): [string, ...string[]] => ["ng", "serve", "--port", port, "--host", "127.0.0.1"];

const angular: Setup = {
  name: "Angular",
  packages: {
    "@angular/core": "latest",
    "@angular/common": "latest",
    "@angular/compiler": "latest",
    "@angular/compiler-cli": "latest",
    "@angular/platform-browser": "latest",
    "@angular/build": "latest",
    "@angular/cli": "latest",
    rxjs: "7",
    tslib: "2",
    typescript: "6.0",
  },
  files: {
    "angular.json": JSON.stringify({
      version: 1,
      cli: { analytics: false },
      projects: {
        app: {
          projectType: "application",
          root: "",
          sourceRoot: "src",
          architect: {
            build: {
              builder: "@angular/build:application",
              options: {
                browser: "src/main.ts",
                index: "src/index.html",
                outputPath: "out",
                tsConfig: "tsconfig.json",
              },
              configurations: { file: { assets: [FILE] } },
            },
            serve: { builder: "@angular/build:dev-server", options: { buildTarget: "app:build" } },
          },
        },
      },
    }),
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        target: "es2022",
        module: "preserve",
        moduleResolution: "bundler",
        strict: true,
        skipLibCheck: true,
        types: [],
      },
      files: ["src/main.ts"],
    }),
    "src/index.html":
      '<!doctype html><html><head><title>waiting</title><base href="/"></head><body><app-root></app-root></body></html>',
    "src/main.ts": `
      import { Component } from "@angular/core";
      import { bootstrapApplication } from "@angular/platform-browser";
      ${answer.replace("export { answer };", "").replace("async function answer()", "async function answer(): Promise<string>").replace('role: "user"', 'role: "user" as const')}
      @Component({ selector: "app-root", template: "" })
      class App { constructor() { ${show} } }
      bootstrapApplication(App);`,
  },
  tries: {
    build: async (project) => {
      await project.run("ng", ["build"]);
      return project.open("out/browser");
    },
    dev: (project) => serves(project, angularDev, ""),
    "build, with the file among its assets": async (project) => {
      project.stop();
      const main = await project.read("src/main.ts");
      await project.write({ "src/main.ts": main.replace(show, showFrom("/wasm/chatwire.wasm")) });
      await project.run("ng", ["build", "--configuration=file"]);
      return project.open("out/browser");
    },
  },
};

export const frameworks: Setup[] = [...next, kit, astro, nuxt, nuxtOnCloudflare, nitro, reactRouter, angular];
