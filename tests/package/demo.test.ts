/** `npx chatwire demo` from the packed tarball: the page in a second, without Rust and without another server. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { launch, visit } from "../page/visit.ts";
import { installed, project } from "./packed.ts";

/** The files that are fetched once the page is idle, or when they are asked for. */
const LAZY =
  /\/(?:app|page\.worker|store|on-demand|render|marked\.esm|openai|server|emulator|gateway-in-page|highlight|trouble|race|cost|code|program|colours|tools|exchange|advice|settings-dialog)-[\w-]+\.(?:js|css)$/;

/** Bytes, after gzip, that the first view may have with the engine, which has three quarters of them. */
const FIRST_VIEW = 150_000;
/**
 * Bytes that the tarball may have: the engine in WebAssembly and in JavaScript, the first again in the page, the client's files again as
 * a bundle for Node, and all files as CommonJS too.
 */
const TARBALL = 2150 * 1024;

describe("npx chatwire demo", { timeout: 180_000 }, () => {
  let folder: string;
  let command: ChildProcess;
  let url: URL;
  const lines: string[] = [];

  before(async () => {
    folder = await project("demo", {});
    const started = performance.now();
    command = spawn(process.execPath, ["node_modules/chatwire/dist/cli.js", "demo", "--port", "0"], {
      cwd: folder,
      env: { PATH: "/nowhere" },
    });
    command.stdout?.on("data", (text) => lines.push(...String(text).split("\n")));
    await new Promise<void>((resolve, reject) => {
      command.stdout?.on("data", () => {
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(lines.join("\n"));
        if (found) {
          url = new URL(found[0]);
          resolve();
        }
      });
      command.once("exit", (code) => reject(new Error(`ended with ${code}`)));
    });
    assert.ok(performance.now() - started < 5000, "it is there at once");
  });

  after(async () => {
    command?.kill();
  });

  it("shows the first view, answers, and asks nobody else", async (context) => {
    const browser = await launch();
    context.after(() => browser.close());
    const guest = await visit(browser, url);
    const { page, errors, strangers } = guest;
    // The stream has been read for real.
    await page.locator(".column.chatwire[data-state=whole]", { hasNotText: "recorded result" }).waitFor();
    const addresses = await page.evaluate(() => [
      location.href,
      ...performance.getEntriesByType("resource").map(({ name }) => name),
    ]);
    // A file that is fetched when the page is idle fetches the engine once more, from the browser's cache.
    const first = [...new Set(addresses)].filter((address) => !LAZY.test(address));
    let bytes = 0;
    for (const address of first) {
      const answer = await fetch(address);
      bytes += gzipSync(new Uint8Array(await answer.arrayBuffer())).length;
    }
    context.diagnostic(`first view: ${bytes} bytes after gzip, in ${first.length} files`);
    assert.ok(
      first.some((address) => address.endsWith(".wasm")),
      "with the engine",
    );
    assert.ok(bytes < FIRST_VIEW, `${bytes} bytes`);

    await page.getByLabel("Message", { exact: true }).fill("Echo: from the tarball [emulator: tps=0]");
    await page.keyboard.press("Enter");
    await page.getByRole("article", { name: "Answer" }).getByText("from the tarball").waitFor();
    assert.deepEqual([errors, strangers], [[], []]);
  });

  it("prints one short line a request", () => {
    const requests = lines.filter((line) => /^\d{3} {2}/.test(line));
    assert.ok(requests.length > 3);
    for (const line of requests) assert.match(line, /^\d{3} {2}GET \/\S* {2}\d+ ms$/);
  });

  it("gives its files to this machine's own pages alone, and none from elsewhere", async () => {
    assert.equal((await fetch(new URL("/no-such-file", url))).status, 404);
    for (const path of ["/%2e%2e/cli.js", "/..%2fcli.js", "/assets/..%2f..%2fcli.js", "/%00"]) {
      assert.match(String((await fetch(new URL(path, url))).status), /^40[34]$/, path);
    }
    assert.equal((await fetch(url, { method: "POST" })).status, 405);
    const page = await fetch(url);
    assert.equal(page.headers.get("cache-control"), "no-cache");
    const [script] = /assets\/index-[\w-]+\.js/.exec(await page.text()) ?? [];
    const asset = await fetch(new URL(`/${script}`, url));
    assert.match(asset.headers.get("cache-control") ?? "", /immutable/);
  });

  it("lets the page connect to an origin that is named", async () => {
    const { serveDemo } = await import("../../dist/demo.js");
    const server = await serveDemo({ port: 0, connect: ["http://localhost:11434"] });
    const text = await (await fetch(server.url)).text();
    await server.close();
    assert.match(text, /connect-src 'self' http:\/\/localhost:11434;/);
  });

  it("keeps the tarball within its budget", async (context) => {
    const { size } = await stat((await installed()).tarball);
    context.diagnostic(`tarball: ${size} bytes`);
    assert.ok(size < TARBALL, `${size} bytes in ${join(folder, "node_modules")}`);
  });
});
