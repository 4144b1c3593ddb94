/**
 * What a provider answered with a 200, looked at as far as its first bytes: a completion, or something that only says so.
 */

import { joined } from "./bytes.ts";
import { type Inlet, inletOf } from "./ends.ts";
import { Problem } from "./problem.ts";
import { publicWords } from "./words.ts";

/** A completion, or a stream of one. */
export interface Answer {
  inlet: Inlet;
  /** What has been read of it already. */
  first: Uint8Array | undefined;
  contentType: string;
}

const EVENT_STREAM = "text/event-stream";
const BLANK = 32;
/** As many as `{ "error": {` has, and a little more. */
const TELLING_BYTES = 24;
const MAX_BLANK_BYTES = 64 * 1024;
/** An error is no longer than this. */
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * An event stream is not waited for: its first bytes may take as long as the model thinks.
 * @throws {Problem} 502, it is a page, an error or nothing
 */
export async function answerOf(response: Response): Promise<Answer> {
  if (!response.body) throw nothing();
  const inlet = inletOf(response.body);
  const contentType = response.headers.get("content-type") ?? "";
  if (/^text\/event-stream\b/i.test(contentType)) return { inlet, first: undefined, contentType };

  const first = await readSome(inlet);
  const start = new TextDecoder().decode(first).trimStart();
  if (start.startsWith("{")) {
    if (/^\{\s*"error"\s*:\s*[^n\s]/.test(start)) throw await errorIn(inlet, first);
    return { inlet, first, contentType: "application/json" };
  }
  if (/^(data|event|id|retry)?:/.test(start)) return { inlet, first, contentType: EVENT_STREAM };
  inlet.cancel();
  throw new Problem(502, "upstream_not_a_completion", "The provider answered with something that is no completion.");
}

/** Enough to see what it is. Blanks, as some send to keep a connection open, say nothing. */
async function readSome(inlet: Inlet): Promise<Uint8Array> {
  let some: Uint8Array = new Uint8Array(0);
  for (;;) {
    const value = await inlet.next();
    const done = value === undefined;
    if (value) some = joined(some, value);
    const said = some.findIndex((byte) => byte > BLANK);
    if (said >= 0 && (done || some.length - said >= TELLING_BYTES)) return some;
    if (done || (said < 0 && some.length > MAX_BLANK_BYTES)) throw nothing();
    some = some.slice(); // the bytes of a read are good until the next
  }
}

function nothing(): Problem {
  return new Problem(502, "upstream_sent_nothing", "The provider answered with nothing. Try again in a moment.");
}

async function errorIn(inlet: Inlet, first: Uint8Array): Promise<Problem> {
  const decoder = new TextDecoder();
  let text = decoder.decode(first, { stream: true });
  while (text.length < MAX_ERROR_BYTES) {
    const value = await inlet.next();
    if (!value) break;
    text += decoder.decode(value, { stream: true });
  }
  inlet.cancel();
  let words: string | undefined;
  try {
    words = publicWords((JSON.parse(text) as { error: { message?: unknown } }).error.message);
  } catch {
    // It says so little that its first bytes have said it all.
  }
  return new Problem(502, "upstream_failed", words ?? "The provider answered with an error.");
}
