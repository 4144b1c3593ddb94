/**
 * Cutting a stream into network reads, and handing them out as the body of a response. Runs in every host.
 */

/** How many bytes one read brings; `"event"` for exactly one event. */
export type ReadSize = number | "event";

/** The reads that bring `bytes`. */
export function cut(bytes: Uint8Array<ArrayBuffer>, size: ReadSize): Uint8Array<ArrayBuffer>[] {
  const reads = [];
  for (let at = 0; at < bytes.length; ) {
    const end = size === "event" ? eventEnd(bytes, at) : at + size;
    reads.push(bytes.subarray(at, end));
    at = end;
  }
  return reads;
}

function eventEnd(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(10, from);
  while (at >= 0 && bytes[at + 1] !== 10) at = bytes.indexOf(10, at + 1);
  return at < 0 ? bytes.length : at + 2;
}

/** The result for a server that sends these reads. */
export function response(reads: readonly Uint8Array<ArrayBuffer>[]): Response {
  let at = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const read = reads[at++];
      if (read) controller.enqueue(read);
      else controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** The same as a bare body. */
export function body(reads: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array> {
  return response(reads).body as ReadableStream<Uint8Array>;
}
