/**
 * The main path through the page in Firefox: the first view, an answer that was repaired, one that was resumed, Stop, a tool, and a
 * reload. Firefox is the one in FIREFOX, else the system's; where there is none the tests are skipped, and say so.
 */
import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { type DemoServer, serveDemo } from "../../dist/demo.js";
import { holds } from "./holds.ts";

const PLACES = [
  process.env.FIREFOX ?? "",
  "/usr/bin/firefox-esr",
  "/usr/bin/firefox",
  "/Applications/Firefox.app/Contents/MacOS/firefox",
];
const path = PLACES.find((place) => {
  try {
    accessSync(place, constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

describe("in Firefox", {
  timeout: 600_000,
  skip: !path && "no Firefox was found: install it (on Debian: firefox-esr), or set FIREFOX to its path",
}, () => {
  let browser: Browser;
  let server: DemoServer;
  let page: Page;
  let errors: string[];

  before(async () => {
    server = await serveDemo({ port: 0, connect: [] });
    browser = await puppeteer.launch({ browser: "firefox", executablePath: path ?? "", headless: true });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  beforeEach(async () => {
    const context = await browser.createBrowserContext();
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    errors = [];
    page.on("console", (line) => line.type() === "error" && errors.push(line.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
  });

  afterEach(async () => {
    await page.browserContext().close();
    assert.deepEqual(errors, [], "nothing went wrong in the console");
  });

  /** Waits until the last element of this kind has this in its text on the screen. */
  const reads = (selector: string, expected: RegExp) =>
    holds(async () => {
      // biome-ignore lint/performance/useDomNodeTextContent: what is hidden was not read by the visitor either.
      const texts = await page.$$eval(selector, (found) => found.map((element) => (element as HTMLElement).innerText));
      assert.match(texts.at(-1) ?? `nothing is there of ${selector}`, expected);
    });

  async function say(text: string): Promise<void> {
    await page.type("#message", text);
    await page.keyboard.press("Enter");
  }

  it("lets three clients read one broken stream, for real", async () => {
    await page.goto(server.url);
    await reads(".column.chatwire[data-state=whole]", /223 of 223 characters\s+complete · repaired chunk\.malformed/);
    for (const name of ["openai", "by-hand"]) await reads(`.column.${name}[data-state=lost]`, /\d+ of 223 characters/);
    await holds(async () =>
      assert.equal((await page.$$eval(".label", (found) => found.map((e) => e.textContent))).join(""), ""),
    );
  });

  it("streams an answer as Markdown, with its repair and its facts", async () => {
    await page.goto(server.url);
    await say("Echo: some **bold** words [emulator: tps=0; malformed=json]");
    await page.waitForSelector(".answer .markdown strong");
    await reads(".notice", /One event was broken JSON/);
    await reads(".facts", /complete\s+1 repair/);
  });

  it("goes on with an answer whose connection was lost", async () => {
    await page.goto(`${server.url}/#cut`);
    await reads(".notice", /Resumed after \d+\.\d s, nothing lost/);
    await reads(".facts", /complete\s+1 resume/);
    await reads(".answer .markdown", /asked about the oil\.$/);
  });

  it("keeps what has arrived when Escape is pressed, and after a reload", async () => {
    await page.goto(server.url);
    await say("Count to 2000 [emulator: tps=100]");
    await reads(".answer .markdown", /^1, 2, 3, 4, 5/);
    await page.keyboard.press("Escape");
    await reads(".facts", /^stopped/);
    await page.waitForSelector("#send:not([hidden])");
    await holds(async () => {
      await page.reload();
      await page.waitForSelector(".answer .note", { timeout: 3000 });
    });
    await reads(".answer .markdown", /^1, 2, 3, 4, 5/);
    await reads(".answer .note", /^Stopped\.$/);
  });

  it("asks before a tool changes the page", async () => {
    await page.goto(`${server.url}/#tool`);
    const allow = await page.waitForSelector(".approval .strong");
    await allow?.click();
    await page.waitForSelector("html[data-theme=dark]");
    await reads(".facts", /complete/);
  });
});
