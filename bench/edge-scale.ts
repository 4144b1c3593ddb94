/**
 * `npm run bench:edge-scale`: what one Durable Object can take, and what that means for many keys. Writes
 * docs/edge-scale.md.
 *
 *     npm run bench:edge-scale                 two minutes
 *     npm run bench:edge-scale -- --quick      a quarter of that; prints, and writes nothing
 *
 * workerd runs with real objects, stored on this machine's disk. The sender of the messages runs in the same
 * process, so an object alone can take more than is found here. CPU time is that of the process, by the kernel's
 * accounts, so Linux is needed.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { RENEWAL } from "../npm/edge/lease.ts";
import { LEASE } from "../npm/edge/meter.ts";
import type { Load } from "./inside/edge-scale.ts";
import { cpuTime } from "./process-time.ts";
import { type Fate, simulate, type World } from "./scale.ts";
import { versionOf } from "./versions.ts";
import { type RunningWorker, Worker } from "./workerd.ts";

const isQuick = process.argv.includes("--quick");
const ROUNDS = isQuick ? 3 : 11;
const REQUESTS = 1000;
const LANES = 64;
/** Renewals that are measured with one request. */
const RENEWALS = 8;
/** Bytes of a stored event. */
const EVENT = 220;
const BATCHES = [1, 4, 16, 64, 256];
/** The rate that one object takes, as Cloudflare states it, in requests a second, before it may refuse some. */
const SOFT_LIMIT = 1000;

/** The world of the simulation. */
const KEYS = 1000;
const STREAMS = 100_000;
const LENGTH = 30;
const ISOLATES = 300;
/** Of one stream, in a second. */
const TOKENS = 64;
const TIME = isQuick ? 20 : 60;

const plan = { requestsPerMinute: 1e9, tokensPerMinute: 1e12, concurrent: 1e9, costPerDay: 1e9 };
const record = {
  ...{ recordId: "ID", requestId: "ID", upstreamRequestId: null, caller: "alice", model: "electron", provider: "own" },
  ...{ upstreamModel: "electron", status: 200, outcome: "complete", disconnected: false, promptTokens: 120, cached: 0 },
  ...{ completionTokens: 300, tokens: 420, cost: 0.001, estimated: false, startedAt: Date.now() },
  timing: { firstByte: 100, firstToken: 100, total: 3000 },
};
const admit = { op: "admit", id: "ID", plan, tokens: 500, wait: 0 };
const renew = { op: "renew", id: "ID", tokens: 500, answered: 10 };
const settle = { op: "settle", id: "ID", tokens: 420, answered: 3000, linger: 0, record };
const limiter = (...messages: object[]): Pick<Load, "object" | "messages"> => ({ object: "Limiter", messages });

const LOADS = {
  nothing: { object: "Nothing", messages: [renew] },
  admit: limiter(admit),
  refused: limiter({ ...admit, plan: { concurrent: 1 } }),
  renewed: limiter(admit, ...Array<object>(RENEWALS).fill(renew)),
  settled: limiter(admit, settle),
  ...Object.fromEntries(
    BATCHES.map((events) => [`log ${events}`, { object: "Log", messages: [{ events, bytes: EVENT }] }]),
  ),
} satisfies Record<string, Pick<Load, "object" | "messages">>;

/** The cost of one request of a load. */
interface Cost {
  /** Microseconds of CPU. */
  cpu: number;
  /** Microseconds that pass, with many at the same time. */
  time: number;
  /** Microseconds from question to answer, one after the other. */
  alone: number;
  read: number;
  written: number;
}

let runs = 0;

async function run(worker: RunningWorker, load: Pick<Load, "object" | "messages">, lanes: number, requests: number) {
  const [cpu, time] = [cpuTime(worker.pid), performance.now()];
  const body = JSON.stringify({ ...load, requests, lanes, run: `run-${runs++}` } satisfies Load);
  const response = await fetch(worker.url, { method: "POST", body });
  if (!response.ok) throw new Error(await response.text());
  const rows = (await response.json()) as { read: number; written: number };
  return {
    cpu: (cpuTime(worker.pid) - cpu) / requests,
    time: ((performance.now() - time) * 1000) / requests,
    read: rows.read / requests,
    written: rows.written / requests,
  };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

async function measure(worker: RunningWorker): Promise<Map<string, Cost>> {
  const found = new Map<string, Cost[]>();
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, load] of Object.entries(LOADS)) {
      const together = await run(worker, load, LANES, REQUESTS);
      const { time: alone } = await run(worker, load, 1, REQUESTS / 10);
      if (round >= 0) found.set(name, [...(found.get(name) ?? []), { ...together, alone }]);
    }
  }
  const field = (costs: Cost[], name: keyof Cost) => median(costs.map((cost) => cost[name]));
  return new Map(
    [...found].map(([name, costs]) => [
      name,
      {
        cpu: field(costs, "cpu"),
        time: field(costs, "time"),
        alone: field(costs, "alone"),
        read: field(costs, "read"),
        written: field(costs, "written"),
      },
    ]),
  );
}

