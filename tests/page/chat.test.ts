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
  done,
  facts,
  lastAnswer,
  launch,
  message,
  read,
  say,
  shoot,
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
async function visit(options: BrowserContextOptions = {}, url = worker.url): Promise<Visit> {
  const guest = await visitWith(browser, url, options);
  await choose(guest.page, "electron");
  return guest;
}

async function choose(page: Page, source: string): Promise<void> {
  await page.locator(`#source option[value=${source}]`).waitFor({ state: "attached" });
  await page.getByLabel("Source").selectOption(source);
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
    assertClean(guest, expected);
  });

  it("streams the answer to a typed message", async () => {
    await message(page).pressSequentially("Echo: namaste, नमस्ते, வணக்கம் 👋🏽");
    await message(page).press("Enter");
    assert.equal(await message(page).inputValue(), "");
    await done(page);
    assert.equal(await read(words(page)), "namaste, नमस्ते, வணக்கம் 👋🏽");
    assert.equal(await read(page.getByRole("article", { name: "You" })), "Echo: namaste, नमस्ते, வணக்கம் 👋🏽");
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

  it("keeps one visitor's refusal from all others", async () => {
    expected = /status of 429/;
    await say(page, "Hello [emulator: status=429; retry-after=3600]");
    const problem = lastAnswer(page).getByRole("alert");
    assert.match(await read(problem), /Too many requests[\s\S]*RateLimitError/);
    assert.match(await read(problem.getByRole("button")), /^Try again in \d+ s$/);
    assert.equal(await problem.getByRole("button").isDisabled(), true);
    // Neither another source of this page nor another page has to wait for it.
    await choose(page, "openai");
    await say(page, "Echo: not me [emulator: tps=0]");
    await done(page);
    assert.equal(await read(words(page)), "not me");
    const other = await visit();
    await say(other.page, "Echo: nor me [emulator: tps=0]");
    await done(other.page);
    // A page that comes to the front may look after its connection, which its answer then says.
    assert.equal(await read(words(other.page).locator(".block")), "nor me");
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
    await say(page, "Count to 40 [emulator: tps=0; cut=3000; times=1]");
    const problem = lastAnswer(page).getByRole("alert");
    assert.match(await read(problem), /What arrived stays here/);
    await done(page);
    const cut = await read(words(page));
    await problem.getByRole("button", { name: "Try again" }).click();
    await done(page);
    assert.match(await read(words(page)), /40$/);
    const earlier = page.locator("details.earlier");
    assert.match(await read(earlier.locator("summary")), /^Earlier try: truncated, \d+ characters$/);
    await earlier.locator("summary").click();
    assert.equal((await read(earlier.locator(".markdown"))).trim(), cut.trim());
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
      assert.equal(await read(words(page).locator(".block")), numbers);
      assert.match(await read(lastAnswer(page).locator(".notice")), /Resumed after [\d.]+ s, nothing lost/);
      assert.ok((await facts(page)).includes("1 resume"), "the facts say so");
      assert.equal(await lastAnswer(page).getByRole("alert").count(), 0);
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
    await page.getByRole("heading", { name: /Three clients read it/ }).waitFor();
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
    await choose(page, "electron");
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

  it("is silent for the rest of the answer when it is turned off, and keeps all of it", async () => {
    await say(page, "Echo: One two. Three four. Five six. Seven eight. [emulator: tps=8]");
    await isSpoken(1);
    await page.getByLabel("Speak").uncheck();
    const before = (await spoken()).length;
    await done(page);
    assert.equal((await spoken()).length, before);
    assert.equal(await read(words(page)), "One two. Three four. Five six. Seven eight.");
    assert.equal((await history()).at(1)?.content, "One two. Three four. Five six. Seven eight.");
  });

  it("is interrupted by typing", async () => {
    await say(page, "Echo: One two. Three four. [emulator: tps=0]");
    await isSpoken(2);
    await speak();
    await message(page).pressSequentially("But");
    await done(page);
    assert.equal(await read(words(page)), "One two.");
  });

  it("is interrupted by talking, and hears what is said", async () => {
    await page.addInitScript(() => {
      class Recognition {
        start() {
          Object.assign(window, { listening: this });
        }
        stop() {}
      }
      Object.assign(window, { SpeechRecognition: Recognition });
    });
    await page.reload();
    await choose(page, "electron");
    await page.getByLabel("Speak").check();
    await page.getByRole("button", { name: "Dictate" }).click();
    await say(page, "Echo: One two. Three four. [emulator: tps=0]");
    await isSpoken(2);
    await speak();
    await page.evaluate(() => {
      const { listening } = window as unknown as { listening: { onspeechstart(): void } };
      listening.onspeechstart();
    });
    await done(page);
    assert.equal(await read(words(page)), "One two.");
    await page.evaluate(() => {
      const { listening } = window as unknown as { listening: { onresult(event: object): void } };
      const result = Object.assign([{ transcript: "Echo: heard [emulator: tps=0]" }], { isFinal: true });
      listening.onresult({ results: [result] });
    });
    await page.getByRole("article", { name: "You" }).nth(1).waitFor();
    assert.match(await read(page.getByRole("article", { name: "You" }).nth(1)), /heard/);
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
    // A page cannot say itself who may frame it.
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

describe("a server that asks for its access token", { timeout: 60_000 }, () => {
  it("is given it once", async () => {
    const guarded = await startWorker({ assets, bindings: { ACCESS_TOKEN: "open-sesame" } });
    const { page, close } = await visitWith(browser, guarded.url);
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
