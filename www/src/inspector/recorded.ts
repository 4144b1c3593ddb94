/** The wire of a recording: the same lines at the times at which they came. */
import { nextTask } from "../page/idle.ts";
import type { WireLog } from "./lines.ts";

/** How long a part of it may take, in milliseconds, before the page does something else. */
const SLICE = 8;

/** Shows what a recording read. A file that is none shows nothing: the answer says what is wrong with it. */
export async function showRecorded(text: string, log: WireLog): Promise<void> {
  let started: number | undefined;
  const listener = log.forOne();
  log.replayedAt = 0;
  listener.response(200, new Headers({ "content-type": "text/event-stream" }));
  let until = performance.now() + SLICE;
  for (const line of text.split("\n").slice(1)) {
    const step = stepOf(line);
    if (!step) continue;
    if (performance.now() > until) {
      await nextTask();
      until = performance.now() + SLICE;
    }
    if (!listener.isHeard()) return;
    started ??= step.at;
    log.replayedAt = step.at - started;
    listener.bytes(step.bytes);
  }
}

function stepOf(line: string): { at: number; bytes: Uint8Array } | undefined {
  try {
    const [kind, , at, text, encoding] = JSON.parse(line) as unknown[];
    if (kind !== "read" || typeof at !== "number" || typeof text !== "string") return undefined;
    const bytes =
      encoding === "base64"
        ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
        : new TextEncoder().encode(text);
    return { at, bytes };
  } catch {
    return undefined;
  }
}
