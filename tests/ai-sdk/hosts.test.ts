/**
 * `chatwire/ai-sdk` with `ai` itself where its users run it: in workerd, and in a page in Chromium.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { startWorker } from "../../worker/workerd.ts";
import { launchChromium } from "../chromium.ts";
import { run, type Seen } from "./on-host.ts";

function assertSeen({ streamed, whole, loop, interrupted, aborted }: Seen): void {
  const text = "The sky is blue, and so is the sea.";
  assert.equal(streamed.text, text);
  assert.equal(streamed.finishReason, "stop");
  assert.ok(streamed.pieces >= 1 && streamed.inputTokens > 0 && streamed.cost > 0, JSON.stringify(streamed));
  assert.deepEqual(whole, { text, finishReason: "stop" });
  assert.deepEqual([loop.asked, loop.steps], [["Pune"], 2]);
  assert.match(loop.text, /31/);
  assert.deepEqual(interrupted, { finishReason: "interrupted", status: "truncated" });
  assert.deepEqual(aborted, { was: true, upstream: true });
}

test("in Node", async () => assertSeen(await run()));

test("in workerd", { timeout: 120_000 }, async () => {
  const worker = await startWorker({ entry: join(import.meta.dirname, "on-host-worker.ts") });
  try {
    const response = await worker.fetch(0, "/");
    assert.equal(response.status, 200, await response.clone().text());
    assertSeen((await response.json()) as Seen);
  } finally {
    await worker.stop();
  }
});

test("in a page in Chromium", { timeout: 120_000 }, async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { run } from "./on-host.ts"; window.seen = run();`,
      resolveDir: import.meta.dirname,
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["browser"],
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  const script = outputFiles[0]?.text ?? "";
  const engine = await readFile(fileURLToPath(import.meta.resolve("chatwire/chatwire.wasm")));
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.route("**/*", (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname.endsWith(".wasm")) return route.fulfill({ contentType: "application/wasm", body: engine });
      if (pathname === "/page.js") return route.fulfill({ contentType: "text/javascript", body: script });
      return route.fulfill({ contentType: "text/html", body: '<script type="module" src="/page.js"></script>' });
    });
    await page.goto("https://page.test/");
    await page.waitForFunction("window.seen");
    assertSeen((await page.evaluate("window.seen")) as Seen);
  } finally {
    await browser.close();
  }
});
