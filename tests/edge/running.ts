/** The gateway of `gateway-worker.ts` in workerd, and the place where its records arrive. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { UsageRecord } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { serve } from "../../npm/emulator/serve.ts";
import { startWorker } from "../../worker/workerd.ts";

export const TOKEN = "a-token-of-this-test";
/** The secret of pages' tokens, and the page that may have one. */
export const PAGE_SECRET = "thirty-two characters of the test";
export const PAGE = "https://chat.example.com";
/** The parameters that callers send. */
export const headers = { "content-type": "application/json", authorization: `Bearer ${TOKEN}` };

/** Where the worker sends its records. One that is refused is answered with 503, and counts as not sent. */
export async function openRecordSink(isRefused: (record: UsageRecord) => boolean = () => false) {
  const records: UsageRecord[] = [];
  const server = createServer(async (incoming, response) => {
    let body = "";
    for await (const piece of incoming.setEncoding("utf8")) body += piece;
    const record = JSON.parse(body) as UsageRecord;
    if (isRefused(record)) {
      response.writeHead(503).end();
      return;
    }
    records.push(record);
    response.end();
    server.emit("record");
  });
  // A connection that is closed while it is used again would delay a record by its retry.
  server.keepAliveTimeout = 600_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    records,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Resolves once there are so many. */
    async recorded(count: number): Promise<UsageRecord[]> {
      while (records.length < count) await once(server, "record");
      return records;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Starts the gateway before a provider. */
export const start = (upstream: string, sink: string, onDisconnect: "drain" | "abort") =>
  startWorker({
    entry: join(import.meta.dirname, "gateway-worker.ts"),
    bindings: {
      ...{ UPSTREAM: upstream, RECORDS: sink, KEY: "sk-of-this-test", ON_DISCONNECT: onDisconnect },
      ...{ TOKEN, PAGE_SECRET, PAGE },
    },
  });

/** A gateway that keeps streams, in workerd, with real Durable Objects, before a provider that keeps a ledger. */
export async function startKeeping(tokensPerSecond: number) {
  const emulator = createEmulator({ tokensPerSecond });
  const upstream = await serve(emulator);
  const sink = await openRecordSink();
  const worker = await startWorker({
    entry: join(import.meta.dirname, "streams-worker.ts"),
    objects: { STREAMS: "Streams", LIMITER: "ChatwireLimiter" },
    bindings: { UPSTREAM: upstream.url, RECORDS: sink.url },
  });
  return {
    emulator,
    sink,
    worker,
    async stop() {
      await worker.stop();
      await upstream.close();
      sink.close();
    },
  };
}
