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
    let pulled: { settle(answer: { bytes: Uint8Array<ArrayBuffer> } | "end" | { error: unknown }): void } | undefined;
    const fail = (error: unknown) => {
      reject(error);
      pulled?.settle({ error });
    };
    const hangUp = () => {
      tell("leave");
      // A message that was on its way may still be delivered after the port was closed.
      port.onmessage = null;
      port.close();
    };
    const leave = () => {
      hangUp();
      fail(signal?.reason);
    };
    port.onmessage = ({ data }: MessageEvent<Answered>) => {
      if ("failed" in data) fail(new TypeError(data.failed));
      else if ("bytes" in data) pulled?.settle({ bytes: data.bytes });
      else if ("end" in data) pulled?.settle("end");
      else {
        const { status, headers, hasBody } = data.head;
        const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
          {
            pull: (controller) =>
              new Promise<void>((next) => {
                pulled = {
                  settle(answer) {
                    pulled = undefined;
                    if (answer === "end") {
                      signal?.removeEventListener("abort", leave);
                      port.close();
                      controller.close();
                    } else if ("bytes" in answer) controller.enqueue(answer.bytes);
                    else controller.error(answer.error);
                    next();
                  },
                };
                tell("pull");
              }),
            cancel() {
              signal?.removeEventListener("abort", leave);
              hangUp();
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
