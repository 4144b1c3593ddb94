/** Answers as Markdown: complete while they stream, safe whatever they say, and steady under their reader. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Lexer, type Token } from "marked";
import type { Page } from "playwright-core";
import { type Block, Blocks } from "../../www/src/markdown/blocks.ts";
import { hostBehind, targetOf, withoutInvisible } from "../../www/src/markdown/links.ts";
import {
  assertClean,
  counts,
  demo,
  done,
  holds,
  lastAnswer,
  read,
  reads,
  say,
  stop,
  type Visit,
  visit,
  words,
} from "./visit.ts";

const all = (text: string) => new Blocks().update(text, false);
const types = (text: string) => all(text).map(({ token }) => token?.type);

describe("blocks", () => {
  it("are the same, however the text came", () => {
    const text =
      "# One\n\ntwo\n- a\n- b\n\n1. x\n\n```js\nlet a;\n\nb\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> q\nlazy\n\nend [l][r]\n\n[r]: https://example.org\n";
    const whole = all(text).map(({ raw }) => raw);
    for (let step = 1; step < 12; step++) {
      const blocks = new Blocks();
      for (let at = 0; at < text.length; at += step) blocks.update(text.slice(0, at), true);
      assert.deepEqual(
        blocks.update(text, false).map(({ raw }) => raw),
        whole,
        `steps of ${step}`,
      );
    }
  });

  it("show no marks that the next words will explain", () => {
    const shown = (text: string) => {
      const blocks = new Blocks().update(text, true);
      return [blocks.map(({ token }) => token?.type).join(), blocks.map(({ raw }) => raw).join("")] as const;
    };
    for (const open of ["words **bold", "words `code", "words [text](https://exam", "words ~~gone"]) {
      const [, raw] = shown(open);
      assert.notEqual(raw, open, open);
    }
    assert.equal(shown("para\n-")[0], "paragraph", "no heading, before it is a list");
    assert.equal(shown("| a | b |")[0], "table");
    assert.equal(shown("##")[0], "");
  });

  it("take any depth and any length", { timeout: 120_000 }, () => {
    const hostile = [
      ">".repeat(3000),
      "> ".repeat(3000),
      "- ".repeat(3000),
      "1. ".repeat(3000),
      "[".repeat(20_000),
      "*".repeat(20_000),
      "`".repeat(20_000),
      "![".repeat(10_000),
      "<".repeat(20_000),
      Array.from({ length: 400 }, (_, i) => `${" ".repeat(2 * i)}- x`).join("\n"),
      "_a".repeat(20_000),
      `${"a | ".repeat(3000)}\n${"--|".repeat(3000)}`,
    ];
    for (const text of hostile) {
      const started = process.cpuUsage();
      for (const isLive of [true, false]) new Blocks().update(text, isLive);
      const time = process.cpuUsage(started).user / 1000;
      assert.ok(time < 5000, `${text.slice(0, 12)}… took ${time} ms of the processor`);
    }
  });

  it("have links that are defined at the end, whichever update saw the definition first", () => {
    const text = "See [the guide][g].\n\nMore.\n\n[g]: https://example.org/guide";
    for (const updates of [[], [text], [text.slice(0, -6), text], [text.slice(0, 30), text], [`${text}\n`]]) {
      const blocks = new Blocks();
      for (const update of updates) blocks.update(update, true);
      const [first] = blocks.update(updates.at(-1)?.endsWith("\n") ? `${text}\n` : text, false);
      assert.ok(JSON.stringify(first?.token).includes('"href":"https://example.org/guide"'), JSON.stringify(updates));
    }
  });

  it("are parsed once: what the parser reads of a long answer grows with its length alone", (context) => {
    let read = 0;
    const { lex } = Lexer.prototype;
    context.mock.method(Lexer.prototype, "lex", function (this: Lexer, text: string) {
      read += text.length;
      return lex.call(this, text);
    });
    const paragraphs = Array.from({ length: 1200 }, (_, i) => `Paragraph ${i} with **bold** words and \`code\`.\n\n`);
    const blocks = new Blocks();
    let text = "";
    let shown: Block[] = [];
    for (const paragraph of paragraphs) {
      text += paragraph;
      const before = shown;
      shown = blocks.update(text, true);
      const changed = before.findIndex((block, i) => block !== shown[i]);
      assert.ok(changed < 0 || changed >= before.length - 1, "a closed block stays the same object");
    }
    assert.equal(shown.length, paragraphs.length);
    assert.ok(read < 4 * text.length, `${read} characters of ${text.length} were read`);
  });

  for (const [what, sentence] of [
    ["words", (i: number) => `Sentence ${i} has **bold** words, snake_case and 2 * 3. `],
    ["long marks", (i: number) => `**Part ${i}:** ${"many words ".repeat(20)}with \`${"code ".repeat(20)}\`. `],
    ["sources", (i: number) => `Sentence ${i} [1] says [2, 3], and **that** is so [see ${i}]. `],
    ["a star without a partner", (i: number) => `${i ? "And" : "5*x"} more words, ${i}, **bold** and plain. `],
    ["Chinese", (i: number) => `第${i}句话很长，里面没有空格，**重点**在这里。后面还有更多的字`],
  ] as const) {
    it(`are parsed once, too, in a paragraph without an end: ${what}`, (context) => {
      let read = 0;
      const { lex } = Lexer.prototype;
      context.mock.method(Lexer.prototype, "lex", function (this: Lexer, text: string) {
        read += text.length;
        return lex.call(this, text);
      });
      const blocks = new Blocks();
      let text = "";
      let updates = 0;
      while (text.length < 19_000) {
        text += sentence(updates);
        updates++;
        const shown = blocks.update(text, true);
        assert.ok(shown.every(({ token, raw }) => token?.type === "paragraph" && raw.length < 6000));
      }
      // At most the end of the paragraph, twice, as it is and closed for show, and the ends that are tried.
      assert.ok(read < 13_000 * updates, `${read} characters were read in ${updates} updates`);
      const shown = blocks.update(text, false);
      assert.equal(shown.map(({ raw }) => raw).join(""), text);
      assert.ok(shown.every(({ token }) => token?.type === "paragraph"));
      const [whole] = new Lexer({ gfm: true, breaks: true }).lex(text);
      const marked = (tokens: readonly Token[]) =>
        tokens.flatMap(({ type, raw }) => (type === "text" ? [] : [type, raw]));
      assert.deepEqual(
        shown.flatMap(({ token }) => marked(token && "tokens" in token ? (token.tokens ?? []) : [])),
        marked(whole && "tokens" in whole ? (whole.tokens ?? []) : []),
        "the same as without pieces",
      );
    });
  }

  const row = (i: number) => `| ${i} | word **${i * i}** |`;
  for (const [name, head, line, count] of [
    ["list", "", (i: number) => `- item ${i} with **bold** words`, "items"],
    ["list", "", (i: number) => `${i + 1}. item ${i} of\n     - two and\n     - \`three\``, "items"],
    ["table", "| a | b |\n|--:|---|\n", row, "rows"],
    ["table", "a | b\n--|--\n", (i: number) => row(i).slice(2, -2), "rows"],
  ] as const) {
    it(`are parsed once, too, in a ${name} without an end: ${line(1).slice(0, 8)}`, (context) => {
      let read = 0;
      const { lex } = Lexer.prototype;
      context.mock.method(Lexer.prototype, "lex", function (this: Lexer, text: string) {
        read += text.length;
        return lex.call(this, text);
      });
      const [LINES, UPDATES] = [400, 100];
      const blocks = new Blocks();
      let text = head as string;
      for (let i = 0; i < LINES; i++) {
        text += `${line(i)}\n`;
        if (i % (LINES / UPDATES) > 0) continue;
        const shown = blocks.update(text, true);
        assert.ok(shown.every(({ token }) => token?.type === name));
      }
      assert.ok(read < 12_000 * UPDATES, `${read} characters were read in ${UPDATES} updates`);
      text += "\nAnd words.";
      const shown = blocks.update(text, false);
      assert.equal(shown.at(-1)?.token?.type, "paragraph");
      const parts = shown.slice(0, -1).map(({ token }) => (token as unknown as Record<typeof count, unknown[]>)[count]);
      assert.ok(parts.length > 3);
      assert.equal(parts.flat().length, LINES);
      assert.deepEqual(
        all(text).map(({ raw, goesOn }) => [raw, goesOn]),
        shown.map(({ raw, goesOn }) => [raw, goesOn]),
      );
    });
  }

  it("stay whole where a mark may still find its partner", () => {
    for (const mark of ["*", "[", "`", "_", "~~", "<"]) {
      const text = `${mark}start ${"word ".repeat(1200)}end`;
      assert.deepEqual([...new Set(all(text).map(({ goesOn }) => goesOn))], [undefined], mark);
    }
  });

  it("are Markdown before and after one that is too long to be parsed", () => {
    const long = `*${"x".repeat(25_000)}`;
    const blocks = all(`# One\n\n**two**\n\n${long}\n\n- three\n`);
    assert.deepEqual(
      blocks.map(({ token }) => token?.type),
      ["heading", "paragraph", undefined, "list"],
    );
  });

  it("keep what they are", () => {
    assert.deepEqual(types("para\n\n- [x] a\n- [ ] b\n\n3. c"), ["paragraph", "list", "list"]);
  });
});

describe("links", () => {
  it("say where they lead", () => {
    const host = (href: string, text: string) => hostBehind(new URL(href), text);
    assert.equal(host("https://good.example/", "evil.example"), "good.example");
    assert.equal(host("https://good.example/a", "https://good.example/a"), null);
    assert.equal(host("https://xn--e1awd7f.com/", "еріс.com"), "xn--e1awd7f.com");
    assert.equal(host("mailto:a@b.example", "write"), "a@b.example");
  });

  it("are refused with a reason", () => {
    for (const href of [
      "javascript:alert(1)",
      "data:text/html,x",
      "vbscript:x",
      "/relative",
      "https://user:pw@example.org",
    ]) {
      assert.ok("refused" in targetOf(href), href);
    }
  });

  it("show what would turn their text around", () => {
    assert.equal(withoutInvisible("a\u202eb\u2066c"), "a[U+202E]b[U+2066]c");
  });
});

describe("an answer", { timeout: 600_000 }, () => {
  const site = demo();
  let guest: Visit;
  let page: Page;

  beforeEach(async () => {
    guest = await visit(site.browser, new URL(site.server.url));
    page = guest.page;
  });

  let expected: RegExp | null = null;
  afterEach(async () => {
    await guest.close();
    assertClean(guest, expected);
    expected = null;
  });

  async function echo(text: string): Promise<void> {
    await say(page, `Echo: ${text} [emulator: tps=0]`);
    await done(page);
    // The renderer is there.
    await words(page).locator(".block").first().waitFor();
  }

  it("has lists, tasks, tables and code as they were written", async () => {
    await echo(
      "## Title\n\n- [x] done\n- [ ] to do\n\n3. three\n4. four\n\n```js\nlet a = 1 < 2;\n```\n\n| a | b |\n|:--|--:|\n| 1 | 2 |",
    );
    await counts(words(page).getByRole("heading", { name: "Title" }), 1);
    await counts(words(page).locator("input"), 0);
    await counts(words(page).getByRole("img", { name: "done" }), 1);
    await counts(words(page).getByRole("img", { name: "to do" }), 1);
    await words(page).locator('ol[start="3"]').waitFor();
    const aligned = (name: string) =>
      words(page)
        .getByRole("columnheader", { name })
        .evaluate((cell) => getComputedStyle(cell).textAlign);
    assert.deepEqual(
      [await aligned("a"), await aligned("b")],
      ["start", "end"].map((side) => side && side),
    );
    await holds(async () => assert.equal((await read(words(page).locator("pre code"))).trim(), "let a = 1 < 2;"));
    await reads(words(page).locator(".code .bar span"), "js");
    await words(page).locator(".hljs-keyword").first().waitFor();
  });

  it("has a paragraph of any length as one paragraph, while it comes and after", async () => {
    await say(page, "Write 3000 words [emulator: tps=2000]");
    await lastAnswer(page).locator("p > span").nth(2).waitFor();
    await done(page);
    await counts(words(page).locator("p"), 1);
    await holds(async () => assert.equal((await read(words(page))).split(/\s+/).length, 3000));
  });

  it("is laid out from its open line on, which nobody sees", async () => {
    await say(page, "Write 4000 words [emulator: tps=400]");
    const lines = await page.waitForFunction(() => {
      const text = document.querySelector(".answer .markdown p");
      const parts = [...(text?.querySelectorAll(".part-of-paragraph") ?? [])];
      if (!text || parts.length < 2) return null;
      const range = document.createRange();
      range.selectNodeContents(text);
      const places = () =>
        [...range.getClientRects()].filter(({ width, height }) => width > 1 && height > 1).map(({ x, y }) => [x, y]);
      const parted = places();
      for (const part of parts) (part as HTMLElement).style.display = "none";
      const whole = places();
      for (const part of parts) (part as HTMLElement).style.display = "";
      return { parted, whole };
    });
    const { parted, whole } = (await lines.jsonValue()) as Record<"parted" | "whole", number[][]>;
    assert.ok(whole.length > 5);
    assert.deepEqual(parted, whole);
    await stop(page).click();
    await done(page);
    await counts(words(page).locator(".part-of-paragraph"), 0);
    await counts(words(page).locator("p"), 1);
  });

  it("has a table of any length as one table, and a list as lists that stand close", async () => {
    const rows = Array.from({ length: 150 }, (_, i) => `| row ${i} | **${i * i}** |`).join("\n");
    const items = Array.from({ length: 150 }, (_, i) => `${i + 1}. item ${i} of the list`).join("\n");
    await echo(`| a | b |\n|---|--:|\n${rows}\n\nBetween.\n\n${items}`);
    await counts(words(page).locator("table"), 1);
    await counts(words(page).locator("thead"), 1);
    await counts(words(page).locator("tbody tr"), 150);
    await counts(words(page).locator("tbody strong"), 150);
    await counts(words(page).locator("ol > li"), 150);
    const starts = await words(page)
      .locator("ol")
      .evaluateAll((found) => found.map((list) => [(list as HTMLOListElement).start, list.childElementCount]));
    // One list where all of it came at once, or several that go on from each other.
    let next = 1;
    for (const [start, count = 0] of starts) {
      assert.equal(start, next);
      next += count;
    }
    assert.equal(next, 151);
  });

  it("has links whose addresses come at its end", async () => {
    await say(
      page,
      "Echo: See [the guide][g] first.\n\nAnd more words.\n\n[g]: https://example.org/guide [emulator: tps=40]",
    );
    await done(page);
    await words(page).locator('a[href="https://example.org/guide"]').waitFor();
  });

  it("of 3 KB of quotation marks neither ends the page nor the chat", async () => {
    await echo(`${">".repeat(3000)} deep\n\nand on`);
    await say(page, "Echo: still here [emulator: tps=0]");
    await done(page);
    await reads(words(page), "still here");
  });

  it("shows a very long text on demand", async () => {
    // Words of eight letters: a token each, so that the text is long and its tokens are few.
    const paragraph = "keepsake ".repeat(100);
    await echo(Array.from({ length: 75 }, () => paragraph).join("\n\n"));
    const shown = (await read(words(page))).length;
    assert.ok(shown < 62_000, `${shown} characters are shown`);
    await words(page)
      .getByRole("button", { name: /^Show all/ })
      .click();
    await holds(async () => assert.ok((await read(words(page))).length > shown + 1000));
  });

  it("keeps the reader's selection, focus and place in code while it grows", async () => {
    const code = `const long = "${"x".repeat(400)}";\nlet a = 1;\n`;
    await say(page, `Echo: First paragraph.\n\n\`\`\`js\n${code}${"more();\n".repeat(600)}\`\`\` [emulator: tps=60]`);
    const pre = words(page).locator("pre");
    await pre.getByText("more();").waitFor();
    await pre.focus();
    await pre.evaluate((box) => {
      box.scrollLeft = 120;
      getSelection()?.selectAllChildren(box.closest(".markdown")?.querySelector("p") as Node);
    });
    const before = (await read(pre)).length;
    await page.waitForFunction(
      (least) => (document.querySelector("pre")?.textContent ?? "").length > least,
      before + 100,
    );
    assert.equal(await pre.evaluate((box) => box === document.activeElement), true, "focus");
    assert.equal(await pre.evaluate((box) => box.scrollLeft), 120, "place");
    assert.equal(await page.evaluate(() => String(getSelection())), "First paragraph.");
    await stop(page).click();
    await done(page);
  });

  it("never becomes a script, an element of its own or a request", async () => {
    await page.evaluate(() => {
      const violations: string[] = [];
      Object.assign(window, { violations });
      document.addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
        violations.push(violatedDirective),
      );
    });
    const attacks = [
      '<img src="https://example.com/a.png" onerror="window.hacked=1"><script>window.hacked=1</script>',
      "![pixel](https://example.com/b.png) [click](javascript:window.hacked=1) [fine](https://example.org/)",
      '<a href="https://example.com" onmouseover="window.hacked=1">x</a><iframe src="https://example.com"></iframe>',
      "[x](<javascript:window.hacked=1>) [y](java\nscript:window.hacked=1) [z](&#106;avascript:window.hacked=1)",
      '[t](https://example.net "title\\" onclick=\\"window.hacked=1")',
      "<svg><script>window.hacked=1</script></svg> <math><mtext></mtext><style><img src=x onerror=window.hacked=1></style></math>",
      '```html"><img src=x onerror=window.hacked=1>\ncode\n```',
      "<form action=https://example.com><button>go</button></form> <base href=https://example.com> <meta http-equiv=refresh content=0>",
      "| a <img src=x onerror=window.hacked=1> |\n|---|\n| <script>window.hacked=1</script> |",
      "[a][b]\n\n[b]: javascript:window.hacked=1",
      "<https://user:pw@example.com/> and javascript:window.hacked=1",
      "<style>@import 'https://example.com/x.css'</style><link rel=stylesheet href=https://example.com/x.css>",
    ];
    await echo(attacks.join("\n\n"));
    const { hacked, violations } = await page.evaluate(() => {
      const { hacked, violations } = window as unknown as Record<string, unknown>;
      return { hacked, violations };
    });
    assert.equal(hacked, undefined);
    assert.deepEqual(violations, [], "nothing even tried");
    const forbidden =
      "img, script, iframe, svg:not(.chip svg), style, link, form, base, meta, [onerror], [onclick], [style]";
    await counts(words(page).locator(forbidden), 0);
    const links = await words(page)
      .locator("a[href]")
      .evaluateAll((found) => found.map((link) => link.getAttribute("href") ?? ""));
    assert.ok(
      links.every((href) => /^https:\/\/example\.(com|org|net)\//.test(href)),
      links.join(" "),
    );
    await reads(words(page), /<script>/);
  });

  it("says where its links lead, and shows refused addresses as text", async () => {
    const rlo = "\u202e";
    await echo(
      `[evil.example](https://good.example/x) [key](https://me:secret@good.example/) [no](javascript:x) \`a${rlo}b\` [a${rlo}b](https://good.example/)`,
    );
    const link = words(page).getByRole("link", { name: /evil\.example/ });
    await reads(link, /evil\.example good\.example/);
    assert.equal(await link.getAttribute("title"), "https://good.example/x");
    await counts(words(page).locator(".refused"), 2);
    await reads(words(page), /no javascript:x/);
    await reads(words(page).locator(".block > p > code").last(), /a\[U\+202E\]b/);
    await reads(words(page).getByRole("link").last(), /a\[U\+202E\]b/);
  });

  it("shows Trojan code as it would run: characters that turn it around are written out", async () => {
    // The kinds of Boucher and Anderson, "Trojan Source", 2021: early return, commenting out, stretched string, invisible function.
    const trojans = [
      "/*\u202e } \u2066if (isAdmin)\u2069 \u2066 begin admins only */",
      'if (level != "user\u202e \u2066// Check if admin\u2069 \u2066") {',
      "def subtract(account): ''' Subtract \u2067''' ;return",
      "function is\u200bAdmin() { return true; }",
    ];
    await echo(["```c", ...trojans, "```", "", "and `x\u2066y`, and \u202eturned\u202c text"].join("\n"));
    const code = words(page).locator("pre code");
    await reads(code, /\/\*\[U\+202E\] \} \[U\+2066\]if/);
    await reads(code, /user\[U\+202E\] \[U\+2066\]\/\/ Check/);
    await reads(code, /Subtract \[U\+2067\]/);
    await reads(code, /is\[U\+200B\]Admin/);
    const left = await words(page).evaluate((box) => /[\u202a-\u202e\u200b]/.test(box.textContent ?? ""));
    assert.equal(left, false, "none is left in the page");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await words(page).getByRole("button", { name: "Copy code" }).click();
    await holds(async () => {
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      assert.match(copied, /\[U\+202E\]/, "what is copied is what was seen");
    });
  });

  it("keeps what piles up within its own turn", async () => {
    await echo(`Z${"\u0300\u0301\u0302\u0303".repeat(400)}algo`);
    const clip = await lastAnswer(page).evaluate(
      (turn) => getComputedStyle(turn.closest(".exchange") as Element).overflow,
    );
    assert.equal(clip, "clip");
  });

  it("is held by a policy that stops a script which got in all the same", async () => {
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
        () => new Worker("data:text/javascript,1"),
      ];
      // From a timer: what a debugger evaluates itself is not held to the policy.
      for (const attack of attacks) {
        await new Promise<void>((resolve) => {
          setTimeout(() => {
            try {
              attack();
            } catch {
              // A call that the policy forbids may throw; that is as good.
            }
            setTimeout(resolve);
          });
        });
      }
      return { ran: "hacked" in window, violations };
    });
    assert.ok(violations.length >= 5, violations.join(", "));
    assert.equal(ran, false);
  });
});
