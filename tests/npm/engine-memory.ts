/**
 * Counts the engine's decoders that are alive, and what they are asked, through the glue the package was built with.
 */
import { CONNECTION, type EngineModule } from "../../npm/engine/boundary.ts";

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

/** How often a part of the engine was asked to do something. */
export const calls = { count: 0 };

const { call } = Engine.prototype;
Engine.prototype.call = function (...given) {
  calls.count++;
  return call.apply(this, given);
};

/** The memory of the engine, once it is loaded. */
export const memory = () => initSync({ module: undefined }).memory as WebAssembly.Memory;
