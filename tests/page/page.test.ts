/**
 * The page as a visitor meets it: built, served by its worker in workerd, driven in Chromium, answered by the emulator.
 *
 * Screenshots of each look are written to `.cache/page`. The browser is the one in CHROME, else Debian's.
 */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { build } from "vite";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { cuttable } from "../edge/cuttable.ts";
import { replaceSynthesiser } from "./synthesiser.ts";

const root = join(import.meta.dirname, "../..");
const assets = join(root, "www/dist");
const shots = join(root, ".cache/page");

let browser: Browser;
let worker: RunningWorker;

before(async () => {
  await build({ configFile: join(root, "www/vite.config.ts"), logLevel: "error" });
  worker = await startWorker({ assets });
  browser = await chromium.launch({
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
    ],
  });
});

after(async () => {
  await browser?.close();
  await worker?.stop();
});

/** A page, and what must not have happened in it. */
interface Visit {
  page: Page;
  /** What the console called an error. */
  errors: string[];
  /** Addresses outside of the worker that were asked for. */
  strangers: string[];
  close(): Promise<void>;
}

async function visit(options: BrowserContextOptions = {}, url = worker.url): Promise<Visit> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const errors: string[] = [];
  const strangers: string[] = [];
  page.on("console", (line) => line.type() === "error" && errors.push(line.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== url.origin) strangers.push(request.url());
  });
  await page.goto(url.href);
  return { page, errors, strangers, close: () => context.close() };
}

const message = (page: Page): Locator => page.getByLabel("Message", { exact: true });
const stop = (page: Page): Locator => page.getByRole("button", { name: "Stop" });
const answers = (page: Page): Locator => page.getByRole("article", { name: "Answer" });
const lastAnswer = (page: Page): Locator => answers(page).last();
const words = (page: Page): Locator => lastAnswer(page).locator(".markdown").last();

async function say(page: Page, text: string): Promise<void> {
  await message(page).fill(text);
  await message(page).press("Enter");
}

/** The text of an element as it is on the screen. */
function read(element: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: what is hidden was not read by the visitor either.
  return element.innerText();
}

