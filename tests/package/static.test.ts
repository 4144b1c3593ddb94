/** `chatwire/static`: where `import()` is forbidden, and in bundles of one file. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { build } from "esbuild";
import { launchChromium } from "../chromium.ts";
import { project, run } from "./packed.ts";

/** Uses what `chatwire` loads on demand, each once, against a server that is not there; gives what came of it. */
const uses = `
const whole = (content) => JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }] });
const chunk = (delta, finish_reason) => "data: " + JSON.stringify({ id: "1", choices: [{ index: 0, delta, finish_reason }] }) + "\\n\\n";
const call = { tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "add", arguments: "{}" } }] };
const answers = [];
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

  before(async () => {
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
      assert.doesNotMatch(text.replaceAll(/^\s*(\*|\/\/).*$/gm, ""), /\bimport\s*\(/, entry);
    }
  });

  it("does all in Node", async () => {
    assert.equal(await run(folder, process.execPath, ["node.js"]), prints);
  });

  it("does all in a service worker, which may not import()", async () => {
    const script = await built("worker.js", "esm");
    const wasm = await readFile(join(folder, "node_modules/chatwire/dist/wasm/chatwire.wasm"));
    const files: Record<string, [type: string, body: string | Uint8Array]> = {
      "/": ["text/html", "<!doctype html>"],
      "/worker.js": ["text/javascript", script],
      "/wasm/chatwire.wasm": ["application/wasm", wasm],
    };
    const server = createServer(({ url = "" }, response) => {
      const [type, body] = files[url] ?? ["text/plain", ""];
      response.writeHead(url in files ? 200 : 404, { "content-type": type }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      const printed = await page.evaluate(async () => {
        const answered = new Promise((resolve) => {
          navigator.serviceWorker.addEventListener("message", ({ data }) => resolve(data));
        });
        await navigator.serviceWorker.register("/worker.js", { type: "module" });
        const { active } = await navigator.serviceWorker.ready;
        active?.postMessage("go");
        return answered;
      });
      assert.equal(printed, prints);
    } finally {
      await browser.close();
      server.close();
    }
  });

  it("does all in a script of one file, which has no address of its own", async () => {
    const script = await built("single.js", "iife");
    const path = join(folder, "single", "script.cjs");
    await mkdir(join(folder, "single"), { recursive: true });
    const load = `globalThis.wasm = require("node:fs").readFileSync(require.resolve("chatwire/chatwire.wasm"));`;
    await writeFile(path, `${load}\n${script}\nglobalThis.done.then(console.log);`);
    assert.equal(await run(folder, process.execPath, [path]), prints);
  });

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
