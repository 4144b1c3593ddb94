/**
 * The worker of the page: the server in the page, and the readers that are compared. An instance is started for each purpose, so
 * that one does not hold up the other.
 */
import { isJob, work } from "./jobs.ts";
import type { Posted } from "./post.ts";

addEventListener("message", ({ data, ports: [port] }: MessageEvent<Posted | object>) => {
  if (!port) return;
  if (isJob(data)) void work(data, port);
  else void import("./server.ts").then(({ serve }) => serve(data as Posted, port));
});
