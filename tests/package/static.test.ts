/** `chatwire/static`: where `import()` is forbidden, and in bundles of one file. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { ANSWERS } from "./answers.ts";
import { project, run } from "./packed.ts";

/** Uses what `chatwire` loads on demand, each once, against a server that is not there; gives what came of it. */
const uses = `
${ANSWERS}
const fetch = async () => new Response(answers.shift());
const messages = [{ role: "user", content: "Hello" }];
export async function useAll(Chatwire) {
  const { completions } = new Chatwire({ baseURL: "https://server.test/v1", fetch }).chat;
  answers.push(chunk({ content: "stream" }, "stop"), chunk(call, "tool_calls"), chunk({ content: "tools" }, "stop"),
    whole('{"a":"parse"}'), whole("batch"), chunk({ content: "recorded" }, "stop"));
  const stream = await completions.stream({ messages }).finalContent();
  const tool = { type: "function", function: { name: "add", parameters: {}, function: () => 1 } };
  const tools = await completions.runTools({ messages, tools: [tool] }).finalContent();
  const parsed = await completions.parse({ messages, response_format: { type: "json_object" } });
  const [batch] = await completions.batch([{ messages }]);
  const recorded = completions.stream({ messages }, { record: true });
  const text = await recorded.finalContent();
  const size = (await recorded.recording()).length ?? (await recorded.recording()).size;
  return [stream, tools, parsed.choices[0].message.parsed.a, batch.value.choices[0].message.content, text, size > 0].join();
}
`;
const prints = "stream,tools,parse,batch,recorded,true";