/** Waits until no answer is under way. */
async function done(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Send" }).waitFor();
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

describe("the page", { timeout: 240_000 }, () => {
  let guest: Visit;
  let page: Page;
  /** Errors a test brings about on purpose: a browser reports each failed response. */
  let expected: RegExp | null;

  beforeEach(async () => {
    guest = await visit();
    page = guest.page;
    expected = null;
  });

  afterEach(async () => {
    await guest.close();
    const errors = guest.errors.filter((line) => !expected?.test(line));
    assert.deepEqual(errors, [], "nothing went wrong in the console");
    assert.deepEqual(guest.strangers, [], "nothing was asked of another host");
  });

  it("streams the answer to a typed message", async () => {
    await message(page).pressSequentially("Echo: namaste, नमस्ते, வணக்கம் 👋🏽");
    await message(page).press("Enter");
    assert.equal(await message(page).inputValue(), "");
    await done(page);
    assert.equal(await read(words(page)), "namaste, नमस्ते, வணக்கம் 👋🏽");
    assert.equal(await read(page.getByRole("article", { name: "You" })), "Echo: namaste, नमस्ते, வணக்கம் 👋🏽");
    assert.equal(await read(page.getByRole("status")), "The answer is complete.");
    const bytes = statSync(join(root, "dist/wasm/chatwire.wasm")).size.toLocaleString("en");
    assert.equal(await read(page.locator("#engine")), `${bytes} bytes of WebAssembly`);
  });

  it("keeps what has arrived when Stop is pressed", async () => {
    await say(page, "Count to 2000 [emulator: tps=100]");
    await words(page).getByText("1, 2, 3, 4, 5").waitFor();
    const told = page.waitForResponse((response) => response.request().method() === "DELETE");
    await stop(page).click();
    assert.equal((await told).status(), 200);
    await done(page);
    const kept = await read(words(page));
    assert.match(kept, /^1, 2, 3, 4, 5/);
    assert.doesNotMatch(kept, /2000/);
    assert.equal(await read(lastAnswer(page).locator(".note")), "Stopped.");
    assert.equal(await lastAnswer(page).getByRole("alert").count(), 0);

    // The conversation goes on, and the server is told what was kept.
    const sent = page.waitForRequest("**/v1/chat/completions*");
    await say(page, "Echo: onward");
    const { messages } = (await sent).postDataJSON();
    assert.deepEqual(
      messages.map(({ role }: { role: string }) => role),
      ["user", "assistant", "user"],
    );
    assert.equal(messages[1].content.trim(), kept);
    await done(page);
    assert.equal(await read(words(page)), "onward");
  });

  it("stops at Escape, before the first word too", async () => {
    await say(page, "Hello [emulator: ttft=100000]");
    await stop(page).waitFor();
    await page.keyboard.press("Escape");
    await done(page);
    assert.equal(await read(lastAnswer(page).locator(".note")), "Stopped.");
  });

  it("breaks the line at Shift+Enter and grows with it", async () => {
    const height = () => message(page).evaluate((field) => field.clientHeight);
    const before = await height();
    await message(page).pressSequentially("Echo: one");
    await message(page).press("Shift+Enter");
    await message(page).pressSequentially("two");
    assert.equal(await message(page).inputValue(), "Echo: one\ntwo");
    assert.ok((await height()) > before);
    assert.equal(await answers(page).count(), 0);
  });

  it("does not send an empty message, nor a second one while the first is answered", async () => {
    await say(page, "  \n ");
    assert.equal(await answers(page).count(), 0);
    await say(page, "Count to 2000 [emulator: tps=50]");
    await stop(page).waitFor();
    await say(page, "kept for later");
    assert.equal(await answers(page).count(), 1);
    assert.equal(await message(page).inputValue(), "kept for later");
    await stop(page).click();
    await done(page);
  });

  it("shows time to first token, speed, tokens and cost", async () => {
    await say(page, "Count to 60 [emulator: tps=40]");
    await lastAnswer(page).locator(".meter").getByText("≈").waitFor(); // an estimate while it streams
    await done(page);
    const meter = (await lastAnswer(page).locator(".meter span").allInnerTexts()).join(" | ");
    assert.match(meter, /^\d+ ms to first token \| \d+ tokens\/s \| \d+ tokens in \| \d+ out \| \$0\.000\d+$/);
  });

  it("paints at most once a frame", async () => {
    await say(page, "Echo: warm up");
    await done(page);
    await page.evaluate(() => {
      const counts = { frames: 0, paints: 0 };
      Object.assign(window, { counts });
      const frame = () => {
        counts.frames++;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
      const observer = new MutationObserver((records) => {
        if (records.some(({ target }) => (target as Element).className === "meter")) counts.paints++;
      });
      observer.observe(document.getElementById("log") as HTMLElement, { childList: true, subtree: true });
    });
    await say(page, "Write 400 words [emulator: tps=1000]");
    await done(page);
    const { frames, paints } = await page.evaluate(
      () => (window as unknown as { counts: { frames: number; paints: number } }).counts,
    );
    assert.ok(paints > 3, `${paints} paints`);
    // The last one, with the final numbers, does not wait for a frame.
    assert.ok(paints <= frames + 2, `${paints} paints in ${frames} frames`);
  });

  it("says what went wrong and what to do, and tries again", async () => {
    expected = /status of 400/;
    await say(page, "Echo: second time lucky [emulator: status=400; times=1]");
    const problem = lastAnswer(page).getByRole("alert");
    assert.match(await read(problem), /The request was refused[\s\S]*BadRequestError/);
    await problem.getByRole("button", { name: "Try again" }).click();
    await done(page);
    assert.equal(await read(words(page)), "second time lucky");
    assert.equal(await answers(page).count(), 1);
    assert.equal(await page.getByRole("alert").count(), 0);
  });

  for (const [trouble, title, name] of [
    ["cut=3000", "The answer was cut off", "TruncatedError"],
    ["reset=3000", "The answer was cut off", "TruncatedError"],
    ["in-band-error", "The provider reported an error", "APIError"],
  ] as const) {
    it(`keeps the text of a stream that fails by ${trouble}`, async () => {
      if (trouble.startsWith("reset")) expected = /ERR_INCOMPLETE_CHUNKED_ENCODING/;
      await say(page, `Count to 30 [emulator: tps=100; ${trouble}]`);
      const problem = lastAnswer(page).getByRole("alert");
      assert.equal(await read(problem.getByRole("heading")), title);
      assert.equal(await read(problem.locator("code")), name);
      await done(page);
      assert.match(await read(words(page)), /^1, 2/);
    });
  }

  it("counts down to when the server wants to be asked again", async () => {
    // For this hour the gateway asks that provider nothing more, whoever calls: a worker of its own.
    const limited = await startWorker({ assets });
    const { page, close } = await visit({}, limited.url);
    try {
      await say(page, "Hello [emulator: status=429; retry-after=3600]");
      const problem = lastAnswer(page).getByRole("alert");
      assert.match(await read(problem), /Too many requests[\s\S]*RateLimitError/);
      const button = problem.getByRole("button");
      assert.match(await read(button), /^Try again in 3[56]\d\d s$/);
      assert.equal(await button.isDisabled(), true);
    } finally {
      await close();
      await limited.stop();
    }
  });

  it("says that the server cannot be reached", async () => {
    expected = /ERR_FAILED/;
    await page.route("**/v1/**", (route) => route.abort());
    await say(page, "Hello");
    const problem = lastAnswer(page).getByRole("alert");
    assert.match(await read(problem), /The server cannot be reached[\s\S]*APIConnectionError/);
  });

  it("goes on with the answer when the network is back", async () => {
    expected = /ERR_(?:CONNECTION|INCOMPLETE|EMPTY|SOCKET)/;
    const line = await cuttable(worker.url);
    const { page, close } = await visit({}, line.url);
    try {
      await say(page, "Count to 150 [emulator: tps=100]");
      await words(page).getByText("1, 2, 3, 4, 5").waitFor();
      line.close();
      const before = await read(words(page));
      assert.doesNotMatch(before, /150/);
      line.open();
      await done(page);
      const numbers = Array.from({ length: 150 }, (_, number) => number + 1).join(", ");
      assert.equal(await read(words(page)), numbers);
      assert.equal(await lastAnswer(page).getByRole("alert").count(), 0);
    } finally {
      await close();
      line.stop();
    }
  });

  it("says which providers are emulated, and speaks to each", async () => {
    const provider = page.getByLabel("Provider");
    await provider.getByText("Electron (emulated)").waitFor({ state: "attached" });
    for (const [choice, path, thinks] of [
      ["electron", "/v1/chat/completions?provider=electron", false],
      ["electronhub", "/v1/chat/completions?provider=electronhub", true],
      ["electronhub-legacy", "/v1legacy/chat/completions?provider=electronhub", true],
      ["electronhub-thinking", "/v1thinking/chat/completions?provider=electronhub", true],
      ["openai", "/v1/chat/completions?provider=openai", false],
    ] as const) {
      assert.match(await read(provider.locator(`option[value=${choice}]`)), /\(emulated\)$/);
      await provider.selectOption(choice);
      const sent = page.waitForRequest("**/chat/completions*");
      await say(page, `Echo: from ${choice} [emulator: tps=0]`);
      const { pathname, search } = new URL((await sent).url());
      assert.equal(pathname + search, path);
      await done(page);
      assert.equal(await read(words(page)), `from ${choice}`);
      const thoughts = lastAnswer(page).locator("details");
      assert.equal(await thoughts.count(), thinks ? 1 : 0, choice);
      if (!thinks) continue;
      await thoughts.getByText("Thoughts").click();
      assert.ok((await read(thoughts.locator("p"))).length > 20);
      assert.doesNotMatch(await read(lastAnswer(page)), /<\/?think>/);
    }
  });

  it("keeps the provider that was picked before the server named its own", async () => {
    const slow = await guest.page.context().newPage();
    let answer = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await slow.route("**/providers", async (route) => {
      await asked;
      await route.continue();
    });
    await slow.goto(page.url());
    await slow.getByLabel("Provider").selectOption("openai");
    const answered = slow.waitForResponse("**/providers");
    answer();
    await answered;
    await slow.getByText("(emulated)").first().waitFor({ state: "attached" });
    assert.equal(await slow.getByLabel("Provider").inputValue(), "openai");
  });

  it("sends the model that was written", async () => {
    await page.getByLabel("Provider").selectOption("openai");
    await page.getByLabel("Model").fill("gpt-of-this-test");
    const sent = page.waitForRequest("**/chat/completions*");
    await say(page, "Echo: hi");
    assert.equal((await sent).postDataJSON().model, "gpt-of-this-test");
    await done(page);
  });

  it("shows tool calls, their results, and what was said of them", async () => {
    await page.getByRole("button", { name: /Tokyo and Kolkata/ }).click();
    await done(page);
    const calls = await lastAnswer(page)
      .getByRole("list", { name: "Tool calls" })
      .getByRole("listitem")
      .allInnerTexts();
    assert.equal(calls.length, 2);
    assert.match(calls[0] ?? "", /current_time\(\{"city":"Tokyo"\}\)\s+\{"city":"Tokyo","time":".+ at \d\d:\d\d"\}/);
    assert.match(calls[1] ?? "", /Kolkata/);
    assert.match(await read(words(page)), /Tokyo/);
    await shoot(page, "tools");
  });

  it("renders Markdown as it grows", async () => {
    await say(
      page,
      "Echo: ## Title\n\n- one\n- **two**\n\n```js\nlet a = 1 < 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    );
    await done(page);
    assert.equal(await words(page).getByRole("heading", { name: "Title" }).count(), 1);
    assert.equal(await read(words(page).locator("li strong")), "two");
    assert.equal(await read(words(page).locator("pre code")), "let a = 1 < 2;\n");
    assert.equal(await words(page).getByRole("cell", { name: "2" }).count(), 1);
  });

  it("never lets an answer become a script, an element of its own or a request", async () => {
    await page.evaluate(() => {
      const violations: string[] = [];
      Object.assign(window, { violations });
      document.addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
        violations.push(violatedDirective),
      );
    });
    const attack = [
      '<img src="https://example.com/a.png" onerror="window.hacked=1"><script>window.hacked=1</script>',
      "![pixel](https://example.com/b.png) [click](javascript:window.hacked=1) [fine](https://example.org/)",
      '<a href="https://example.com" onmouseover="window.hacked=1">x</a><iframe src="https://example.com"></iframe>',
    ].join("\n\n");
    await say(page, `Echo: ${attack}`);
    await done(page);
    const { hacked, violations } = await page.evaluate(() => {
      const { hacked, violations } = window as unknown as Record<string, unknown>;
      return { hacked, violations };
    });
    assert.equal(hacked, undefined);
    assert.deepEqual(violations, [], "nothing even tried");
    assert.equal(await words(page).locator("img, script, iframe, [onerror], [onmouseover]").count(), 0);
    assert.deepEqual(
      await words(page)
        .locator("a[href]")
        .evaluateAll((links) => links.map((link) => link.getAttribute("href"))),
      ["https://example.com/b.png", "https://example.org/"],
    );
    assert.match(await read(words(page)), /<script>/);
  });

  it("has a policy that stops a script which got in all the same", async () => {
    expected = /Content Security Policy|TrustedHTML|TrustedScript/;
    const { ran, violations } = await page.evaluate(async () => {
      const violations: string[] = [];
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
        violations.push(effectiveDirective),
      );
      const attacks = [
        () => document.body.append(Object.assign(document.createElement("script"), { textContent: "window.hacked=1" })),
        () => document.body.insertAdjacentHTML("beforeend", '<img src="data:," onerror="window.hacked=1">'),
        () => new Function("window.hacked=1")(),
        () => fetch("https://example.com/").catch(() => {}),
      ];
      // From a timer: what a debugger evaluates itself is not held to the policy.
      for (const attack of attacks) {
        await new Promise<void>((resolve) => {
          setTimeout(() => {
            try {
              attack();
            } catch {
              // What the policy forbids may throw; that is as good.
            }
            setTimeout(resolve);
          });
        });
      }
      return { ran: "hacked" in window, violations };
    });
    assert.ok(violations.length >= 4, violations.join(", "));
    assert.equal(ran, false);
  });

  it("writes each script in its own direction", async () => {
    await page.getByRole("button", { name: "العربية" }).click();
    await done(page);
    const direction = (element: Element) => getComputedStyle(element).direction;
    assert.equal(await words(page).locator("p").first().evaluate(direction), "rtl");
    assert.equal(await page.getByRole("article", { name: "You" }).locator("p").evaluate(direction), "rtl");
    await say(page, "Echo: left to right");
    await done(page);
    assert.equal(await words(page).locator("p").evaluate(direction), "ltr");
    await shoot(page, "arabic");
  });

  it("follows the answer, unless its reader has scrolled up", async () => {
    const scroller = page.locator("#scroller");
    const position = () =>
      scroller.evaluate(({ scrollTop, scrollHeight, clientHeight }) => ({
        top: scrollTop,
        below: scrollHeight - clientHeight - scrollTop,
      }));
    const length = async () => (await read(words(page))).length;
    const longerThan = (characters: number) =>
      page.waitForFunction((least) => (document.querySelector("#log")?.textContent ?? "").length > least, characters);

    await say(page, "Write 3000 words [emulator: tps=600]");
    await longerThan(4000);
    assert.ok((await position()).below < 10, "the end is in view");
    const latest = page.getByRole("button", { name: "Latest" });
    assert.equal(await latest.isVisible(), false);

    await scroller.hover();
    await page.mouse.wheel(0, -300);
    await latest.waitFor();
    const { top } = await position();
    await longerThan((await length()) + 1000);
    assert.equal((await position()).top, top, "nothing moved");

    await latest.click();
    await longerThan((await length()) + 500);
    assert.ok((await position()).below < 10, "the end is in view again");
    await stop(page).click();
    await done(page);
  });

  it("starts a new chat, even in the middle of an answer", async () => {
    await say(page, "Count to 2000 [emulator: tps=100]");
    await words(page).getByText("1, 2").waitFor();
    await page.getByRole("button", { name: "New chat" }).click();
    assert.equal(await answers(page).count(), 0);
    await page.getByRole("heading", { name: "Ask something" }).waitFor();
    const sent = page.waitForRequest("**/chat/completions*");
    await say(page, "Echo: afresh");
    assert.equal((await sent).postDataJSON().messages.length, 1);
    await done(page);
    assert.equal(await read(words(page)), "afresh");
    assert.equal(await answers(page).count(), 1);
  });

  it("names every control and marks an answer under way", async () => {
    for (const name of ["New chat", "Send"]) assert.equal(await page.getByRole("button", { name }).count(), 1, name);
    assert.equal(await page.getByRole("log").count(), 1);
    assert.equal(await page.locator(":focus").getAttribute("id"), "message");
    await say(page, "Count to 2000 [emulator: tps=50]");
    await words(page).getByText("1, 2").waitFor();
    assert.equal(await lastAnswer(page).getAttribute("aria-busy"), "true");
    assert.equal(await read(page.getByRole("status")), "Answering.");
    await stop(page).focus();
    await page.keyboard.press("Enter");
    await done(page);
    assert.equal(await lastAnswer(page).getAttribute("aria-busy"), null);
    assert.equal(await page.locator(":focus").getAttribute("id"), "message");
  });
});

describe("the voice", { timeout: 120_000 }, () => {
  let guest: Visit;
  let page: Page;

  beforeEach(async () => {
    guest = await visit();
    page = guest.page;
    await page.addInitScript(replaceSynthesiser);
    await page.reload();
    await page.getByLabel("Speak").check();
  });

  afterEach(async () => {
    await guest.close();
    assert.deepEqual(guest.errors, [], "nothing went wrong in the console");
  });

  const spoken = () => page.evaluate(() => window.synthesiser.spoken);
  const speak = (upTo?: number) => page.evaluate((at) => window.synthesiser.speak(at), upTo);
  const isSpoken = (count: number) => page.waitForFunction((least) => window.synthesiser.spoken.length >= least, count);

  /** The conversation as the server is told it with the next message. */
  async function history(): Promise<{ role: string; content: string }[]> {
    const sent = page.waitForRequest("**/v1/chat/completions*");
    await say(page, "Echo: onward [emulator: tps=0]");
    return (await sent).postDataJSON().messages;
  }

  it("speaks every sentence, in order, from the first one on", async () => {
    const text = "Namaste. नमस्ते। Dr. Rao is in. He has 3.5 hours. 你好。How are you?";
    await say(page, `Echo: ${text} [emulator: tps=20]`);
    await isSpoken(1);
    assert.equal(await stop(page).isVisible(), true, "the answer still comes");
    await page.waitForFunction((all) => window.synthesiser.spoken.join("") === all, text);
    assert.deepEqual(
      (await spoken()).map((sentence) => sentence.trim()),
      ["Namaste.", "नमस्ते।", "Dr. Rao is in.", "He has 3.5 hours.", "你好。", "How are you?"],
    );
    // All of it has come, but the answer lasts as long as it is spoken.
    for (let sentence = 0; sentence < 6; sentence++) {
      assert.equal(await stop(page).isVisible(), true);
      await speak();
    }
    await done(page);
    assert.equal(await read(page.getByRole("status")), "The answer is complete.");
    assert.deepEqual((await history()).at(1), { role: "assistant", content: text });
  });

  it("reads no Markdown and no code", async () => {
    await say(page, "Echo: ## Title\n\nSome **bold** `words`.\n\n```js\nlet a = 1. B;\n```\n\nDone. [emulator: tps=0]");
    await isSpoken(3);
    assert.deepEqual(
      (await spoken()).map((sentence) => sentence.trim()),
      ["Title", "Some bold words.", "Done."],
    );
    await page.keyboard.press("Escape");
    await done(page);
  });

  it("is silent at Escape, and keeps what was heard", async () => {
    await say(page, "Echo: One two. Three four five six. Seven eight nine ten eleven twelve [emulator: tps=5]");
    await isSpoken(2);
    await speak();
    await speak(12);
    await shoot(page, "speaking");
    await page.keyboard.press("Escape");
    await done(page);
    await shoot(page, "interrupted");
    const before = await spoken();
    assert.equal(await page.evaluate(() => window.synthesiser.cancelled), 1);
    assert.equal(await read(words(page)), "One two. Three four");
    assert.match(await read(lastAnswer(page).locator(".note")), /what you heard/);
    assert.equal((await history()).at(1)?.content, "One two. Three four");
    await isSpoken(before.length + 1);
    assert.deepEqual((await spoken()).slice(before.length), ["onward"], "nothing of the old answer was spoken");
  });

  it("is interrupted as well when all of the answer has come", async () => {
    await say(page, "Echo: One two. Three four. [emulator: tps=0]");
    await isSpoken(2);
    await speak();
    await page.keyboard.press("Escape");
    await done(page);
    assert.equal((await history()).at(1)?.content, "One two.");
  });

  it("leaves no turn of an answer of which nothing was heard", async () => {
    await say(page, "Echo: One two. Three four. [emulator: tps=0]");
    await isSpoken(2);
    await page.keyboard.press("Escape");
    await done(page);
    assert.deepEqual(
      (await history()).map(({ role }) => role),
      ["user", "user"],
    );
  });

  it("speaks only where it is asked to", async () => {
    await page.getByLabel("Speak").uncheck();
    await say(page, "Echo: Be quiet. Please. [emulator: tps=0]");
    await done(page);
    assert.deepEqual(await spoken(), []);
  });
});

describe("a server that asks for its access token", { timeout: 60_000 }, () => {
  it("is given it once", async () => {
    const guarded = await startWorker({ assets, bindings: { ACCESS_TOKEN: "open-sesame" } });
    const { page, close } = await visit({}, guarded.url);
    try {
      await say(page, "Echo: let me in");
      const problem = lastAnswer(page).getByRole("alert");
      assert.match(await read(problem), /access token/);
      await problem.getByLabel("Access token").fill("open-sesame");
      await problem.getByLabel("Access token").press("Enter");
      await words(page).getByText("let me in").waitFor();
      await done(page);
      await say(page, "Echo: and again");
      await done(page);
      assert.equal(await read(words(page)), "and again");
    } finally {
      await close();
      await guarded.stop();
    }
  });
});

describe("the look", { timeout: 120_000 }, () => {
  const mobile = { viewport: { width: 360, height: 720 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const desktop = { viewport: { width: 1100, height: 800 } };
  for (const [name, options] of [
    ["light", { ...desktop, colorScheme: "light" }],
    ["dark", { ...desktop, colorScheme: "dark" }],
    ["mobile", { ...mobile, colorScheme: "light" }],
    ["mobile-dark", { ...mobile, colorScheme: "dark" }],
  ] as const) {
    it(`fits its window and follows the colour scheme: ${name}`, async () => {
      const { page, errors, close } = await visit(options);
      await page.getByLabel("Provider").getByText("Electron (emulated)").waitFor({ state: "attached" });
      await shoot(page, `${name}-welcome`);
      await say(page, "How do I make masala chai? [emulator: tps=0]");
      await done(page);
      await page.getByLabel("Provider").selectOption("electronhub");
      await say(page, "Show me code that reads a stream, please [emulator: tps=0]");
      await done(page);
      await say(page, `Echo: a long word ${"long".repeat(60)} [emulator: tps=0; cut=2500]`);
      await lastAnswer(page).getByRole("alert").waitFor();
      await done(page);
      await shoot(page, `${name}-chat`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), options.viewport.width);
      assert.equal(await page.locator("#scroller").evaluate((box) => box.scrollWidth - box.clientWidth), 0);
      const dark = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches);
      const [red = 0] =
        (await page.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor))
          .match(/\d+/g)
          ?.map(Number) ?? [];
      assert.equal(red < 128, dark);
      assert.deepEqual(errors, []);
      await close();
    });
  }
});
