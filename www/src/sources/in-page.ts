/** A `fetch` to the server in the page's worker, which is started by the first request. */
import type { Fetch } from "chatwire";
import { startPageWorker } from "../page/trusted.ts";
import type { Answered, Asked, Posted } from "../worker/post.ts";

let worker: Worker | undefined;

/** Starts the worker, so that the first answer need not wait for it. */
export function warmUp(): Worker {
  worker ??= startPageWorker();
  return worker;
}

export const fetchInPage: Fetch = (url, { method, headers, body, signal }) => {
  const { port1: port, port2 } = new MessageChannel();
  const tell = (message: Asked) => port.postMessage(message);
  return new Promise<Response>((resolve, reject) => {
    let settle: { done(bytes?: Uint8Array<ArrayBuffer>): void; failed(error: unknown): void } | undefined;
    const fail = (error: unknown) => {
      reject(error);
      settle?.failed(error);
    };
    const leave = () => {
      tell("leave");
      port.close();
      fail(signal?.reason);
    };
    port.onmessage = ({ data }: MessageEvent<Answered>) => {
      if ("failed" in data) fail(new TypeError(data.failed));
      else if ("bytes" in data) settle?.done(data.bytes);
      else if ("end" in data) settle?.done();
      else {
        const { status, headers, hasBody } = data.head;
        const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
          {
            pull: (controller) =>
              new Promise<void>((next) => {
                settle = {
                  done(bytes) {
                    if (bytes) controller.enqueue(bytes);
                    else {
                      signal?.removeEventListener("abort", leave);
                      port.close();
                      controller.close();
                    }
                    next();
                  },
                  failed(error) {
                    controller.error(error);
                    next();
                  },
                };
                tell("pull");
              }),
            cancel() {
              signal?.removeEventListener("abort", leave);
              tell("leave");
              port.close();
            },
          },
          { highWaterMark: 0 },
        );
        resolve(new Response(hasBody ? stream : null, { status, headers }));
      }
    };
    if (signal?.aborted) return leave();
    signal?.addEventListener("abort", leave, { once: true });
    const posted: Posted = { url, method, headers: [...headers], body };
    warmUp().postMessage(posted, [port2]);
  });
};
