/**
 * The response of a caller's own `fetch`, made standard: some give Node streams for bodies.
 */

/** Whether a standard response of this status can have no body. */
export function isBodiless(status: number): boolean {
  return status === 101 || status === 204 || status === 205 || status === 304;
}

/** The same response, whose body is a web stream. */
export function standard(response: Response): Response {
  const body: unknown = response.body;
  if (typeof (body as AsyncIterable<unknown>)[Symbol.asyncIterator] !== "function") {
    throw new TypeError("fetch gave a response whose body is not a stream");
  }
  const { status, statusText, headers } = response;
  const iterator = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const init = { status, statusText: statusText ?? "", headers: new Headers([...headers]) };
  const leave = async () => {
    await iterator.return?.();
    // The `return` of an iterator that was not begun frees nothing, so the stream is destroyed.
    (body as { destroy?(): void }).destroy?.();
  };
  if (isBodiless(status)) {
    leave().catch(() => {});
    return new Response(null, init);
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, init);
}
