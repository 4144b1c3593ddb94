/** `chatwire/js`: the engine as a script, where there is no WebAssembly. The policy of pages is in pages.test.ts. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { ANSWERS } from "./answers.ts";
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

/**
 * What React Native's hosts and polyfills lack beside WebAssembly and streams: of Hermes, of its fetch and URL, of abort-controller and
 * fast-text-encoding. Getters that throw would be found out at the first touch; absent names are what the hosts have.
 */
const old = `
new Headers();
for (const name of ["WebAssembly", "ReadableStream", "WritableStream", "TransformStream", "crypto", "WeakRef", "FinalizationRegistry",
  "structuredClone", "DOMException", "queueMicrotask", "MessageChannel", "process", "Buffer", "SharedArrayBuffer", "Event", "EventTarget"]) {
  delete globalThis[name];
}
const lacks = [[TextEncoder.prototype, "encodeInto"], [URL, "canParse", "parse"], [Promise, "withResolvers", "try"], [Object, "groupBy"],
  [Map, "groupBy"], [Array, "fromAsync"], [Array.prototype, "findLast", "findLastIndex", "toSorted", "toReversed", "toSpliced", "with"],
  [String.prototype, "isWellFormed", "toWellFormed"], [Uint8Array, "fromBase64"], [AbortSignal, "any", "timeout", "abort"], [Error, "isError"],
  [Uint8Array.prototype, "toBase64", "findLast", "toSorted"], [ArrayBuffer.prototype, "transfer"], [Set.prototype, "union", "difference"],
  [AbortSignal.prototype, "reason", "throwIfAborted"], [performance, "mark", "measure"]];
for (const [holder, ...names] of lacks) for (const name of names) delete holder[name];
const { decode } = TextDecoder.prototype;
const Whole = TextDecoder;
globalThis.TextDecoder = class extends Whole {
  constructor(label, { fatal, ...options } = {}) {
    if (fatal) throw new Error("Failed to construct 'TextDecoder': the 'fatal' option is unsupported.");
    super(label, options);
  }
  decode(bytes, options) {
    if (options?.stream) throw new Error("Failed to decode: the 'stream' option is unsupported.");
    return decode.call(this, bytes);
  }
};
`;

/** Uses each kind of call once, with responses that have no stream. */
const uses = `
import { Chatwire } from "chatwire/js";
${ANSWERS}
const fetch = async (url) => {
  const { text = answers.shift(), status = 200 } = answers[0]?.status ? answers.shift() : {};
  return { ok: status === 200, status, statusText: "", url, redirected: false, headers: new Headers({ location: "/other place" }),
    text: async () => text, arrayBuffer: async () => new TextEncoder().encode(text).buffer };
};
const messages = [{ role: "user", content: "Hello" }];
const client = new Chatwire({ baseURL: "https://server.test/v1", fetch, timeout: { total: 60_000 }, validate: false });
const { completions } = client.chat;
const said = [];
const says = async (what) => said.push(await what);
answers.push({ status: 503, text: "busy" }, chunk({ content: "stream" }, "stop"));
await says(completions.stream({ messages }).finalContent());
answers.push(chunk(call, "tool_calls"), chunk({ content: "tools" }, "stop"));
const tool = { type: "function", function: { name: "add", parameters: {}, function: () => 1 } };
await says(completions.runTools({ messages, tools: [tool] }).finalContent());
answers.push(whole('{"a":"parse"}'));
await says(completions.parse({ messages, response_format: { type: "json_object" } }).then(({ choices }) => choices[0].message.parsed.a));
answers.push(whole("batch"));
await says(completions.batch([{ messages }]).then(([{ value }]) => value.choices[0].message.content));
answers.push(whole("create"));
await says(completions.create({ messages }).then(({ choices }) => choices[0].message.content));
answers.push(chunk({ content: "views" }, "stop"));
for await (const view of completions.stream({ messages }).frames()) if (view.text === "views") { said.push(view.text); break; }
answers.push(chunk({ content: "recorded" }, "stop"));
const recorded = completions.stream({ messages }, { record: true });
await says(recorded.finalContent());
await says(recorded.recording().then(() => "recording"));
const controller = new AbortController();
controller.abort();
await says(completions.create({ messages }, { signal: controller.signal }).catch(({ name }) => name));
answers.push({ status: 400, text: '{"error":{"message":"no"}}' });
await says(completions.create({ messages }).catch(({ name }) => name));
answers.push('{"data":[{"id":"m"}]}');
await says(client.models.list().then(({ data }) => data[0].id));
answers.push(chunk({ content: "kept" }, "stop"));
await says(new Chatwire({ baseURL: "https://server.test/v1", fetch, validate: false, resume: "durable-streams" }).chat.completions.stream({ messages })
  .finalContent());
console.log(said.join());
`;
const used = "stream,tools,parse,batch,create,views,recorded,recording,APIUserAbortError,BadRequestError,m,kept";

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
      "old.js": old,
      "uses.js": uses,
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

  it("does all where the host and its polyfills have no more than React Native's", async () => {
    assert.equal(await run(folder, process.execPath, ["--import", "./old.js", "uses.js"]), used);
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
