/**
 * Watches an event loop from another thread: one that stands still for too long ends the process, and says in which case.
 */
import { writeSync } from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";

/** How long, in milliseconds of the process's own CPU time, the loop may stand still: a busy machine keeps it waiting for longer. */
const STILL = 5000;

/** Starts to watch this thread. Say with `at` what it is at; `end` ends the watching. */
export function watch(names: readonly string[]): { at(index: number): void; end(): Promise<unknown> } {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const beat = setInterval(() => Atomics.add(shared, 0, 1), 50);
  const worker = new Worker(new URL(import.meta.url), { workerData: { shared, names } });
  worker.unref();
  return {
    at: (index) => {
      Atomics.store(shared, 1, index);
    },
    end: () => {
      clearInterval(beat);
      return worker.terminate();
    },
  };
}

if (!isMainThread && workerData?.shared) {
  const { shared, names } = workerData as { shared: Int32Array; names: string[] };
  let last = -1;
  let since = process.cpuUsage();
  setInterval(() => {
    const now = Atomics.load(shared, 0);
    const { user, system } = process.cpuUsage(since);
    if (now === last && (user + system) / 1000 > STILL) {
      writeSync(2, `The event loop stands still, at or near: ${names[Atomics.load(shared, 1)]}\n`);
      process.kill(process.pid, "SIGKILL");
    }
    if (now !== last) since = process.cpuUsage();
    last = now;
  }, 500);
}
