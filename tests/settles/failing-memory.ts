/**
 * The published module, but for its allocator, which fails on demand: the exported global `left` counts down at each allocation. At
 * 0 one fails, or, where `stays` is 1, all from there on. Below 0 none does. For Node, where the module is rewritten.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import binaryen from "binaryen";

/** Missing from the types of binaryen. */
const { Function: functionsOf } = binaryen as unknown as {
  Function: { setBody(reference: number, body: number): void };
};

/** The bytes of that module. */
export function withFailingMemory(): Uint8Array<ArrayBuffer> {
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
  return module.emitBinary() as Uint8Array<ArrayBuffer>;
}
