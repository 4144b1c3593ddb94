/**
 * What a caller's own `fetch` answers, made standard: some give Node streams for bodies.
 */

/** The same response, whose body is a web stream. */
export function standard(response: Response): Response {
  const body: unknown = response.body;
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
