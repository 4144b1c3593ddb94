/**
 * Answers that are JSON of some other kind than a completion. Loaded with the first request for one.
 */

import { APIConnectionError, aborted, define, ProtocolError } from "../errors.ts";
import type { WithRequestId } from "../types.ts";
import type { Answer } from "./caller.ts";

/**
 * The server's own JSON, and the request's id.
 * @throws {ChatwireError} it did not come, or is none
 */
export async function readJSON<T extends object>(
  { response, requestId, ended }: Answer,
  signal: AbortSignal,
): Promise<WithRequestId<T>> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    if (signal.aborted) throw aborted(signal.reason);
    throw new APIConnectionError("The connection was lost before the whole answer arrived.", { cause });
  } finally {
    ended?.();
  }
  try {
    return define(JSON.parse(text) as WithRequestId<T>, "_request_id", requestId);
  } catch {
    throw new ProtocolError(
      `The server answered ${response.status} with something that is not JSON. Check the base URL.`,
    );
  }
}
