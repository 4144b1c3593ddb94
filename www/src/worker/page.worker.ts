/**
 * The worker of the page: the server in the page, the readers that are compared, and the colours of code. An instance is started for
 * each purpose, so that one does not hold up the other.
 */
import { isJob, work } from "./jobs.ts";
import type { Coloured, Colouring, Posted } from "./post.ts";

addEventListener("message", ({ data, ports: [port] }: MessageEvent<Posted | object>) => {
  if (!port) return;
  if (isJob(data)) void work(data, port);
  else if ("code" in data) void colour(data as Colouring, port);
  else void import("./server.ts").then(({ serve }) => serve(data as Posted, port));
});

async function colour({ code, language }: Colouring, port: MessagePort): Promise<void> {
  const html: Coloured = await import("../markdown/highlight.ts")
    .then(({ coloured }) => coloured(code, language))
    .catch(() => undefined);
  port.postMessage(html);
}
