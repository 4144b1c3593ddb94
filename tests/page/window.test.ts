/**
 * The page without a server behind it, as `npx chatwire demo` serves it: the first view, the experiments, the inspector, and what
 * is kept.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Page } from "playwright-core";
import {
  answers,
  assertClean,
  counts,
  demo,
  done,
  facts,
  holds,
  kept,
  lastAnswer,
  message,
  read,
  reads,
  root,
  say,
  shoot,
  states,
  stop,
  type Visit,
  visit,
  words,
} from "./visit.ts";

const site = demo();
let guest: Visit;
let page: Page;

async function arrive(path = ""): Promise<void> {
  guest = await visit(site.browser, new URL(path, site.server.url), {}, [keepStatus]);
  page = guest.page;
}

afterEach(async () => {
  await guest.close();
  assertClean(guest);
});

/** Keeps all that the status line says: a busy machine may look at it too late. */
function keepStatus(): void {
  const said: string[] = [];
  Object.assign(window, { said });
  const keep = () => {
    for (const line of document.querySelectorAll(".progress > span")) said.push(line.textContent ?? "");
  };
  new MutationObserver(keep).observe(document, { subtree: true, childList: true, characterData: true });
}

/** Adds up how far things moved that had been shown: the cumulative layout shift, without its windows of time. */
function keepShifts(): void {
  const shifts: number[] = [];
  Object.assign(window, { shifts });
  const note = (list: PerformanceObserverEntryList) => {
    for (const entry of list.getEntries()) shifts.push((entry as PerformanceEntry & { value: number }).value);
  };
  new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
}

/** Waits until the status line has said this. */
async function told(line: RegExp): Promise<void> {
  await page.waitForFunction(
    ([source]) =>
      (window as unknown as { said: string[] }).said.some((text) => new RegExp(source as string).test(text)),
    [line.source],
  );
}

describe("the first view", { timeout: 600_000 }, () => {
  beforeEach(() => arrive());

  it("moves nothing that a visitor reads already", async () => {
    const late = await site.browser.newPage({ viewport: { width: 412, height: 823 } });
    const painted = Promise.withResolvers<void>();
    await late.addInitScript(keepShifts);
    await late.route(/\.js$/, (route) => painted.promise.then(() => route.continue()));
    await late.goto(site.server.url.toString(), { waitUntil: "commit" });
    await late.waitForFunction(() => performance.getEntriesByType("paint").length > 0);
    painted.resolve();
    await late.getByText("223 of 223 characters").first().waitFor();
    const shifts = await late.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
    await late.close();
    const all = shifts.reduce((sum, shift) => sum + shift, 0);
    assert.ok(all < 0.05, `shifts: ${shifts}`);
  });

  it("lets three clients read one broken stream, for real", async () => {
    const { text } = JSON.parse(await readFile(join(root, "www/src/window/recorded.json"), "utf8")) as { text: string };
    const column = (name: string) => page.locator(".column").filter({ has: page.getByRole("heading", { name }) });
    await page.waitForFunction(() =>
      [...document.querySelectorAll<HTMLElement>(".column")].every(
        ({ dataset, textContent }) =>
          (dataset.state === "whole" || dataset.state === "lost") && !textContent?.includes("recorded result"),
      ),
    );
    await reads(column("chatwire").locator(".words"), text);
    await reads(column("chatwire").locator(".verdict"), /complete · repaired chunk.malformed/);
    for (const name of ["openai", "25 lines by hand"]) {
      await holds(async () => {
        const kept = await read(column(name).locator(".words"));
        assert.ok(kept.length > 0 && kept.length < text.length && text.startsWith(kept), `${name} kept ${kept.length}`);
      });
    }
  });

  it("says what it is, and how it is installed", async () => {
    await page.getByText("The streaming chat client that loses nothing, and says how every stream ended.").waitFor();
    await page.getByText("chatwire is a library for OpenAI-compatible chat completions.").waitFor();
    await page.getByText("has the call shape of openai").waitFor();
    await guest.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy npm i chatwire" }).click();
    await holds(async () => assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "npm i chatwire"));
  });

  it("has the engine, and its worker, before the first message", async () => {
    await page.waitForFunction(() =>
      performance.getEntriesByType("resource").some(({ name }) => new URL(name).pathname.endsWith(".wasm")),
    );
  });
});

