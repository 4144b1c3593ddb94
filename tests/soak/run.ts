/**
 * `npm run soak -- --minutes N`: mixed calls of clients, through a gateway, to a provider that keeps a ledger, with faults
 * on both ways between them. All calls settle, memory is flat, and the gateway's usage records have the ledger's numbers.
 *
 * Clients and gateway are processes of their own, so that what they hold is theirs. A line a minute is printed.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { UsageRecord } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { serve } from "../../npm/emulator/serve.ts";
import { openRecordSink } from "../edge/running.ts";
import { randomFrom } from "../edge/setting.ts";
import { FAULTS, type Fault, ofConnections, PHASES, type Plan, startProxy } from "../faults/proxy.ts";
import type { Held } from "./memory.ts";

/** The findings of a soak. */
export interface Soaked {
  minutes: number;
  calls: number;
  complete: number;
  /** How the other calls ended, and how often. */
  other: Record<string, number>;
  /** Faults that happened before the gateway, and before the provider. */
  faults: [number, number];
  /** Requests in the ledger; records of the gateway that are exact, and those that are estimates. */
  requests: number;
  exact: number;
  estimated: number;
  /** Tokens of the exact records, and of the ledger for the same requests. */
  tokens: number;
  ledger: number;
  /** The memory of the processes, each minute. */
  gateway: Held[];
  client: Held[];
}

/** One request in so many meets a fault. */
const ONE_IN = 6;

/** Faults as they come: of connections, or at any phase of an answer. */
function faultsFrom(seed: number) {
  const random = randomFrom(seed);
  return (path: string): Plan | undefined => {
    if (random(ONE_IN) > 0) return undefined;
    const fault = FAULTS[random(FAULTS.length)] as Fault;
    const phase = PHASES[random(PHASES.length)] as Plan["phase"];
    // A fault of a connection happens when it is made, and not again to its request.
    return ofConnections.includes(fault) === (path === "") ? { fault, phase } : undefined;
  };
}

function start(file: string, env: Record<string, string>): ChildProcess {
  const path = join(import.meta.dirname, file);
  return fork(path, { execArgv: ["--expose-gc"], env: { ...process.env, ...env } });
}

/** Asks a process for something, and waits for the message that has it. */
async function ask<T>(child: ChildProcess, question: string | undefined, key: string): Promise<T> {
  const answered = new Promise<T>((resolve, reject) => {
    const take = (message: unknown) => {
      if (!(message as object) || !(key in (message as object))) return;
      child.off("message", take);
      resolve((message as Record<string, T>)[key] as T);
    };
    child.on("message", take);
    child.once("exit", (code) => reject(new Error(`a process of the soak has exited with ${code}`)));
  });
  if (question) child.send(question);
  return answered;
}

interface Counts {
  calls: number;
  complete: number;
  other: Record<string, number>;
  wrong: string[];
}

