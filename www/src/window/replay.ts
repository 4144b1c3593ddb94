/** A recorded stream as a `fetch`: the same bytes at the same times. */
import type { Fetch } from "chatwire";

/** Milliseconds since the request, and the text that came then. */
export type Recording = readonly (readonly [number, string])[];

/** @param speed 1 is as it was; Infinity is all at once */
export function replaying(recording: Recording, speed: number): Fetch {
  return async (_, { signal }) => {
    const started = performance.now();
    const encoder = new TextEncoder();
    let at = 0;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        const read = recording[at++];
        if (!read) return controller.close();
        const wait = started + read[0] / speed - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        if (!signal?.aborted) controller.enqueue(encoder.encode(read[1]));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}