describe("the experiments", { timeout: 600_000 }, () => {
  it("cut: the answer goes on where the connection was lost", async () => {
    await arrive("#cut");
    await told(/^Connection lost, try \d/);
    await lastAnswer(page)
      .locator(".notice")
      .getByText(/Resumed after \d\.\d s, nothing lost/)
      .waitFor();
    await done(page);
    await states(page, "1 resume");
    await reads(words(page), /asked about the oil\.$/);
  });

  it("break: the answer is whole, and the others are compared", async () => {
    await arrive("#break");
    await done(page);
    const card = page.locator(".card").filter({ has: page.getByRole("heading", { name: "One event is broken JSON" }) });
    await card.locator("dd.told").nth(1).waitFor();
    await holds(async () =>
      assert.deepEqual(
        (await card.locator("dd strong").allInnerTexts()).map((text) => text.replace(/\D+of.*/, "")),
        ["105", "39", "39"],
      ),
    );
    await states(page, "1 repair");
    await reads(lastAnswer(page).locator(".notice"), /One event was broken JSON/);
    // A document and calls are compared as well as words.
    for (const [title, kept] of [
      ["A stream in place of a JSON document", ["105 of 105", "0 of 105", "0 of 105"]],
      ["Two tool calls arrive interleaved", ["57 of 57", "57 of 57", "57 of 57"]],
    ] as const) {
      await page.getByRole("button", { name: `compare: ${title}` }).click();
      const results = page.locator(".card").filter({ has: page.getByRole("heading", { name: title }) });
      await counts(results.locator("dd strong"), 3);
      await holds(async () => assert.deepEqual(await results.locator("dd strong").allInnerTexts(), kept));
    }
    await page.getByRole("button", { name: "ask with it: Two tool calls arrive interleaved" }).click();
    await counts(answers(page), 2);
    await done(page);
    await counts(page.getByRole("list", { name: "Tool calls" }).getByRole("listitem"), 2);
  });

  it("race: measures each client in a worker", async () => {
    await arrive("#race");
    const cells = page.locator("#panel-race td");
    await page.waitForFunction(
      () => {
        const cells = [...document.querySelectorAll("#panel-race td")];
        return cells.length === 27 && cells.every(({ textContent }) => /^\d+\.\d\d$/.test(textContent ?? ""));
      },
      undefined,
      { timeout: 600_000 },
    );
    await counts(cells, 27);
    await counts(page.locator("#panel-race td strong"), 9);
  });

  it("tool: asks before it changes the page", async () => {
    await arrive("#tool");
    const asked = page.getByRole("group", { name: "The model wants to use set_theme" });
    await asked.getByRole("button", { name: "Allow" }).click();
    await done(page);
    await page.locator("html[data-theme=dark]").waitFor();
    const calls = page.getByRole("list", { name: "Tool calls" }).getByRole("listitem");
    await reads(calls.nth(0), /current_time \{"city":"Pune"\}\s+\{"city":"Pune","time":".+ at \d\d:\d\d"\}/);
    await reads(calls.nth(1), /set_theme \{"theme":"dark"\}/);
  });

  it("tool: a call that is not allowed is not run, and the model is told", async () => {
    await arrive("#tool");
    await page.getByRole("button", { name: "Do not" }).click();
    await done(page);
    await reads(words(page), /did not allow/);
    assert.equal(await page.locator("html").getAttribute("data-theme"), null);
  });

  it("scripts: each in its own direction", async () => {
    await arrive("#scripts");
    await answers(page).nth(2).locator(".facts").waitFor();
    await done(page);
    const direction = (element: Element) => getComputedStyle(element).direction;
    const directionOf = (answer: number) => answers(page).nth(answer).locator(".block").first().evaluate(direction);
    await holds(async () => assert.deepEqual([await directionOf(0), await directionOf(1)], ["ltr", "rtl"]));
    await shoot(page, "scripts");
  });
});

