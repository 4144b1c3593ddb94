/** The page without a mouse: each thing that a visitor can do, done by keys, and where the focus is afterwards. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import {
  answers,
  assertClean,
  counts,
  demo,
  done,
  holds,
  lastAnswer,
  message,
  reads,
  say,
  stop,
  type Visit,
  visit,
  words,
} from "./visit.ts";

const site = demo();

const desktop = { viewport: { width: 1440, height: 900 } };
const narrow = { viewport: { width: 390, height: 800 } };

/** A visit to the whole page: the part that comes when it is idle is there. */
async function visited(options: BrowserContextOptions, path = ""): Promise<Visit> {
  const guest = await visit(site.browser, new URL(path, site.server.url), options);
  await guest.page.locator("#experiments a").first().waitFor();
  return guest;
}

/** The name of what has the focus. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const { activeElement: element } = document;
    if (!element || element === document.body) return "";
    const label = element.getAttribute("aria-label") ?? (element as HTMLInputElement).labels?.[0]?.textContent;
    return (label || element.textContent || element.id).trim().replace(/\s+/g, " ").slice(0, 60);
  });

/** Waits until an element has the focus. */
const isFocused = (element: Locator): Promise<void> =>
  holds(async () => assert.equal(await element.evaluate((each) => each === document.activeElement), true));

/** Goes on by Tab until an element has the focus. */
async function tabTo(element: Locator, key = "Tab"): Promise<void> {
  await element.waitFor();
  for (let presses = 0; presses < 80; presses++) {
    if (await element.evaluate((each) => each === document.activeElement)) return;
    await element.page().keyboard.press(key);
  }
  assert.fail(`${element} is not reached by ${key}`);
}

