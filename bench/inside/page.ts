/** The benchmark inside a page. The CPU time of its process is read from outside. */
import type { Contender } from "./contenders.ts";
import type { ReadSize } from "./reads.ts";
import { prepare, run } from "./track.ts";

/** The functions that the page offers to the program that drives it. */
export interface PageBench {
  prepare(size: ReadSize): Promise<void>;
  run(name: Contender, times: number): Promise<void>;
}

const bench: PageBench = {
  async prepare(size) {
    const answer = await fetch("/stream");
    await prepare(new Uint8Array(await answer.arrayBuffer()), size);
  },
  run,
};

Object.assign(globalThis, { bench });
