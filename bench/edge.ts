/**
 * `npm run bench:edge`: what it costs to have a gateway in between. Writes its section of docs/benchmarks.md.
 *
 *     npm run bench:edge                 three minutes
 *     npm run bench:edge -- --quick      one minute; prints, and writes nothing
 *     npm run bench:edge -- --json       three minutes, of fewer turns; prints the figures of each way as JSON, and writes nothing
 *
 * Provider and caller are this process, whose time is not counted. The CPU time of a way is that of the whole
 * process that it runs in, by the kernel's accounts, so Linux is needed. The ways take turns in one run and share the
 * machine's moods.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { cpus } from "node:os";
import { join } from "node:path";
import { writeEdge } from "./document.ts";
import { cpuTime } from "./process-time.ts";
import { ask, EVENTS, event, FEW, PACED, startProvider, type Way } from "./provider.ts";
import { type Figure, figure } from "./race.ts";
import { versionOf } from "./versions.ts";
import { Worker } from "./workerd.ts";

const isQuick = process.argv.includes("--quick");
const isJson = process.argv.includes("--json");
const ROUNDS = isQuick ? 5 : isJson ? 15 : 25;
/** Requests in one turn. */
const [LONG, SHORT] = [6, 20];
/**
 * Short requests to each way before the first turn. The figures are those of a gateway that runs: with fewer, a way with more code has
 * more of the compilers' work in its figures, and most the one that is first in its process.
 */
const WARMING = 400;
/** A program that says where it listens. */
async function startProgram(args: string[], env: Record<string, string>, says: RegExp): Promise<ChildProcess> {
  const program = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let said = "";
  for await (const text of program.stdout ?? []) {
    said += text;
    const port = says.exec(said)?.[1];
    if (port) {
      program.stdout?.resume();
      return Object.assign(program, { port });
    }
  }
  throw new Error(`${args.join(" ")} ended: ${said}`);
}

async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as AddressInfo;
  socket.close();
  return port;
}

interface Taken {
  /** CPU µs an event of a long answer. */
  event: number;
  /** CPU µs an event that comes alone. */
  alone: number;
  /** CPU µs a short request. */
  request: number;
  /** Milliseconds that one takes. */
  requestTime: number;
  /** µs from one event sent to its arrival. */
  eventTime: number;
}

/** CPU and time of so many requests, each in microseconds. */
async function cost(way: Way, content: string, requests: number): Promise<[cpu: number, time: number]> {
  const [cpu, time] = [cpuTime(way.pid), performance.now()];
  for (let request = 0; request < requests; request++) await ask(way, content);
  return [(cpuTime(way.pid) - cpu) / requests, ((performance.now() - time) * 1000) / requests];
}

