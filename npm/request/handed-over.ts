/**
 * A response whose body the caller reads: the same, and whoever has to know hears when its body is over.
 */
import { asBytes } from "../engine/engine.ts";
import { isBodiless } from "./host-fetch.ts";

/**
 * @param over is called once the body was read to its end, has failed, or was cancelled; at once where there is none
 */
export function handedOver(response: Response, over: () => void): Response {
  const { body, status, statusText, url, redirected, type } = response;
  if (!body || isBodiless(status)) {
    over();
    return response;
  }
  const reader = body.getReader();
  // An abort ends a body that nobody is reading just then, too.
  reader.closed?.then(over, over);
  const stream = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      for (;;) {
        const { done, value } = await reader.read();
        const bytes = asBytes(value);
        if (done) {
          over();
          controller.close();
          controller.byobRequest?.respond(0); // who reads into a buffer of their own waits for this
        } else if (bytes?.length === 0) continue;
        // A stream of bytes takes the memory of what it is given: not that of others in the same pool.
        else
          controller.enqueue(
            bytes && bytes.length < bytes.buffer.byteLength ? bytes.slice() : (bytes as Uint8Array<ArrayBuffer>),
          );
        return;
      }
    },
    async cancel(reason) {
      over();
      await reader.cancel(reason);
    },
  });
  const same = new Response(stream, { status, statusText, headers: new Headers([...response.headers]) });
  // What `fetch` alone can set.
  for (const [name, value] of Object.entries({ url, redirected, type })) Object.defineProperty(same, name, { value });
  return same;
}
