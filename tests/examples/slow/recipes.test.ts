/**
 * `npm run test:examples`: the recipes whose packages are installed for them, with chatwire from its tarball, on the emulator.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { createEmulator } from "chatwire/emulator";
import type { Browser, Page } from "playwright-core";
import { serve } from "../../../npm/emulator/serve.ts";
import { startWorker } from "../../../worker/workerd.ts";
import { launchChromium } from "../../chromium.ts";
import { run } from "../../package/packed.ts";
import { installed } from "../installed.ts";
import { converse, mounted, withReact } from "../mounted.ts";

const answerOf = (page: Page) => page.locator("[data-role=assistant]").last();

describe("recipes", { timeout: 600_000 }, () => {
  let folder: string;
  let browser: Browser;
  before(async () => {
    folder = await installed("recipes", { withPackages: true });
    browser = await launchChromium();
  });
  after(() => browser?.close());

  it("LangChain's ChatOpenAI streams, calls tools, and has the usage", async () => {
    const { chatModel } = await import(pathToFileURL(join(folder, "langchain.ts")).href);
    const { fetch } = createEmulator({ models: ["gpt-4o"] });
    const model = chatModel("gpt-4o", { apiKey: "any", baseURL: "https://emulator.test/v1", fetch });
    const answer = await model.invoke("Echo: hello there");
    assert.equal(answer.content, "hello there");
    assert.ok(answer.usage_metadata.total_tokens > 0);
    let text = "";
    for await (const chunk of await model.stream("Echo: hello there")) text += chunk.content;
    assert.equal(text, "hello there");
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const weather = { name: "get_weather", description: "The weather of a city", parameters };
    const asked = await model
      .bindTools([{ type: "function", function: weather }])
      .invoke("What is the weather in Pune?");
    assert.deepEqual(asked.tool_calls[0].args, { city: "Pune" });
  });

  it("a component in Svelte shows frames, and stops", async () => {
    const { compile } = await import(pathToFileURL(join(folder, "node_modules/svelte/src/compiler/index.js")).href);
    const svelte = {
      name: "svelte",
      setup(build: import("esbuild").PluginBuild) {
        build.onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
          const { js } = compile(await readFile(path, "utf8"), { filename: path, generate: "client" });
          return { contents: js.code, loader: "js" as const };
        });
      },
    };
    const mount = `
      import { mount } from "svelte";
      import Chat from "./SvelteChat.svelte";
      mount(Chat, { target: document.querySelector("#root"), props: { client } });`;
    const page = await mounted(browser, folder, mount, { plugins: [svelte] });
    await converse(page, "Echo: Hello there. [emulator: tps=0]");
    await answerOf(page).getByText("Hello there.", { exact: true }).waitFor();
    await page.locator("output", { hasText: "complete" }).waitFor();
    await converse(page, "Write 500 words [emulator: tps=20]");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("output", { hasText: "aborted" }).waitFor();
  });

  it("assistant-ui answers without a route", async () => {
    const page = await mounted(browser, folder, withReact("./assistant-ui.tsx", "Assistant"));
    await converse(page, "Echo: Hello there. [emulator: tps=0]");
    await answerOf(page).getByText("Hello there.", { exact: true }).waitFor();
  });

  it("SvelteKit on a worker passes the provider's stream on", async (context) => {
    const kit = await installed("recipes/sveltekit", { withPackages: true });
    await run(kit, "npx", ["vite", "build"]);
    const provider = await serve(createEmulator());
    context.after(() => provider.close());
    const worker = await startWorker({
      entry: join(kit, ".svelte-kit/cloudflare/_worker.js"),
      assets: join(kit, ".svelte-kit/cloudflare"),
      bindings: { SMALLEST_API_KEY: "any", ELECTRON_BASE_URL: `${provider.url}/waves/v1` },
    });
    context.after(() => worker.stop());
    const page = await (await browser.newContext()).newPage();
    await page.goto(worker.url.href);
    // The button works once the page's scripts run.
    await page.locator("button:enabled").waitFor();
    await converse(page, "Echo: Hello there. [emulator: tps=0]");
    await answerOf(page).getByText("Hello there.", { exact: true }).waitFor();
    await page.locator("output", { hasText: "complete" }).waitFor();
  });
});
