/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `Symbol.dispose` and `Symbol.asyncDispose`, defined where the runtime has none yet (Safari),
 * so that `using`, compiled for such a runtime, finds our methods.
 */
function wellKnown(name: "dispose" | "asyncDispose"): symbol {
  if (Symbol[name] === undefined) Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) });
  return Symbol[name];
}

export const dispose: typeof Symbol.dispose = wellKnown("dispose") as typeof Symbol.dispose;
export const asyncDispose: typeof Symbol.asyncDispose = wellKnown("asyncDispose") as typeof Symbol.asyncDispose;
