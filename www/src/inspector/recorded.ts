/** The wire of a recording: the same lines at the times at which they came. */
import type { WireLog } from "./lines.ts";

/** Shows what a recording read. A file that is none shows nothing: the answer says what is wrong with it. */
export function showRecorded(text: string, log: WireLog): void {
  let started: number | undefined;
  log.response(200, new Headers({ "content-type": "text/event-stream" }));
  for (const line of text.split("\n").slice(1)) {
    const step = stepOf(line);
    if (!step) continue;
    started ??= step.at;
    log.replayedAt = step.at - started;
    log.bytes(step.bytes);
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
