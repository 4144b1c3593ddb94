/**
 * The content of an answer that is not a chat completion, read within limits: the server may stop in the middle, or never.
 */
import {
  APIConnectionError,
  APIUserAbortError,
  ProtocolError,
  type RequestOptions,
  StalledError,
  type Timeouts,
} from "chatwire";
import { OpenAIError } from "./errors.ts";
import { headerOf } from "./header.ts";

/** How many bytes such an answer may have. */
const MAX_BYTES = 64 * 1024 * 1024;
/** The longest delay a timer can hold. */
const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * JSON as its value, all else as text.
 * @param settings those of the call: after `timeout.idle` milliseconds without a byte the server is not waited for
 * @throws {ChatwireError} the answer did not come whole, or is too large
 * @throws {OpenAIError} it is not the JSON that it is said to be
 */
export async function contentOf(response: Response, { signal, timeout }: RequestOptions): Promise<unknown> {
  if (response.status === 204) return null;
  const kind = headerOf(response, "content-type")?.split(";")[0]?.trim() ?? "";
  const { idle } = timeout as Timeouts;
  const text = await textOf(response, signal, idle as number);
  if (!/json$/i.test(kind)) return text;
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OpenAIError("The server answered with something that is not JSON.", { cause });
  }
}

async function textOf({ body }: Response, signal: AbortSignal | null | undefined, silence: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  let failure: Error | undefined;
  try {
    const reader = body?.getReader();
    // Cancelling a reader settles its read.
    const leave = (error: Error) => {
      failure = error;
      reader?.cancel().catch(() => {});
    };
    while (reader) {
      const late = `The answer did not go on within ${silence} ms. Try again, or raise the timeout.`;
      const timer = setTimeout(
        () => leave(new StalledError(late, { code: "timeout.idle" })),
        Math.min(silence, LONGEST_DELAY),
      );
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) break;
      length += value.length;
      if (length > MAX_BYTES) {
        leave(new ProtocolError(`The answer has more than ${MAX_BYTES} bytes.`, { code: "limit.document" }));
        break;
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch (cause) {
    const message = "The connection was lost before the whole answer arrived.";
    failure = signal?.aborted
      ? new APIUserAbortError("Request was aborted.", { cause: signal.reason })
      : new APIConnectionError(message, { cause });
  }
  if (failure) throw failure;
  return text + decoder.decode();
}
