/** The report: every figure in it is one of the run it is written from. */
import { cpus } from "node:os";
import { type ProviderFindings, providerSection } from "./ai-sdk.ts";
import { engineBytes } from "./bundle.ts";
import { type Contender, names } from "./inside/contenders.ts";
import type { Long } from "./inside/long.ts";
import type { ReadSize } from "./inside/reads.ts";
import type { Tolerance } from "./inside/tolerance.ts";
import type { MemoryCheck } from "./memory.ts";
import { type Figure, figureOf, type Race, type Result, ratio } from "./race.ts";
import type { Start } from "./start.ts";
import { digits, spread, table, times } from "./tables.ts";
import { versionOf } from "./versions.ts";

/** Everything one run has found. */
export interface Findings {
  command: string;
  hosts: { name: string; version: string }[];
  /** The contenders that were left out, and why. */
  missing: string[];
  races: Race[];
  long?: Long;
  tolerance?: Tolerance[];
  starts: Start[];
  /** Bytes of a minimal page after gzip. */
  size?: number;
  memory?: MemoryCheck[];
  provider?: ProviderFindings;
}

const packages = ["openai", "ai", "@ai-sdk/openai-compatible", "@xsai/stream-text", "eventsource-parser"];

const sizeName = (size: ReadSize) =>
  size === "event" ? "one event" : size >= 4096 ? `${size / 1024} KiB` : `${size.toLocaleString("en")} B`;

/** How many times more `other` takes than `name`. */
const ratioIn = (race: Race | undefined, other: Contender, name: Contender) =>
  ratio(figureOf(race, other), figureOf(race, name))?.median;

interface Goal {
  what: string;
  bar: number;
  goal: number;
  unit: string;
  /** More is better, or less is. */
  better: "more" | "less";
  measured: number | undefined;
  remark?: string;
}

function goals({ races, long, starts, size }: Findings): Goal[] {
  const inNode = races.filter(({ host }) => host === "Node");
  const find = (name: string, size: ReadSize) => inNode.find((each) => each.stream.name === name && each.size === size);
  const [large, small] = [find("electron", 16_384), find("electron", "event")];
  const more = { unit: "x", better: "more" as const };
  const less = { unit: "x", better: "less" as const };

  /** The least of many ratios, and where it was. */
  const worst = (among: Race[], other: Contender, name: Contender) => {
    const all = among.map((race) => ({ race, ratio: ratioIn(race, other, name) }));
    const sorted = all.filter((each) => each.ratio !== undefined).sort((a, b) => (a.ratio ?? 0) - (b.ratio ?? 0));
    const below = sorted[0];
    return (
      below && {
        measured: below.ratio,
        remark: `least of ${sorted.length}: ${below.race.stream.name}, ${sizeName(below.race.size)}`,
      }
    );
  };
  const unpredictable = inNode.filter(({ stream, size }) => stream.isUnpredictable && size === 16_384);
  const start = (host: string) => {
    const found = starts.find((each) => each.host === host);
    const measured = found?.wall ?? found?.cpu;
    return {
      measured: ratio(measured?.openai, measured?.chatwire)?.median,
      remark:
        host === "Node" ? "time passed, fresh processes" : "CPU time, fresh processes, the runtime's own taken off",
    };
  };

  return [
    {
      what: "`textStream`, 16 KiB reads, Electron-shaped: less CPU than `openai` `create`",
      bar: 20,
      goal: 40,
      ...more,
      measured: ratioIn(large, "openai create", "chatwire textStream"),
    },
    {
      what: "same, than hand-written JS",
      bar: 4,
      goal: 8,
      ...more,
      measured: ratioIn(large, "hand-written JS", "chatwire textStream"),
    },
    {
      what: "`textStream`, one event a read: than `openai` `create`",
      bar: 5,
      goal: 8,
      ...more,
      measured: ratioIn(small, "openai create", "chatwire textStream"),
    },
    {
      what: "same, CPU over the bare read loop",
      bar: 4,
      goal: 2,
      ...less,
      measured: ratioIn(small, "chatwire textStream", "bare read loop"),
    },
    {
      what: "chunk objects, 16 KiB reads: than `openai` `create`",
      bar: 4,
      goal: 8,
      ...more,
      measured: ratioIn(large, "openai create", "chatwire chunks"),
    },
    {
      what: "chunk objects, any read and any stream: than `eventsource-parser` + `JSON.parse`",
      bar: 1,
      goal: 1.5,
      ...more,
      measured: undefined,
      ...worst(inNode, "eventsource-parser", "chatwire chunks"),
    },
    {
      what: "streams prediction cannot help, 16 KiB reads, text: than hand-written JS",
      bar: 2,
      goal: 4,
      ...more,
      measured: undefined,
      ...worst(unpredictable, "hand-written JS", "chatwire textStream"),
    },
    {
      what: "partial JSON, 20 KB in 4-character deltas, 16 KiB reads",
      bar: 5,
      goal: 1,
      unit: " ms",
      better: "less",
      measured: long?.partial?.median,
      ...(long && !long.partial && { remark: "this version has no `partial`" }),
    },
    {
      what: "1 M events, one stream: cost of an event against 10 k events",
      bar: 1.1,
      goal: 1,
      ...less,
      measured: long && long.long.median / long.short.median,
    },
    { what: "import to first request sent, Node: faster than `openai`", bar: 3, goal: 10, ...more, ...start("Node") },
    { what: "same, workerd", bar: 3, goal: 10, ...more, ...start("workerd") },
    {
      what: "wasm and JS of a minimal streaming page, after gzip; the bar is what openai loads",
      ...{ bar: 83, goal: 70, unit: " KB", better: "less" },
      measured: size && size / 1000,
      remark: "by `npm run size`",
    },
  ];
}

