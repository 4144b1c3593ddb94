/**
 * The message for an engine that could not be loaded, by what hosts say: the address, the reason and a line to write, in less
 * than a kilobyte. The pages themselves are opened in tests/package/pages.test.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

const part = new URL("../../dist/engine/unloadable.js", import.meta.url).href;
const { unloadable } = (await import(part)) as typeof import("../../npm/engine/unloadable.ts");

const file = "file:///app/out/wasm/chatwire.wasm";
const missing = `ENOENT: no such file or directory, open '/app/out/wasm/chatwire.wasm'`;
const chromium = `WebAssembly.compile(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive because 'unsafe-eval' is not an allowed source of script in the following Content Security Policy directive: "script-src 'self' https://a.test".`;

const said: [what: string, words: string, source: unknown, isGiven: boolean, message: RegExp][] = [
  [
    "a bundle for Node",
    missing,
    new URL(file),
    false,
    /from file:.*: ENOENT.*Keep chatwire out of the bundle.*external/,
  ],
  [
    "Chromium's policy",
    chromium,
    "x.wasm",
    false,
    /in its directive "script-src 'self' https:\/\/a\.test".*'wasm-unsafe-eval'/,
  ],
  [
    "Firefox's policy",
    "call to WebAssembly.compile() blocked by CSP",
    "x.wasm",
    false,
    /forbids WebAssembly\. .*chatwire\/js/,
  ],
  [
    "an edge host",
    "WebAssembly.Module(): Wasm code generation disallowed by embedder",
    undefined,
    false,
    /compiled modules.*\?module.*init\(module\)/,
  ],
  ["no address", "Invalid URL", undefined, false, /does not know its own address.*await init\("\/chatwire\.wasm"\)/],
  ["no WebAssembly", "WebAssembly is not defined", undefined, false, /no WebAssembly\. .*from "chatwire\/js"/],
  ["Hermes", "Property 'WebAssembly' doesn't exist", undefined, false, /no WebAssembly\. .*from "chatwire\/js"/],
  [
    "Vite's development server",
    "the server answered 404 Not Found",
    new URL("file:///a/.vite/deps/chatwire.wasm"),
    false,
    /404 Not Found.*exclude: \["chatwire"\]/,
  ],
  [
    "Next",
    "the server answered 404 Not Found",
    new URL("file:///a/.next/server/chatwire.wasm"),
    false,
    /404 Not Found.*serverExternalPackages/,
  ],
  [
    "bytes of something else",
    "WebAssembly.Module(): expected magic word 00 61 73 6d, found 3c 21 64 6f @+0",
    undefined,
    true,
    /is no WebAssembly.*Give init/,
  ],
  [
    "half of the file",
    "WebAssembly.compile(): expected 1000 bytes, fell off end",
    undefined,
    true,
    /is no WebAssembly.*Give init/,
  ],
  [
    "half of the file, in Firefox",
    "wasm validation error: at offset 117017: function body length too big",
    undefined,
    true,
    /is no WebAssembly.*Give init/,
  ],
  [
    "an endless reason",
    "because ".repeat(1000),
    `https://user:secret@127.0.0.1:9/${"long/".repeat(900)}?key=secret`,
    true,
    /includes credentials: https:\/\/127.*Give init/,
  ],
  ["a data address", missing, "data:application/wasm;base64,secret", true, /from a data address/],
];

for (const [what, words, source, isGiven, message] of said) {
  test(`what_cannot_be_loaded_says_why_and_what_to_write: ${what}`, async () => {
    const text = await unloadable(words, source, isGiven, undefined);
    assert.match(text, message);
    assert.match(text, /^The WebAssembly of chatwire \(chatwire\.wasm\) could not be loaded/);
    assert.ok(text.length <= 1024 && !text.includes("secret") && !text.includes("undefined"), text);
  });
}

test("what_the_spare_says_counts_where_it_says_more", async () => {
  assert.match(await unloadable(missing, new URL(file), false, chromium), /forbids WebAssembly/);
  assert.match(
    await unloadable(missing, new URL(file), false, missing),
    /ENOENT.*its spare, wasm\/spare\.js, could not/,
  );
});
