/**
 * Windows of programs for the desktop: their pages in Chromium, with the policies that `chatwire doctor` tells people to write. Neither
 * Electron nor Tauri itself can be had here.
 */
import { pathToFileURL } from "node:url";
import { launchChromium } from "../../chromium.ts";
import { chromiumVersion, type Project, program, type Setup } from "../setup.ts";

const page = (policy: string): string => `<!doctype html><title></title>
<meta http-equiv="Content-Security-Policy" content="${policy}"><script type="module" src="app/page.js"></script>`;

async function build(project: Project): Promise<void> {
  await project.run("esbuild", ["page.js", "--bundle", "--format=esm", "--splitting", "--outdir=out/app"]);
  await project.run("sh", ["-c", "mkdir -p out/wasm && cp node_modules/chatwire/dist/wasm/chatwire.wasm out/wasm"]);
}

/** As Electron opens a page of its program: from a file, with the rights that Electron gives to it. */
async function fromFile(project: Project): Promise<string> {
  await build(project);
  const browser = await launchChromium(["--allow-file-access-from-files"]);
  try {
    const opened = await browser.newPage();
    await opened.goto(pathToFileURL(`${project.folder}/out/index.html`).href);
    await opened.waitForFunction(() => document.title !== "", undefined, { timeout: 30_000 });
    return await opened.title();
  } finally {
    await browser.close();
  }
}

export const windows: Setup = {
  name: "Policies of desktop windows, in Chromium",
  version: chromiumVersion,
  packages: { esbuild: "latest" },
  files: { "page.js": program.page },
  tries: {
    "Tauri's, with the line": async (project) => {
      await build(project);
      const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' https://server.test";
      await project.write({ "out/index.html": page(policy) });
      return project.open("out");
    },
    "Electron's, with the line, from a file": async (project) => {
      await project.write({ "out/index.html": page("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'") });
      return fromFile(project);
    },
  },
  recipe: "`script-src 'self' 'wasm-unsafe-eval'`",
};
