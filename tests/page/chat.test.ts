/**
 * The conversation as a visitor meets it: the page served by its worker in workerd, asked through the worker's gateway, answered by
 * the emulator behind it.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { cuttable } from "../edge/cuttable.ts";
import { replaceSynthesiser } from "./synthesiser.ts";
import {
  answers,
  assertClean,
  assets,
  counts,
  done,
  holds,
  lastAnswer,
  launch,
  message,
  read,
  reads,
  say,
  shoot,
  states,
  stop,
  type Visit,
  visit as visitWith,
  words,
} from "./visit.ts";

let browser: Browser;
let worker: RunningWorker;

before(async () => {
  worker = await startWorker({ assets });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await worker?.stop();
});

/** A visit, with the server's emulated Electron chosen. */
async function visit(
  options: BrowserContextOptions = {},
  url = worker.url,
  scripts: readonly (() => void)[] = [],
): Promise<Visit> {
  const guest = await visitWith(browser, url, options, scripts);
  await choose(guest.page, "electron");
  return guest;
}

async function choose(page: Page, source: string): Promise<void> {
  await page.locator(`#source option[value=${source}]`).waitFor({ state: "attached" });
  await page.getByLabel("Source").selectOption(source);
}

describe("the page", { timeout: 600_000 }, () => {
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
    assertClean(guest, expected);
  });

  it("streams the answer to a typed message", async () => {
    await message(page).pressSequentially("Echo: namaste, नमस्ते, வணக்கம் 👋🏽");
    await message(page).press("Enter");
    await holds(async () => assert.equal(await message(page).inputValue(), ""));
    await done(page);
    await reads(words(page), "namaste, नमस्ते, வணக்கம் 👋🏽");
    await reads(page.getByRole("article", { name: "You" }), "Echo: namaste, नमस्ते, வணக்கம் 👋🏽");
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
    await reads(lastAnswer(page).locator(".note"), "Stopped.");
    await counts(lastAnswer(page).getByRole("alert"), 0);

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
    await reads(words(page), "onward");
  });

  it("stops at Escape, before the first word too", async () => {
    await say(page, "Hello [emulator: ttft=100000]");
    await stop(page).waitFor();
    await page.keyboard.press("Escape");
    await done(page);
    await reads(lastAnswer(page).locator(".note"), "Stopped.");
    await states(page, "stopped");
  });

  it("breaks the line at Shift+Enter and grows with it", async () => {
    const height = () => message(page).evaluate((field) => field.clientHeight);
    const before = await height();
    await message(page).pressSequentially("Echo: one");
    await message(page).press("Shift+Enter");
    await message(page).pressSequentially("two");
    assert.equal(await message(page).inputValue(), "Echo: one\ntwo");
    await holds(async () => assert.ok((await height()) > before));
    await counts(answers(page), 0);
  });

  it("does not send an empty message, nor a second one while the first is answered", async () => {
    await say(page, "  \n ");
    await counts(answers(page), 0);
    await say(page, "Count to 2000 [emulator: tps=50]");
    await stop(page).waitFor();
    await say(page, "kept for later");
    await counts(answers(page), 1);
    assert.equal(await message(page).inputValue(), "kept for later");
    await stop(page).click();
    await done(page);
  });

  it("says what went wrong and what to do, and tries again", async () => {
    expected = /status of 400/;
    await say(page, "Echo: second time lucky [emulator: status=400; times=1]");
    const problem = lastAnswer(page).getByRole("alert");
    await reads(problem, /The request was refused[\s\S]*BadRequestError/);
    // A refused request has its outcome in the facts, on the wire and in the bar of a phone, too.
    await states(page, "error");
    await page.locator("#panel-wire").getByText("outcome: error").waitFor();
    await holds(async () => assert.equal(await page.locator("#sheet-state").textContent(), "error"));
    await problem.getByRole("button", { name: "Try again" }).click();
    await done(page);
    await reads(words(page), "second time lucky");
    await counts(answers(page), 1);
    await counts(page.getByRole("alert"), 0);
  });

  for (const [trouble, title, name] of [
    ["cut=3000", "The answer was cut off", "TruncatedError"],
    ["reset=3000", "The answer was cut off", "TruncatedError"],
    ["in-band-error", "The provider reported an error", "APIError"],
  ] as const) {
    it(`keeps the text of a stream that fails by ${trouble}`, async () => {
      // The gateway ends an answer that its provider has not finished as the provider did: its connection breaks.
      if (name === "TruncatedError") expected = /ERR_INCOMPLETE_CHUNKED_ENCODING/;
      await say(page, `Count to 30 [emulator: tps=100; ${trouble}]`);
      const problem = lastAnswer(page).getByRole("alert");
      await reads(problem.getByRole("heading"), title);
      await reads(problem.locator("code"), name);
      await done(page);
      await reads(words(page), /^1, 2/m);
    });
  }

  it("keeps one visitor's refusal from all others", async () => {
    expected = /status of 429/;
    await say(page, "Hello [emulator: status=429; retry-after=3600]");
    const problem = lastAnswer(page).getByRole("alert");
    await reads(problem, /Too many requests[\s\S]*RateLimitError/);
    await reads(problem.getByRole("button"), /^Try again in \d+ s$/);
    await problem.locator("button:disabled").waitFor();
    // Neither another source of this page nor another page has to wait for it.
    await choose(page, "openai");
    await say(page, "Echo: not me [emulator: tps=0]");
    await done(page);
    await reads(words(page), "not me");
    const other = await visit();
    await say(other.page, "Echo: nor me [emulator: tps=0]");
    await done(other.page);
    // A page that comes to the front may look after its connection, which its answer then says.
    await reads(words(other.page).locator(".block"), "nor me");
    await other.close();
  });

  it("leaves a refused message out of the conversation", async () => {
    expected = /status of 400/;
    await say(page, "Echo: too long [emulator: status=400]");
    await lastAnswer(page).getByRole("alert").waitFor();
    await page.getByText("left out of the conversation until it is answered").waitFor();
    const sent = page.waitForRequest("**/v1/chat/completions*");
    await say(page, "Echo: short");
    assert.deepEqual((await sent).postDataJSON().messages, [{ role: "user", content: "Echo: short" }]);
    await done(page);
  });

  it("keeps the cut answer when it is tried again, and can go on from it", async () => {
    expected = /ERR_INCOMPLETE_CHUNKED_ENCODING/;
    await say(page, "Count to 40 [emulator: tps=0; cut=3000; times=1]");
    const problem = lastAnswer(page).getByRole("alert");
    await reads(problem, /The words that arrived stay here/);
    await done(page);
    const cut = await read(words(page));
    await problem.getByRole("button", { name: "Try again" }).click();
    await done(page);
    await reads(words(page), /40$/);
    const earlier = page.locator("details.earlier");
    await reads(earlier.locator("summary"), /^Earlier try: truncated, \d+ characters$/);
    await earlier.locator("summary").click();
    await holds(async () => assert.equal((await read(earlier.locator(".markdown"))).trim(), cut.trim()));
  });

  it("says that the server cannot be reached", async () => {
    expected = /ERR_FAILED/;
    await page.route("**/v1/**", (route) => route.abort());
    await say(page, "Hello");
    const problem = lastAnswer(page).getByRole("alert");
    await reads(problem, /The server cannot be reached[\s\S]*APIConnectionError/);
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
      await reads(words(page).locator(".block"), numbers);
      await reads(lastAnswer(page).locator(".notice"), /Resumed after [\d.]+ s, nothing lost/);
      await states(page, "1 resume");
      await counts(lastAnswer(page).getByRole("alert"), 0);
    } finally {
      await close();
      line.stop();
    }
  });

  it("sends the model that was written", async () => {
    await choose(page, "openai");
    await page.getByLabel("Model").fill("gpt-of-this-test");
    const sent = page.waitForRequest("**/chat/completions*");
    await say(page, "Echo: hi");
    assert.equal((await sent).postDataJSON().model, "gpt-of-this-test");
    await done(page);
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

    await say(page, "Write 9000 words [emulator: tps=150]");
    await longerThan(4000);
    await holds(async () => assert.ok((await position()).below < 10, "the end is in view"));
    const latest = page.getByRole("button", { name: "Latest" });
    await latest.waitFor({ state: "hidden" });

    await scroller.hover();
    await holds(async () => {
      await page.mouse.wheel(0, -300);
      await latest.waitFor({ timeout: 2000 });
    });
    // Chromium scrolls in steps.
    let top = Number.NaN;
    await holds(async () => {
      const before = top;
      top = (await position()).top;
      assert.equal(top, before);
    });
    await longerThan((await length()) + 1000);
    assert.equal((await position()).top, top, "nothing moved");

    await latest.click();
    await longerThan((await length()) + 500);
    await holds(async () => assert.ok((await position()).below < 10, "the end is in view again"));
    await stop(page).click();
    await done(page);
  });

  it("starts a new chat, even in the middle of an answer", async () => {
    await say(page, "Count to 2000 [emulator: tps=100]");
    await words(page).getByText("1, 2").waitFor();
    await page.getByRole("button", { name: "New chat" }).click();
    await counts(answers(page), 0);
    await page.getByRole("heading", { name: /Three clients read it/ }).waitFor();
    const sent = page.waitForRequest("**/chat/completions*");
    await say(page, "Echo: afresh");
    assert.equal((await sent).postDataJSON().messages.length, 1);
    await done(page);
    await reads(words(page), "afresh");
    await counts(answers(page), 1);
  });

  it("names every control and marks an answer under way", async () => {
    for (const name of ["New chat", "Send"]) await counts(page.getByRole("button", { name }), 1);
    await counts(page.getByRole("log"), 1);
    await page.locator("#message:focus").waitFor();
    await say(page, "Count to 2000 [emulator: tps=50]");
    await words(page).getByText("1, 2").waitFor();
    await lastAnswer(page).and(page.locator("[aria-busy=true]")).waitFor();
    await stop(page).focus();
    await page.keyboard.press("Enter");
    await done(page);
    await page.locator("#message:focus").waitFor();
  });
});

