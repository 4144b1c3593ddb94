/**
 * `npm run bench:profile`: where the time of the real traffic goes, in shares, by V8's sampling profiler. Prints a table.
 *
 *     npm run bench:profile -- read workerd       one event a read: chatwire's text, its chunks and its events
 *     npm run bench:profile -- read Node 16384    the same, so many bytes a read
 *     npm run bench:profile -- turn Chromium      a chat turn: the first six of fresh processes, and those after many
 *     npm run bench:profile -- flags              Node: a first turn and the next five in CPU ms, by V8's flags
 *     npm run bench:profile -- start              from import to the first request: shares in Node, steps in workerd
 *     npm run bench:profile -- gateway            workerd: a request, an event that comes alone, and a kept stream
 *     npm run bench:profile -- partial            Node: JSON that is read as it grows
 *     npm run bench:profile -- memory             what an idle stream holds in JavaScript, by kind of object
 *
 * The hosts are Node, workerd and Chromium. Shares hold on a machine that others use too; times would not.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Host, node, page, workerd } from "./hosts.ts";
import type { Contender } from "./inside/contenders.ts";
import type { Kind } from "./inside/held.ts";
import { type Profile, profiledBy, type Share, sharesOf } from "./profiler.ts";
import { ask, startProvider } from "./provider.ts";
import { inNode, stepsInWorkerd } from "./start.ts";
import { electron } from "./streams.ts";
import { table } from "./tables.ts";
import { Worker } from "./workerd.ts";

const [what = "", named = "workerd", bytes] = process.argv.slice(2);
const size = bytes === undefined ? "event" : Number(bytes);

/** Places with a smaller share are told together. */
const LEAST = 0.015;
const percent = (share: number) => `${(share * 100).toFixed(share < 0.095 ? 1 : 0)} %`;

/** The functions of the host that a place called, the dearest first. */
function called({ within }: Share): string {
  const all = [...within].filter(([, share]) => share >= LEAST / 3).sort(([, a], [, b]) => b - a);
  return all.map(([name, share]) => `\`${name || "?"}\` ${percent(share)}`).join(", ");
}

function report(title: string, profiles: Profile[], map: string | undefined): void {
  const shares = sharesOf(profiles, map);
  const large = shares.filter(({ share }) => share >= LEAST);
  const rest = shares.filter(({ share }) => share < LEAST).reduce((sum, { share }) => sum + share, 0);
  const rows = large.map((each) => [each.place, percent(each.share), called(each)]);
  const all = [...rows, [`${shares.length - large.length} others`, percent(rest), ""]];
  console.log(`${title}\n\n${table(["where", "share", "of it in the host's functions"], all)}\n`);
}

async function hostNamed(name: string): Promise<Host> {
  const host = name === "Node" ? node() : name === "Chromium" ? await page() : await workerd(true);
  if (!host) throw new Error(`There is no ${name} here.`);
  return host;
}

/** Warm reads of a long stream. */
async function reads(host: Host): Promise<void> {
  const contenders: Contender[] = [
    "bare read loop",
    "chatwire textStream",
    "chatwire chunks",
    "chatwire events",
    "hand-written JS",
  ];
  for (const contender of contenders) {
    const lane = await host.open();
    await lane.prepare(electron(10_000), size);
    // Large reads are over soon: so few samples would be chance.
    const times = size === "event" ? 20 : 400;
    await lane.run(contender, times);
    const profile = await lane.profiled(() => lane.run(contender, times));
    await lane.close();
    report(`${bytes ? `${bytes} bytes` : "One event"} a read, ${host.name}, ${contender}`, [profile], host.map);
  }
}

/** Turns of 200 events, one a read, in processes in which the bare loop has read before. */
async function turns(host: Host): Promise<void> {
  const [young, warm]: [Profile[], Profile[]] = [[], []];
  const contender = "chatwire textStream";
  for (let time = 0; time < 6; time++) {
    const lane = await host.open();
    await lane.prepare(electron(200), "event");
    await lane.run("bare read loop", 30);
    young.push(await lane.profiled(() => lane.run(contender, 6)));
    if (time === 0) {
      await lane.run(contender, 300);
      warm.push(await lane.profiled(() => lane.run(contender, 500)));
    }
    await lane.close();
  }
  report(`The first six turns, ${host.name}, ${young.length} processes`, young, host.map);
  report(`Warm turns, ${host.name}`, warm, host.map);
}

