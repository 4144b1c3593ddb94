/**
 * A caller's own `fetch`, with what it answers made standard: some give Node streams for bodies.
 */
import type { ClientOptions } from "./options.ts";

type Fetch = NonNullable<ClientOptions["fetch"]>;

/** The same `fetch`, whose bodies are all web streams. */
export function standardFetch(fetch: Fetch): Fetch {
  return async (url, init) => standard(await fetch(url, init));
}

function standard(response: Response): Response {
  const body: unknown = response?.body;
  if (!body || typeof (body as ReadableStream).getReader === "function") return response;
  if (typeof (body as AsyncIterable<unknown>)[Symbol.asyncIterator] !== "function") {
    throw new TypeError("fetch gave a response whose body is not a stream");
  }
  const { status, statusText, headers } = response;
  const iterator = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status, statusText: statusText ?? "", headers: new Headers([...headers]) });
}
