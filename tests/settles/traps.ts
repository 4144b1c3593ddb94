/**
 * Traps of the engine, provoked by words in a body: whatever operation has them in its input traps, or a later one of the same part,
 * or one of its allocations fails. So a trap is an end like any other, and hits its own case alone while others run beside it.
 *
 * No part of the package is changed: an instance of the module is the host's, and stands behind a wrapper here. Where memory is to
 * run out, it is an instance of the published module with another allocator (failing-memory.ts).
 */
import { END, OUTCOME, TICK } from "../../npm/engine/boundary.ts";

/** Begins the words in a body; a name of `kinds` follows. */
const WORDS = "trap the engine ";

interface Kind {
  /** The operation that reads the words traps. */
  isNow?: boolean;
  /** Later ones of the same part that do: once each, or all of them from then on. */
  later?: readonly number[] | "all";
  /** Of the operation that would trap, the allocation that fails instead, counted from 0. With fewer allocations none does. */
  allocation?: number;
}

const kinds: Record<string, Kind> = {
  now: { isNow: true },
  "at the timeout": { later: [TICK] },
  "at the end": { later: [END] },
  "at the outcome": { later: [OUTCOME] },
  /** All: nothing of what had arrived can be told any more. */
  "for good": { isNow: true, later: "all" },
  "by its memory": { isNow: true, allocation: 0 },
  "by its memory, later": { isNow: true, allocation: 3 },
  "by its memory at the timeout": { later: [TICK], allocation: 0 },
  "by its memory at the end": { later: [END], allocation: 0 },
  "by its memory at the outcome": { later: [OUTCOME], allocation: 0 },
};

/** How often there was a trap, and how often of a failing allocation. */
export const traps = { count: 0, ofMemory: 0 };

/** A text for a body that traps the engine. */
export const trapping = (kind: string): string => `${WORDS}${kind}.`;

interface Exports {
  memory: { buffer: ArrayBuffer };
  inputPointer(length: number): number;
  call(part: number, operation: number, length: number, ...rest: number[]): void;
  free(part: number): void;
  /** Of the module whose memory runs out: the allocations until then. */
  left?: { value: number };
}

/** Whether instances are made whose memory can run out: from the first end that asks for it, so that all before see the real one. */
let isMemoryFailing = false;

/** The exports of an instance, whose operations trap where the words say so. */
export function onDemand<T extends Exports>(exports: T): T {
  const later = new Map<number, Kind>();
  const decoder = new TextDecoder();
  const pointer = exports.inputPointer(0);
  const fail = (): never => {
    traps.count++;
    throw new Error("unreachable");
  };
  /** The operation, of which an allocation fails. */
  const withoutMemory = (allocation: number, run: () => void) => {
    isMemoryFailing = true;
    const { left } = exports;
    // An instance of the real module makes way for one whose memory can run out; that in JavaScript has none.
    if (!left) return fail();
    left.value = allocation;
    try {
      run();
    } catch (error) {
      traps.count++;
      traps.ofMemory++;
      throw error;
    } finally {
      left.value = -1;
    }
  };
  return {
    ...exports,
    call(part: number, operation: number, length: number, ...rest: number[]) {
      const run = () => exports.call(part, operation, length, ...rest);
      const own = later.get(part);
      if (own && (own.later === "all" || own.later?.includes(operation))) {
        if (own.later !== "all") later.delete(part);
        return own.allocation === undefined ? fail() : withoutMemory(own.allocation, run);
      }
      const input =
        length > 0 && length < 4096 ? decoder.decode(new Uint8Array(exports.memory.buffer, pointer, length)) : "";
      const at = input.indexOf(WORDS);
      const found = at < 0 ? undefined : kinds[input.slice(at + WORDS.length).split(".")[0] ?? ""];
      if (found?.later) later.set(part, found);
      if (!found?.isNow) return run();
      return found.allocation === undefined ? fail() : withoutMemory(found.allocation, run);
    },
    free(part: number) {
      if (later.get(part)?.later === "all") fail();
      later.delete(part); // the number may be another part's
      exports.free(part);
    },
  };
}

/**
 * Puts the wrapper around each instance that is made from now on.
 * @param failing gives the module whose memory can run out
 */
export function trapOnDemand(failing: () => WebAssembly.Module): void {
  const { Instance } = WebAssembly;
  let made: WebAssembly.Module | undefined;
  WebAssembly.Instance = class extends Instance {
    constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
      if (isMemoryFailing) made ??= failing();
      super(made ?? module, imports);
      Object.defineProperty(this, "exports", { value: onDemand(this.exports as unknown as Exports) });
    }
  };
}
