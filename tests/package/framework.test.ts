/**
 * The packed package in a framework: a page and a route of SvelteKit, built and served by its own commands. `npm run test:packaging` has
 * it with an adapter, and the other frameworks.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { kit } from "../packaging/setups/frameworks.ts";
import { program, project, run } from "./packed.ts";

describe("the packed package in SvelteKit", { timeout: 180_000 }, () => {
  let url: string;
  let server: ChildProcess;
  let browser: Browser;

  before(async () => {
    const folder = await project("framework", {
      ...kit.files,
      "vite.config.js": `import { sveltekit } from "@sveltejs/kit/vite";\nexport default { plugins: [sveltekit()] };`,
    });
    await run(folder, "vite", ["build", "--logLevel=warn"]);
    server = spawn("vite", ["preview", "--host", "127.0.0.1", "--port", "0"], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    url = await addressOf(server);
    browser = await launchChromium();
  });

  after(async () => {
    server?.kill("SIGKILL");
    await browser?.close();
  });

  it("streams in a page", async () => {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => document.title !== "waiting", undefined, { timeout: 60_000 });
    assert.equal(await page.title(), program.prints);
  });

  it("streams on the server", async () => {
    assert.equal(await (await fetch(`${url}server`)).text(), program.prints);
  });
});

/** The address that Vite's server prints once it listens. */
function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    server.stdout?.on("data", (data) => {
      output += data;
      const address = /http:\/\/127\.0\.0\.1:\d+\//.exec(output)?.[0];
      if (address) resolve(address);
    });
    server.on("error", reject);
    server.on("exit", (code) => reject(new Error(`vite preview ended with ${code}\n${output}`)));
  });
}
