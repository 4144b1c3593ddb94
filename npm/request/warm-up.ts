/**
 * Opening the connection to a server before there is anything to ask, so that the first question does not wait for it.
 */

import { cancelBody } from "../discard.ts";
import { LONGEST_MS } from "../engine/boundary.ts";
import { APIConnectionError, APIConnectionTimeoutError, aborted, reasonOf, unsent } from "../errors.ts";
import type { WarmUpOptions } from "../options.ts";
import type { Fetch, FetchInit } from "../types.ts";
import { standard } from "./host-fetch.ts";
import { refuseUnknown } from "./own-options.ts";

/** How long a connection may take to open, in milliseconds, unless the caller says otherwise. */
const PATIENCE = 10_000;

/** How much of an answer is read, in bytes: a body that is not read to its end closes a connection of HTTP/1.1. */
const MOST_READ = 65_536;

/**
 * Sends `GET /chat/completions` without a key. Every server refuses that, and in few words: its connection
 * is open. Not HEAD, after which Node closes the connection; not `/models`, which may be long.
 * @throws {APIConnectionError} no answer came
 */
export async function openConnection(baseURL: string, fetch: Fetch | undefined, options: WarmUpOptions): Promise<void> {
  refuseUnknown(options, ["signal", "timeout"]);
  const { signal, timeout = PATIENCE } = options;
  if (!(typeof timeout === "number" && timeout > 0 && timeout <= LONGEST_MS)) {
    throw unsent("invalid_option", `timeout must be at most ${LONGEST_MS} milliseconds`, "timeout");
  }
  const url = `${baseURL}/chat/completions`;
  if (signal?.aborted) throw aborted(signal.reason);
  const controller = new AbortController();
  const headers = new Headers();
  const init: FetchInit = { method: "GET", headers, signal: controller.signal };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let leave = () => {};
  // The host's fetch may not heed its signal.
  const stopped = new Promise<never>((_, reject) => {
    leave = () => reject(aborted(signal?.reason));
    const late = `${url} did not answer within ${timeout} ms: check the address and the network, or give warmUp a longer timeout.`;
    timer = setTimeout(() => reject(new APIConnectionTimeoutError(late)), timeout);
    signal?.addEventListener("abort", leave);
  });
  const ask = async () => {
    const response = await (fetch ?? globalThis.fetch)(url, init);
    const body: unknown = response?.body;
    // Some give streams of Node.
    const isIterable = typeof (body as AsyncIterable<unknown> | null)?.[Symbol.asyncIterator] === "function";
    await readOut(
      isIterable && !(body as ReadableStream).getReader ? standard(response).body : body,
      controller.signal,
    );
  };
  const answered = ask().catch((thrown) => {
    throw new APIConnectionError(`${url} was not reached (${reasonOf(thrown)}): check the address and the network.`);
  });
  try {
    await Promise.race([answered, stopped]);
  } catch (thrown) {
    controller.abort();
    throw thrown;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
  }
}

/** Nobody waits for the rest of a body once the signal is aborted, and a host may not heed that signal. */
async function readOut(body: unknown, signal: AbortSignal): Promise<void> {
  const stream = body as Partial<ReadableStream<Uint8Array>> | null | undefined;
  if (typeof stream?.getReader !== "function") return;
  let reader: ReadableStreamDefaultReader<Uint8Array>;
  try {
    reader = stream.getReader();
  } catch (thrown) {
    cancelBody(stream as ReadableStream);
    throw thrown;
  }
  const leave = () => cancelBody(reader);
  if (signal.aborted) return leave();
  signal.addEventListener("abort", leave);
  for (let read = 0; read < MOST_READ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    read += value.length + 1; // empty pieces without end are an end, too
  }
  await reader.cancel();
}