describe("chatwire/static", { timeout: 120_000 }, () => {
  let folder: string;
  let browser: Browser;

  after(() => browser?.close());

  before(async () => {
    browser = await launchChromium();
    folder = await project("static", {
      "uses.js": uses,
      "node.js": `import { Chatwire } from "chatwire/static"; import { useAll } from "./uses.js"; console.log(await useAll(Chatwire));`,
      "worker.js": `
        import { Chatwire } from "chatwire/static";
        import { useAll } from "./uses.js";
        addEventListener("install", () => skipWaiting());
        addEventListener("activate", (event) => event.waitUntil(clients.claim()));
        addEventListener("message", async ({ source }) => source.postMessage(await useAll(Chatwire).catch(String)));
      `,
      "default.js": `
        import { Chatwire } from "chatwire";
        let sent = 0;
        const fetch = async () => (sent++, new Response('data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\\n\\ndata: [DONE]\\n\\n'));
        const messages = [{ role: "user", content: "Hello" }];
        const why = (error) => error.message + " Sent: " + sent;
        addEventListener("install", () => skipWaiting());
        addEventListener("activate", (event) => event.waitUntil(clients.claim()));
        addEventListener("message", async ({ source }) => {
          const { completions } = new Chatwire({ baseURL: "https://server.test/v1", fetch }).chat;
          const tool = { type: "function", function: { name: "add", parameters: {}, function: () => 1 } };
          const refused = [
            await completions.runTools({ messages, tools: [tool] }).finalContent().catch(why),
            await completions.parse({ messages }).catch(why),
            await completions.batch([{ messages }]).catch(why),
            await completions.stream({ messages }, { record: true }).finalContent().catch(why),
          ];
          source.postMessage([await completions.stream({ messages }).finalContent().catch(why), ...refused]);
        });
      `,
      "single.js": `
        import { Chatwire, init } from "chatwire/static";
        import { useAll } from "./uses.js";
        globalThis.done = init(globalThis.wasm).then(() => useAll(Chatwire)).catch(String);
      `,
    });
  });

  it("has no import() in it", async () => {
    for (const entry of ["default", "node", "workerd"]) {
      const text = await readFile(join(folder, "node_modules/chatwire/dist/static", `${entry}.js`), "utf8");
      assert.doesNotMatch(text.replaceAll(/^\s*(\*|\/\/).*$/gm, ""), /\bimport\s*\(\s*[^)\s]/, entry);
    }
  });

  it("does all in Node", async () => {
    assert.equal(await run(folder, process.execPath, ["node.js"]), prints);
  });

  it("does all in a service worker, which may not import()", async () => {
    assert.equal(await toldByServiceWorker(await built("worker.js", "esm")), prints);
  });

  it("is what chatwire names there before anything is sent, and what needs no import() works", async () => {
    const [streamed, ...refused] = (await toldByServiceWorker(await bundle("default.js"))) as string[];
    assert.equal(streamed, "Hi");
    assert.equal(refused.length, 4);
    for (const message of refused) {
      assert.match(message, /^Nothing was sent: .*import\(\) is disallowed.*chatwire\/static.* Sent: 0$/);
    }
  });

  it("is what chatwire names there where the file is missing, with the address and the answer", async () => {
    const [message] = (await toldByServiceWorker(await bundle("default.js"), false)) as string[];
    assert.match(
      String(message),
      /could not be loaded from http:\S+\/wasm\/chatwire\.wasm: the server answered 404 .*Use chatwire\/static\. Sent: 0$/,
    );
  });

  it("does all in a script of one file, which has no address of its own", async () => {
    const script = await built("single.js", "iife");
    const path = join(folder, "single", "script.cjs");
    await mkdir(join(folder, "single"), { recursive: true });
    const load = `globalThis.wasm = require("node:fs").readFileSync(require.resolve("chatwire/chatwire.wasm"));`;
    await writeFile(path, `${load}\n${script}\nglobalThis.done.then(console.log);`);
    assert.equal(await run(folder, process.execPath, [path]), prints);
  });

  /** The answer of a service worker of the project to a message. */
  async function toldByServiceWorker(script: string | Map<string, string>, hasFile = true): Promise<unknown> {
    const scripts = typeof script === "string" ? new Map([["worker.js", script]]) : script;
    const wasm = await readFile(join(folder, "node_modules/chatwire/dist/wasm/chatwire.wasm"));
    const files: Record<string, [type: string, body: string | Uint8Array]> = {
      "/": ["text/html", "<!doctype html>"],
      ...(hasFile && { "/wasm/chatwire.wasm": ["application/wasm", wasm] }),
    };
    for (const [name, text] of scripts) files[`/${name}`] = ["text/javascript", text];
    const server = createServer(({ url = "" }, response) => {
      const [type, body] = files[url] ?? ["text/plain", ""];
      response.writeHead(url in files ? 200 : 404, { "content-type": type }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      return await page.evaluate(async () => {
        const answered = new Promise((resolve) => {
          navigator.serviceWorker.addEventListener("message", ({ data }) => resolve(data));
        });
        await navigator.serviceWorker.register("/worker.js", { type: "module" });
        const { active } = await navigator.serviceWorker.ready;
        active?.postMessage("go");
        return answered;
      });
    } finally {
      await context.close();
      server.close();
    }
  }

  /** A script of the project with its chunks, by name; the first is worker.js. */
  async function bundle(entry: string): Promise<Map<string, string>> {
    const { outputFiles } = await build({
      entryPoints: { worker: join(folder, entry) },
      absWorkingDir: folder,
      bundle: true,
      splitting: true,
      write: false,
      outdir: folder,
      format: "esm",
      target: "es2022",
      logLevel: "error",
    });
    return new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
  }

  /** A script of the project in one file, as for a browser. */
  async function built(entry: string, format: "esm" | "iife"): Promise<string> {
    const { outputFiles } = await build({
      entryPoints: [join(folder, entry)],
      absWorkingDir: folder,
      bundle: true,
      write: false,
      format,
      platform: "browser",
      target: "es2022",
      logLevel: "error",
    });
    return outputFiles[0]?.text ?? "";
  }
});
