/** The packed package in a Vite project without configuration: served in development, and built, opened in Chromium. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { build, createServer, preview } from "vite";
import { launchChromium } from "../chromium.ts";
import { program, project } from "./packed.ts";

/** A page that streams an answer, and no more. */
const minimal = `
  import { Chatwire } from "chatwire";
  const client = new Chatwire({ baseURL: "/v1" });
  const stream = client.chat.completions.stream({ messages: [{ role: "user", content: "Hello" }] });
  for await (const text of stream.textStream) document.body.append(text);
  document.title = "done";
`;

const answer = [
  ...["Hello", " there"].map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
  { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
]
  .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
  .join("");

/** What "minimal page" may take to load, in bytes after gzip: wasm and scripts. */
const BUDGET = 84_000;

describe("the packed package in a Vite project", { timeout: 120_000 }, () => {
  let config: { root: string; cacheDir: string; configFile: false; logLevel: "warn" };
  let browser: Browser;

  before(async () => {
    const html = '<!doctype html><title></title><script type="module" src="/page.js"></script>';
    const folder = await project("vite", {
      "index.html": html,
      "page.js": program.page,
      "minimal/index.html": html,
      "minimal/page.js": minimal,
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

  it("loads no more than its budget for a page that streams", async () => {
    const entry = join(config.root, "minimal");
    await build({ ...config, root: entry, build: { target: "es2022" } });
    const server = await preview({ ...config, root: entry });
    const page = await browser.newPage();
    const loaded = new Map<string, Promise<Buffer>>();
    page.on("response", (response) => {
      const { pathname } = new URL(response.url());
      if (/\.(js|wasm)$/.test(pathname)) loaded.set(pathname, response.body());
    });
    await page.route("**/v1/chat/completions", (route) =>
      route.fulfill({ contentType: "text/event-stream", body: `${answer}data: [DONE]\n\n` }),
    );
    try {
      await page.goto(server.resolvedUrls?.local[0] ?? "");
      await page.waitForFunction(() => document.title === "done");
      assert.equal(await page.textContent("body"), "Hello there");
      const sizes = await Promise.all([...loaded.values()].map(async (body) => gzipSync(await body).length));
      const total = sizes.reduce((sum, size) => sum + size);
      assert.ok(sizes.length > 1 && total < BUDGET, `${total} bytes: ${[...loaded.keys()]}`);
    } finally {
      await server.close();
    }
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