async function turn(way: Way): Promise<Taken> {
  const [request, requestTime] = await cost(way, "short", SHORT);
  const [long] = await cost(way, "long", LONG);
  const [paced, pacedTime] = await cost(way, "paced", 2);
  return {
    event: (long - request) / (EVENTS - FEW),
    alone: (paced - request) / (PACED - FEW),
    request,
    requestTime: requestTime / 1000,
    eventTime: (pacedTime - requestTime) / PACED,
  };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

async function measure(ways: Way[]): Promise<Map<Way, Taken[]>> {
  const taken = new Map<Way, Taken[]>(ways.map((way) => [way, []]));
  for (const way of ways) await cost(way, "short", WARMING);
  for (let round = -2; round < ROUNDS; round++) {
    if (!isQuick && round % 5 === 0) console.error(`round ${round} of ${ROUNDS}`);
    for (const way of ways) {
      const found = await turn(way);
      if (round >= 0) taken.get(way)?.push(found); // before, the compilers are still at work
    }
  }
  return taken;
}

const BAR = 0.3;
const OURS = "our gateway";
const FILTERED = "our gateway, usage not asked for";

const verdict = (more: number) => (more < BAR ? "reached" : "**missed**");

/** The median of a figure of a way. */
const middle = (turns: Taken[], field: keyof Taken) => median(turns.map((turn) => turn[field]));

/** The figures of one way. */
export interface WayFound extends Record<keyof Taken, Figure> {
  name: string;
  host: "workerd" | "Node";
}

const found = (taken: Map<Way, Taken[]>): WayFound[] =>
  [...taken].map(([{ name, host }, turns]) => {
    const of = (field: keyof Taken) => figure(turns.map((turn) => turn[field]));
    return {
      ...{ name, host, event: of("event"), alone: of("alone") },
      ...{ request: of("request"), requestTime: of("requestTime"), eventTime: of("eventTime") },
    };
  });

function report(taken: Map<Way, Taken[]>): string {
  const rows = [...taken].map(([{ name, host }, turns]) => {
    const loop = [...taken].find(([other]) => other.host === host && other.name.startsWith("the bare loop"))?.[1] ?? [];
    const of = (field: keyof Taken) => middle(turns, field);
    // The cost of a turn above that of the loop in the same round.
    const more = median(turns.map(({ event }, round) => event - (loop[round]?.event ?? Number.NaN)));
    return { name, host, of, more };
  });
  const table = (host: string) => [
    `| ${host} | CPU an event, µs | over the loop | CPU an event that comes alone, µs | CPU a request, µs | time a request, ms | time an event, µs |`,
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows
      .filter((row) => row.host === host)
      .map(({ name, of, more }) => {
        const figures = [of("event").toFixed(2), more.toFixed(2), of("alone").toFixed(0), of("request").toFixed(0)];
        return `| ${[name, ...figures, of("requestTime").toFixed(2), of("eventTime").toFixed(0)].join(" | ")} |`;
      }),
  ];
  const moreOf = (wanted: string) => rows.find(({ name }) => name === wanted)?.more ?? Number.NaN;
  const [ours, filtered] = [moreOf(OURS), moreOf(FILTERED)];
  return [
    `By \`npm run bench:edge\` on ${new Date().toISOString().slice(0, 10)}; ${cpus()[0]?.model}, ${cpus().length} cores; workerd of miniflare ${versionOf("miniflare")}, Node ${process.versions.node}, @portkey-ai/gateway ${versionOf("@portkey-ai/gateway")}, @hono/node-server ${versionOf("@hono/node-server")}. Medians of ${ROUNDS} turns, after ${WARMING} requests to each way; CPU is that of the whole process in between.`,
    `Answers of ${EVENTS.toLocaleString("en")} events of ${event(" word50").length} bytes are written 16 KB at a time. A request is one whose answer has ${FEW} events; its cost is taken off where events are counted. Streams that are kept (\`onDisconnect: "durable"\`) are read, numbered, written to SQLite on this machine's disk and served by Durable Objects, each of which reads one answer at a time. The time an event takes is from the provider's write to the caller's read, one after the other.`,
    table("workerd").join("\n"),
    table("Node").join("\n"),
    `The bar is ${BAR} µs an event over the bare loop in workerd. Measured: ${ours.toFixed(2)} µs, ${verdict(ours)}; ${filtered.toFixed(2)} µs where usage that nobody asked for is taken out, ${verdict(filtered)}.`,
  ].join("\n\n");
}

const provider = await startProvider();
const worker = await Worker.from({ file: "inside/edge.ts" }, { UPSTREAM: provider.url }, ["ChatwireStreams"]);
// The cache takes memory, which is not to slow the others down.
const keeper = await Worker.from({ file: "inside/edge.ts" }, { UPSTREAM: provider.url }, ["ChatwireStreams", "Bare"]);
const programs: ChildProcess[] = [];
try {
  const [running, keeping] = [await worker.start(), await keeper.start()];
  // A process of its own, as a deployed gateway has: code of other ways would have a part in how V8 compiles the gateway's.
  const [serving, parts] = [await worker.start(), await worker.start()];
  programs.push(running.process, keeping.process, serving.process, parts.process);
  const inWorkerd = (name: string, path: string, more?: Partial<Way>, { url, pid } = running): Way => ({
    ...{ name, host: "workerd", url: `${url}/v1/chat/completions?way=${path}`, pid },
    ...more,
  });
  const inNode = (name: string, program: ChildProcess, more?: Partial<Way>): Way => {
    programs.push(program);
    const { port } = program as ChildProcess & { port?: string };
    return {
      ...{ name, host: "Node", url: `http://127.0.0.1:${port}/v1/chat/completions`, pid: program.pid ?? 0 },
      ...more,
    };
  };
  const own = (what: string) =>
    startProgram(
      [join(import.meta.dirname, "inside/edge-node.ts"), what],
      { UPSTREAM: provider.url },
      /listening (\d+)/,
    );
  const portkey = join(import.meta.dirname, "inside/portkey.ts");
  const port = await freePort();
  const ways: Way[] = [
    inWorkerd("bare `new Response(upstream.body)`", "bare"),
    inWorkerd("the bare loop", "loop"),
    inWorkerd("a loop whose requests our client sends", "client", {}, parts),
    inWorkerd("a loop beside our decoder", "counted", {}, parts),
    inWorkerd(OURS, "gateway", {}, serving),
    inWorkerd(FILTERED, "gateway", { asksUsage: false }, serving),
    inWorkerd("the bare loop in an object that stores", "stored", {}, keeping),
    inWorkerd("our gateway, streams kept", "kept", {}, keeping),
    inWorkerd("a loop of standard streams", "plain-loop"),
    inWorkerd("parsed and written anew", "parsed"),
    inNode("the bare loop, of standard streams", await own("loop")),
    inNode("our gateway", await own("gateway")),
    inNode(
      "@portkey-ai/gateway",
      await startProgram([portkey, `--port=${port}`, "--headless"], {}, /localhost:(\d+)/),
      {
        headers: { "x-portkey-provider": "openai", "x-portkey-custom-host": provider.url, authorization: "Bearer any" },
      },
    ),
  ];
  const taken = await measure(ways);
  const text = isJson ? JSON.stringify(found(taken)) : `${report(taken)}\n`;
  console.log(text);
  if (!isQuick && !isJson) writeEdge(text);
} finally {
  for (const program of programs) program.kill();
  worker.remove();
  keeper.remove();
  provider.close();
}
process.exit();