function verdict({ measured, bar, goal, better }: Goal): string {
  if (measured === undefined) return "not measured";
  const reaches = (value: number) => (better === "more" ? measured >= value : measured <= value);
  if (reaches(goal)) return "goal reached";
  return reaches(bar) ? "bar reached" : "**missed**";
}

/** The table of what is to be reached. */
export function goalTable(findings: Findings): string {
  const rows = goals(findings).map((goal) => [
    goal.what,
    `${goal.better === "less" ? "at most " : ""}${goal.bar}${goal.unit}`,
    `${goal.goal}${goal.unit}`,
    goal.measured === undefined ? "" : `${goal.measured.toFixed(2)}${goal.unit}`,
    [verdict(goal), goal.remark].filter(Boolean).join("; "),
  ]);
  return table(["what", "bar", "goal", "measured", "verdict"], rows);
}

function reasons(findings: Findings): string {
  const missed = goals(findings).filter((goal) => verdict(goal) === "**missed**");
  if (missed.length === 0) return "No bar was missed.";
  return `Missed: ${missed.length} of ${goals(findings).length}. The known reasons are in [performance.md](performance.md).`;
}

function cell(result: Result | undefined, race: Race): string {
  if (!result) return "";
  if ("failed" in result) return `fails: ${result.failed.split("\n")[0]?.slice(0, 60)}`;
  const perEvent = race.stream.bytes.length / race.stream.events;
  return `${digits(result.median)} ${spread(result)} · ${digits(perEvent / result.median)}`;
}

function ratios(race: Race, name: Contender): string {
  const [openai, plain] = [ratioIn(race, "openai create", name), ratioIn(race, "hand-written JS", name)];
  return [openai, plain].map((each) => (each === undefined ? "" : times(each))).join(" · ");
}

function streamTables(races: Race[]): string {
  const [{ stream }] = races as [Race];
  const head = races.map(({ size }) => sizeName(size));
  const rows = (write: (race: Race, name: Contender) => string, of: Contender[]) =>
    of.map((name) => [name, ...races.map((race) => write(race, name))]);
  return [
    `### ${stream.name}`,
    `${stream.about}. ${stream.events.toLocaleString("en")} events of ${digits(stream.bytes.length / stream.events)} bytes on average.`,
    table(
      ["µs an event · MB/s", ...head],
      rows((race, name) => cell(race.results[name], race), names),
    ),
    table(["`openai` `create` takes · hand-written JS takes", ...head], rows(ratios, names.slice(1))),
  ].join("\n\n");
}

function hostSection(host: Findings["hosts"][number], races: Race[]): string {
  const streams = [...new Set(races.map(({ stream }) => stream))];
  const tables = streams.map((stream) => streamTables(races.filter((race) => race.stream === stream)));
  return [`## ${host.name} ${host.version}`, ...tables].join("\n\n");
}