/** The cost of each kind of message, taken out of the loads. */
function byMessage(loads: Map<string, Cost>) {
  const of = (name: string) => loads.get(name) as Cost;
  const minus = (a: Cost, b: Cost, count = 1): Cost =>
    Object.fromEntries(
      (Object.keys(a) as (keyof Cost)[]).map((field) => [field, Math.max(0, a[field] - b[field]) / count]),
    ) as unknown as Cost;
  return {
    nothing: of("nothing"),
    admit: of("admit"),
    refused: of("refused"),
    renew: minus(of("renewed"), of("admit"), RENEWALS),
    settle: minus(of("settled"), of("admit")),
  };
}

const number = (value: number, digits = 0) =>
  value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });

const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

function report(loads: Map<string, Cost>): string {
  const messages = byMessage(loads);
  const { nothing, admit, renew, settle } = messages;
  const row = (name: string, { cpu, time, alone, read, written }: Cost) => [
    ...[name, number(1e6 / time), number(cpu), number(cpu - nothing.cpu)],
    ...[number(alone / 1000, 2), number(written, 1), number(read, 1)],
  ];
  const seconds = (cost: Cost) => cost.time / 1e6;
  const work = { admit: seconds(admit), renew: seconds(renew), settle: seconds(settle) };
  const world: World = { keys: KEYS, streams: STREAMS, length: LENGTH, renewal: RENEWAL / 1000, work, time: TIME };
  const fateRow = (name: string, fate: Fate, renewal: number) => [
    ...[name, number(renewal * (LEASE / RENEWAL)), number(fate.messages), number(fate.busiest)],
    ...[number(fate.load, 2), fate.load < 1 ? `${number(fate.median, 2)} / ${number(fate.high, 1)}` : "grows"],
    number(fate.over),
  ];
  const renewals = [5, 10, RENEWAL / 1000, 40];
  const fates = renewals.map((renewal) => [renewal, simulate({ ...world, renewal }, SOFT_LIMIT)] as const);
  const together = simulate({ ...world, isolates: ISOLATES }, SOFT_LIMIT);
  const chosen = fates.find(([renewal]) => renewal === RENEWAL / 1000)?.[1] as Fate;

  /** Messages of one stream, and how many streams one object can have so. */
  const perStream = 2 + Math.ceil(LENGTH / (RENEWAL / 1000)) - 1;
  const perSecond = (1e6 * perStream) / (admit.time + settle.time + (perStream - 2) * renew.time);
  const most = (rate: number) => number(Math.floor((rate / perStream) * LENGTH));
  const written = admit.written + settle.written + (perStream - 2) * renew.written;
  const rows = written * (STREAMS / LENGTH);

  const busiest =
    STREAMS / Array.from({ length: KEYS }, (_, rank) => 1 / (rank + 1)).reduce((sum, share) => sum + share);

  const single = loads.get("log 1") as Cost;
  const batches = BATCHES.map((events) => {
    const { cpu, time, written } = loads.get(`log ${events}`) as Cost;
    return [
      ...[number(events), number((cpu - nothing.cpu) / events, 1), number(single.cpu / (cpu / events), 1)],
      ...[number((1e6 / time) * events), number(written / events, 3)],
    ];
  });
  return `# What one key can take

Written by \`npm run bench:edge-scale\`; no figure of a measurement is typed by hand. Read ratios, not times: another machine, and
Cloudflare's, have others.

By that command on ${new Date().toISOString().slice(0, 10)}; ${cpus()[0]?.model}, ${cpus().length} cores; workerd of miniflare ${versionOf("miniflare")}. Medians of ${ROUNDS} rounds of ${number(REQUESTS)} requests to an object of their own, ${LANES} at the same time. Who sends them runs in the same process and thread, so an object alone takes more than this. Storage is SQLite on this machine's disk.

## One object

A key's plan is kept by one object (see [limits](edge.md#limits)), which does one thing at a time. A request sends it two messages,
one to ask for a lease and one to give it back with what was used, and one more for every ${RENEWAL / 1000} seconds that its answer runs.

${table(
  ["message", "a second", "CPU, µs", "over one that does nothing", "ms, one at a time", "rows written", "rows read"],
  [
    row("to an object that does nothing", messages.nothing),
    row("a lease asked for and given", messages.admit),
    row("a lease refused", messages.refused),
    row("a lease renewed", messages.renew),
    row("a lease given back, usage entered", messages.settle),
  ],
)}

A renewal is written, since an object that is idle until the next may be taken out of memory. Old rows are deleted later, one for each
request; that is not in the table.

So one key has here up to about ${number(perSecond / perStream)} requests a second of ${LENGTH} seconds each, which is ${most(perSecond)} streams at the same time.
Cloudflare names ${number(SOFT_LIMIT)} requests a second as what an object takes before it may refuse some: with that, a key has up to ${number(SOFT_LIMIT / perStream)} a second and
${most(SOFT_LIMIT)} streams. Providers' plans are far below either. Where no plan is to be kept, a request sends one message, to be entered in the
usage records of its provider's object.

## A thousand keys

${number(STREAMS)} streams of ${LENGTH} seconds at the same time over ${number(KEYS)} keys, the share of each falling with its rank (Zipf), begun at random; each
object takes its messages one after the other, in the time measured above. ${TIME} seconds after as many to begin with.

${table(
  [
    "renewals",
    "a dead isolate's leases are kept, s",
    "messages a second, all keys",
    "the busiest key",
    "its load",
    "ms there, median / 99 of 100",
    `keys over ${number(SOFT_LIMIT)} a second`,
  ],
  [
    ...fates.map(([renewal, fate]) => fateRow(`every ${renewal} s`, fate, renewal)),
    fateRow(`every ${RENEWAL / 1000} s, an isolate's together, ${ISOLATES} isolates`, together, RENEWAL / 1000),
  ],
)}

