/**
 * A response whose body the caller reads: the same response, with a callback for the end of its body.
 */

import { cancelBody } from "../discard.ts";
import { asBytes } from "../engine/engine.ts";
import { HELD, type MaybeHeld } from "./held.ts";
import { isBodiless } from "./host-fetch.ts";

/**
 * @param over is called once the body was read to its end, has failed, or was cancelled; at once where there is none
 * @param signal ends the body, also one whose host does not heed it
 */
export function handedOver(response: MaybeHeld, over: () => void, signal: AbortSignal | undefined): Response {
  const { body, status, statusText, url, redirected, type, [HELD]: held } = response;
  if (held || !body || isBodiless(status)) {
    held ? held(over) : over();
    return response;
  }
  // These may fail: read before the body is taken.
  const headers = new Headers([...response.headers]);
  const reader = body.getReader();
  let leave = () => {};
  const end = () => {
    signal?.removeEventListener("abort", leave);
    over();
  };
  const release = (reason: unknown) => {
    end();
    // Not waited for: not every host's reader settles this.
    cancelBody(reader, reason);
  };
  // A body that fails while no read is pending is over, too.
  reader.closed?.then(end, end);
  const stream = new ReadableStream({
    type: "bytes",
    start(controller) {
      leave = () => {
        release(signal?.reason);
        controller.error(signal?.reason);
      };
      signal?.addEventListener("abort", leave);
    },
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await reader.read();
          const bytes = asBytes(value);
          if (done) {
            end();
            controller.close();
            controller.byobRequest?.respond(0); // a reader with a buffer of its own waits for this
          } else if (bytes?.length === 0) continue;
          // A copy: a stream of bytes takes the buffer away, which the host may need for more than this.
          else controller.enqueue(new Uint8Array(bytes as Uint8Array));
          return;
        }
      } catch (error) {
        release(error);
        throw error;
      }
    },
    cancel: release,
  });
  if (signal?.aborted) leave();
  const same = new Response(stream, { status, statusText, headers });
  // The properties that `fetch` alone can set.
  for (const [name, value] of Object.entries({ url, redirected, type })) Object.defineProperty(same, name, { value });
  return same;
}
