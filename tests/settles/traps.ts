/**
 * Traps of the engine, provoked by words in a body: whatever operation has them in its input traps, or a later one of the same part.
 * So a trap is an end like any other, and hits its own case alone while others run beside it.
 *
 * No part of the package is changed: an instance of the module is the host's, and stands behind a wrapper here.
 */
import { END, OUTCOME, TICK } from "../../npm/engine/boundary.ts";

/** Begins the words in a body; a name of `kinds` follows. */
const WORDS = "trap the engine ";

/** Which operations of the part that reads the words trap: that one itself, and later ones. */
const kinds: Record<string, { isNow: boolean; later: readonly number[] | "all" }> = {
  now: { isNow: true, later: [] },
  "at the timeout": { isNow: false, later: [TICK] },
  "at the end": { isNow: false, later: [END] },
  "at the outcome": { isNow: false, later: [OUTCOME] },
  /** All: nothing of what had arrived can be told any more. */
  "for good": { isNow: true, later: "all" },
};

/** How often there was a trap. */
export const traps = { count: 0 };

/** A text for a body that traps the engine. */
export const trapping = (kind: string): string => `${WORDS}${kind}.`;

interface Exports {
  memory: { buffer: ArrayBuffer };
  inputPointer(length: number): number;
  call(part: number, operation: number, length: number, ...rest: number[]): void;
  free(part: number): void;
}

/** The exports of an instance, whose operations trap where the words say so. */
export function onDemand<T extends Exports>(exports: T): T {
  const later = new Map<number, readonly number[] | "all">();
  const decoder = new TextDecoder();
  const pointer = exports.inputPointer(0);
  const fail = () => {
    traps.count++;
    throw new Error("unreachable");
  };
  return {
    ...exports,
    call(part: number, operation: number, length: number, ...rest: number[]) {
      const own = later.get(part);
      if (own && own !== "all" && own.includes(operation)) later.delete(part);
      if (own === "all" || own?.includes(operation)) fail();
      const input =
        length > 0 && length < 4096 ? decoder.decode(new Uint8Array(exports.memory.buffer, pointer, length)) : "";
      const at = input.indexOf(WORDS);
      const found = at < 0 ? undefined : kinds[input.slice(at + WORDS.length).split(".")[0] ?? ""];
      if (found) {
        if (found.later.length > 0) later.set(part, found.later);
        if (found.isNow) fail();
      }
      exports.call(part, operation, length, ...rest);
    },
    free(part: number) {
      if (later.get(part) === "all") fail();
      later.delete(part); // the number may be another part's
      exports.free(part);
    },
  };
}

/** Puts the wrapper around each instance that is made from now on. */
export function trapOnDemand(): void {
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class extends Instance {
    constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
      super(module, imports);
      Object.defineProperty(this, "exports", { value: onDemand(this.exports as unknown as Exports) });
    }
  };
}
