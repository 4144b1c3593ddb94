/** Frameworks: a page and what runs on the server, built as their own commands build, without a line for chatwire. */
import { nextPort, type Project, program, type Setup } from "../setup.ts";

const answer = program.esm.replace("answer().then(console.log);", "export { answer };");
/** Puts the answer into the page's title, from a module beside answer.js. */
const show = "answer().then((text) => { document.title = text; }, (error) => { document.title = String(error); });";
const respond = "answer().then((text) => new Response(text), (error) => new Response(String(error)))";

const builds = new WeakMap<Project, Map<string, Promise<unknown>>>();

/** One build for several tries. */
function once(project: Project, name: string, build: () => Promise<unknown>): Promise<unknown> {
  const done = builds.get(project) ?? new Map<string, Promise<unknown>>();
  builds.set(project, done);
  const promise = done.get(name) ?? build();
  done.set(name, promise);
  return promise;
}

/** Starts a framework's server, and opens its page in Chromium or reads what a route says. */
function serves(project: Project, start: (port: string) => [string, ...string[]], path: string): Promise<string> {
  const port = String(nextPort());
  return project.serving(
    start(port),
    `http://127.0.0.1:${port}/`,
    async (url) => (path === "" ? project.titleOf(url, 120_000) : (await fetch(url + path)).text()),
    { PORT: port, HOST: "127.0.0.1" },
  );
}

const builtThenServes =
  (build: [string, ...string[]], start: (port: string) => [string, ...string[]], path: string) =>
  async (project: Project): Promise<string> => {
    const [command, ...args] = build;
    await once(project, build.join(" "), () => project.run(command, args));
    return serves(project, start, path);
  };

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

const kit: Setup = {
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
      return serves(project, inNode("build/index.js"), "server");
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

const route = `import { answer } from "../../answer.js";\nexport const dynamic = "force-dynamic";\nexport const GET = () => ${respond};\n`;

/** With one of its bundlers. Next's own defect: 16.4 with webpack fails with every edge route, one without chatwire too. */
const next = (major: string, bundler: "webpack" | "Turbopack", flag: string[], hasEdge = true): Setup => {
  const tries: Setup["tries"] = {};
  const edge: Record<string, string> = hasEdge ? { "edge route": "edge" } : {};
  const paths = { client: "", "Node route": "node", ...edge };
  for (const [what, path] of Object.entries(paths)) {
    const start = (port: string): [string, ...string[]] => ["next", "start", "-p", port, "-H", "127.0.0.1"];
    tries[`build, ${what}`] = builtThenServes(["next", "build", ...flag], start, path);
  }
  for (const [what, path] of Object.entries(paths)) {
    tries[`dev, ${what}`] = (project) =>
      serves(project, (port) => ["next", "dev", ...flag, "-p", port, "-H", "127.0.0.1"], path);
  }
  return {
    name: `Next ${major}, ${bundler}`,
    packages: { next: major, react: "19", "react-dom": "19" },
    files: {
      "next.config.mjs": `const root = import.meta.dirname;\nexport default { outputFileTracingRoot: root, turbopack: { root } };\n`,
      "answer.js": answer,
      "app/layout.jsx":
        "export default ({ children }) => <html><head><title>waiting</title></head><body>{children}</body></html>;",
      "app/page.jsx": `"use client";
        import { useEffect } from "react";
        import { answer } from "../answer.js";
        export default function Page() { useEffect(() => { ${show} }, []); return null; }`,
      "app/node/route.js": route,
      ...(hasEdge ? { "app/edge/route.js": `${route}export const runtime = "edge";\n` } : {}),
    },
    tries,
  };
};

const nuxt: Setup = {
  name: "Nuxt",
  packages: { nuxt: "latest" },
  files: {
    "nuxt.config.js":
      'export default defineNuxtConfig({ compatibilityDate: "2026-01-01", app: { head: { title: "waiting" } } });',
    "answer.js": answer,
    "app/app.vue": `<script setup>
      import { onMounted } from "vue";
      import { answer } from "../answer.js";
      onMounted(() => { ${show} });
    </script>
    <template><div /></template>`,
    "server/routes/server.js": `import { answer } from "../../answer.js";\nexport default defineEventHandler(() => answer().catch(String));`,
  },
  tries: {
    "build, page": builtThenServes(["nuxt", "build"], inNode(".output/server/index.mjs"), ""),
    "build, server": builtThenServes(["nuxt", "build"], inNode(".output/server/index.mjs"), "server"),
  },
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
      const [port, inspector] = [String(nextPort()), String(nextPort())];
      const ports = ["--port", port, "--inspector-port", inspector, "--compatibility-date", "2026-01-01"];
      return project.serving(
        ["wrangler", "dev", ".output/server/index.mjs", "--assets", ".output/public", ...ports],
        `http://127.0.0.1:${port}/`,
        async (url) => (await fetch(url)).text(),
      );
    },
  },
  recipe: "in nitro.config: `experimental: { wasm: true }`; in nuxt.config: `nitro: { experimental: { wasm: true } }`",
};

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
  },
};

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
            },
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
  },
};

export const frameworks: Setup[] = [
  next("15", "webpack", []),
  next("15", "Turbopack", ["--turbopack"]),
  next("16", "webpack", ["--webpack"], false),
  {
    name: "Next 16, webpack, edge",
    tries: { "edge route": () => Promise.resolve("") },
    notRun: "Next 16.4.6 builds no edge route with webpack, one without chatwire neither",
  },
  next("16", "Turbopack", ["--turbopack"]),
  kit,
  astro,
  nuxt,
  nitro,
  reactRouter,
  angular,
];
