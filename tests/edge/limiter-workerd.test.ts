/** Limits in workerd: several isolates, real Durable Objects, and a provider that enforces its plan. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createEmulator, type Emulator } from "chatwire/emulator";
import { serve } from "../../npm/emulator/serve.ts";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { CHAT, chat } from "./setting.ts";

const INSTANCES = 4;
const CALLERS = 200;

/** Asks for an answer as one of the callers, through one of the isolates. */
const ask = (worker: RunningWorker, number: number, token = "alice", params: Record<string, unknown> = {}) =>
  worker.fetch(
    number % INSTANCES,
    CHAT,
    chat(`Tell me about number ${number}`, {
      stream: true,
      max_tokens: 20,
      headers: { authorization: `Bearer ${token}` },
      ...params,
    }),
  );

const start = (upstream: string, limits: object, options: { onDisconnect?: string; objects?: string } = {}) =>
  startWorker({
    entry: join(import.meta.dirname, "limiter-worker.ts"),
    bindings: {
      UPSTREAM: upstream,
      LIMITS: JSON.stringify(limits),
      ON_DISCONNECT: options.onDisconnect ?? "drain",
      ...(options.objects && { OBJECTS: options.objects }),
    },
    objects: { LIMITER: "Limiter" },
    instances: INSTANCES,
  });

describe("a plan of ten a minute and three at once", { timeout: 60_000 }, () => {
  const plan = { requestsPerMinute: 10, concurrent: 3 };
  let emulator: Emulator;
  let upstream: Awaited<ReturnType<typeof serve>>;
  let worker: RunningWorker;
  before(async () => {
    emulator = createEmulator({ limits: plan, tokensPerSecond: 200 });
    upstream = await serve(emulator);
    worker = await start(upstream.url, { providers: { own: plan }, wait: 5000 });
  });
  after(async () => {
    await worker?.stop();
    await upstream?.close();
  });

  it("is kept by all isolates together", async () => {
    const answers = await Promise.all(Array.from({ length: CALLERS }, (_, number) => ask(worker, number)));
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 10);
    assert.equal(statuses.filter((status) => status === 429).length, CALLERS - 10);
    assert.deepEqual(new Set(emulator.ledger.records.map(({ status }) => status)), new Set([200]));
    for (const answer of answers) {
      if (answer.status !== 429) await answer.text();
      else {
        const { error } = (await answer.json()) as { error: { type: string; code: string } };
        assert.deepEqual([error.type, error.code], ["rate_limit_error", "rate_limit_exceeded"]);
        const seconds = Number(answer.headers.get("retry-after"));
        assert.ok(seconds >= 1 && seconds <= 60, `${seconds} s`);
      }
    }
  });
});
