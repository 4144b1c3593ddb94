/**
 * Runs the program of on-host.ts in workerd, and in a page in Chromium, with the packages of the folder that it is in.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";
import { startWorker } from "../../worker/workerd.ts";
import { launchChromium } from "../chromium.ts";
import type { Seen } from "./on-host.ts";

/** @param folder has on-host.ts and on-host-worker.ts */
export async function seenInWorkerd(folder: string): Promise<Seen> {
  const worker = await startWorker({ entry: join(folder, "on-host-worker.ts") });
  try {
    const response = await worker.fetch(0, "/");
    if (response.status !== 200) throw new Error(await response.text());
    return (await response.json()) as Seen;
  } finally {
    await worker.stop();
  }
}

/** @param folder has on-host.ts */
export async function seenInChromium(folder: string): Promise<Seen> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { run } from "./on-host.ts"; window.seen = run();`,
      resolveDir: folder,
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
  const engine = await readFile(createRequire(join(folder, "on-host.ts")).resolve("chatwire/chatwire.wasm"));
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
    return (await page.evaluate("window.seen")) as Seen;
  } finally {
    await browser.close();
  }
}

/** The AI SDK's functions did on this host all that they were asked for. */
export function assertSeen({ streamed, whole, loop, interrupted, aborted }: Seen): void {
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
