/** The recipes whose packages are here: a Hono route, and a component in React. The others are in slow/. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { UIMessage } from "ai";
import { createEmulator } from "chatwire/emulator";
import type { Browser } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { installed } from "./installed.ts";
import { converse, mounted, withReact } from "./mounted.ts";

const question = (text: string): UIMessage[] => [{ id: "1", role: "user", parts: [{ type: "text", text }] }];

describe("recipes", { timeout: 120_000 }, () => {
  let folder: string;
  let browser: Browser;
  before(async () => {
    folder = await installed("recipes");
    browser = await launchChromium();
  });
  after(() => browser?.close());

  it("a Hono route serves useChat's protocol, and a reader who leaves ends the provider's work", async (context) => {
    const emulator = createEmulator({ trouble: ({ number }) => (number === 1 ? undefined : "tps=20") });
    const { fetch } = globalThis;
    globalThis.fetch = emulator.fetch as typeof fetch;
    context.after(() => {
      globalThis.fetch = fetch;
    });
    const { app } = await import(join(folder, "hono-route.ts"));
    const ask = (text: string, signal?: AbortSignal) =>
      app.request(
        "/api/chat",
        { method: "POST", body: JSON.stringify({ messages: question(text) }), ...(signal && { signal }) },
        { SMALLEST_API_KEY: "any" },
      ) as Promise<Response>;
    const response = await ask("Echo: Hello there.");
    assert.equal(response.headers.get("x-vercel-ai-ui-message-stream"), "v1");
    const text = await response.text();
    assert.match(text, /"type":"text-delta"/);
    assert.match(text, /data: \[DONE\]\n\n$/);

    const leaving = await ask("Write 300 words");
    const reader = (leaving.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    while (emulator.ledger.open > 0) await new Promise(setImmediate);
    assert.equal(emulator.ledger.records[1]?.aborted, true);
  });

  it("a component in React shows frames, and stops", async () => {
    const page = await mounted(browser, folder, withReact("./react-chat.tsx", "Chat"));
    await converse(page, "Echo: Hello there. [emulator: tps=0]");
    await page.locator("[data-role=assistant]").getByText("Hello there.", { exact: true }).waitFor();
    await page.locator("output", { hasText: "complete" }).waitFor();
    await converse(page, "Write 500 words [emulator: tps=20]");
    await page.locator("[data-role=assistant]").nth(1).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("output", { hasText: "aborted" }).waitFor();
    await page.waitForFunction("window.emulator.ledger.open === 0");
    assert.equal(await page.evaluate("window.emulator.ledger.records[1].aborted"), true);
  });
});
