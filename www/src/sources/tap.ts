/**
 * A look at the wire: a `fetch` that passes everything on, tells a listener what went by, and can be cut.
 */
import type { Fetch, FetchInit } from "chatwire";

/** Hears what goes by, with the time on the clock of `performance.now()`. */
export interface WireListener {
  request(url: string, init: FetchInit): void;
  response(status: number, headers: Headers): void;
  bytes(bytes: Uint8Array): void;
  /** The body is over. Without a reason its server ended it. */
  closed(reason?: string): void;
}

/** A connection that can be cut by hand. */
export interface Line {
  fetch: Fetch;
  /** Breaks what is under way, as a network does, and lets nothing through for a time in milliseconds. */
  cut(downFor: number): void;
}

/** Taps a `fetch`. */
export function tap(fetch: Fetch, listener: WireListener): Line {
  const open = new Set<(error: Error) => void>();
  let downUntil = 0;
  return {
    async fetch(url, init) {
      if (performance.now() < downUntil) throw new TypeError("There is no network.");
      listener.request(url, init);
      const response = await fetch(url, init);
      listener.response(response.status, response.headers);
      if (!response.body) {
        listener.closed();
        return response;
      }
      const { status, headers } = response;
      return new Response(tapped(response.body, listener, open), { status, headers });
    },
    cut(downFor) {
      downUntil = performance.now() + downFor;
      for (const lose of open) lose(new TypeError("The connection was cut by hand."));
    },
  };
}

function tapped(body: ReadableStream<Uint8Array>, listener: WireListener, open: Set<(error: Error) => void>) {
  const reader = body.getReader();
  let lose: (error: Error) => void = () => {};
  const end = (reason?: string) => {
    if (open.delete(lose)) listener.closed(reason);
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        lose = (error) => {
          end(error.message);
          controller.error(error);
          reader.cancel(error).catch(() => {});
        };
        open.add(lose);
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!open.has(lose)) return;
          if (done) {
            end();
            controller.close();
          } else {
            listener.bytes(value);
            controller.enqueue(value as Uint8Array<ArrayBuffer>);
          }
        } catch (error) {
          if (!open.has(lose)) return;
          end(error instanceof Error ? error.message : String(error));
          controller.error(error);
        }
      },
      async cancel(reason) {
        end("left by the reader");
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
