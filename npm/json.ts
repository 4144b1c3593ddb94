/**
 * Answers that are JSON of some other kind than a completion. Loaded with the first request for one.
 */
import type { Answer } from "./call.ts";
import { APIConnectionError, aborted, ProtocolError } from "./errors.ts";

/**
 * The server's own JSON.
 * @throws {ChatwireError} it did not come, or is none
 */
export async function readJSON<T>({ response, ended }: Answer, signal: AbortSignal): Promise<T> {
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
    return JSON.parse(text) as T;
  } catch {
    throw new ProtocolError(
      `The server answered ${response.status} with something that is not JSON. Check the base URL.`,
    );
  }
}
