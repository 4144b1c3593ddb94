/**
 * Visitors who are hard on the page: storage refused, two tabs, a page that is closed in the middle of an answer, 400 KB of
 * text, every odd character, and buttons pressed faster than answers come.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import {
  answers,
  assertClean,
  counts,
  demo,
  done,
  holds,
  kept,
  lastAnswer,
  message,
  reads,
  say,
  states,
  stop,
  type Visit,
  visit,
  words,
} from "./visit.ts";

const site = demo();

const arrive = (options: BrowserContextOptions = {}, scripts: readonly (() => void)[] = []): Promise<Visit> =>
  visit(site.browser, new URL(site.server.url), options, scripts);

async function leave(guest: Visit): Promise<void> {
  await guest.close();
  assertClean(guest);
}

/** Waits until the database has answers with these texts. */
const isKept = (page: Page, ...texts: readonly string[]) =>
  holds(async () => {
    const all = await kept(page);
    for (const text of texts) assert.ok(all.includes(text), `${text} is kept`);
  });

const chats = (page: Page) => page.getByRole("button", { name: "Chats" }).click();

/** A browser that refuses all storage, as some do in private windows. */
function refuseStorage(): void {
  for (const name of ["indexedDB", "localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, {
      get() {
        throw new DOMException("The operation is insecure.", "SecurityError");
      },
    });
  }
}

/** A browser whose database never answers. */
function forgetAnswers(): void {
  Object.defineProperty(window, "indexedDB", { value: { open: () => Object.create(IDBOpenDBRequest.prototype) } });
  IDBOpenDBRequest.prototype.addEventListener = () => {};
}