/** @throws {AssertionError} a call does not settle, memory grows, or the records differ from the ledger */
export async function soak(
  minutes: number,
  { seed = 5, samples = Math.max(2, Math.round(minutes)), told = (_: string) => {} } = {},
): Promise<Soaked> {
  const emulator = createEmulator({ tokensPerSecond: 400, timeToFirstToken: 20 });
  const upstream = await serve(emulator);
  const sink = await openRecordSink();
  // A provider's answer that is cut off has no usage: its record is an estimate. All else leaves exact records.
  const behind = await startProxy(upstream.url, faultsFrom(seed));
  const gateway = start("gateway.ts", { UPSTREAM: behind.url, RECORDS: sink.url });
  const url = await ask<string>(gateway, undefined, "url");
  const before = await startProxy(url, faultsFrom(seed + 1));
  const client = start("client.ts", { GATEWAY: before.url, SEED: String(seed) });
  try {
    const held: { gateway: Held[]; client: Held[] } = { gateway: [], client: [] };
    for (let sample = 1; sample <= samples; sample++) {
      await new Promise((resolve) => setTimeout(resolve, (minutes * 60_000) / samples));
      const [ofGateway, ofClient] = await Promise.all([
        ask<Held>(gateway, "memory", "held"),
        ask<Held>(client, "memory", "held"),
      ]);
      held.gateway.push(ofGateway);
      held.client.push(ofClient);
      const { calls, wrong } = await ask<Counts>(client, "counts", "counts");
      told(JSON.stringify({ sample, calls, gateway: ofGateway, client: ofClient, wrong: wrong.length }));
      assert.deepEqual(wrong, []);
    }
    const ended = ask<boolean>(client, undefined, "ended");
    const { calls, complete, other, wrong } = await ask<Counts>(client, "end", "counts");
    await ended;
    assert.deepEqual(wrong, []);

    // Callers who have left are drained for still, and an answer that stalls is waited for.
    const isNameless = ({ upstreamRequestId }: UsageRecord) => upstreamRequestId === null;
    const missing = () => {
      const named = new Set(sink.records.map(({ upstreamRequestId }) => upstreamRequestId));
      return emulator.ledger.records.filter(({ requestId }) => !named.has(requestId)).length;
    };
    // A request whose answer never came has a record that cannot name it.
    const isOver = () => emulator.ledger.open === 0 && missing() <= sink.records.filter(isNameless).length;
    for (let waited = 0; waited < 1200 && !isOver(); waited++) await pause(100);
    assert.ok(isOver(), `${missing()} requests of the ledger are in no book`);
    await pause(1000);
    const entries = new Map(emulator.ledger.records.map((entry) => [entry.requestId, entry]));
    let [tokens, ledger, exact, estimated] = [0, 0, 0, 0];
    const seen = new Set<string>();
    for (const record of sink.records) {
      if (record.upstreamRequestId === null) continue;
      assert.ok(!seen.has(record.upstreamRequestId), `a request is recorded twice: ${record.upstreamRequestId}`);
      seen.add(record.upstreamRequestId);
      const entry = entries.get(record.upstreamRequestId);
      assert.ok(entry, `a record of what the provider does not know: ${record.upstreamRequestId}`);
      if (record.estimated || record.tokens === null) {
        estimated++;
        // Whole answers have their usage.
        assert.notEqual(record.outcome, "complete", JSON.stringify(record));
        continue;
      }
      exact++;
      assert.equal(record.tokens, entry.usage?.total_tokens, JSON.stringify(record));
      tokens += record.tokens;
      ledger += entry.usage?.total_tokens ?? Number.NaN;
    }
    assert.equal(tokens, ledger);
    for (const [name, samplesOf] of Object.entries(held)) {
      assert.ok(isFlat(samplesOf), `the memory of ${name} grows: ${JSON.stringify(samplesOf)}`);
    }
    const faults: [number, number] = [before.happened, behind.happened];
    const { requests } = emulator.ledger;
    return { minutes, calls, complete, other, faults, requests, exact, estimated, tokens, ledger, ...held };
  } finally {
    for (const child of [client, gateway]) {
      const exited = child.exitCode === null ? once(child, "exit") : undefined;
      child.kill();
      await exited;
    }
    await before.close();
    await behind.close();
    await upstream.close();
    sink.close();
  }
}

/** Whether the last third holds no more than the third before it, but for a few MiB of caches and compiled code. */
function isFlat(samples: readonly Held[]): boolean {
  const third = Math.floor(samples.length / 3);
  if (third === 0) return true;
  const most = (part: readonly Held[], key: keyof Held) => Math.max(...part.map((held) => held[key]));
  const [middle, last] = [samples.slice(third, 2 * third), samples.slice(-third)];
  return (["heap", "external", "engine"] as const).every((key) => most(last, key) <= most(middle, key) * 1.1 + 4);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

if (import.meta.main) {
  const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" }, seed: { type: "string" } } });
  const seed = Number(values.seed ?? Date.now() % 1e6);
  console.log(JSON.stringify({ seed }));
  const found = await soak(Number(values.minutes), { seed, told: console.log });
  console.log(JSON.stringify(found));
}
