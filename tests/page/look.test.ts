/** How the page looks and whom it lets in: both themes, a phone, the keyboard, zoom, and axe in the states that matter. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import type { CDPSession, Page } from "playwright-core";
import {
  assertClean,
  demo,
  done,
  holds,
  lastAnswer,
  launch,
  message,
  reads,
  say,
  shoot,
  stop,
  visit,
  words,
} from "./visit.ts";

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const site = demo();

interface Finding {
  id: string;
  nodes: { html: string; any: { message: string }[] }[];
}

interface World {
  session: CDPSession;
  contextId: number;
}

const worlds = new WeakMap<Page, World>();

/** A world of axe's own in a page, where the page's policy does not hold. */
async function openWorld(page: Page): Promise<World> {
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const world = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const contextId = world.executionContextId;
  await session.send("Runtime.evaluate", { expression: axeSource, contextId });
  return { session, contextId };
}

/** The findings of axe, in words. */
async function axe(page: Page): Promise<string[]> {
  const world = worlds.get(page) ?? (await openWorld(page));
  worlds.set(page, world);
  const { session, contextId } = world;
  const { result } = await session.send("Runtime.evaluate", {
    expression: "axe.run(document, { resultTypes: ['violations'] }).then((found) => JSON.stringify(found.violations))",
    contextId,
    awaitPromise: true,
  });
  const found = JSON.parse(String(result.value)) as Finding[];
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}

/** Waits until each column of the first view has read the stream itself. */
async function allRead(page: Page): Promise<void> {
  await page.locator(".column.chatwire[data-state=whole]", { hasNotText: "recorded result" }).waitFor();
  for (const name of ["openai", "by-hand"])
    await page.locator(`.column.${name}[data-state=lost]`, { hasNotText: "recorded result" }).waitFor();
}

const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const RICH =
  "Echo: # One\n\nText with **bold**, `code` and [a link](https://example.org/).\n\n- [x] done\n- [ ] to do\n\n> quoted\n\n```js\nlet a = 1; // one\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 | [emulator: tps=0; malformed=json]";

