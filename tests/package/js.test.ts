/** `chatwire/js`: the engine as a script, where there is no WebAssembly. The policy of pages is in pages.test.ts. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { program, project, run } from "./packed.ts";

/** Refuses WebAssembly, as Hermes and pages with a strict policy do. */
const without = `delete globalThis.WebAssembly;\n`;

/** Node loads its own `fetch` with the first use of `Headers`, and needs streams for that. */
const bare = `new Headers(); delete globalThis.ReadableStream; delete globalThis.TransformStream;\n`;

const whole = `
import { Chatwire } from "chatwire/js";
const events = ["Hello", " there"].map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }));
events.push({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
const text = events.map((event) => "data: " + JSON.stringify(event) + "\\n\\n").join("") + "data: [DONE]\\n\\n";
// As React Native's: no stream for a body.
const fetch = async (url) => ({ ok: true, status: 200, statusText: "OK", url, redirected: false,
  headers: new Headers({ "content-type": "text/event-stream" }), text: async () => text,
  arrayBuffer: async () => new TextEncoder().encode(text).buffer });
const { completions } = new Chatwire({ baseURL: "https://server.test/v1", fetch }).chat;
const messages = [{ role: "user", content: "Hi" }];
const pieces = [];
const stream = completions.stream({ model: "m", messages });
for await (const text of stream.textStream) pieces.push(text);
const { status, repairs } = await stream.outcome();
console.log(JSON.stringify([status, pieces.join(""), repairs]));
`;

/** A body that is a stream needs no repair. */
const streamed = `${whole}
const { repairs: none } = await new Chatwire({ baseURL: "https://server.test/v1", fetch: async () => new Response(text) })
  .chat.completions.stream({ model: "m", messages }).outcome();
console.log(JSON.stringify(none));
`;

// More than the memory that the engine begins with, so that it grows while it is used.
const grows = `
import { ChatDecoder, init } from "chatwire/js";
await init();
const decoder = new ChatDecoder({ output: "text" });
const text = "x".repeat(3_000_000);
const bytes = new TextEncoder().encode("data: " + JSON.stringify({ choices: [{ index: 0, delta: { content: text }, finish_reason: "stop" }] }) + "\\n\\ndata: [DONE]\\n\\n");
let got = "";
for (let at = 0; at < bytes.length; at += 50_000) got += decoder.push(bytes.subarray(at, at + 50_000));
console.log(got === text);
`;

describe("chatwire/js", { timeout: 120_000 }, () => {
  let folder: string;

  before(async () => {
    folder = await project("js", {
      "without.js": without,
      "bare.js": bare,
      "stream.js": program.esm.replace('from "chatwire"', 'from "chatwire/js"'),
      "whole.js": whole,
      "streamed.js": streamed,
      "grows.js": grows,
    });
  });

  const read = JSON.stringify(["complete", "Hello there", [{ code: "body.whole", at: 0, count: 1 }]]);
  const says = (file: string, ...flags: string[]) =>
    run(folder, process.execPath, [...flags, "--import", "./without.js", file]);

  it("streams in Node without WebAssembly", async () => {
    assert.equal(await says("stream.js"), program.prints);
    assert.equal(await says("stream.js", "--jitless"), program.prints);
  });

  it("is what the react-native condition leads to", async () => {
    const asked = `console.log(import.meta.resolve("chatwire").endsWith("/dist/js/index.js"))`;
    const flags = ["--conditions=react-native", "--input-type=module", "-e"];
    assert.equal(await run(folder, process.execPath, [...flags, asked]), "true");
  });

  it("reads a response without a stream whole, and says so", async () => {
    assert.equal(await says("whole.js"), read);
    assert.equal(await says("streamed.js"), `${read}\n[]`);
  });

  it("is loaded where the host has no streams, as React Native's has none", async () => {
    assert.equal(await run(folder, process.execPath, ["--import", "./bare.js", "whole.js"]), read);
  });

  it("names the global that the host lacks, and the line to write", async () => {
    const asked = `delete globalThis.TextDecoder; import("chatwire/js").catch((error) => console.log(error.message));`;
    const said = await run(folder, process.execPath, ["--input-type=module", "-e", asked]);
    assert.match(said, /^This host has no TextDecoder, .* import "fast-text-encoding", before chatwire is imported\.$/);
  });

  it("works on when its memory grows", async () => {
    assert.equal(await says("grows.js"), "true");
  });

  it("has no import.meta, no import() and no WebAssembly of its own", async () => {
    const text = await readFile(join(folder, "node_modules/chatwire/dist/js/index.js"), "utf8");
    assert.doesNotMatch(text, /\bimport\.meta\b|\bimport\s*\(\s*[^)\s]/);
  });
});
