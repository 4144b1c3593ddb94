/**
 * The jobs of the page's readers: read the first view's stream, a trouble, or a stream that is all there, against
 * the clock.
 */
import { READERS } from "../compare/clients.ts";
import type { ClientName, Reading } from "../compare/names.ts";
import { compare } from "../compare/trials.ts";
import type { Trouble } from "../compare/troubles.ts";
import recorded from "../window/recorded.json" with { type: "json" };
import { type Recording, replaying } from "../window/replay.ts";
import { type Shape, streamOf } from "./shapes.ts";

/** One thing to do, by one client. */
export type Job = { client: ClientName } & (
  | { job: "column"; speed: number }
  | { job: "trial"; trouble: Trouble }
  | { job: "lap"; shape: Shape; readSize: number }
);

/** The messages that are told meanwhile and at the end. */
export type JobNews = { text: string } | { reading: Reading } | { microseconds: number } | { failed: string };

export const isJob = (data: object): data is Job => "job" in data;

/** Does a job and tells of it through its port. */
export async function work(job: Job, port: MessagePort): Promise<void> {
  const tell = (news: JobNews) => port.postMessage(news);
  try {
    if (job.job === "column") {
      const fetch = replaying(recorded.stream as unknown as Recording, job.speed);
      tell({ reading: await READERS[job.client]({ fetch, content: "", onText: (text) => tell({ text }) }) });
    } else if (job.job === "trial") {
      const { createEmulator } = await import("chatwire/emulator");
      const { readings } = await compare(job.trouble, createEmulator().fetch, [job.client]);
      tell({ reading: readings[job.client] });
    } else tell({ microseconds: await lap(job.client, job.shape, job.readSize) });
  } catch (error) {
    tell({ failed: error instanceof Error ? error.message : String(error) });
  }
}

/** Events in one stream. */
const EVENTS = 2000;
/** Runs that count; one before them warms up. The median is told. */
const RUNS = 5;

/** Microseconds an event for a stream that is all there. */
async function lap(client: ClientName, shape: Shape, readSize: number): Promise<number> {
  const bytes = new TextEncoder().encode(streamOf(shape, EVENTS));
  const times: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const started = performance.now();
    const headers = { "content-type": "text/event-stream" };
    await READERS[client]({ content: "", fetch: async () => new Response(inReads(bytes, readSize), { headers }) });
    if (run > 0) times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  return ((times[Math.floor(times.length / 2)] ?? 0) * 1000) / EVENTS;
}

function inReads(bytes: Uint8Array<ArrayBuffer>, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}