describe("the look", { timeout: 600_000 }, () => {
  for (const [name, options] of [
    ["light", { ...desktop, colorScheme: "light" }],
    ["dark", { ...desktop, colorScheme: "dark" }],
    ["phone", { ...phone, colorScheme: "light" }],
    ["phone-dark", { ...phone, colorScheme: "dark" }],
  ] as const) {
    it(`fits its window, follows the colour scheme, and axe finds nothing: ${name}`, async () => {
      const guest = await visit(site.browser, new URL(site.server.url), options);
      const { page } = guest;
      await allRead(page);
      await shoot(page, `${name}-first`);
      // The verdict on each client is in view before anybody scrolls.
      await holds(async () => {
        const fold = await page.locator("#scroller").evaluate((box) => box.getBoundingClientRect().bottom);
        const bottoms = await page
          .locator(".column .verdict")
          .evaluateAll((found) => found.map((verdict) => verdict.getBoundingClientRect().bottom));
        assert.equal(bottoms.length, 3);
        assert.ok(Math.max(...bottoms) <= fold, `verdicts end at ${bottoms.join(", ")}, the view at ${fold}`);
        if (options.viewport.width < 1000) return;
        const score = await page.locator(".score").evaluate((box) => box.getBoundingClientRect().bottom);
        assert.ok(score <= fold, `the score ends at ${score}, the view at ${fold}`);
      });
      assert.deepEqual(await axe(page), [], "the first view");
      await say(page, RICH);
      await done(page);
      await words(page).locator(".hljs-keyword").first().waitFor();
      assert.deepEqual(await axe(page), [], "an answer");
      await say(page, `Echo: a long word ${"long".repeat(60)} [emulator: tps=0; cut=2500]`);
      await lastAnswer(page).getByRole("alert").waitFor();
      await done(page);
      await shoot(page, `${name}-chat`);
      assert.deepEqual(await axe(page), [], "a problem");
      await holds(async () =>
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), options.viewport.width),
      );
      const sideways = (box: Element) => box.scrollWidth - box.clientWidth;
      await holds(async () => assert.equal(await page.locator("#scroller").evaluate(sideways), 0));
      for (const tab of ["Trouble", "Race", "Cost", "Code"]) {
        if (options.viewport.width < 1000 && tab === "Trouble")
          await page.getByRole("button", { name: /Inspect/ }).click();
        await page.getByRole("tab", { name: tab }).click();
        await page.locator(`#panel-${tab.toLowerCase()} > *`).waitFor();
        assert.deepEqual(await axe(page), [], tab);
      }
      await shoot(page, `${name}-inspector`);
      if (options.viewport.width < 1000) await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Settings" }).click();
      await shoot(page, `${name}-settings`);
      assert.deepEqual(await axe(page), [], "settings");
      const [red = 0] =
        (await page.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor))
          .match(/\d+/g)
          ?.map(Number) ?? [];
      assert.equal(red < 128, options.colorScheme === "dark");
      await guest.close();
      assertClean(guest);
    });
  }

  for (const colorScheme of ["light", "dark"] as const) {
    it(`has nothing for axe to find while it waits, asks and refuses: ${colorScheme}`, async () => {
      const guest = await visit(site.browser, new URL(site.server.url), { ...desktop, colorScheme });
      const { page } = guest;
      await page.getByLabel("Tools").check();
      await say(page, "What time is it in Pune, and can you set the dark theme?");
      const allow = page.getByRole("button", { name: "Allow" });
      await allow.waitFor();
      assert.deepEqual(await axe(page), [], "a tool that asks");
      await page.getByRole("button", { name: "Do not" }).click();
      await done(page);
      await say(page, "Echo: **half** of it [emulator: tps=0; finish=content_filter]");
      await done(page);
      assert.deepEqual(await axe(page), [], "an answer that was filtered");
      await lastAnswer(page).getByRole("button", { name: "edit" }).click();
      await page.getByRole("button", { name: "Undo" }).waitFor();
      assert.deepEqual(await axe(page), [], "an undo");
      await page.getByLabel("Tools").uncheck();
      await say(page, "Echo: later [emulator: status=429; retry-after=50; times=1]");
      await page.getByRole("button", { name: "Ask again now" }).waitFor();
      assert.deepEqual(await axe(page), [], "a wait");
      await stop(page).click();
      await done(page);
      await page.getByRole("button", { name: "Settings" }).click();
      await page.getByLabel("temperature").fill("3");
      await page.locator(".wrong").getByText(/2/).waitFor();
      assert.deepEqual(await axe(page), [], "a wrong value");
      await page.getByRole("button", { name: "Done" }).click();
      await page.getByRole("button", { name: "Chats" }).click();
      await page.locator("#conversations[open]").waitFor();
      assert.deepEqual(await axe(page), [], "the conversations");
      await guest.close();
      assertClean(guest, /429/);
    });
  }

  for (const colorScheme of ["light", "dark"] as const) {
    it(`keeps its controls visible in forced colours: ${colorScheme}`, async () => {
      const options = { ...desktop, colorScheme, forcedColors: "active" } as const;
      const guest = await visit(site.browser, new URL(site.server.url), options);
      const { page } = guest;
      await say(page, "Count to 40 [emulator: tps=0; cut=2000]");
      await lastAnswer(page).getByRole("alert").waitFor();
      await done(page);
      await shoot(page, `forced-colours-${colorScheme}`);
      await page.getByRole("tab", { name: "Trouble" }).click();
      await page.getByRole("button", { name: "Compare all", exact: true }).waitFor();
      assert.deepEqual(await axe(page), []);
      // A button, a field and the chosen tab have a border or an outline where backgrounds are taken away.
      const bare = await page
        .locator("button:visible, select:visible, textarea:visible, [aria-selected=true]:visible")
        .evaluateAll((found) =>
          found
            .filter((element) => {
              const framed = element.closest("#composer") ?? element;
              const { borderTopWidth, borderTopStyle } = getComputedStyle(element);
              const outer = getComputedStyle(framed);
              const has = (width: string, style: string) => style !== "none" && Number.parseFloat(width) > 0;
              return !has(borderTopWidth, borderTopStyle) && !has(outer.borderTopWidth, outer.borderTopStyle);
            })
            .map((element) => element.outerHTML.slice(0, 80)),
        );
      assert.deepEqual(bare, []);
      // The chosen tab is told by more than the weight of its letters.
      const backgrounds = await page
        .getByRole("tab")
        .evaluateAll((tabs) => tabs.map((tab) => [tab.ariaSelected, getComputedStyle(tab).backgroundColor]));
      const chosen = backgrounds.find(([selected]) => selected === "true")?.[1];
      assert.ok(backgrounds.every(([selected, colour]) => selected === "true" || colour !== chosen));
      await guest.close();
      assertClean(guest);
    });
  }

  for (const [name, viewport, size] of [
    ["320 px", { width: 320, height: 640 }, 16],
    ["200 % text", desktop.viewport, 32],
    ["1,920 px", { width: 1920, height: 1080 }, 16],
  ] as const) {
    it(`scrolls no way but down: ${name}`, async (context) => {
      // The size of the text as the visitor has set it in the browser, where it is not the browser's own.
      const own = size === 16 ? undefined : await launch([`--blink-settings=defaultFontSize=${size}`]);
      context.after(() => own?.close());
      const guest = await visit(own ?? site.browser, new URL(site.server.url), { viewport });
      const { page } = guest;
      assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).fontSize), `${size}px`);
      const isNarrow = () =>
        page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await allRead(page);
      await holds(async () => assert.equal(await isNarrow(), 0));
      await shoot(page, `wide-${name.replace(/\W/g, "")}-first`);
      await say(page, RICH);
      await done(page);
      await words(page).locator("table").waitFor();
      await holds(async () => assert.equal(await isNarrow(), 0));
      const sideways = (box: Element) => box.scrollWidth - box.clientWidth;
      await holds(async () => assert.equal(await page.locator("#scroller").evaluate(sideways), 0));
      // The conversation has its share of the window.
      await holds(async () => {
        const height = await page.locator("#scroller").evaluate((box) => box.clientHeight);
        assert.ok(height > viewport.height / 6, `${height} px are left`);
      });
      await shoot(page, `wide-${name.replace(/\W/g, "")}-chat`);
      await guest.close();
      assertClean(guest);
    });
  }

  it("has targets that a finger hits", async () => {
    const guest = await visit(site.browser, new URL(site.server.url), phone);
    await say(guest.page, "Echo: hello [emulator: tps=0]");
    await done(guest.page);
    await guest.page.locator(".fact").first().waitFor();
    const small = await guest.page
      .locator("button:visible, a:visible, input:visible, select:visible, summary:visible")
      .evaluateAll((found) =>
        found
          .map((element) => [element.closest("label") ?? element, element] as const)
          .map(([target, element]) => [element.outerHTML.slice(0, 60), target.getBoundingClientRect()] as const)
          .filter(([, { width, height }]) => width < 24 || height < 24)
          .map(([html, { width, height }]) => `${html} ${width}x${height}`),
      );
    assert.deepEqual(small, []);
    await guest.close();
  });

  it("leaves room for the conversation at 400 % zoom, and scrolls one way only", async () => {
    const guest = await visit(site.browser, new URL(site.server.url), { viewport: { width: 320, height: 256 } });
    const { page } = guest;
    await say(page, "Write 400 words [emulator: tps=0]");
    await done(page);
    await holds(async () => {
      const height = await page.locator("#scroller").evaluate(({ clientHeight }) => clientHeight);
      assert.ok(height >= 150, `${height} px are left`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
    });
    await shoot(page, "zoomed");
    assert.deepEqual(await axe(page), [], "zoomed");
    await page.locator("#sheet").click();
    await page.locator("#panel-wire .lines").waitFor();
    await holds(async () => {
      const height = await page.locator("#panel-wire").evaluate(({ clientHeight }) => clientHeight);
      assert.ok(height >= 90, `${height} px are left for the inspector`);
    });
    await page.getByRole("tab", { name: "Cost" }).click();
    await page.locator("#panel-cost .cost[tabindex='0']").waitFor();
    await shoot(page, "zoomed-inspector");
    assert.deepEqual(await axe(page), [], "zoomed, the inspector");
    await guest.close();
  });

  it("has one scrollbar beside the conversation", async () => {
    const guest = await visit(site.browser, new URL(site.server.url), desktop);
    await say(guest.page, "Write 800 words [emulator: tps=0]");
    await done(guest.page);
    const below = () => document.documentElement.scrollHeight - document.documentElement.clientHeight;
    await holds(async () => assert.equal(await guest.page.evaluate(below), 0));
    await guest.close();
  });

  it("shows the whole stream at once to those who want no motion", async () => {
    const guest = await visit(site.browser, new URL(site.server.url), { ...desktop, reducedMotion: "reduce" });
    const { page } = guest;
    await page.addInitScript(() => {
      const seen = new Set<string>();
      Object.assign(window, { seen });
      const look = () => {
        seen.add(document.querySelector(".column.chatwire .words")?.textContent ?? "");
        requestAnimationFrame(look);
      };
      look();
    });
    await page.reload();
    await allRead(page);
    const seen = await page.evaluate(() => (window as unknown as { seen: Set<string> }).seen.size);
    // With motion, there are thirty and more in three seconds.
    assert.ok(seen <= 6, `${seen} different texts were shown`);
    await guest.close();
  });
});

