/**
 * Counts the engine's decoders that are alive, through the glue the package was built with.
 */
import type { EngineModule } from "../../npm/boundary.ts";

const glue = new URL("../../dist/wasm/chatwire.js", import.meta.url);
const { Decoder, EventStream } = (await import(glue.href)) as EngineModule;

interface Freed {
  free(): void;
}

/** The decoders that were used and not freed yet. */
export const alive = new Set<object>();

for (const [Class, uses] of [
  [Decoder, ["setOutput", "push", "end", "deadline"]],
  [EventStream, ["feed", "end"]],
] as const) {
  const prototype = Class.prototype as unknown as Record<string, (...args: unknown[]) => unknown> & Freed;
  for (const name of uses) {
    const original = prototype[name] as (...args: unknown[]) => unknown;
    prototype[name] = function (this: object, ...args: unknown[]) {
      alive.add(this);
      return original.apply(this, args);
    };
  }
  const free = prototype.free;
  prototype.free = function (this: Freed) {
    alive.delete(this);
    free.call(this);
  };
}
