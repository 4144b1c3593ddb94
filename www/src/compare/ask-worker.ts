/** The readers in workers: each client has one of its own, so that none waits for another. */
import { startPageWorker } from "../page/trusted.ts";
import type { Job, JobNews } from "../worker/jobs.ts";
import type { ClientName, Reading } from "./names.ts";

const workers = new Map<ClientName, Worker>();

type JobOf<Name extends Job["job"]> = Extract<Job, { job: Name }>;

/** Reads the first view's stream, or a trouble. */
export async function readInWorker(
  job: JobOf<"column"> | JobOf<"trial">,
  onText: (text: string) => void = () => {},
): Promise<Reading> {
  const news = await done(job, onText);
  if ("reading" in news) return news.reading;
  throw new Error("failed" in news ? news.failed : "The worker told nothing.");
}

/** Microseconds an event. */
export async function timeInWorker(job: JobOf<"lap">): Promise<number> {
  const news = await done(job, () => {});
  return "microseconds" in news ? news.microseconds : Number.NaN;
}

function done(job: Job, onText: (text: string) => void): Promise<JobNews> {
  const worker = workers.get(job.client) ?? startPageWorker();
  workers.set(job.client, worker);
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<JobNews>) => {
      if ("text" in data) return onText(data.text);
      port1.close();
      resolve(data);
    };
    worker.postMessage(job, [port2]);
  });
}
