/**
 * `npm run picture`: the picture of the README, docs/page.png: the demo page as it is, after its first stream has run.
 */
import { join } from "node:path";
import { chromium as driver } from "playwright-core";
import { serveDemo } from "../dist/demo.js";
import { chromium } from "./browser.mjs";
import { root } from "./run.mjs";

const server = await serveDemo({ port: 0, connect: [] });
const browser = await driver.launch({
  executablePath: process.env.CHROME ?? (await chromium()),
  args: ["--no-sandbox", "--disable-gpu"],
});
const page = await browser.newPage({ viewport: { width: 1360, height: 800 }, colorScheme: "light" });
await page.goto(server.url);
// All three have run, and the wire is at its end.
await page.waitForFunction(() =>
  [...document.querySelectorAll(".column")].every(
    ({ dataset, textContent }) => dataset.state !== "running" && !textContent.includes("recorded result"),
  ),
);
await page.getByText("outcome: complete").waitFor();
await page.waitForTimeout(300);
await page.locator("h2").first().click();
await page.screenshot({ path: join(root, "docs/page.png") });
await browser.close();
await server.close();
