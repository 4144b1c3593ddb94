/**
 * Counts the engine's decoders that are alive, through the glue the package was built with.
 */
import { CONNECTION, type EngineModule } from "../../npm/boundary.ts";

const glue = new URL("../../dist/wasm/chatwire.js", import.meta.url);
const { Engine, initSync } = (await import(glue.href)) as EngineModule;

/** The decoders that were made and not freed yet. */
export const alive = new Set<object>();

const { make } = Engine;
Engine.make = (kind, length) => {
  const engine = make(kind, length);
  if (engine && kind !== CONNECTION) alive.add(engine);
  return engine;
};
const { free } = Engine.prototype;
Engine.prototype.free = function () {
  alive.delete(this);
  free.call(this);
};

/** The memory of the engine, once it is loaded. */
export const memory = () => initSync({ module: undefined }).memory as WebAssembly.Memory;
