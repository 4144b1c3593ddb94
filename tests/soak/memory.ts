/** The memory of a process of the soak, told to its parent whenever that asks. */
import { init } from "chatwire";
import { memory } from "../npm/engine-memory.ts";

/** In MiB, after a collection. */
export interface Held {
  heap: number;
  /** ArrayBuffers, and what else lies outside the heap. */
  external: number;
  /** The memory of the engine. */
  engine: number;
  /** All of the process. */
  resident: number;
}

export function tellMemory(): void {
  process.on("message", async (message) => {
    if (message !== "memory") return;
    // On a busy machine the question may come before the first call has loaded the engine.
    await init();
    (globalThis as { gc?: () => void }).gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    const mib = (bytes: number) => Math.round(bytes / 104_857.6) / 10;
    const engine = memory().buffer.byteLength;
    const held: Held = { heap: mib(heapUsed), external: mib(external), engine: mib(engine), resident: mib(rss) };
    process.send?.({ held });
  });
  // With its parent.
  process.on("disconnect", () => process.exit());
}
