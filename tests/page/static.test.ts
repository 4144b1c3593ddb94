/** The page on a host of plain files that knows nothing of it, in a folder, and without a network once it is there. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { test } from "node:test";
import { assertClean, assets, done, launch, reads, say, states, visit, words } from "./visit.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

test("a_host_of_plain_files_is_enough_and_then_no_network", { timeout: 600_000 }, async (context) => {
  const server = createServer(async (request, response) => {
    const path =
      new URL(request.url ?? "/", "http://host.invalid").pathname.replace(/^\/some\/folder\//, "") || "index.html";
    try {
      const file = await readFile(join(assets, path));
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/plain" }).end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await launch();
  context.after(async () => {
    await browser.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const guest = await visit(browser, new URL(`http://127.0.0.1:${port}/some/folder/`));
  const { page } = guest;
  await page.locator(".column.by-hand[data-state=lost]").waitFor();
  await say(page, "Echo: **once** with the network [emulator: tps=0]");
  await done(page);
  await words(page).locator("strong").waitFor();
  await page.context().setOffline(true);
  await say(page, "Echo: and **once** without [emulator: tps=0; malformed=json]");
  await done(page);
  await reads(words(page).locator(".block"), "and once without");
  await states(page, "1 repair");
  // The policy in the page's head holds here too.
  const isHeld = await page.evaluate(() => {
    try {
      document.body.insertAdjacentHTML("beforeend", "<b>x</b>");
      return false;
    } catch {
      return true;
    }
  });
  assert.equal(isHeld, true);
  await guest.close();
  assertClean(guest, /TrustedHTML/);
});
