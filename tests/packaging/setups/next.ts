/**
 * Next with each of its bundlers: pages, routes in Node and on the edge, what runs before them; and the lines that `chatwire doctor` and
 * errors tell people to write.
 */
import type { Project, Setup } from "../setup.ts";
import { answer, once, respond, serves, show, showFrom } from "./framework.ts";

const config = (more = ""): string =>
  `const root = import.meta.dirname;\nexport default { outputFileTracingRoot: root, turbopack: { root }${more} };\n`;

const route = `import { answer } from "../../answer.js";\nexport const dynamic = "force-dynamic";\nexport const GET = () => ${respond};\n`;

/** Runs before routes, and answers in their place. */
const before = (name: "middleware" | "proxy"): string =>
  `import { answer } from "./answer.js";\nexport const ${name} = () => ${respond};\nexport const config = { matcher: "/before" };\n`;

/** A page that runs `said` once it is shown. */
const page = (imports: string, said: string): string => `"use client";
  import { useEffect } from "react";
  ${imports}
  export default function Page() { useEffect(() => { ${said} }, []); return null; }`;

const FILE = "node_modules/chatwire/dist/wasm/chatwire.wasm";
const SPARE = "node_modules/chatwire/dist/wasm/spare.js";

interface Way {
  major: string;
  bundler: "webpack" | "Turbopack";
  flag: string[];
  /** Next's own defect: 16.4 with webpack fails with every edge route, one without chatwire too. */
  hasEdge?: boolean;
}

const nextWith = ({ major, bundler, flag, hasEdge = true }: Way): Setup => {
  // Next 16 calls it proxy where it runs in Node, and middleware where it runs on the edge.
  const isNew = major === "16";
  const name = isNew ? "proxy" : "middleware";
  const paths: Record<string, string> = { client: "", "client, with init and the file in public/": "/told" };
  paths["Node route"] = "node";
  if (hasEdge) paths["edge route"] = "edge";
  paths[isNew ? "proxy" : "middleware, on the edge"] = "before";

  const build = (project: Project, of = "") =>
    once(project, `build ${of}`, async () => {
      project.stop();
      await project.run("sh", ["-c", `mkdir -p public && cp ${FILE} public`]);
      await project.run("next", ["build", ...flag]);
    });
  const start = (port: string): [string, ...string[]] => ["next", "start", "-p", port, "-H", "127.0.0.1"];
  const dev = (port: string): [string, ...string[]] => ["next", "dev", ...flag, "-p", port, "-H", "127.0.0.1"];

  const tries: Setup["tries"] = {};
  for (const [what, path] of Object.entries(paths)) {
    tries[`build, ${what}`] = async (project) => {
      await build(project);
      return serves(project, start, path);
    };
  }
  for (const [what, path] of Object.entries(paths)) {
    tries[`dev, ${what}`] = async (project) => {
      await project.run("sh", ["-c", `mkdir -p public && cp ${FILE} public`]);
      return serves(project, dev, path);
    };
  }
  if (isNew && hasEdge) {
    tries["build, middleware on the edge"] = async (project) => {
      await project.run("rm", ["proxy.js"]);
      await project.write({ "middleware.js": before("middleware") });
      await build(project, "middleware");
      return serves(project, start, "before", "middleware");
    };
  }
  tries["build, Node route, serverExternalPackages"] = async (project) => {
    await project.write({ "next.config.mjs": config(', serverExternalPackages: ["chatwire"]') });
    await build(project, "external");
    // The route reads the file in the package: without the spare, nothing else is there.
    await project.run("mv", [SPARE, "spare.js"]);
    try {
      return await serves(project, start, "node", "external");
    } finally {
      await project.run("mv", ["spare.js", SPARE]);
    }
  };
  return {
    name: `Next ${major}, ${bundler}`,
    packages: { next: major, react: "19", "react-dom": "19" },
    files: {
      "next.config.mjs": config(),
      "answer.js": answer,
      "app/layout.jsx":
        "export default ({ children }) => <html><head><title>waiting</title></head><body>{children}</body></html>;",
      "app/page.jsx": page('import { answer } from "../answer.js";', show),
      "app/told/page.jsx": page(
        'import { init } from "chatwire"; import { answer } from "../../answer.js";',
        `init("/chatwire.wasm").then(() => { ${showFrom("/chatwire.wasm")} }, (error) => { document.title = String(error); });`,
      ),
      "app/node/route.js": route,
      ...(hasEdge ? { "app/edge/route.js": `${route}export const runtime = "edge";\n` } : {}),
      [`${name}.js`]: before(name),
    },
    tries,
  };
};

export const next: Setup[] = [
  nextWith({ major: "15", bundler: "webpack", flag: [] }),
  nextWith({ major: "15", bundler: "Turbopack", flag: ["--turbopack"] }),
  nextWith({ major: "16", bundler: "webpack", flag: ["--webpack"], hasEdge: false }),
  {
    name: "Next 16, webpack, edge",
    tries: { "edge route": () => Promise.resolve("") },
    notRun: "Next 16.4.6 builds no edge route with webpack, one without chatwire neither",
  },
  nextWith({ major: "16", bundler: "Turbopack", flag: ["--turbopack"] }),
];