async function gateway(): Promise<void> {
  const provider = await startProvider();
  const worker = await Worker.from({ file: "inside/edge.ts" }, { UPSTREAM: provider.url }, ["ChatwireStreams"]);
  const loads = [
    ["a request", "gateway", "short", 600],
    ["a kept stream", "kept", "short", 200],
    ["a kept stream's events", "kept", "long", 30],
    ["an event of a long answer", "gateway", "long", 60],
    ["an event that comes alone", "gateway", "paced", 10],
  ] as const;
  for (const [name, path, answer, times] of loads) {
    // One of its own for each: another profile of the same process may end it.
    const running = await worker.start(true);
    const url = `${running.url}/v1/chat/completions?way=${path}`;
    const asked = async (times: number) => {
      for (let time = 0; time < times; time++) await ask({ name, host: "workerd", url, pid: running.pid }, answer);
    };
    await asked(times / 2);
    const profile = await profiledBy(running.inspector, () => asked(times));
    await running.stop();
    report(`The gateway, ${name}`, [profile], worker.map);
  }
  worker.remove();
  provider.close();
}

/** Profiles of a program of Node, one a fresh process. */
function ofProgram(args: string[], processes: number): Profile[] {
  const folder = mkdtempSync(join(tmpdir(), "profile-"));
  const asked = ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval=100"];
  for (let time = 0; time < processes; time++) {
    execFileSync(process.execPath, [...asked, ...args], { cwd: import.meta.dirname });
  }
  const profiles = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Profile);
  rmSync(folder, { recursive: true });
  return profiles;
}

async function start(): Promise<void> {
  const profiles = ofProgram(["--input-type=module", "-e", inNode("chatwire")], 9);
  report(`From import to the first request, Node, ${profiles.length} processes`, profiles, undefined);
  const steps = Object.entries(await stepsInWorkerd(9));
  const all = steps.at(-1)?.[1].median ?? Number.NaN;
  const rows = steps.map(([step, { median }], at) => [
    step,
    percent((median - (steps[at - 1]?.[1].median ?? 0)) / all),
  ]);
  console.log(`The same in workerd, by workers that go so far\n\n${table(["until", "share of the CPU"], rows)}\n`);
}

/** Fresh processes for each row. */
const FRESH = 7;

function flags(): void {
  const own = "chatwire textStream";
  const ways: [what: string, contender: Contender, flags: string[]][] = [
    ["`openai`", "openai create", []],
    ["hand-written JS", "hand-written JS", []],
    ["`textStream`", own, []],
    ["all of the module is compiled before", own, ["--no-wasm-lazy-compilation"]],
    ["WebAssembly stays in baseline code", own, ["--liftoff-only"]],
    ["JavaScript too", own, ["--liftoff-only", "--no-opt", "--no-maglev"]],
  ];
  const program = join(import.meta.dirname, "inside/young.ts");
  const found = ways.map((): number[][] => []);
  for (let round = 0; round < FRESH; round++) {
    for (const [at, [, contender, given]] of ways.entries()) {
      found[at]?.push(JSON.parse(execFileSync(process.execPath, [...given, program, contender], { encoding: "utf8" })));
    }
  }
  const quartile = (turns: number[][], which: number) =>
    (turns.map((turn) => turn[which] as number).toSorted((a, b) => a - b)[FRESH >> 2] as number).toFixed(2);
  const rows = ways.map(([what, , given], at) => {
    const turns = found[at] as number[][];
    return [what, given.map((flag) => `\`${flag}\``).join(" "), quartile(turns, 0), quartile(turns, 1)];
  });
  console.log(table(["", "flags", "first", "each of the next five"], rows));
}

function memory(): void {
  const program = join(import.meta.dirname, "inside/held.ts");
  const told = execFileSync(process.execPath, ["--expose-gc", program, "kinds"], { encoding: "utf8" });
  const kinds = JSON.parse(told) as Kind[];
  const large = kinds.filter(({ bytes }) => bytes >= 40);
  const rows = large.map(({ kind, count, bytes, names }) => [
    names.length > 0 ? `${kind}: ${names.map((name) => `\`${name}\``).join(", ")}` : kind,
    ...[count.toFixed(1), bytes.toFixed(0)],
  ]);
  const sum = (some: Kind[]) => some.reduce((all, { bytes }) => all + bytes, 0).toFixed(0);
  const rest = kinds.filter((each) => !large.includes(each));
  const ends = [
    [`${rest.length} others`, "", sum(rest)],
    ["all", "", sum(kinds)],
  ];
  console.log(table(["kind of object", "in each stream", "bytes"], [...rows, ...ends]));
}

if (what === "read" || what === "turn") {
  const host = await hostNamed(named);
  try {
    await (what === "read" ? reads(host) : turns(host));
  } finally {
    await host.close();
  }
} else if (what === "start") await start();
else if (what === "gateway") await gateway();
else if (what === "partial") {
  const profiles = ofProgram(["--expose-gc", "inside/held.ts", "partial", "200"], 1);
  report("Partial JSON, Node", profiles, undefined);
} else if (what === "memory") memory();
else if (what === "flags") flags();
else throw new Error("Say what: read, turn, flags, start, gateway, partial or memory.");
process.exit();
