/**
 * Answers that are JSON of some other kind than a completion. Loaded with the first request for one.
 */

import { cancelBody } from "../discard.ts";
import { LONGEST_MS } from "../engine/boundary.ts";
import { clock } from "../engine/clock.ts";
import { asBytes } from "../engine/engine.ts";
import { APIConnectionError, aborted, type ChatwireError, define, ProtocolError, StalledError } from "../errors.ts";
import type { WithRequestId } from "../types.ts";
import type { Answer } from "./answer.ts";

/** How many bytes such an answer may have. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The server's own JSON, and the request's id.
 * @throws {ChatwireError} the answer did not come, not in time, is too large, or is not JSON
 */
export async function readJSON<T extends object>(answer: Answer, signal: AbortSignal): Promise<WithRequestId<T>> {
  let text: string;
  try {
    text = await textOf(answer, signal);
  } finally {
    answer.ended?.();
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error is thrown below, for text that is not JSON and JSON that is no object alike.
  }
  if (typeof value === "object" && value !== null)
    return define(value as WithRequestId<T>, "_request_id", answer.requestId);
  throw new ProtocolError(`The server answered ${answer.response.status} with no JSON object. Check the base URL.`, {
    code: "not_an_object",
  });
}

/** All of a body, read within the call's `idle` and `total`. */
async function textOf({ body, decoder: { timeouts = {}, started = 0 } }: Answer, signal: AbortSignal): Promise<string> {
  const { idle = Number.POSITIVE_INFINITY, total = Number.POSITIVE_INFINITY } = timeouts;
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    reader = body?.getReader();
    // Since when nothing has come: an empty piece is nothing.
    let since = clock();
    while (reader) {
      const [silent, over] = [since + idle, started + total];
      const late = over < silent ? timedOut("total", total) : timedOut("idle", idle);
      const left = Math.min(silent, over) - clock();
      // Pieces that are always there keep the timer from its turn.
      if (left <= 0) throw late;
      const { done, value } = await settled(reader.read(), left, late, signal);
      if (done) break;
      const bytes = asBytes(value);
      if (!bytes) throw new ProtocolError(`The body gave ${typeof value} in place of bytes.`, { code: "truncated" });
      if (bytes.length > 0) since = clock();
      length += bytes.length;
      if (length > MAX_BYTES) {
        throw new ProtocolError(`The answer has more than ${MAX_BYTES} bytes, too many. Check the base URL.`, {
          code: "limit.document",
        });
      }
      text += decoder.decode(bytes, { stream: true });
    }
    return text + decoder.decode();
  } catch (cause) {
    cancelBody(reader ?? body);
    if (signal.aborted) throw aborted(signal.reason);
    if (isOwn(cause)) throw cause;
    throw new APIConnectionError("The connection was lost before the whole answer arrived.", { cause });
  }
}

/** Asked of anything that a host may throw: a revoked proxy throws when it is asked for its class. */
function isOwn(cause: unknown): boolean {
  try {
    return cause instanceof ProtocolError || cause instanceof StalledError;
  } catch {
    return false;
  }
}

function timedOut(name: string, ms: number): ChatwireError {
  return new StalledError(
    `The answer did not go on within ${ms} ms (timeout.${name}). Try again, or raise the timeout.`,
    {
      code: `timeout.${name}`,
    },
  );
}

/** Settles with the promise; fails when its time is up or the call is aborted, whatever the promise does about it. */
function settled<T>(promise: Promise<T>, ms: number, late: ChatwireError, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      finish();
    };
    const leave = () => settle(() => reject(aborted(signal.reason)));
    const timer = ms > LONGEST_MS ? undefined : setTimeout(() => settle(() => reject(late)), ms);
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    promise.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}
