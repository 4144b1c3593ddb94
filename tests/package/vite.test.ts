/** The packed package in a Vite project without configuration: served in development, and built, opened in Chromium. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import { build, createServer, preview } from "vite";
// @ts-expect-error: a script, without types
import { buildMinimalPage, compressed, missedBars } from "../../scripts/minimal-page.mjs";
import { launchChromium } from "../chromium.ts";
import { program, project } from "./packed.ts";

const answer = [
  ...["Hello", " there"].map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
  { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
]
  .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
  .join("");

describe("the packed package in a Vite project", { timeout: 120_000 }, () => {
  let config: { root: string; cacheDir: string; configFile: false; logLevel: "warn" };
  let browser: Browser;

  before(async () => {
    const html = '<!doctype html><title></title><script type="module" src="/page.js"></script>';
    const folder = await project("vite", {
      "index.html": html,
      "page.js": program.page,
    });
    config = { root: folder, cacheDir: join(folder, ".vite"), configFile: false, logLevel: "warn" };
    browser = await launchChromium();
  });

  after(() => browser.close());

  /** The page's title once there is one. */
  async function titleAt(url: string | undefined): Promise<string> {
    assert.ok(url);
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => document.title !== "");
    return page.title();
  }

  it("streams on the development server", async () => {
    const server = await createServer(config);
    await server.listen();
    try {
      assert.equal(await titleAt(server.resolvedUrls?.local[0]), program.prints);
    } finally {
      await server.close();
    }
  });

  it("loads no more than the bars allow for a page that streams", async (t) => {
    const { folder, files } = await buildMinimalPage("chatwire", join(config.root, "minimal"));
    const server = await preview({ ...config, root: folder });
    const page = await browser.newPage();
    const loading: Promise<{ path: string; bytes: Buffer }>[] = [];
    page.on("response", (response) => {
      const path = new URL(response.url()).pathname.slice(1);
      if (/\.(js|wasm)$/.test(path)) loading.push(response.body().then((bytes) => ({ path, bytes })));
    });
    await page.route("**/v1/chat/completions", (route) =>
      route.fulfill({ contentType: "text/event-stream", body: `${answer}data: [DONE]\n\n` }),
    );
    try {
      await page.goto(server.resolvedUrls?.local[0] ?? "");
      await page.waitForFunction(() => document.title === "done");
      assert.equal(await page.textContent("body"), "Hello there");
    } finally {
      await server.close();
    }
    const loaded = await Promise.all(loading);
    const paths = (of: { path: string }[]) => of.map(({ path }) => path).sort();
    assert.deepEqual(paths(loaded), paths(files), "what `npm run size` measures is what Chromium loads");
    const sizes = { scripts: compressed(loaded.filter(({ path }) => path.endsWith(".js"))), all: compressed(loaded) };
    t.diagnostic(JSON.stringify(sizes));
    assert.deepEqual(missedBars(sizes), []);
  });

  it("streams when built", async () => {
    await build(config);
    const server = await preview(config);
    try {
      assert.equal(await titleAt(server.resolvedUrls?.local[0]), program.prints);
    } finally {
      await server.close();
    }
  });
});
