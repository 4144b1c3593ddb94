/** The gateway in workerd at the oldest and the newest compatibility date, with objects that are bound and objects that are exported. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createEmulator } from "chatwire/emulator";
import { serve } from "../../npm/emulator/serve.ts";
import { startWorker } from "../../worker/workerd.ts";
import { openRecordSink } from "./running.ts";
import { asText, bytesOf, CHAT, chat } from "./setting.ts";

const FLAGS = ["enable_request_signal", "durable_object_io_tasks_prevent_eviction"];

describe("the gateway in workerd", { timeout: 120_000 }, () => {
  for (const [compatibilityDate, compatibilityFlags, bound] of [
    ["2026-04-01", FLAGS, "bound"],
    ["2026-11-17", [], "bound"],
    ["2026-11-17", [], "exported"],
  ] as const) {
    it(`keeps streams and counts at ${compatibilityDate}, with objects that are ${bound}`, async () => {
      const emulator = createEmulator({ tokensPerSecond: 2000 });
      const upstream = await serve(emulator);
      const sink = await openRecordSink();
      const worker = await startWorker({
        entry: join(import.meta.dirname, "dates-worker.ts"),
        compatibility: { compatibilityDate, compatibilityFlags: [...compatibilityFlags] },
        objects: { STREAMS: "ChatwireStreams", LIMITER: "ChatwireLimiter" },
        bindings: { UPSTREAM: upstream.url, RECORDS: sink.url, BOUND: bound },
      });
      try {
        const headers = { authorization: "Bearer alice" };
        const ask = (text: string) => fetch(new URL(CHAT, worker.url), chat(text, { stream: true, headers }));
        const whole = await ask("Echo: one two three");
        assert.match(asText(await bytesOf(whole)), /\[DONE\]/);
        const left = await ask("Tell me a story");
        const reader = (left.body as ReadableStream<Uint8Array>).getReader();
        await reader.read();
        await reader.cancel();
        const records = await sink.recorded(2);
        assert.deepEqual(
          records.map(({ outcome }) => outcome),
          ["complete", "complete"],
        );
        const id = left.headers.get("x-chatwire-stream");
        const again = await fetch(new URL(`/v1/streams/${id}`, worker.url), { headers });
        assert.match(asText(await bytesOf(again)), /\[DONE\]/);
        const { data } = await (await fetch(new URL("/v1/usage", worker.url), { headers })).json();
        const tokens = records.reduce((sum, record) => sum + (record.tokens ?? 0), 0);
        assert.deepEqual([data[0]?.requests, data[0]?.tokens, tokens], [2, tokens, emulator.ledger.tokens.total]);
      } finally {
        await worker.stop();
        await upstream.close();
        sink.close();
      }
    });
  }
});
