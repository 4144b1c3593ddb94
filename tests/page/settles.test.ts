/**
 * Settles, in a page of Chromium: a part of the table in tests/settles, or all of it with SETTLES=all. The event loop of the page is
 * watched from this process: a case that freezes the tab is named.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { after, before, describe, it } from "node:test";
import { type BuildOptions, build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { withFailingMemory } from "../settles/failing-memory.ts";
import { casesOf } from "../settles/run.ts";
import { chosen, seed } from "../settles/seed.ts";

const root = join(import.meta.dirname, "../..");
const types: Record<string, string> = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };

let browser: Browser;
const scripts: Record<string, string | Uint8Array> = {};
/** A page whose products are made of this entry. */
const pageOf = (entry: string) => {
  const map = JSON.stringify({ imports: { chatwire: `/dist/${entry}` } });
  return `<!doctype html><title>Settles</title><script type="importmap">${map}</script>`;
};
const server = createServer(async ({ url = "/" }, response) => {
  const { pathname, searchParams } = new URL(url, "http://page");
  const path = normalize(pathname);
  try {
    const content =
      path === "/"
        ? pageOf(searchParams.get("entry") ?? "")
        : path in scripts
          ? scripts[path]
          : await readFile(join(root, path));
    response.writeHead(200, { "content-type": types[extname(path)] ?? "text/html" }).end(content);
  } catch {
    response.writeHead(404).end();
  }
});

before(async () => {
  const whole = {
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["chatwire"],
  } satisfies BuildOptions;
  // Of OpenTelemetry, a page takes a bundle.
  for (const [path, entry] of Object.entries({ "/run.js": "tests/settles/run.ts", "/otel.js": "dist/otel/index.js" })) {
    scripts[path] = (await build({ ...whole, entryPoints: [join(root, entry)] })).outputFiles?.[0]?.text ?? "";
  }
  scripts["/failing.wasm"] = withFailingMemory();
  browser = await launchChromium();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  await browser?.close();
  server.close();
});

/** How long, in milliseconds, a page may not answer. */
const STILL = 15_000;

/** Runs cases in a page, and fails by name if the page stands still. */
async function runIn(page: Page, entry: string, names: string[]): Promise<string[]> {
  let last = "";
  const watching = setInterval(async () => {
    const answered = page.evaluate("1").catch(() => {});
    const still = await Promise.race([
      answered.then(() => false),
      new Promise((resolve) => setTimeout(resolve, STILL, true)),
    ]);
    if (!still) return;
    console.error(`The page stands still, at or near: ${last}`);
    browser.close(); // which ends the evaluation
  }, STILL);
  page.on("console", (line) => {
    last = line.text();
  });
  try {
    return await page.evaluate(
      async ([entry, names, seed]) => {
        const from = (path: string) => import(path);
        const { run, casesOf, nameOf, loaded, onDemand, trapOnDemand } = await from("/run.js");
        const failing = await WebAssembly.compileStreaming(fetch("/failing.wasm"));
        trapOnDemand(() => failing);
        const chatwire = await from(`/dist/${entry}`);
        const [openai, aiSDK, agUI] = await Promise.all(
          ["openai", "ai-sdk", "ag-ui"].map((product) => from(`/dist/${product}/index.js`)),
        );
        const { Stream } = await from("/dist/openai/stream.js");
        const otel = await from("/otel.js");
        Object.assign(loaded, { openai, Stream, aiSDK, agUI, otel });
        if (entry === "slim.js") await chatwire.init("/dist/wasm/chatwire.wasm");
        if (entry === "js/index.js") {
          // The engine as a script, which is no instance of WebAssembly.
          const { default: make } = await from("/dist/wasm/script.js");
          await chatwire.init(() => onDemand(make()));
        }
        const wanted = new Set(names as string[]);
        const cases = casesOf((one: unknown) => wanted.has(nameOf(one)));
        const unhandled: string[] = [];
        addEventListener("unhandledrejection", ({ reason }) => unhandled.push(`unhandled: ${reason}`));
        const told = (at: number) => console.debug(nameOf(cases[at]));
        const wrong = await run(chatwire, cases, { told, seed });
        await new Promise((resolve) => setTimeout(resolve, 100));
        return [...wrong, ...unhandled];
      },
      [entry, names, seed] as const,
    );
  } finally {
    clearInterval(watching);
  }
}

// The cases wait for more than they compute: each entry has a page, and the pages run side by side.
describe("every consumer settles in a page", { concurrency: true }, () => {
  for (const entry of ["entry/default.js", "static/default.js", "slim.js", "js/index.js"]) {
    it(`by ${entry}`, async (t) => {
      const names = chosen(entry);
      t.diagnostic(`${names.length} of ${casesOf().length} cases, SEED=${seed}`);
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?entry=${entry}`);
      assert.deepEqual(await runIn(page, entry, names), []);
      await page.close();
    });
  }
});
