/**
 * Settles: every consumer of an answer, on every end of a body, left in every way, in Node. Here a part of the table, chosen by a
 * seed that is printed; `npm run settles` runs all of it, in Node and in Chromium (tests/page/settles.test.ts).
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as chatwire from "chatwire";
import * as agUI from "chatwire/ag-ui";
import * as aiSDK from "chatwire/ai-sdk";
import * as openai from "chatwire/openai";
import { Stream } from "chatwire/openai/streaming";
import * as otel from "chatwire/otel";
import { consumers } from "../settles/consumers.ts";
import { withFailingMemory } from "../settles/failing-memory.ts";
import { loaded as products } from "../settles/products.ts";
import { casesOf, nameOf, run } from "../settles/run.ts";
import { chosen, seed } from "../settles/seed.ts";
import { onDemand, trapOnDemand, traps } from "../settles/traps.ts";
import { watch } from "../settles/watch.ts";

trapOnDemand(() => new WebAssembly.Module(withFailingMemory()));
// By their paths: Node's own names for them lead to the modules of `chatwire`.
const at = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;
const whole: typeof chatwire = await import(at("static/node.js"));
const script: typeof chatwire = await import(at("js/index.js"));
const required: typeof chatwire = createRequire(import.meta.url)(fileURLToPath(at("cjs/entry/node.js")));
// The engine as a script, which is no instance of WebAssembly.
const { default: make } = await import(at("wasm/script.js"));
await script.init((() => onDemand(make())) as never);
const packages = { chatwire, "chatwire/static": whole, "chatwire/js": script, "the CommonJS copy": required };
Object.assign(products, { openai, Stream, aiSDK, agUI, otel });

for (const [entry, loaded] of Object.entries(packages)) {
  test(`every_consumer_settles_on_every_end_however_it_is_left_by_${entry.replace(/\W/g, "_")}`, async (t) => {
    // The products are made of one entry.
    const names = new Set(chosen(entry, entry === "chatwire" ? undefined : consumers));
    const cases = casesOf((one) => names.has(nameOf(one)));
    t.diagnostic(`${cases.length} of ${casesOf().length} cases, SEED=${seed}`);
    const unhandled: string[] = [];
    let last = "";
    const note = (error: unknown) => unhandled.push(`${last}: ${String(error)}`);
    process.on("unhandledRejection", note);
    const watching = watch(cases.map(nameOf));
    const told = (at: number) => {
      last = nameOf(cases[at] as (typeof cases)[number]);
      watching.at(at);
    };
    const failedBefore = traps.ofMemory;
    const wrong = await run(loaded, cases, { told, seed });
    // The engine as a script has no allocator to fail: there the end is a trap as any other.
    const isOut = cases.filter(({ end }) => end.includes("out of memory")).length >= 20 && loaded !== script;
    if (isOut && traps.ofMemory === failedBefore) wrong.push("no allocation failed: none is provoked");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await watching.end();
    process.off("unhandledRejection", note);
    assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
  });
}