describe("the keyboard", { timeout: 600_000 }, () => {
  it("does everything: asks, scrolls, interrupts, chooses a tab", async () => {
    const guest = await visit(site.browser, new URL(site.server.url), desktop);
    const { page } = guest;
    await page.keyboard.type("Write 900 words [emulator: tps=0]");
    await page.keyboard.press("Enter");
    await done(page);
    // The conversation can be reached and scrolled.
    const scroller = page.locator("#scroller");
    await scroller.focus();
    // Words that are still drawn may take the conversation to its end once more.
    const latest = page.locator("#latest");
    for (let tries = 0; tries < 30 && !(await latest.isVisible()); tries++) {
      await page.keyboard.press("PageUp");
      await latest.waitFor({ timeout: 2000 }).catch(() => {});
    }
    assert.ok(await latest.isVisible());
    await page.getByRole("tab", { name: "Wire" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("tab", { name: "Trouble", selected: true }).waitFor();
    await message(page).focus();
    await page.keyboard.type("Count to 2000 [emulator: tps=50]");
    await page.keyboard.press("Enter");
    await words(page).getByText("1, 2, 3").waitFor();
    await page.keyboard.press("Escape");
    await done(page);
    await page.getByText("Stopped.", { exact: true }).first().waitFor();
    await guest.close();
  });

  it("hears each sentence once, and no figures in its place", async () => {
    const guest = await visit(site.browser, new URL(site.server.url), desktop);
    const { page } = guest;
    await say(page, "Echo: One sentence. Another one. And a third. [emulator: tps=20]");
    await done(page);
    const said = ["One sentence.", "Another one.", "And a third.", "The answer is complete."];
    await holds(async () => assert.deepEqual(await page.locator("#said p").allTextContents(), said));
    await stop(page).waitFor({ state: "hidden" });
    await reads(lastAnswer(page), /One sentence/);
    await guest.close();
  });
});