function refuseCopies(): void {
  const seen: string[] = [];
  Object.assign(window, { seen });
  Object.defineProperty(navigator, "clipboard", { value: undefined });
  new MutationObserver((changes) => {
    for (const { target } of changes) seen.push((target as HTMLElement).dataset.copied ?? "");
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-copied"] });
}

function dropSpeech(): void {
  Reflect.deleteProperty(window, "speechSynthesis");
  for (const name of ["SpeechRecognition", "webkitSpeechRecognition"]) Reflect.deleteProperty(window, name);
}

describe("a browser that refuses", { timeout: 600_000 }, () => {
  it("storage keeps the conversations until the page is closed", async () => {
    const guest = await arrive({}, [refuseStorage]);
    const { page } = guest;
    await say(page, "Echo: nowhere [emulator: tps=0]");
    await done(page);
    await reads(words(page), "nowhere");
    await page.getByRole("button", { name: "New chat" }).click();
    await say(page, "Echo: either [emulator: tps=0]");
    await done(page);
    await chats(page);
    await page.getByRole("button", { name: /^Echo: nowhere/ }).click();
    await reads(words(page), "nowhere");
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByLabel("JSON mode").check();
    await page.getByRole("button", { name: "Done" }).click();
    await leave(guest);
  });

  it("to answer from its database is not waited for", async () => {
    const guest = await arrive({}, [forgetAnswers]);
    const { page } = guest;
    await say(page, "Echo: without it [emulator: tps=0]");
    await done(page);
    await reads(words(page), "without it");
    await page.getByRole("link", { name: "Cut the connection" }).waitFor();
    await chats(page);
    await page.locator("#conversations[open]").waitFor();
    await leave(guest);
  });

  it("copying is said to, on the button too", async () => {
    const guest = await arrive({}, [refuseCopies]);
    const { page } = guest;
    await page.getByRole("button", { name: "Copy npm i chatwire" }).click();
    await page
      .locator("#said")
      .getByText("The browser does not allow this page to copy.")
      .waitFor({ state: "attached" });
    await page.waitForFunction(() => (window as unknown as { seen: string[] }).seen.includes("Not allowed"));
    await leave(guest);
  });

  it("speech offers none, and reads on", async () => {
    const guest = await arrive({}, [dropSpeech]);
    const { page } = guest;
    await page.goto(`${site.server.url}#speak`);
    await page.reload();
    await lastAnswer(page).waitFor();
    await done(page);
    assert.equal(await page.locator("#speaks").isVisible(), false);
    assert.equal(await page.locator("#listen").isVisible(), false);
    await leave(guest);
  });
});

describe("what is kept", { timeout: 600_000 }, () => {
  it("has the words of an answer during which the page was closed", async () => {
    const guest = await arrive();
    const { page } = guest;
    await say(page, "Count to 2000 [emulator: tps=50]");
    await words(page).getByText("1, 2, 3").waitFor();
    await isKept(page, '"text":"1, 2, 3');
    await page.reload();
    await reads(words(page), /^1, 2, 3/);
    await reads(lastAnswer(page).locator(".note"), /The page was closed while this answer came\.|Stopped\./);
    await states(page, "stopped");
    await say(page, "Echo: and on [emulator: tps=0]");
    await counts(answers(page), 2);
    await done(page);
    await reads(words(page), "and on");
    await leave(guest);
  });

  it("has the words of both of two tabs", async () => {
    const guest = await arrive();
    const { page } = guest;
    await say(page, "Echo: common [emulator: tps=0]");
    await done(page);
    await isKept(page, '"text":"common"');
    const other = await page.context().newPage();
    await other.goto(site.server.url);
    await words(other).getByText("common").waitFor();
    for (const [tab, text] of [
      [page, "from the first"],
      [other, "from the second"],
    ] as const) {
      await tab.bringToFront();
      await say(tab, `Echo: ${text} [emulator: tps=0]`);
      await counts(answers(tab), 2);
      await done(tab);
      await isKept(tab, `"text":"${text}"`);
    }
    await isKept(page, '"text":"from the first"', '"text":"from the second"');
    await chats(other);
    await counts(other.locator("#conversations li"), 2);
    await leave(guest);
  });

  it("is deleted beside an answer that goes on, and with one that does not", async () => {
    const guest = await arrive();
    const { page } = guest;
    await say(page, "Echo: old [emulator: tps=0]");
    await done(page);
    await isKept(page, '"text":"old"');
    await page.getByRole("button", { name: "New chat" }).click();
    await say(page, "Count to 2000 [emulator: tps=50]");
    await words(page).getByText("1, 2, 3").waitFor();
    await chats(page);
    await page.getByRole("button", { name: /^Delete Echo: old/ }).click();
    await words(page).getByText("20, 21").waitFor();
    await stop(page).waitFor();
    await isKept(page, '"text":"1, 2, 3');
    await chats(page);
    await page.getByRole("button", { name: /^Delete Count to 2000/ }).click();
    await counts(answers(page), 0);
    await holds(async () => assert.equal(await kept(page), "[]"));
    await chats(page);
    await page.getByText("None yet").waitFor();
    await leave(guest);
  });

  it("comes back by an undo in another conversation", async () => {
    const guest = await arrive();
    const { page } = guest;
    await say(page, "Echo: taken back [emulator: tps=0]");
    await done(page);
    await lastAnswer(page).getByRole("button", { name: "edit" }).click();
    await page.getByRole("button", { name: "New chat" }).click();
    await page.getByRole("button", { name: "Undo" }).click();
    await reads(words(page), "taken back");
    await leave(guest);
  });
});

/** Drops a file with this text on the page. */
const dropFile = (page: Page, text: string) =>
  page.evaluate((text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], "dropped.chatwire"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, text);

/** The recording of an answer that consists of one delta. */
function recordingOf(delta: object): string {
  const choices = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;
  const body = `${choices({ delta })}${choices({ delta: {}, finish_reason: "stop" })}data: [DONE]\n\n`;
  const options = { document: false, reasoning: "detect", decoding: "tolerant", accumulate: true, n: 1, prices: null };
  const lines = [{ chatwire: "recording", version: 1, options }, ["read", 1, 2, body], ["closed", 3], ["end"]];
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

describe("a visitor who is hard on the page", { timeout: 600_000 }, () => {
  it("pastes a long text", async () => {
    const guest = await arrive();
    const { page } = guest;
    await say(page, `${"word ".repeat(80_000)} Write 20 words [emulator: tps=0]`);
    await done(page);
    await page.getByRole("button", { name: /^Show all/ }).waitFor();
    await page.getByRole("tab", { name: "Code" }).click();
    await page.locator("#panel-code code").getByText("Chatwire").first().waitFor();
    await message(page).fill("Echo: still here [emulator: tps=0]");
    await message(page).press("Enter");
    await counts(answers(page), 2);
    await done(page);
    await reads(words(page), "still here");
    await leave(guest);
  });

  it("sends 1 KB of every odd character", async () => {
    const guest = await arrive();
    const { page } = guest;
    const odd = ["!\"#$%&'()*+,-./:;<=>?@", "[\\]^_`{|}~", "\u0301\u200b\u202e\u2066\ufeff\ufffd\u0000", "ﷺ👩‍👩‍👧𒐫ก็็"];
    for (const characters of odd) {
      const text = [...characters].map((character) => character.repeat(1000 / character.length)).join("\n");
      await say(page, `Echo: ${text} [emulator: tps=0]`);
      await done(page);
      await page.getByRole("button", { name: "New chat" }).click();
      await counts(answers(page), 0);
    }
    await say(page, "Echo: all read [emulator: tps=0]");
    await done(page);
    await reads(words(page), "all read");
    const sideways = await page.locator("#scroller").evaluate((box) => box.scrollWidth - box.clientWidth);
    assert.equal(sideways, 0);
    await leave(guest);
  });

  it("sends, stops, asks again and edits, faster than answers come", async () => {
    const guest = await arrive();
    const { page } = guest;
    await say(page, "Echo: first [emulator: tps=0]");
    await done(page);
    await say(page, "Count to 2000 [emulator: tps=100]");
    await stop(page).waitFor();
    await answers(page).first().getByRole("button", { name: "again" }).click();
    await page.locator("#undo").getByText("An answer is under way: stop it first.").waitFor();
    const random = (choices: readonly string[], i: number) => choices[(i * 7 + 3) % choices.length];
    for (let i = 0; i < 24; i++) {
      await page.evaluate(
        (act) => {
          const press = (name: string) =>
            [...document.querySelectorAll<HTMLElement>(".answer .facts button")]
              .findLast(({ textContent }) => textContent === name)
              ?.click();
          if (act === "stop") document.getElementById("stop")?.click();
          else if (act === "send") {
            (document.getElementById("message") as HTMLTextAreaElement).value = "Count to 30 [emulator: tps=100]";
            document.querySelector<HTMLFormElement>("#composer")?.requestSubmit();
          } else press(act as string);
        },
        random(["send", "stop", "again", "stop", "edit", "send", "stop"], i),
      );
      await page.waitForTimeout(i % 5 === 0 ? 60 : 0);
    }
    if (await stop(page).isVisible()) await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.getByRole("button", { name: "New chat" }).click();
    await say(page, "Echo: all is well [emulator: tps=0]");
    await done(page);
    await reads(words(page), "all is well");
    await leave(guest);
  });

  it("widens the window while the sheet is up", async () => {
    const guest = await arrive({ viewport: { width: 360, height: 740 } });
    const { page } = guest;
    for (const name of ["Copy npm i chatwire"]) await page.getByRole("button", { name }).waitFor();
    for (const name of ["GitHub", "Docs"]) await page.getByRole("link", { name }).waitFor();
    const sheet = page.locator("#sheet");
    await sheet.getByText("Inspect", { exact: true }).click();
    await sheet.getByText("Close").waitFor();
    await page.setViewportSize({ width: 1440, height: 900 });
    await say(page, "Echo: wide [emulator: tps=0]");
    await done(page);
    await reads(words(page), "wide");
    await page.setViewportSize({ width: 360, height: 740 });
    await sheet.getByText("Inspect", { exact: true }).waitFor();
    await leave(guest);
  });

  it("drops a recording, and one more while it is answered", async () => {
    const guest = await arrive();
    const { page } = guest;
    await say(page, "Echo: dropped [emulator: tps=0]");
    await done(page);
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save the recording" }).click();
    const chunks: Buffer[] = [];
    for await (const chunk of await (await saved).createReadStream()) chunks.push(chunk as Buffer);
    const drop = (text: string) => dropFile(page, text);
    await page.getByRole("button", { name: "New chat" }).click();
    await drop(Buffer.concat(chunks).toString());
    await words(page).getByText("dropped").waitFor();
    await done(page);
    await page.locator("#panel-wire .lines").getByText("outcome: complete").waitFor();
    await drop("this is no recording");
    await counts(answers(page), 2);
    await done(page);
    await lastAnswer(page).locator(".problem").waitFor();
    await say(page, "Count to 2000 [emulator: tps=50]");
    await words(page).getByText("1, 2, 3").waitFor();
    await drop(Buffer.concat(chunks).toString());
    await page.locator("#undo").getByText("An answer is under way: stop it first.").waitFor();
    await page.keyboard.press("Escape");
    await done(page);
    await leave(guest);
  });

  it("drops recordings of a long tool call, and of long thoughts", async () => {
    const guest = await arrive();
    const { page } = guest;
    const more = lastAnswer(page).getByRole("button", { name: /^Show all/ });
    const length = (selector: string) =>
      lastAnswer(page)
        .locator(selector)
        .textContent()
        .then((text) => text?.length);
    await page.getByRole("link", { name: "Cut the connection" }).waitFor();
    const args = JSON.stringify({ city: "x".repeat(300_000) });
    const call = { index: 0, id: "call_1", type: "function", function: { name: "current_time", arguments: args } };
    await dropFile(page, recordingOf({ tool_calls: [call] }));
    await more.waitFor();
    await done(page);
    assert.equal(await length(".tools .arguments"), 4000);
    await more.click();
    await holds(async () => assert.equal(await length(".tools .arguments"), args.length));
    await counts(more, 0);
    await dropFile(page, recordingOf({ reasoning_content: "thought ".repeat(40_000), content: "Done." }));
    await counts(answers(page), 2);
    await done(page);
    await lastAnswer(page).getByText("Thoughts").click();
    assert.equal(await length(".thinking .words"), 60_000);
    await more.click();
    await holds(async () => assert.equal(await length(".thinking .words"), 320_000));
    await counts(more, 0);
    await leave(guest);
  });

  it("asks for more than the plan allows, and sees the queue", async () => {
    const guest = await arrive();
    const { page } = guest;
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByLabel("Keep to Electron's standard plan").check();
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("tab", { name: "Cost" }).click();
    await page.getByText("Queue: no request waits.").waitFor();
    for (let question = 1; question <= 10; question++) {
      await say(page, `Echo: ${question} [emulator: tps=0]`);
      await counts(answers(page), question);
      await done(page);
    }
    await say(page, "Echo: one too many [emulator: tps=0]");
    await page.getByText(/^Queue: one request waits, the plan has no room before \d\d:\d\d:\d\d\.$/).waitFor();
    await reads(page.locator(".progress"), /^The plan's limits are used up: asked in \d+ s/);
    await counts(page.locator("#panel-cost .gauge .full"), 10);
    await page.keyboard.press("Escape");
    await done(page);
    await page.getByText("Queue: no request waits.").waitFor();
    await leave(guest);
  });
});
