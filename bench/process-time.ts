/** CPU time of another process, from the kernel's own accounts. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

/** Microseconds of CPU that all threads of a process have had. */
export function cpuTime(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // The thread ended meanwhile.
    }
  }
  return nanoseconds / 1000;
}
