/**
 * Counts the engine's parts that are alive, and what they are asked, by the class that the package's files share.
 */
import { ACCOUNT } from "../../npm/engine/boundary.ts";

const dist = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;
const { engineMemory, Part } = (await import(dist("entry/engine.js"))) as typeof import("../../npm/engine/engine.ts");

/** The decoders, event streams and openings that were asked something and not freed yet. */
export const alive = new Set<object>();

/** How often a part of the engine was asked to do something. */
export const calls = { count: 0 };

const { call, free } = Part.prototype;
Part.prototype.call = function (...given) {
  calls.count++;
  // The operations of connections come last.
  if (given[0] < ACCOUNT) alive.add(this);
  call.apply(this, given);
};
Part.prototype.free = function () {
  alive.delete(this);
  free.call(this);
};

/** The memory of the engine, once it is loaded. */
export const memory = () => engineMemory() as WebAssembly.Memory;