- The busiest key has ${number(busiest)} streams at the same time. That is more than Cloudflare promises an object can keep up with: so much
  traffic needs more than one provider key.
- A lease is three renewals long, so that two may get lost. **${RENEWAL / 1000} seconds** are chosen: ${number(((chosen.messages / (STREAMS / LENGTH) - 2) * 100) / (chosen.messages / (STREAMS / LENGTH)))} % of all messages are renewals then.
  Half as often would free a dead isolate's leases a minute later, and save ${number((1 - (fates.at(-1)?.[1].messages ?? 0) / chosen.messages) * 100)} % of the messages; twice as often costs ${number(((fates[1]?.[1].messages ?? 0) / chosen.messages - 1) * 100)} % more.
- **Renewals are not batched.** One message for all of an isolate's streams would save ${number((1 - together.messages / chosen.messages) * 100)} %, and a request that
  was killed would be renewed by its neighbours.
- **What was used is not batched either**: it is told with the end of the lease, so that it is one message, and none is lost with an isolate.
- All keys together write ${number(rows)} rows a second for their limits and usage records, ${number(written, 1)} a request.

## A log of events

What keeps a stream's events can write each by itself or several in a row of its table. Events of ${EVENT} bytes:

${table(["events in a row", "CPU over nothing, µs an event", "cheaper by", "events a second", "rows written an event"], batches)}

A row for **1 MiB or a second**, whichever comes first, is chosen for streams that are kept. At ${TOKENS} tokens a second that is a row of about as
many: ${number(STREAMS / 1e6, 1)} million rows a second for ${number(STREAMS)} streams, and not ${number((STREAMS * TOKENS) / 1e6, 1)} million. Larger rows save little more and lose more of an
answer when an object restarts.
`;
}

const worker = await Worker.from({ file: "inside/edge-scale.ts" }, {}, ["Limiter", "Nothing", "Log"]);
let running: RunningWorker | undefined;
try {
  running = await worker.start();
  const text = report(await measure(running));
  console.log(text);
  if (!isQuick) writeFileSync(join(import.meta.dirname, "../docs/edge-scale.md"), text);
} finally {
  await running?.stop();
  worker.remove();
}