describe("the status line", { timeout: 600_000 }, () => {
  beforeEach(() => arrive());

  it("counts down to the next try, which can be made now", async () => {
    await say(page, "Echo: at last [emulator: status=429; retry-after=27; times=1]");
    await told(/^Refused \(429\), asked again in 2\d s$/);
    await page.getByRole("button", { name: "Ask again now" }).click();
    await done(page);
    await reads(words(page), "at last");
    await counts(answers(page), 1);
  });

  it("says that it connects, and that it waits for the first word", async () => {
    await say(page, "Echo: slow [emulator: slow-headers=3000; ttft=6000]");
    await told(/^Connecting for \d s$/);
    await told(/^Connected, waiting for the first word for \d s, gives up at 300 s$/);
    await done(page);
  });

  it("says how long the server has been silent, and when it gives up", async () => {
    await say(page, "Count to 100 [emulator: tps=0; stall=30000]");
    await told(/^Silent for \d s, gives up at 120 s$/);
    await stop(page).click();
    await done(page);
    await states(page, "stopped");
  });

  it("calls an answer that was filtered by its name", async () => {
    await say(page, "Echo: something [emulator: tps=0; finish=content_filter]");
    await done(page);
    await lastAnswer(page).locator(".fact").first().waitFor();
    assert.doesNotMatch((await facts(page)).join(), /^complete/);
  });
});

describe("the inspector", { timeout: 600_000 }, () => {
  beforeEach(() => arrive());

  it("shows the lines of the wire and what became of them", async () => {
    await say(page, "Echo: One two. Three [emulator: tps=0; malformed=json; comments]");
    await done(page);
    const rows = page.locator("#panel-wire .lines .line");
    const box = page.locator("#panel-wire .lines");
    // Rows are drawn once a frame, and those in view alone.
    const seen = (name: string) => rows.locator("span:nth-child(3)").getByText(name).first().waitFor();
    for (const name of ["outcome: complete", "usage", "repair: chunk.malformed", "text"]) await seen(name);
    await box.evaluate((lines) => {
      lines.scrollTop = 0;
    });
    for (const name of ["request", "answer", "ignored", "opens"]) await seen(name);
    await box.press("ArrowDown");
    await reads(page.locator("#panel-wire .detail"), /POST/);
  });

  it("shows on being opened the lines that came before", async () => {
    const ended = page.locator("#panel-wire .lines .line").getByText("outcome: complete");
    await page.getByRole("tab", { name: "Trouble" }).click();
    await say(page, "Echo: unseen [emulator: tps=0]");
    await done(page);
    await page.getByRole("tab", { name: "Wire" }).click();
    await ended.waitFor();
    await page.setViewportSize({ width: 390, height: 844 });
    await say(page, "Count to 80 [emulator: tps=0]");
    await done(page);
    await page.locator("#sheet").click();
    await ended.waitFor();
    await page.locator("#panel-wire svg").getByText("end", { exact: true }).waitFor();
  });

  it("keeps 2,000 lines, and draws those in view", async () => {
    await say(page, "Count to 1500 [emulator: tps=0]");
    await done(page);
    await page.getByText("outcome: complete").waitFor();
    await holds(async () => {
      assert.equal(await page.locator("#panel-wire .space").evaluate((box) => box.clientHeight), 2000 * 20);
      const drawn = await page.locator("#panel-wire .lines .line").count();
      assert.ok(drawn > 0 && drawn < 80, `${drawn} rows are drawn`);
    });
  });

  it("saves a recording, and reads it again", async () => {
    await say(page, "Echo: to be kept [emulator: tps=0]");
    await done(page);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save the recording" }).click();
    const file = await (await download).path();
    await page.getByRole("button", { name: "New chat" }).click();
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Open a recording" }).click();
    await (await chooser).setFiles({ name: "a.chatwire", mimeType: "text/plain", buffer: await readFile(file) });
    await words(page).getByText("to be kept").waitFor();
    await done(page);
    await states(page, "complete");
  });

  it("marks a line that was cut in its middle", async () => {
    await say(page, "Echo: One two. Three four. [emulator: tps=0; cut=1500]");
    await done(page);
    const rows = page.locator("#panel-wire .lines .line");
    for (const name of ["unfinished", "outcome: truncated"])
      await rows.locator("span:nth-child(3)").getByText(name).first().waitFor();
  });

  it("shows totals and the program", async () => {
    await say(page, "Echo: count me [emulator: tps=0]");
    await done(page);
    await page.getByRole("tab", { name: "Cost" }).click();
    await page.locator("#panel-cost dd").first().waitFor();
    await reads(page.locator("#panel-cost"), /requests\s+1\b/);
    await lastAnswer(page).getByRole("button", { name: "code" }).click();
    await page.locator("#panel-code code").getByText("count me").waitFor();
    await reads(page.locator("#panel-code code"), /client\.chat\.completions\.stream/);
  });
});

