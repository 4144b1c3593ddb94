/**
 * `npm run bench:traffic`: the cost where the real traffic is, one event a read and one request, as ratios within one run, with a
 * verdict for each bar. Writes its section of docs/benchmarks.md.
 *
 *     npm run bench:traffic                 twelve minutes
 *     npm run bench:traffic -- --quick      three; prints, and writes nothing
 *     npm run bench:traffic -- --only=turn  one part alone, printed: read, turn, once, start, edge, memory, many, framing,
 *                                         partial
 */
import { execFile } from "node:child_process";
import { loadavg } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { writeTraffic } from "./document.ts";
import type { WayFound } from "./edge.ts";
import { type Host, node, page, workerd } from "./hosts.ts";
import type { Contender } from "./inside/contenders.ts";
import { race } from "./race.ts";
import { startInNode, startInWorkerd } from "./start.ts";
import { streams } from "./streams.ts";
import { type Held, type Traffic, trafficReport } from "./traffic-report.ts";
import { once, turns } from "./turn.ts";

const wishes = process.argv.slice(2);
const isQuick = wishes.includes("--quick");
const only = wishes.find((wish) => wish.startsWith("--only="))?.slice("--only=".length);
const isWanted = (part: string) => only === undefined || only === part;

const started = performance.now();
const say = (text: string) =>
  console.error(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}`);

const effort = isQuick
  ? { rounds: 5, turn: 10_000, warming: 300_000 }
  : { processes: 5, rounds: 9, turn: 20_000, warming: 500_000 };
/** Fresh processes for each contender. */
const fresh = isQuick ? 3 : 11;
const readers = [
  ...(["bare read loop", "hand-written JS", "openai create"] as const),
  ...(["chatwire textStream", "chatwire chunks", "chatwire events", "ChatDecoder alone"] as const),
] satisfies Contender[];
const clients = ["hand-written JS", "openai create", "chatwire textStream"] as const;

const electron = (events: number) => {
  const stream = streams(events).find(({ name }) => name === "electron");
  if (!stream) throw new Error("there is no such stream");
  return stream;
};

const run = promisify(execFile);
/** The JSON that a program of this folder prints; nothing where it fails, which is not measured then. */
async function told<T>(file: string, args: string[]): Promise<T | undefined> {
  try {
    const { stdout } = await run(process.execPath, ["--expose-gc", join(import.meta.dirname, file), ...args]);
    return JSON.parse(stdout);
  } catch (error) {
    console.error(error);
    return undefined;
  }
}

const found: Traffic = {
  command: ["npm run bench:traffic", ...(wishes.length > 0 ? ["--", ...wishes] : [])].join(" "),
  load: [loadavg()[0] as number],
  hosts: [],
  races: [],
  turns: [],
  once: [],
  starts: [],
  held: {},
};

const hosts: Record<string, () => Promise<Host | undefined>> = {
  Node: async () => node(),
  workerd,
  Chromium: page,
  slowed: () => page(4),
};

for (const [name, open] of Object.entries(hosts)) {
  if (!["read", "turn", "once"].some(isWanted)) break;
  const host = await open();
  if (!host) continue;
  found.hosts.push({ name: host.name, version: host.version });
  try {
    if (isWanted("read")) {
      for (const size of name === "Node" ? (["event", 16_384] as const) : (["event"] as const)) {
        say(`${host.name}: ${size === "event" ? "one event a read" : "16 KiB reads"}`);
        found.races.push(await race(host, electron(10_000), size, effort, readers));
      }
    }
    if (isWanted("turn")) {
      say(`${host.name}: a chat turn`);
      const rounds = name === "slowed" ? Math.ceil(fresh / 3) : fresh;
      found.turns.push({ host: host.name, ...(await turns(host, electron(200), "event", clients, rounds)) });
    }
    if (isWanted("once") && name === "Node") {
      say(`${host.name}: one stream a process`);
      found.once.push({ host: host.name, ...(await once(host, electron(10_000), 16_384, clients, fresh)) });
    }
  } finally {
    await host.close();
  }
}
if (isWanted("start")) {
  say("from import to the first request");
  found.starts.push(await startInNode(isQuick ? 3 : 11), await startInWorkerd(isQuick ? 3 : 11));
}
if (isWanted("memory")) {
  say("memory");
  for (const kind of ["text", "events", "client"] as const) {
    const held = await told<Held>("inside/held.ts", ["idle", kind]);
    if (held) found.held[kind] = held;
  }
  found.long = (await told<{ bytes: number }>("inside/held.ts", ["long"]))?.bytes;
}
if (isWanted("many")) {
  say("many streams at once");
  found.many = await told("inside/held.ts", ["many"]);
}
if (isWanted("framing")) {
  say("framing");
  found.framing = await told("inside/held.ts", ["framing"]);
}
if (isWanted("partial")) {
  say("partial JSON");
  found.partial = await told("inside/held.ts", ["partial"]);
}
if (isWanted("edge")) {
  say("the gateway");
  found.edge = await told<WayFound[]>("edge.ts", [isQuick ? "--quick" : "", "--json"].filter(Boolean));
}
found.load.push(loadavg()[0] as number);

const text = trafficReport(found);
console.log(text);
if (!only && !isQuick) {
  writeTraffic(text);
  say("written to docs/benchmarks.md");
}
process.exit();
