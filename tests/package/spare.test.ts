/** Bundles that have lost the `.wasm`: the spare engine in the scripts works in its place. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { type BuildOptions, build } from "esbuild";
import { launchChromium } from "../chromium.ts";
import { project, run } from "./packed.ts";

const program = `
import { Chatwire } from "chatwire";
import { createEmulator } from "chatwire/emulator";

export const answered = (async () => {
  const client = new Chatwire({ provider: "electron", apiKey: "k", dangerouslyAllowBrowser: true, fetch: createEmulator().fetch });
  const messages = [{ role: "user", content: "Why is the sky blue?" }];
  return (await client.chat.completions.stream({ messages }).finalContent()).length > 10;
})();
`;

describe("a bundle without the file", { timeout: 120_000 }, () => {
  let folder: string;
  before(async () => {
    folder = await project("spare", {
      "program.js": program,
      "print.js": `import { answered } from "./program.js"; console.log(await answered);`,
      "page.js": `import { answered } from "./program.js"; answered.then((is) => (document.title = String(is)), (error) => (document.title = error.message));`,
    });
    await mkdir(join(folder, "out"));
  });

  const bundle = (entry: string, options: BuildOptions) =>
    build({
      entryPoints: [join(folder, entry)],
      bundle: true,
      format: "esm",
      outdir: join(folder, "out", entry),
      logLevel: "error",
      ...options,
    });

  it("runs in Node", async () => {
    await bundle("print.js", { platform: "node" });
    assert.equal(await run(folder, process.execPath, [join(folder, "out", "print.js", "print.js")]), "true");
  });

  it("runs in a page, whether the server has no such file or answers with a page of its own", async (context) => {
    const { outputFiles = [] } = await build({
      entryPoints: [join(folder, "page.js")],
      bundle: true,
      format: "esm",
      splitting: true,
      outdir: join(folder, "out"),
      write: false,
    });
    const scripts = new Map(outputFiles.map(({ path, text }) => [path.split("/").at(-1), text]));
    const browser = await launchChromium();
    context.after(() => browser.close());
    for (const missing of [404, 200]) {
      const server = createServer((request, response) => {
        const script = scripts.get(request.url?.slice(1));
        const page = `<!doctype html><script type="module" src="/page.js"></script>`;
        if (script !== undefined) response.writeHead(200, { "content-type": "text/javascript" }).end(script);
        else if (request.url === "/") response.writeHead(200, { "content-type": "text/html" }).end(page);
        else response.writeHead(missing, { "content-type": "text/html" }).end("<!doctype html><title>Not here</title>");
      }).listen(0, "127.0.0.1");
      try {
        const page = await browser.newPage();
        await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
        await page.waitForFunction(() => document.title !== "");
        assert.equal(await page.title(), "true");
      } finally {
        server.close();
      }
    }
  });

  it("is not loaded where the file is found", async () => {
    await writeFile(
      join(folder, "watch.mjs"),
      `
      import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
      const { answered } = await import("./program.js");
      await answered;
      console.log(loaded.some((url) => url.endsWith("/spare.js")));
    `,
    );
    assert.equal(await run(folder, process.execPath, ["watch.mjs"]), "false");
  });
});