/** Runs in the page, before its own scripts: a recognition that hears what the test says it hears. */
function replaceRecognition(): void {
  class Recognition {
    start() {
      Object.assign(window, { listening: this });
    }
    stop() {}
  }
  Object.assign(window, { SpeechRecognition: Recognition });
}

describe("the voice", { timeout: 600_000 }, () => {
  let guest: Visit;
  let page: Page;

  beforeEach(async () => {
    guest = await visit({}, worker.url, [replaceSynthesiser, replaceRecognition]);
    page = guest.page;
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
    await holds(async () => assert.equal(await page.evaluate(() => window.synthesiser.cancelled), 1));
    await reads(words(page), "One two. Three four");
    await reads(lastAnswer(page).locator(".note"), /what you heard/);
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

  it("is silent for the rest of the answer when it is turned off, and keeps all of it", async () => {
    await say(page, "Echo: One two. Three four. Five six. Seven eight. [emulator: tps=8]");
    await isSpoken(1);
    await page.getByLabel("Speak").uncheck();
    const before = (await spoken()).length;
    await done(page);
    assert.equal((await spoken()).length, before);
    await reads(words(page), "One two. Three four. Five six. Seven eight.");
    assert.equal((await history()).at(1)?.content, "One two. Three four. Five six. Seven eight.");
  });

  it("is interrupted by typing", async () => {
    await say(page, "Echo: One two. Three four. [emulator: tps=0]");
    await isSpoken(2);
    await speak();
    await message(page).pressSequentially("But");
    await done(page);
    await reads(words(page), "One two.");
  });

  it("is interrupted by talking, and hears what is said", async () => {
    await page.getByRole("button", { name: "Dictate" }).click();
    await say(page, "Echo: One two. Three four. [emulator: tps=0]");
    await isSpoken(2);
    await speak();
    await page.evaluate(() => {
      const { listening } = window as unknown as { listening: { onspeechstart(): void } };
      listening.onspeechstart();
    });
    await done(page);
    await reads(words(page), "One two.");
    await page.evaluate(() => {
      const { listening } = window as unknown as { listening: { onresult(event: object): void } };
      const result = Object.assign([{ transcript: "Echo: heard [emulator: tps=0]" }], { isFinal: true });
      listening.onresult({ results: [result] });
    });
    await page.getByRole("article", { name: "You" }).nth(1).waitFor();
    await reads(page.getByRole("article", { name: "You" }).nth(1), /heard/);
    await page.keyboard.press("Escape");
    await done(page);
  });

  it("speaks only where it is asked to", async () => {
    await page.getByLabel("Speak").uncheck();
    await say(page, "Echo: Be quiet. Please. [emulator: tps=0]");
    await done(page);
    assert.deepEqual(await spoken(), []);
  });
});

describe("the worker", () => {
  it("holds the page to the page's own policy, and lets hashed files be kept", async () => {
    const answer = await fetch(worker.url);
    const html = await answer.text();
    const own = /http-equiv="content-security-policy"\s+content="([^"]+)"/.exec(html)?.[1] ?? "";
    const directives = (policy: string) => policy.split(/;\s*/).sort();
    // A page itself cannot say which sites may frame it.
    const sent = directives(answer.headers.get("content-security-policy") ?? "");
    assert.deepEqual(
      sent.filter((directive) => directive !== "frame-ancestors 'none'"),
      directives(own),
    );
    assert.ok(sent.includes("frame-ancestors 'none'"));
    assert.equal(answer.headers.get("cache-control"), "no-cache");
    const [script] = /assets\/index-[\w-]+\.js/.exec(html) ?? [];
    const asset = await fetch(new URL(`/${script}`, worker.url));
    assert.match(asset.headers.get("cache-control") ?? "", /immutable/);
  });
});

describe("a server that asks for its access token", { timeout: 600_000 }, () => {
  it("is given it once", async () => {
    const guarded = await startWorker({ assets, bindings: { ACCESS_TOKEN: "open-sesame" } });
    const { page, close } = await visit({}, guarded.url);
    try {
      await say(page, "Echo: let me in");
      const problem = lastAnswer(page).getByRole("alert");
      await reads(problem, /access token/);
      await problem.getByLabel("Access token").fill("open-sesame");
      await problem.getByLabel("Access token").press("Enter");
      await words(page).getByText("let me in").waitFor();
      await done(page);
      await say(page, "Echo: and again");
      await done(page);
      await reads(words(page), "and again");
    } finally {
      await close();
      await guarded.stop();
    }
  });
});
