/**
 * `examples/use-chat` in Chromium: its page, built with Vite, its worker in workerd, and the emulator as the provider behind it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createEmulator } from "chatwire/emulator";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { type EmulatorServer, serve } from "../../npm/emulator/serve.ts";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { launchChromium } from "../chromium.ts";
import { run } from "../package/packed.ts";
import { installed } from "./installed.ts";

const emulator = createEmulator();

let example: string;
let provider: EmulatorServer;
let worker: RunningWorker;
let browser: Browser;

before(async () => {
  example = await installed("use-chat");
  await run(example, "tsc", ["-p", "."]);
  await build({ root: example, configFile: false, logLevel: "error" });
  provider = await serve(emulator);
  worker = await startWorker({
    entry: join(example, "worker.ts"),
    assets: join(example, "dist"),
    bindings: { SMALLEST_API_KEY: "any", ELECTRON_BASE_URL: `${provider.url}/waves/v1` },
    objects: { STREAMS: "ChatwireStreams" },
  });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await worker?.stop();
  await provider?.close();
});

async function open(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(worker.url.href);
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const answer = (page: Page) => page.locator("[data-role=assistant]").last();
const settled = (page: Page) => page.locator("output", { hasText: "ready" }).waitFor();
const ledger = () => emulator.ledger.records.at(-1);
const wordsOf = (length: number) => Array.from({ length }, (_, at) => `w${at}`).join(" ");
/** An answer of a few seconds, and one that lasts longer than any test. */
const words = wordsOf(80);
const endless = `Echo: ${wordsOf(2000)} [emulator: tps=20]`;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("a page with useChat", { timeout: 120_000 }, () => {
  it("answers, and keeps the conversation", async () => {
    const page = await open();
    await say(page, "Echo: Hello there.");
    await answer(page).getByText("Hello there.", { exact: true }).waitFor();
    await settled(page);
    await say(page, "Echo: And again.");
    await answer(page).getByText("And again.", { exact: true }).waitFor();
    await settled(page);
    await page.reload();
    await page.locator("li").nth(3).getByText("And again.", { exact: true }).waitFor();
    assert.equal(await page.locator("li").count(), 4);
    await page.context().close();
  });

  it("goes on after a reload in mid-answer, with the answer that was under way", async () => {
    emulator.ledger.reset();
    const page = await open();
    await say(page, `Echo: ${words} [emulator: tps=40]`);
    await answer(page).getByText("w5").waitFor();
    await page.reload();
    await answer(page).getByText(words, { exact: true }).waitFor({ timeout: 60_000 });
    await settled(page);
    assert.equal(await page.locator("li").count(), 2);
    const [record, ...others] = emulator.ledger.records;
    assert.deepEqual([record?.aborted, others.length], [false, 0], "the provider was asked once, and went on");
    await page.context().close();
  });

  it("stops the provider when it is told to stop", async () => {
    emulator.ledger.reset();
    const page = await open();
    await say(page, endless);
    await answer(page).getByText("w2").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await settled(page);
    await until(() => ledger()?.endedAt !== null);
    assert.equal(ledger()?.aborted, true);
    assert.ok(!(await answer(page).textContent())?.includes("w1999"));
    await page.context().close();
  });

  it("stops it after a reload too", async () => {
    emulator.ledger.reset();
    const page = await open();
    await say(page, endless);
    await answer(page).getByText("w2").waitFor();
    await page.reload();
    await answer(page).getByText("w2").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await settled(page);
    await until(() => ledger()?.endedAt !== null);
    assert.equal(ledger()?.aborted, true);
    await page.context().close();
  });

  it("says what went wrong", async () => {
    const page = await open();
    await say(page, "Hello [emulator: status=403]");
    await page.getByRole("alert").waitFor();
    await page.context().close();
  });
});
