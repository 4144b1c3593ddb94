/** The recipes whose packages are here: the Hono routes, and a component in React. The others are in slow/. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { EventSchema } from "@ag-ui/core/schemas";
import type { UIMessage } from "ai";
import { createEmulator, type EmulatorOptions } from "chatwire/emulator";
import type { Browser } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { installed } from "./installed.ts";
import { converse, mounted, withReact } from "./mounted.ts";

const question = (text: string): UIMessage[] => [{ id: "1", role: "user", parts: [{ type: "text", text }] }];

describe("recipes", { timeout: 120_000 }, () => {
  let folder: string;
  let browser: Browser;
  before(async () => {
    folder = await installed("recipes");
    browser = await launchChromium();
  });
  after(() => browser?.close());

  /** A path of the Hono recipe, whose provider is an emulator: its first answer comes at once, the others slowly. */
  async function routed(context: TestContext, path: string) {
    const trouble: EmulatorOptions["trouble"] = ({ number }) => (number === 1 ? undefined : "tps=20");
    const emulator = createEmulator({ trouble });
    const { fetch } = globalThis;
    globalThis.fetch = emulator.fetch as typeof fetch;
    context.after(() => {
      globalThis.fetch = fetch;
    });
    const { app } = await import(join(folder, "hono-route.ts"));
    const ask = (body: object): Promise<Response> =>
      app.request(path, { method: "POST", body: JSON.stringify(body) }, { SMALLEST_API_KEY: "any" });
    return { emulator, ask };
  }

  /** Leaves an answer after its first read, and waits until the provider knows. */
  async function leave({ ledger }: ReturnType<typeof createEmulator>, { body }: Response) {
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    while (ledger.open > 0) await new Promise(setImmediate);
    assert.equal(ledger.records.at(-1)?.aborted, true);
  }

  it("a Hono route serves useChat's protocol, and a reader who leaves ends the provider's work", async (context) => {
    const { emulator, ask } = await routed(context, "/api/chat");
    const response = await ask({ messages: question("Echo: Hello there.") });
    assert.equal(response.headers.get("x-vercel-ai-ui-message-stream"), "v1");
    const text = await response.text();
    assert.match(text, /"type":"text-delta"/);
    assert.match(text, /data: \[DONE\]\n\n$/);
    await leave(emulator, await ask({ messages: question("Write 300 words") }));
  });

  it("the other Hono route serves AG-UI's events, and a reader who leaves ends the provider's work", async (context) => {
    const { emulator, ask } = await routed(context, "/api/ag-ui");
    const run = (content: unknown) =>
      ask({ threadId: "t1", runId: "r1", messages: [{ id: "1", role: "user", content }] });
    const response = await run([{ type: "text", text: "Echo: Hello there." }]);
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const events = [...(await response.text()).matchAll(/^data: (.*)\n\n/gm)].map(([, data = ""]) =>
      EventSchema.parse(JSON.parse(data)),
    );
    assert.deepEqual(
      [events[0], events.at(-1)].map((event) => event && [event.type, "threadId" in event && event.threadId]),
      [
        ["RUN_STARTED", "t1"],
        ["RUN_FINISHED", "t1"],
      ],
    );
    const text = events.map((event) => (event.type === "TEXT_MESSAGE_CONTENT" ? event.delta : "")).join("");
    assert.equal(text, "Hello there.");
    assert.equal((await ask({ messages: [] })).status, 400);
    await leave(emulator, await run("Write 300 words"));
  });

  it("a component in React shows frames, and stops", async () => {
    const page = await mounted(browser, folder, withReact("./react-chat.tsx", "Chat"));
    await converse(page, "Echo: Hello there. [emulator: tps=0]");
    await page.locator("[data-role=assistant]").getByText("Hello there.", { exact: true }).waitFor();
    await page.locator("output", { hasText: "complete" }).waitFor();
    await converse(page, "Write 500 words [emulator: tps=20]");
    await page.locator("[data-role=assistant]").nth(1).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("output", { hasText: "aborted" }).waitFor();
    await page.waitForFunction("window.emulator.ledger.open === 0");
    assert.equal(await page.evaluate("window.emulator.ledger.records[1].aborted"), true);
  });
});
