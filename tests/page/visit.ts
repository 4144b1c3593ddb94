/**
 * A visit to the page, served as `npx chatwire demo` serves it or by its worker, and driven in Chromium.
 *
 * Screenshots of each look are written to `.cache/page`. The browser is the one in CHROME, else Debian's.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before } from "node:test";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { type DemoServer, serveDemo } from "../../dist/demo.js";
import { holds } from "./holds.ts";

export { holds } from "./holds.ts";

export const root = join(import.meta.dirname, "../..");
/** The page as the package has it: `npm run build` leaves it there. */
export const assets = join(root, "dist/demo");
const shots = join(root, ".cache/page");

/** @param settings further arguments of the browser */
export function launch(settings: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
      ...settings,
    ],
  });
}

/** The demo page's server and a browser, while the tests run of the file or the block that calls this. */
export function demo(): { browser: Browser; server: DemoServer } {
  const running = {} as { browser: Browser; server: DemoServer };
  before(async () => {
    running.server = await serveDemo({ port: 0, connect: [] });
    running.browser = await launch();
  });
  after(async () => {
    await running.browser?.close();
    await running.server?.close();
  });
  return running;
}

/** A page, and what must not have happened in it. */
export interface Visit {
  page: Page;
  /** The messages that the console called errors. */
  errors: string[];
  /** Addresses outside of the page's server that were asked for. */
  strangers: string[];
  close(): Promise<void>;
}

/** @param scripts run in the page before its own, at each load */
export async function visit(
  browser: Browser,
  url: URL,
  options: BrowserContextOptions = {},
  scripts: readonly (() => void)[] = [],
): Promise<Visit> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const errors: string[] = [];
  const strangers: string[] = [];
  page.on("console", (line) => line.type() === "error" && errors.push(line.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== url.origin && !request.url().startsWith("blob:"))
      strangers.push(request.url());
  });
  for (const script of scripts) await page.addInitScript(script);
  await page.goto(url.href);
  return { page, errors, strangers, close: () => context.close() };
}

export function assertClean({ errors, strangers }: Visit, expected?: RegExp | null): void {
  assert.deepEqual(
    errors.filter((line) => !expected?.test(line)),
    [],
    "nothing went wrong in the console",
  );
  assert.deepEqual(strangers, [], "nothing was asked of another host");
}

export const message = (page: Page): Locator => page.getByLabel("Message", { exact: true });
export const stop = (page: Page): Locator => page.getByRole("button", { name: "Stop" });
export const answers = (page: Page): Locator => page.getByRole("article", { name: "Answer" });
export const lastAnswer = (page: Page): Locator => answers(page).last();
export const words = (page: Page): Locator => lastAnswer(page).locator(".markdown").last();
export const facts = (page: Page): Promise<string[]> => lastAnswer(page).locator(".fact").allInnerTexts();

export async function say(page: Page, text: string): Promise<void> {
  await message(page).fill(text);
  await message(page).press("Enter");
}

/** The text of an element as it is on the screen. */
export function read(element: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: what is hidden was not read by the visitor either.
  return element.innerText();
}

/** Waits until there is an answer, and none is under way. */
export async function done(page: Page): Promise<void> {
  await lastAnswer(page).and(page.locator(":not([aria-busy])")).waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
}

/** Waits until the text of an element, as it is on the screen, is this or matches it. */
export function reads(element: Locator, expected: string | RegExp): Promise<void> {
  return holds(async () => {
    const text = await read(element);
    if (typeof expected === "string") assert.equal(text, expected);
    else assert.match(text, expected);
  });
}

/** Waits until there are so many of an element. */
export function counts(element: Locator, expected: number): Promise<void> {
  return holds(async () => assert.equal(await element.count(), expected, `how many there are of ${element}`));
}

/** Waits until the last answer's row of facts has this one. */
export function states(page: Page, fact: string): Promise<void> {
  return holds(async () => {
    const found = await facts(page);
    assert.ok(found.includes(fact), `${fact} in ${found.join(", ")}`);
  });
}

export async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

/** The conversations in the browser's database, as JSON. */
export const kept = (page: Page): Promise<string> =>
  page.evaluate(
    () =>
      new Promise<string>((resolve, reject) => {
        const opening = indexedDB.open("chatwire");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const reading = opening.result.transaction("conversations").objectStore("conversations").getAll();
          reading.onsuccess = () => {
            opening.result.close();
            resolve(JSON.stringify(reading.result));
          };
        };
      }),
  );
