/** The wire of a recording: the same lines at the times at which they came. */
import { sliced } from "../page/slices.ts";
import type { WireLog } from "./lines.ts";

/**
 * Shows what a recording read, up to where it is damaged. A file that is none shows nothing: the answer says what is wrong with
 * either.
 */
export async function showRecorded(text: string, log: WireLog): Promise<void> {
  const [head = "", ...lines] = text.split("\n");
  const listener = log.forOne();
  const { chatwire } = (jsonOf(head) ?? {}) as { chatwire?: unknown };
  if (chatwire !== "recording") return;
  let started: number | undefined;
  log.replayedAt = 0;
  listener.response(200, new Headers({ "content-type": "text/event-stream" }));
  for await (const line of sliced(lines)) {
    if (!listener.isHeard()) return;
    const step = jsonOf(line);
    if (!Array.isArray(step)) return;
    const [kind, , at, text, encoding] = step as unknown[];
    if (kind !== "read" || typeof at !== "number" || typeof text !== "string") continue;
    started ??= at;
    log.replayedAt = at - started;
    listener.bytes(encoding === "base64" ? bytesOf(text) : new TextEncoder().encode(text));
  }
}

function bytesOf(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
