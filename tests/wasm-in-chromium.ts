/**
 * Runs a `wasm-bindgen-test` module in Chromium and prints what its page reports. Driven by Playwright, and not by
 * the runner itself, which would need a driver of just the browser's version.
 *
 *     node tests/wasm-in-chromium.ts MODULE.wasm
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { launchChromium } from "./chromium.ts";

const LONGEST = 120_000;

const module = process.argv[2];
if (module === undefined) throw new Error("Which module? Its path is the one argument.");

const environment = { NO_HEADLESS: "1", WASM_BINDGEN_USE_BROWSER: "1", WASM_BINDGEN_TEST_ADDRESS: "127.0.0.1:0" };
const server = spawn("wasm-bindgen-test-runner", [module], {
  stdio: ["ignore", "pipe", "inherit"],
  env: { ...process.env, ...environment },
});
const browser = await launchChromium();
try {
  let address: string | undefined;
  for await (const line of createInterface({ input: server.stdout })) {
    address = line.match(/http:\/\/\S+/)?.[0];
    if (address !== undefined) break;
  }
  if (address === undefined) throw new Error("The test runner has served no page.");
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.log(error.message));
  await page.goto(address);
  const output = page.locator("#output");
  await output.filter({ hasText: "test result:" }).waitFor({ state: "attached", timeout: LONGEST });
  const report = (await output.textContent()) ?? "";
  console.log(report);
  process.exitCode = report.includes("test result: ok") ? 0 : 1;
} finally {
  await browser.close();
  server.kill();
}