describe("what is kept", { timeout: 600_000 }, () => {
  beforeEach(() => arrive());

  /** Waits until the browser's database has an answer with this word, and how it ended. */
  const isKept = (word: string) =>
    holds(async () => {
      assert.match(await kept(page), new RegExp(`"text":"[^"]*${word}[^"]*".*"status":"complete"`));
    });

  it("goes on after a reload", async () => {
    await say(page, "Echo: **remember** me [emulator: tps=0]");
    await done(page);
    await isKept("remember");
    await page.reload();
    await words(page).getByText("remember me").waitFor();
    await page.locator(".markdown strong").waitFor();
    await states(page, "complete");
  });

  it("has several conversations, and brings a deleted one back", async () => {
    await say(page, "Echo: first [emulator: tps=0]");
    await done(page);
    await isKept("first");
    await page.getByRole("button", { name: "New chat" }).click();
    await say(page, "Echo: second [emulator: tps=0]");
    await done(page);
    await page.getByRole("button", { name: "Chats" }).click();
    await page.getByRole("button", { name: /^Delete Echo: first/ }).click();
    // The conversation in view stays.
    await reads(words(page), "second");
    await page.getByRole("button", { name: "Undo" }).click();
    await words(page).getByText("first").waitFor();
  });

  it("does not hold on to what it has sent: each question has all before it", async () => {
    const QUESTIONS = 8;
    for (let question = 1; question <= QUESTIONS; question++) {
      await say(page, `Echo: question ${question} [emulator: tps=0]`);
      await counts(answers(page), question);
      await done(page);
    }
    const session = await page.context().newCDPSession(page);
    await holds(async () => {
      // A snapshot has what can be reached, after a collection.
      let snapshot = "";
      const onChunk = ({ chunk }: { chunk: string }) => {
        snapshot += chunk;
      };
      session.on("HeapProfiler.addHeapSnapshotChunk", onChunk);
      await session.send("HeapProfiler.takeHeapSnapshot");
      session.off("HeapProfiler.addHeapSnapshotChunk", onChunk);
      const { strings } = JSON.parse(snapshot) as { strings: string[] };
      const bodies = strings.filter((text) => text.startsWith('{"model":"electron","messages":['));
      assert.ok(bodies.length <= QUESTIONS / 2, `${bodies.length} requests are still in memory`);
    });
  });

  it("edits a question, and takes the edit back", async () => {
    await say(page, "Echo: one [emulator: tps=0]");
    await done(page);
    await lastAnswer(page).getByRole("button", { name: "edit" }).click();
    await holds(async () => assert.equal(await message(page).inputValue(), "Echo: one [emulator: tps=0]"));
    await counts(answers(page), 0);
    await page.getByRole("button", { name: "Undo" }).click();
    await words(page).getByText("one").waitFor();
  });

  it("says at its field what is wrong with a parameter, in the engine's words", async () => {
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByLabel("temperature").fill("3");
    await page.getByRole("alert").getByText(/2/).waitFor();
    await page.locator("[aria-invalid=true]").and(page.getByLabel("temperature")).waitFor();
    await page.getByLabel("temperature").fill("1.5");
    await page.getByRole("alert").getByText(/2/).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Done" }).click();
  });
});
