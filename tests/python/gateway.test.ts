/** `gateway.py`, and what the gateway has written down of the caller who left. `npm run test:python` runs it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { createEmulator } from "chatwire/emulator";
import { serve } from "../../npm/emulator/serve.ts";
import { openRecordSink, start, TOKEN } from "../edge/running.ts";
import { until } from "../edge/setting.ts";

it("OpenAI's Python client works through the gateway in workerd", { timeout: 120_000 }, async () => {
  const emulator = createEmulator({ tokensPerSecond: 2000 });
  const upstream = await serve(emulator);
  const sink = await openRecordSink();
  const worker = await start(upstream.url, sink.url, "abort");
  try {
    const env = { ...process.env, GATEWAY: new URL("/v1", worker.url).href, TOKEN };
    const program = join(import.meta.dirname, "gateway.py");
    const { stderr } = await promisify(execFile)(process.env.PYTHON ?? "python3", [program], { env });
    assert.match(stderr, /^Ran 7 tests/m);
    const left = () => sink.records.find(({ requestId }) => requestId === "left");
    await until(() => left() !== undefined && emulator.ledger.open === 0);
    assert.deepEqual([left()?.outcome, left()?.disconnected, left()?.estimated], ["aborted", true, true]);
  } finally {
    await worker.stop();
    await upstream.close();
    sink.close();
  }
});
