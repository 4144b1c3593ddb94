/** The packed package in a Vite project without configuration: served in development, and built, opened in Chromium. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import { build, createServer, preview } from "vite";
import { launchChromium } from "../chromium.ts";
import { program, project } from "./packed.ts";

describe("the packed package in a Vite project", { timeout: 120_000 }, () => {
  let config: { root: string; cacheDir: string; configFile: false; logLevel: "warn" };
  let browser: Browser;

  before(async () => {
    const folder = await project("vite", {
      "index.html": '<!doctype html><title></title><script type="module" src="/page.js"></script>',
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
