/** An object that waits for its provider, with nobody else asking for anything, is not put to sleep. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { startWorker } from "../../worker/workerd.ts";
import { startUpstream } from "../worker/network.ts";
import { openRecordSink } from "./running.ts";
import { asText, bytesOf, CHAT, chat, DONE, says, usageEvent } from "./setting.ts";

/** Longer than workerd lets an object be idle, which is ten seconds. */
const SILENCE = 14_000;

it("a provider may be silent for longer than an object may be idle", { timeout: 60_000 }, async () => {
  const upstream = await startUpstream();
  const sink = await openRecordSink();
  const worker = await startWorker({
    entry: join(import.meta.dirname, "streams-worker.ts"),
    objects: { STREAMS: "Streams", LIMITER: "ChatwireLimiter" },
    bindings: { UPSTREAM: upstream.url, RECORDS: sink.url },
  });
  try {
    const headers = { authorization: "Bearer alice" };
    const answer = fetch(new URL(CHAT, worker.url), chat("hi", { stream: true, headers }));
    const { response } = await upstream.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(says("before "));
    const { body, headers: answered } = await answer;
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    // The test waits to see that nothing happens.
    await new Promise((resolve) => setTimeout(resolve, SILENCE));
    response.end(says("after", "stop") + usageEvent + DONE);
    const [record] = await sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.tokens, record?.estimated], ["complete", 7, false]);
    const url = new URL(`/v1/streams/${answered.get("x-chatwire-stream")}`, worker.url);
    const text = asText(await bytesOf(await fetch(url, { headers })));
    assert.match(text, /before[\s\S]*after[\s\S]*\[DONE\]/);
  } finally {
    await worker.stop();
    await upstream.stop();
    sink.close();
  }
});
