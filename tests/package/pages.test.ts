/**
 * Pages without a bundler: each way to be served leads to an answer, or to an error that says what to write. One of each kind, unless
 * PAGES=all.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { project } from "./packed.ts";
import { inChromium, pageCases, titleOf } from "./pages.ts";

describe("a page without a bundler", { timeout: 300_000 }, () => {
  let installed: string;
  let browser: Browser;

  before(async () => {
    installed = join(await project("pages", {}), "node_modules", "chatwire");
    browser = await launchChromium();
  });

  after(() => browser?.close());

  for (const page of pageCases.filter(({ isQuick }) => isQuick || process.env.PAGES === "all")) {
    it(page.name, async () => {
      const title = await titleOf(page, installed, inChromium(browser));
      assert.match(title, page.title);
      assert.ok(title.length <= 1024 && !title.includes("secret"), title);
    });
  }
});
