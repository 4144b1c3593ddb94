/**
 * The time that a preload of the engine saves a page on a slow line, in Chromium: milliseconds from opening the
 * page to the first text.
 *
 *     npm run bench:preload
 *
 * The page is the minimal one of `npm run size`, built by Vite, and all that it loads is compressed. The line is
 * that of Chrome's "Fast 4G" (9 Mbit/s down, 165 ms for each request) or "Slow 4G" (1.6 Mbit/s, 562 ms).
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
// @ts-expect-error: a script, without types
import { buildMinimalPage } from "../scripts/minimal-page.mjs";

const RUNS = 15;
const LINES = { "Fast 4G": { latency: 165, mbit: 9 }, "Slow 4G": { latency: 562, mbit: 1.6 } };
const ANSWER = `data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`;
const TYPES: Record<string, string> = { html: "text/html", js: "text/javascript", wasm: "application/wasm" };

const { folder, files } = (await buildMinimalPage("chatwire")) as { folder: string; files: { path: string }[] };
const html = readFileSync(join(folder, "dist", "index.html"), "utf8");
const wasm = files.find(({ path }) => path.endsWith(".wasm"))?.path;
const link = `<link rel="preload" as="fetch" type="application/wasm" crossorigin href="/${wasm}">`;

const server = createServer((request, response) => {
  const path = (request.url ?? "").slice(1);
  if (path === "v1/chat/completions") {
    response.writeHead(200, { "content-type": "text/event-stream" }).end(ANSWER);
    return;
  }
  const isPage = path === "plain" || path === "preload";
  const page = path === "preload" ? html.replace("<title>", `${link}<title>`) : html;
  const known = files.some((file) => file.path === path);
  const content = isPage ? page : known ? readFileSync(join(folder, "dist", path)) : "";
  const type = isPage ? TYPES.html : TYPES[path.replace(/.*\./, "")];
  const headers = { "content-type": type ?? "text/plain", "content-encoding": "gzip", "cache-control": "no-store" };
  response.writeHead(isPage || known ? 200 : 404, headers).end(gzipSync(content));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const browser = await chromium.launch({
  executablePath: process.env.CHROME ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

/** Milliseconds to the end of the answer, which comes in one piece. */
async function load(path: string, { latency, mbit }: { latency: number; mbit: number }): Promise<number> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const warnings: string[] = [];
  page.on("console", (message) => message.text().includes("preload") && warnings.push(message.text()));
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  const throughput = (mbit * 1e6) / 8;
  const line = { offline: false, latency, downloadThroughput: throughput, uploadThroughput: throughput };
  await devtools.send("Network.emulateNetworkConditions", line);
  const done = page.waitForFunction(() => document.title === "done" && performance.now());
  const opened = page.goto(`${origin}/${path}`, { waitUntil: "commit" });
  await opened;
  const ms = Number(await (await done).jsonValue());
  if (warnings.length > 0) throw new Error(`The page complains: ${warnings}`);
  await context.close();
  return ms;
}

const median = (numbers: number[]) => numbers.sort((one, other) => one - other)[numbers.length >> 1] ?? 0;
try {
  for (const [name, line] of Object.entries(LINES)) {
    const times: Record<string, number[]> = { plain: [], preload: [] };
    for (let run = 0; run < RUNS; run++) {
      for (const path of ["plain", "preload"]) times[path]?.push(await load(path, line));
    }
    const [plain, preload] = [median(times.plain ?? []), median(times.preload ?? [])];
    console.log(
      `${name}: ${plain.toFixed(0)} ms, with the preload ${preload.toFixed(0)} ms: ${(plain - preload).toFixed(0)} ms less`,
    );
  }
} finally {
  await browser.close();
  server.close();
}
