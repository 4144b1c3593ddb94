/** The page for a gateway's operators: served by a worker in workerd, under its own policy, read in Chromium. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createEmulator } from "chatwire/emulator";
import type { Browser } from "playwright-core";
import { serve } from "../../npm/emulator/serve.ts";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { chat } from "../edge/setting.ts";
import { assertClean, launch, read, visit } from "./visit.ts";

describe("the operators' page", { timeout: 600_000 }, () => {
  const emulator = createEmulator({ tokensPerSecond: 20 });
  let upstream: Awaited<ReturnType<typeof serve>>;
  let worker: RunningWorker;
  let browser: Browser;
  before(async () => {
    upstream = await serve(emulator);
    worker = await startWorker({
      entry: join(import.meta.dirname, "../edge/admin-worker.ts"),
      objects: { LIMITER: "ChatwireLimiter" },
      bindings: { UPSTREAM: upstream.url },
    });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await worker?.stop();
    await upstream?.close();
  });

  const ask = (params: object) =>
    fetch(
      new URL("/v1/chat/completions", worker.url),
      chat("Count to 2000", { model: "fast", headers: { authorization: "Bearer of-alice" }, ...params }),
    );

  it("shows usage, limits and requests under way to those who may know, and says why not to others", async () => {
    await (await ask({ max_tokens: 3 })).text();
    const running = await ask({ stream: true });
    const { page, ...visited } = await visit(browser, new URL("/admin", worker.url));
    const enter = async (token: string) => {
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Show" }).click();
    };
    await enter("of-nobody");
    await page.getByRole("status").filter({ hasText: "Send a valid token" }).waitFor();
    await enter("of-boss");
    await page.getByRole("status").filter({ hasText: "As of" }).waitFor();
    // Usage is counted a moment after the answer.
    const row = (id: string, text: string) => page.locator(`#${id} tbody tr`).filter({ hasText: text });
    await page.getByLabel("Every 5 s").check();
    await row("callers", "alice <b>").waitFor();
    assert.match(await read(row("callers", "alice <b>")), /unit:a\s+1\s+\d+\s+3\s+\$/);
    await row("models", "fast").waitFor();
    assert.equal(await page.locator("#days tbody tr").count(), 1);
    await row("limits", "alice <b>").filter({ hasText: /of 50/ }).waitFor();
    await row("live", "alice <b>").filter({ hasText: "own" }).waitFor();
    // The refusal of the token that nobody has is in the console, too.
    assertClean({ page, ...visited }, /401/);
    await running.body?.cancel();
    await visited.close();
  });

  it("runs no script but its own", async () => {
    const { page, ...visited } = await visit(browser, new URL("/admin", worker.url));
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      try {
        script.textContent = "globalThis.ran = true";
        document.body.append(script);
      } catch {
        // Trusted types refuse it before the policy does.
      }
      return "ran" in globalThis;
    });
    assert.equal(ran, false);
    assert.ok(visited.errors.length > 0, "it was refused aloud");
    await visited.close();
  });
});
