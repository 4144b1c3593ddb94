/**
 * Hermes, the engine of React Native: a program compiled as React Native compiles it, run by the newest Hermes whose program can be had
 * from a registry. The parts that React Native brings beside Hermes, and that Hermes's command lacks, are written here in a few lines.
 */
import { OK, type Setup } from "../setup.ts";

const globals = `
globalThis.window = globalThis;
globalThis.console = { log: print, warn: print, error: print };
globalThis.performance = { now: () => Date.now() };
globalThis.queueMicrotask = (work) => { Promise.resolve().then(work); };
globalThis.AbortController = class {
  signal = { aborted: false, listeners: [],
    addEventListener(_, listener) { this.listeners.push(listener); },
    removeEventListener(_, listener) { this.listeners = this.listeners.filter((other) => other !== listener); } };
  abort(reason) {
    if (this.signal.aborted) return;
    Object.assign(this.signal, { aborted: true, reason });
    for (const listener of this.signal.listeners) listener({ type: "abort" });
  }
};
// The command's own timer does not wait.
const soon = globalThis.setTimeout;
const live = new Set();
let ids = 0;
globalThis.setTimeout = (work, milliseconds = 0) => {
  const id = ++ids;
  const until = Date.now() + milliseconds;
  live.add(id);
  const look = () => {
    if (!live.has(id)) return;
    if (Date.now() < until) return void soon(look, 0);
    live.delete(id);
    work();
  };
  soon(look, 0);
  return id;
};
globalThis.clearTimeout = (id) => { live.delete(id); };
// Later versions of Hermes have it.
for (const Kind of [Array, String, Uint8Array]) Kind.prototype.at ??= function (at) { return this[at < 0 ? this.length + at : at]; };
`;

/** A response as that of React Native's fetch: without a stream for its body. */
const program = `
import { Chatwire } from "chatwire";
const parts = ["H\\u00e9llo \\u{1F600}", " there"].map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }));
parts.push({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
const text = parts.map((part) => "data: " + JSON.stringify(part) + "\\n\\n").join("") + "data: [DONE]\\n\\n";
const headers = new Map([["content-type", "text/event-stream"]]);
const fetch = async (url) => ({ ok: true, status: 200, statusText: "OK", url, redirected: false, headers, text: async () => text,
  arrayBuffer: async () => new TextEncoder().encode(text).buffer });
async function main() {
  const { completions } = new Chatwire({ baseURL: "https://server.test/v1", fetch }).chat;
  const stream = completions.stream({ model: "m", messages: [{ role: "user", content: "Hi" }] });
  let said = "";
  for await (const piece of stream.textStream) said += piece;
  const { status, repairs } = await stream.outcome();
  const isWhole = said === "H\\u00e9llo \\u{1F600} there" && repairs[0].code === "body.whole";
  print(status + ", " + (isWhole ? "all of it" : "not all of it"));
}
main().catch((error) => print(String(error)));
`;

const compile = `
import { transformAsync } from "@babel/core";
import { build } from "esbuild";
import { writeFileSync } from "node:fs";
const { outputFiles } = await build({ entryPoints: [process.argv[2]], bundle: true, write: false, format: "iife", target: "esnext",
  conditions: ["react-native"], mainFields: ["react-native", "browser", "main"], logLevel: "error" });
const preset = ["@react-native/babel-preset", { unstable_transformProfile: "default", enableBabelRuntime: false }];
const { code } = await transformAsync(outputFiles[0].text, { presets: [preset], babelrc: false, configFile: false, filename: "program.js" });
writeFileSync("out.js", code);
`;

const HERMES = "node_modules/hermes-engine-cli/linux64-bin/hermes";

export const hermes: Setup = {
  name: "Hermes, as React Native compiles for it",
  packages: {
    "hermes-engine-cli": "0.12.0",
    "@babel/core": "7",
    "@react-native/babel-preset": "latest",
    esbuild: "latest",
    "fast-text-encoding": "latest",
  },
  files: {
    "globals.js": globals,
    "program.js": program,
    "with.js": `import "./globals.js"; import "fast-text-encoding"; import "./program.js";`,
    "without.js": `import "./globals.js"; import "./program.js";`,
    "compile.js": compile,
  },
  tries: {
    "chatwire, with the polyfill": async (project) => {
      await project.run("node", ["compile.js", "with.js"]);
      return project.says(HERMES, ["-w", "out.js"]);
    },
    "without it, an error that names it": async (project) => {
      await project.run("node", ["compile.js", "without.js"]);
      const said = await project.run(HERMES, ["-w", "out.js"]).catch(String);
      return /This host has no TextEncoder.*import "fast-text-encoding"/.test(said) ? OK : said;
    },
  },
  recipe:
    'where the host has no `TextDecoder`, before chatwire: `import "fast-text-encoding"`; a `fetch` without a body stream is read whole',
};
