/**
 * Answers that come whole: a completion through the engine, and other JSON as it is.
 */
import type { Answer } from "./call.ts";
import { APIConnectionError, ProtocolError, toError } from "./errors.ts";
import { aborted, errorOf } from "./outcome.ts";
import { type Read, Reading } from "./reading.ts";
import type { WithRequestId } from "./types.ts";

/**
 * The server's own JSON of a completion.
 * @throws {ChatwireError} with `outcome`, when it did not end well
 */
export async function readDocument<T extends object>(answer: Answer, signal: AbortSignal): Promise<WithRequestId<T>> {
  const reading = new Reading(answer.body, answer.decoder, signal, (outcome) => answer.ended?.(outcome));
  try {
    while (!reading.outcome) {
      let result: Read | undefined;
      let cause: unknown;
      try {
        result = await reading.read();
      } catch (thrown) {
        cause = thrown;
      }
      if (result) reading.taken(result);
      else reading.lost(cause);
    }
    if (reading.outcome.status !== "complete") throw errorOf(reading.outcome);
    return identified(JSON.parse(reading.completion) as T, answer.requestId);
  } catch (thrown) {
    reading.drop();
    throw toError(thrown);
  }
}

/** A body that is JSON of some other kind. */
export async function readJSON<T extends object>(answer: Answer, signal: AbortSignal): Promise<WithRequestId<T>> {
  let text: string;
  try {
    text = await answer.response.text();
  } catch (cause) {
    if (signal.aborted) throw aborted(signal.reason);
    throw new APIConnectionError("The connection was lost before the whole answer arrived.", { cause });
  } finally {
    answer.ended?.();
  }
  try {
    return identified(JSON.parse(text) as T, answer.requestId);
  } catch {
    throw new ProtocolError(
      `The server answered ${answer.response.status} with something that is not JSON. Check the base URL.`,
    );
  }
}

/** Adds the request's id without changing what the server sent. */
function identified<T extends object>(value: T, requestId: string | null): WithRequestId<T> {
  return Object.defineProperty(value, "_request_id", { value: requestId, configurable: true, writable: true });
}
