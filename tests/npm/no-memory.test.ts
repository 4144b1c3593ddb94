/**
 * An engine without memory: whichever allocation of a short stream fails, the call ends by name, lets go of everything, and the next
 * call finds an engine that works.
 *
 * The module is the published one, but for its allocator: a global counts down to the allocation that fails.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import binaryen from "binaryen";
import { type ChatStream, type Chatwire, ChatwireError, init } from "chatwire";
import { clientOf, collect, DONE, hello, says, serve } from "./serving.ts";

/** Counts down at each allocation: at 0 one fails, or, where `stays` is 1, all from there on. Below 0 none does. */
const left: WebAssembly.Global[] = [];
const stays: WebAssembly.Global[] = [];

const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    super(module, imports);
    left.push(this.exports.left as WebAssembly.Global);
    stays.push(this.exports.stays as WebAssembly.Global);
  }
};

/** Missing from the types of binaryen. */
const { Function: functionsOf } = binaryen as unknown as {
  Function: { setBody(reference: number, body: number): void };
};

/** The published module with an allocator that fails on demand. */
function failing(): WebAssembly.Module {
  const module = binaryen.readBinary(readFileSync(join(import.meta.dirname, "../../dist/wasm/chatwire.wasm")));
  module.setFeatures(binaryen.Features.All);
  const functions = Array.from({ length: module.getNumFunctions() }, (_, at) => {
    const reference = module.getFunctionByIndex(at);
    const { name, body, params } = binaryen.getFunctionInfo(reference);
    return { reference, name, body, params, text: body ? binaryen.emitText(body) : "" };
  });
  // The one that grows the memory is called by those that give it out: `alloc` and `realloc`.
  const growing = functions.filter(({ text }) => text.includes("memory.grow"));
  assert.equal(growing.length, 1);
  const call = `(call $${growing[0]?.name}\n`;
  const allocating = functions.filter(({ text }) => text.includes(call));
  assert.equal(allocating.length, 2);
  for (const name of ["left", "stays"]) {
    module.addGlobal(name, binaryen.i32, true, module.i32.const(name === "left" ? -1 : 0));
    module.addGlobalExport(name, name);
  }
  const now = () => module.global.get("left", binaryen.i32);
  for (const { reference, body } of allocating) {
    const fail = module.block(null, [
      module.if(
        module.i32.eqz(module.global.get("stays", binaryen.i32)),
        module.global.set("left", module.i32.const(-1)),
      ),
      module.return(module.i32.const(0)),
    ]);
    const count = module.if(
      module.i32.gt_s(now(), module.i32.const(0)),
      module.global.set("left", module.i32.sub(now(), module.i32.const(1))),
    );
    const counted = [module.if(module.i32.eqz(now()), fail), count, body];
    functionsOf.setBody(reference, module.block(null, counted, binaryen.i32));
  }
  return new WebAssembly.Module(module.emitBinary() as Uint8Array<ArrayBuffer>);
}

const consumers: Record<string, (stream: ChatStream) => Promise<unknown>> = {
  text: (stream) => collect(stream.textStream),
  chunks: (stream) => collect(stream),
  events: (stream) => collect(stream.events),
  final: (stream) => stream.finalMessage(),
};
const call = { index: 0, id: "t", type: "function", function: { name: "f", arguments: '{"a":1}' } };
const stream = [
  says("Hel"),
  says("lo"),
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [call], x: [1] } }] })}\n\n`,
  says("!", "stop"),
  DONE,
];

test("whichever_allocation_fails_the_call_ends_by_name_and_the_next_is_answered", async (t) => {
  await init(failing());
  let failures = 0;
  for (const [name, read] of Object.entries(consumers)) {
    for (const stay of name === "text" ? [0, 1] : [0]) {
      for (let allocation = 0; ; allocation++) {
        const what = `${name}, allocation ${allocation}${stay ? " and all after it" : ""}`;
        const instances = left.length;
        const served = serve(stream);
        (stays.at(-1) as WebAssembly.Global).value = stay;
        (left.at(-1) as WebAssembly.Global).value = allocation;
        let client: Chatwire;
        try {
          client = clientOf(served, { limits: { concurrent: 1 } });
        } catch (thrown) {
          assert.ok(thrown instanceof ChatwireError && /engine failed/.test(thrown.message), `${what}: ${thrown}`);
          failures++;
          continue;
        }
        const asked = client.chat.completions.stream(hello);
        const error = await read(asked).then(
          () => undefined,
          (thrown) => thrown,
        );
        const outcome = await asked.outcome();
        // The next call is of the fresh instance, or of the one that had enough.
        const isOver = left.length === instances;
        (left[instances - 1] as WebAssembly.Global).value = -1;
        if (isOver && !error) {
          assert.equal(outcome.text, "Hello!", what);
          assert.equal(outcome.status, "complete", what);
          break;
        }
        failures++;
        if (error) {
          assert.ok(error instanceof ChatwireError && /engine failed/.test(error.message), `${what}: ${error}`);
          assert.equal(outcome.status, "error", what);
          assert.ok("Hello!".startsWith(outcome.text), `${what}: ${outcome.text}`);
        } else assert.equal(outcome.text, "Hello!", what);
        served.response = serve([says("again", "stop"), DONE]).response;
        assert.equal(await client.chat.completions.stream(hello).finalContent(), "again", what);
      }
    }
  }
  t.diagnostic(`${failures} allocations failed`);
  assert.ok(failures > 100);
});