describe("keys alone", { timeout: 600_000 }, () => {
  it("reach each control in the order in which it stands, and leave again", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    // From the beginning of the page.
    await page.locator(".skip").focus();
    const order: string[] = [];
    for (let presses = 0; presses < 60; presses++) {
      const name = await focused(page);
      if (name === "" || (order.length > 0 && name === order[0])) break;
      order.push(name);
      await page.keyboard.press("Tab");
    }
    const expected = [
      ...["Skip to the message field", "Copy npm i chatwire", "GitHub", "Docs", "Source", "Chats", "New chat"],
      ...["Conversation", "Run it again", "The 25 lines", "Compare all, here"],
      ...["Cut the connection", "Break the stream", "Race three clients", "Call a tool", "Speak, and interrupt"],
      ...["Message", "Settings", "Send", "Tools", "Wire", "Save the recording", "Open a recording"],
    ];
    let from = 0;
    for (const name of expected) {
      const at = order.indexOf(name, from);
      assert.ok(at >= from, `${name} comes in its place: ${order.join(" | ")}`);
      from = at;
    }
    assert.ok(order.length < 60, "the last one is left again");
    // One tab is in the order; arrows go to the others.
    assert.equal(order.includes("Trouble"), false);
    await guest.close();
    assertClean(guest);
  });

  it("skip to the message, and the page goes on as before when it is loaded again", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    await say(page, "Echo: still here [emulator: tps=0]");
    await done(page);
    await page.waitForFunction(() => localStorage.getItem("chatwire-kept"));
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    await isFocused(message(page));
    await page.reload();
    await words(page).getByText("still here").waitFor();
    await guest.close();
    assertClean(guest);
  });

  it("choose a tab by arrows, Home and End, and what is in it by Tab", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    const tab = (name: string) => page.getByRole("tab", { name, selected: true });
    await tabTo(tab("Wire"));
    for (const [key, name] of [
      ["ArrowRight", "Trouble"],
      ["End", "Code"],
      ["ArrowRight", "Wire"],
      ["ArrowLeft", "Code"],
      ["Home", "Wire"],
      ["ArrowRight", "Trouble"],
    ] as const) {
      await page.keyboard.press(key);
      await isFocused(tab(name));
    }
    const compare = page.getByRole("button", { name: "compare: One event is null" });
    await tabTo(compare);
    await page.keyboard.press("Enter");
    const card = page.locator(".card").filter({ has: page.getByRole("heading", { name: "One event is null" }) });
    await card.locator("dd.told").nth(1).waitFor();
    const ask = page.getByRole("button", { name: "ask with it: One event is null" });
    await tabTo(ask);
    await page.keyboard.press("Enter");
    await lastAnswer(page).locator(".notice").waitFor();
    await page.keyboard.press("Escape");
    await done(page);
    await guest.close();
    assertClean(guest);
  });

  it("choose a line of the wire, and read it", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    await say(page, "Echo: One two [emulator: tps=0]");
    await done(page);
    await page.getByText("outcome: complete").waitFor();
    const lines = page.getByRole("region", { name: /^Lines of the wire/ });
    await tabTo(lines);
    await page.keyboard.press("ArrowDown");
    await reads(page.locator("#panel-wire .detail"), /POST/);
    await page.keyboard.press("ArrowDown");
    await reads(page.locator("#panel-wire .detail"), /200 text\/event-stream/);
    await guest.close();
    assertClean(guest);
  });

  it("start an experiment by its link", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    await tabTo(page.getByRole("link", { name: "Race three clients" }));
    await page.keyboard.press("Enter");
    await isFocused(page.getByRole("tab", { name: "Race", selected: true }));
    await page.locator("#panel-race td strong").first().waitFor();
    assert.equal(new URL(page.url()).hash, "#race");
    await guest.close();
    assertClean(guest);
  });

  it("allow a tool, but not with a word that is being written", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    const question = "What time is it in Pune, and can you set the dark theme?";
    const asked = page.getByRole("group", { name: "The model wants to use set_theme" });
    await tabTo(page.getByLabel("Tools"));
    await page.keyboard.press("Space");
    await say(page, question);
    await isFocused(asked);
    await page.keyboard.press("Tab");
    await isFocused(asked.getByRole("button", { name: "Allow" }));
    await page.keyboard.press("Enter");
    await done(page);
    await page.locator("html[data-theme=dark]").waitFor();
    await isFocused(message(page));
    await say(page, question);
    await message(page).pressSequentially("and");
    await asked.waitFor();
    await message(page).press("Space");
    await isFocused(message(page));
    await holds(async () => assert.equal(await message(page).inputValue(), "and "));
    await counts(asked, 1);
    await page.keyboard.press("Escape");
    await done(page);
    await guest.close();
    assertClean(guest);
  });

  it("open and close each dialog, and come back to where they were", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    for (const [name, id] of [
      ["Settings", "settings"],
      ["Chats", "conversations"],
    ] as const) {
      const opener = page.getByRole("button", { name, exact: true });
      for (const close of ["Escape", "Done"]) {
        await tabTo(opener);
        await page.keyboard.press("Enter");
        const dialog = page.locator(`#${id}[open]`);
        await dialog.waitFor();
        if (close === "Done") {
          await tabTo(dialog.getByRole("button", { name: "Done" }));
          await page.keyboard.press("Enter");
        } else await page.keyboard.press("Escape");
        await dialog.waitFor({ state: "detached" });
        await isFocused(opener);
      }
    }
    await guest.close();
    assertClean(guest);
  });

  it("do what can be done with an answer, and are not lost with a button that goes", async () => {
    const guest = await visited(desktop);
    const { page } = guest;
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await say(page, "Echo: **one** word [emulator: tps=0]");
    await done(page);
    const act = (name: string) => lastAnswer(page).getByRole("button", { name });
    await tabTo(act("copy"), "Shift+Tab");
    await page.keyboard.press("Enter");
    await holds(async () => assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "**one** word"));
    await tabTo(act("again"));
    await page.keyboard.press("Enter");
    await page.locator("details.earlier").waitFor();
    await done(page);
    await isFocused(message(page));
    await tabTo(act("code"), "Shift+Tab");
    await page.keyboard.press("Enter");
    await isFocused(page.getByRole("tab", { name: "Code", selected: true }));
    await tabTo(act("edit"), "Shift+Tab");
    await page.keyboard.press("Enter");
    await counts(answers(page), 0);
    await isFocused(message(page));
    await tabTo(page.getByRole("button", { name: "Undo" }), "Shift+Tab");
    await page.keyboard.press("Enter");
    await answers(page).first().waitFor();
    await isFocused(message(page));
    await tabTo(page.getByRole("button", { name: "New chat" }), "Shift+Tab");
    await page.keyboard.press("Enter");
    await counts(answers(page), 0);
    await isFocused(message(page));
    await guest.close();
    assertClean(guest);
  });

  it("open the inspector where it is a sheet, close it with the answer going on, and come back", async () => {
    const guest = await visited(narrow);
    const { page } = guest;
    await say(page, "Count to 2000 [emulator: tps=50]");
    await words(page).getByText("1, 2").waitFor();
    const sheet = page.getByRole("button", { name: /Inspect/ });
    await tabTo(sheet);
    await page.keyboard.press("Enter");
    await isFocused(page.getByRole("tab", { name: "Wire", selected: true }));
    // Nothing behind it takes a key: from the last of its controls, Tab goes to what closes it.
    await tabTo(page.getByRole("button", { name: "Open a recording" }));
    await page.keyboard.press("Tab");
    await isFocused(sheet);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Escape");
    await isFocused(sheet);
    await stop(page).waitFor();
    await page.keyboard.press("Escape");
    await done(page);
    await reads(lastAnswer(page).locator(".note"), "Stopped.");
    await guest.close();
    assertClean(guest);
  });

  it("are not lost while the page is not whole yet", async () => {
    const guest = await visit(site.browser, new URL("about:blank"), desktop);
    const { page } = guest;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route("**/assets/app-*.js", async (route) => {
      await released;
      await route.continue();
    });
    await page.goto(site.server.url);
    await page.locator(".column").first().waitFor();
    await say(page, "Echo: early [emulator: tps=0]");
    await tabTo(page.getByRole("button", { name: "Settings" }));
    await page.keyboard.press("Enter");
    await counts(answers(page), 0);
    assert.equal(await message(page).inputValue(), "Echo: early [emulator: tps=0]");
    release();
    await page.locator("#settings[open]").waitFor();
    await words(page).getByText("early").waitFor();
    await page.keyboard.press("Escape");
    await done(page);
    await counts(answers(page), 1);
    await holds(async () => assert.equal(await message(page).inputValue(), ""));
    await guest.close();
    assert.deepEqual(guest.errors, []);
  });
});
