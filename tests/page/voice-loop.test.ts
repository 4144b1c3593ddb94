/** `examples/voice-loop` in Chromium, with recognition and synthesiser replaced, and the emulator in the page. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { build, preview } from "vite";
import { replaceSynthesiser } from "./synthesiser.ts";

const root = join(import.meta.dirname, "..", "..", "examples", "voice-loop");
const outDir = join(import.meta.dirname, "..", "..", ".cache", "voice-loop");

declare global {
  interface Window {
    recognition: { onspeechstart(): void; onresult(event: object): void };
  }
}

function replaceRecognition(): void {
  class Recognition {
    start() {
      Object.assign(window, { recognition: this });
    }
  }
  Object.assign(window, { SpeechRecognition: Recognition });
}

test("speech is answered in speech, and interrupted by it", { timeout: 600_000 }, async (context) => {
  const options = { root, configFile: false, logLevel: "error", build: { outDir, emptyOutDir: true } } as const;
  await build(options);
  const server = await preview({ ...options, preview: { port: 0 } });
  const browser = await chromium.launch({
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });
  context.after(async () => {
    await browser.close();
    await server.close();
  });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.addInitScript(replaceSynthesiser);
  await page.addInitScript(replaceRecognition);
  const asked: { role: string; content: string }[][] = [];
  await page.route("**/v1/chat/completions", (route) => {
    const { messages } = route.request().postDataJSON();
    asked.push(messages.slice(1));
    const says = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
    const body = `${says("One two. Three ")}${says("four five. Six seven eight.")}data: [DONE]\n\n`;
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  const address = String(server.resolvedUrls?.local[0]);
  await page.goto(address);
  await page.getByRole("button", { name: "Talk" }).click();

  const hear = (transcript: string) =>
    page.evaluate((words) => {
      window.recognition.onspeechstart();
      window.recognition.onresult({ resultIndex: 0, results: [[{ transcript: words }]] });
    }, transcript);
  const spoken = async (count: number) => {
    await page.waitForFunction((least) => window.synthesiser.spoken.length >= least, count);
    return page.evaluate(() => window.synthesiser.spoken);
  };
  const speak = (upTo?: number) => page.evaluate((at) => window.synthesiser.speak(at), upTo);

  await hear("Count");
  assert.deepEqual(await spoken(3), ["One two.", " Three four five.", " Six seven eight."]);
  await speak();
  await speak(7);
  await hear("Stop that");
  await spoken(6);
  const said = { role: "assistant", content: "One two. Three" };
  assert.deepEqual(asked[1], [{ role: "user", content: "Count" }, said, { role: "user", content: "Stop that" }]);

  // An answer that was heard to its end is whole; one that nobody heard was never given.
  for (let sentence = 0; sentence < 3; sentence++) await speak();
  await page.getByLabel("Or type").fill("Again");
  await page.getByLabel("Or type").press("Enter");
  await spoken(9);
  assert.deepEqual(asked[2]?.slice(3), [
    { role: "assistant", content: "One two. Three four five. Six seven eight." },
    { role: "user", content: "Again" },
  ]);
  const cancelled = await page.evaluate(() => window.synthesiser.cancelled);
  await page.keyboard.press("Escape");
  await page.waitForFunction((least) => window.synthesiser.cancelled >= least, cancelled + 1);
  await hear("Once more");
  await spoken(12);
  assert.deepEqual(asked[3]?.slice(-2), [
    { role: "user", content: "Again" },
    { role: "user", content: "Once more" },
  ]);

  await page.goto(`${address}?emulator`);
  await page.getByLabel("Or type").fill("Echo: emulated [emulator: tps=0]");
  await page.getByLabel("Or type").press("Enter");
  await page.getByText("Electron: emulated").waitFor();
  assert.deepEqual(errors, []);
});