function startSection(starts: Start[]): string {
  const one = (found: Figure | undefined) =>
    found ? `${digits(found.median)} ms ${spread(found)}` : "not told by the host";
  const rows = starts.flatMap(({ host, cpu, wall }) =>
    (["chatwire", "openai"] as const).map((name) => [host, name, one(cpu[name]), one(wall?.[name])]),
  );
  return [
    "## From import to the first request sent",
    "Fresh processes that take turns. Node imports the packages as they are installed; workerd is given a minified bundle, and what an empty worker takes is taken off.",
    table(["host", "client", "CPU", "time passed"], rows),
  ].join("\n\n");
}

function longSection({ short, long, partial }: Long): string {
  return [
    "## Long streams",
    "`textStream` in Node, Electron-shaped, 16 KiB reads.",
    table(
      ["stream", "µs an event"],
      [
        ["10 k events", `${digits(short.median)} ${spread(short)}`],
        ["1 M events", `${digits(long.median)} ${spread(long)}`],
      ],
    ),
    partial
      ? `Partial JSON: ${partial.bytes.toLocaleString("en")} bytes in 4-character deltas took ${digits(partial.median)} ms ${spread(partial)}.`
      : "Partial JSON: this version has no `partial`.",
  ].join("\n\n");
}

function toleranceSection(found: Tolerance[]): string {
  const rows = found.map(({ reader, size, tolerant, told, ratio }) => [
    `\`${reader}\``,
    sizeName(size),
    `${digits(tolerant.median)} ${spread(tolerant)}`,
    `${digits(told.median)} ${spread(told)}`,
    `${ratio.median.toFixed(3)}x ${spread(ratio)}`,
  ]);
  return [
    "## What plain text pays for tolerance",
    "Node, Electron-shaped, text out: a reader as it is by default, looking for reasoning, tool calls and other dialects, against one that is strict and was told that there is no reasoning. They take turns in pairs; the ratio is that of each pair.",
    table(["reader", "reads", "by default, µs an event", "strict and told, µs an event", "ratio"], rows),
  ].join("\n\n");
}

function memorySection(checks: MemoryCheck[]): string {
  const rows = checks.map(({ what, bar, measured, isMet }) => [what, bar, measured, isMet ? "met" : "**missed**"]);
  return ["## Memory", "By `npm run bench:memory`, in Node.", table(["what", "bar", "measured", ""], rows)].join(
    "\n\n",
  );
}

/** docs/benchmarks.md. */
export function report(findings: Findings): string {
  const { command, hosts, missing, races, long, tolerance, starts, memory, provider } = findings;
  const versions = [
    ["chatwire", `${versionOf("..")}, engine of ${engineBytes().length.toLocaleString("en")} bytes`],
    ...packages.map((name) => [name, versionOf(name)]),
    ...hosts.map(({ name, version }) => [name, version]),
  ];
  const processor = cpus()[0]?.model ?? "unknown";
  const sections = [
    "# Benchmarks",
    "Written by the benchmark itself; no figure in it is typed by hand. Read ratios, not times: all that one table compares was measured in one run, taking turns, but the same machine may be twice as slow an hour later.",
    `- Command: \`${command}\`\n- When: ${new Date().toISOString().slice(0, 10)}\n- Machine: ${processor}, ${cpus().length} cores, ${process.platform} ${process.arch}`,
    table(["what", "version"], versions as string[][]),
    "Everybody reads the same bytes from a `Response` whose body is a `ReadableStream`, and delivers the whole text and the usage, which are compared with those of the other contenders; the bare read loop delivers nothing, and `ChatDecoder` alone takes its reads from an array. Clients are made once; opening each stream is part of its cost. A figure is the median of the turns, the spread half of what lies between their quartiles, a ratio the median of the ratios within each round of turns, and the time is CPU time of the whole process, compiler and garbage collector included.",
    missing.length > 0 ? `Left out of this run: ${missing.join("; ")}.` : "",
    "## What is to be reached",
    `In Node ${process.versions.node}.`,
    goalTable(findings),
    reasons(findings),
    ...hosts.map((host) =>
      hostSection(
        host,
        races.filter((race) => race.host === host.name),
      ),
    ),
    long ? longSection(long) : "",
    tolerance ? toleranceSection(tolerance) : "",
    starts.length > 0 ? startSection(starts) : "",
    provider ? providerSection(provider) : "",
    memory ? memorySection(memory) : "",
  ];
  return `${sections.filter(Boolean).join("\n\n")}\n`;
}
