/** The section of docs/benchmarks.md on real traffic: every figure in it is one of the run it is written from. */
import { cpus } from "node:os";
import { engineBytes } from "./bundle.ts";
import type { WayFound } from "./edge.ts";
import type { Contender } from "./inside/contenders.ts";
import { difference, type Figure, figure, figureOf, type Race, ratio } from "./race.ts";
import type { Start } from "./start.ts";
import { digits, spread, table, times } from "./tables.ts";
import type { Turn } from "./turn.ts";

/** The figures of a turn's contenders in one host. */
type Of<T> = { host: string } & Record<"hand-written JS" | "openai create" | "chatwire textStream", T>;

/** Bytes that an idle stream holds beside the host's own stream, and the engine's among them. */
export interface Held {
  bytes: number;
  engine: number;
}

/** Everything one run has found. */
export interface Traffic {
  command: string;
  /** How many processes wanted the machine's processors, at the start and at the end. */
  load: number[];
  hosts: { name: string; version: string }[];
  races: Race[];
  turns: Of<Turn>[];
  once: Of<Figure>[];
  starts: Start[];
  held: Partial<Record<"text" | "events" | "client", Held>>;
  /** Bytes of the module's memory after 64 MiB of text. */
  long?: number | undefined;
  many?: Record<string, number> | undefined;
  framing?: Record<string, number> | undefined;
  /** JSON that is read as it grows: milliseconds, and bytes. */
  partial?: (Figure & { bytes: number }) | undefined;
  edge?: WayFound[] | undefined;
}

/** One bar. A measure that is undefined was left out of the run; one that is a number was taken once. */
interface Bar {
  what: string;
  measured: Figure | number | undefined;
  bar: number;
  goal: number;
  unit: string;
  /** More is better, or less is. */
  better: "more" | "less";
}

const KIB = 1024;
const MIB = 1024 * 1024;

const inThousands = (found: Figure | undefined) => found && figure(found.measures.map((measure) => measure / 1000));

function bars({ races, turns, starts, held, long, partial, edge }: Traffic): Bar[] {
  const more = { unit: "x", better: "more" as const };
  const atMost = (unit: string) => ({ unit, better: "less" as const });
  const raceOf = (host: string, size: Race["size"]) => races.find((race) => race.host === host && race.size === size);
  const hosts = ["Node", "workerd", "Chromium"];
  const oneEvent = hosts.flatMap((host): Bar[] => {
    const race = raceOf(host, "event");
    const [bare, hand] = [figureOf(race, "bare read loop"), figureOf(race, "hand-written JS")];
    const [text, chunks, events] = (["textStream", "chunks", "events"] as const).map((kind) =>
      figureOf(race, `chatwire ${kind}`),
    );
    const over: Bar =
      host === "Node"
        ? { what: "same, the bare read loop's cost", measured: ratio(text, bare), bar: 3, goal: 2, ...atMost("x") }
        : {
            what: "same, over the bare read loop",
            measured: difference(text, bare),
            bar: Number.NaN,
            goal: 0.5,
            ...atMost(" µs"),
          };
    return [
      {
        what: `one event a read, \`textStream\`, ${host}: than hand-written JS`,
        ...{ measured: ratio(hand, text), bar: 1, goal: 1, ...more },
      },
      over,
      { what: "same, chunk objects", measured: ratio(hand, chunks), bar: 1, goal: 1.3, ...more },
      { what: "same, events", measured: ratio(hand, events), bar: 1, goal: 1.3, ...more },
    ];
  });
  const large = raceOf("Node", 16_384);
  const largeText = figureOf(large, "chatwire textStream");
  const turnsOf = (host: string): Bar[] => {
    const found = turns.find((each) => each.host === host);
    const of = (name: "hand-written JS" | "openai create" | "chatwire textStream", kind: keyof Turn) =>
      found?.[name][kind];
    const than = (name: "hand-written JS" | "openai create", kind: keyof Turn) =>
      ratio(of("chatwire textStream", kind), of(name, kind));
    return [
      {
        what: `a chat turn of 200 events, ${host}: the first, beside \`openai\``,
        ...{ measured: than("openai create", "first"), bar: 1 / 2, goal: 1 / 4, ...atMost("x") },
      },
      { what: "same, the next five", measured: than("openai create", "next"), bar: 1 / 3, goal: 1 / 6, ...atMost("x") },
      {
        what: "same, warm, beside hand-written JS",
        ...{ measured: than("hand-written JS", "warm"), bar: 1, goal: 0.8, ...atMost("x") },
      },
    ];
  };
  const start = (host: string, bar: number): Bar => {
    const found = starts.find((each) => each.host === host)?.cpu;
    const measured = ratio(found?.openai, found?.chatwire);
    return { what: `import to first request, CPU, ${host}: than \`openai\``, measured, bar, goal: 10, ...more };
  };
  const way = (name: string) => edge?.find((each) => each.host === "workerd" && each.name.startsWith(name));
  const [pass, loop, ours, kept] = [
    way("bare"),
    way("the bare loop"),
    way("our gateway"),
    way("our gateway, streams kept"),
  ];
  const holds = (kind: "text" | "events" | "client") => {
    const bytes = held[kind]?.bytes;
    return bytes === undefined ? undefined : bytes / KIB;
  };
  return [
    ...oneEvent,
    {
      what: "16 KiB reads, text, Node: than `openai`",
      ...{ measured: ratio(figureOf(large, "openai create"), largeText), bar: 34, goal: 40, ...more },
    },
    {
      what: "same, than hand-written JS",
      ...{ measured: ratio(figureOf(large, "hand-written JS"), largeText), bar: 5.7, goal: 8, ...more },
    },
    ...hosts.flatMap(turnsOf),
    start("Node", 5),
    start("workerd", 4),
    {
      what: "gateway, CPU a request over the bare loop, workerd",
      ...{ measured: difference(ours?.request, loop?.request), bar: 250, goal: 100, ...atMost(" µs") },
    },
    {
      what: "gateway, an event that comes alone: the bare loop's cost",
      ...{ measured: ratio(ours?.alone, loop?.alone), bar: 1, goal: Number.NaN, ...atMost("x") },
    },
    {
      what: "same, the cost of `new Response(upstream.body)`",
      ...{ measured: ratio(ours?.alone, pass?.alone), bar: Number.NaN, goal: 1.2, ...atMost("x") },
    },
    {
      what: "kept stream, CPU a request, workerd",
      ...{ measured: inThousands(kept?.request), bar: 2.5, goal: 1.5, ...atMost(" ms") },
    },
    { what: "same, CPU an event", measured: kept?.event, bar: 2.5, goal: 1, ...atMost(" µs") },
    { what: "same, time a request", measured: kept?.requestTime, bar: 8, goal: 3, ...atMost(" ms") },
    { what: "memory of an idle stream, text", measured: holds("text"), bar: 4, goal: 2.5, ...atMost(" KiB") },
    { what: "same, events", measured: holds("events"), bar: 4, goal: 3, ...atMost(" KiB") },
    { what: "same, text through a client", measured: holds("client"), bar: 6, goal: 4, ...atMost(" KiB") },
    {
      what: "64 MiB of text, the module's memory at its end",
      ...{ measured: long === undefined ? undefined : long / MIB, bar: 200, goal: 140, ...atMost(" MiB") },
    },
    {
      what: "partial JSON, 20 KB in 4-character deltas, Node",
      ...{ measured: partial, bar: Number.NaN, goal: 1, ...atMost(" ms") },
    },
  ];
}

function verdict({ measured, bar, goal, better }: Bar): string {
  if (measured === undefined) return "not measured";
  const value = typeof measured === "number" ? measured : measured.median;
  const reaches = (limit: number) => (better === "more" ? value >= limit : value <= limit);
  const isGoal = Number.isNaN(bar) || (reaches(goal) && goal !== bar);
  const is = reaches(isGoal ? goal : bar);
  const told = is ? `${isGoal ? "goal" : "bar"} reached` : isGoal ? "goal missed" : "**bar missed**";
  if (typeof measured === "number") return told;
  const [low, high] = measured.bounds;
  const limit = isGoal ? goal : bar;
  return low <= limit && limit <= high ? `${told}, too close to tell` : told;
}

function measuredText(measured: Bar["measured"], unit: string): string {
  if (measured === undefined) return "";
  if (typeof measured === "number") return `${digits(measured)}${unit}`;
  return `${digits(measured.median)}${unit} (${measured.bounds.map(digits).join(" to ")})`;
}

function barTable(found: Traffic): string {
  const rows = bars(found).map((each) => {
    const { measured, unit, better } = each;
    const limit = (number: number) =>
      Number.isNaN(number) ? "" : `${better === "less" ? "at most " : ""}${digits(number)}${unit}`;
    return [each.what, limit(each.bar), limit(each.goal), measuredText(measured, unit), verdict(each)];
  });
  return table(["what", "bar", "goal", "measured", "verdict"], rows);
}

function raceTable(races: Race[]): string {
  const names = Object.keys(races[0]?.results ?? {}) as Contender[];
  const rows = names.map((name) => [
    name,
    ...races.map((race) => {
      const result = race.results[name];
      if (!result || "failed" in result) return "fails";
      return `${digits(result.median)} ${spread(result)}`;
    }),
  ]);
  return table(
    ["CPU µs an event", ...races.map(({ host, size }) => `${host}, ${size === "event" ? "one event" : "16 KiB"}`)],
    rows,
  );
}

function turnTable(turns: Of<Turn>[]): string {
  const rows = turns.flatMap(({ host, ...contenders }) =>
    Object.entries(contenders).map(([name, { first, next, warm }]) => [
      ...[host, name],
      ...[first, next, warm].map((figure) => `${digits(figure.median)} ${spread(figure)}`),
    ]),
  );
  return table(["host", "contender", "first, CPU ms", "each of the next five", "warm"], rows);
}

function onceText(once: Of<Figure>[]): string {
  return once
    .map((found) => {
      const own = found["chatwire textStream"];
      const [openai, hand] = [ratio(found["openai create"], own), ratio(found["hand-written JS"], own)].map((each) =>
        times(each?.median ?? Number.NaN),
      );
      return `One stream of 10,000 events a process, 16 KiB reads, ${found.host}: \`textStream\` takes ${digits(own.median)} µs of CPU an event, \`openai\` ${openai} and hand-written JS ${hand} of it.`;
    })
    .join("\n\n");
}

function manyTable(many: Record<string, number>): string {
  const rows = Object.keys(many)
    .filter((count) => !count.endsWith("bare"))
    .map((count) => {
      const [own, host] = [many[count] as number, many[`${count}, bare`] as number];
      return [Number(count).toLocaleString("en"), digits(own), digits(host), digits(own - host)];
    });
  return table(["streams at once, Node", "`textStream`, CPU µs an event", "the bare read loop", "difference"], rows);
}

const heldTable = (held: Traffic["held"]) =>
  table(
    ["an idle stream holds, beside the host's own stream", "KiB", "of it in the engine"],
    Object.entries(held).map(([kind, { bytes, engine }]) => [
      { text: "`textStream`", events: "`events`", client: "`textStream` through a client" }[kind] ?? kind,
      ...[(bytes / KIB).toFixed(1), (engine / KIB).toFixed(1)],
    ]),
  );

const framingText = (framing: Record<string, number>) =>
  `Framing alone, 10 bytes a read, Node: ${Object.entries(framing)
    .map(([name, cost]) => `\`${name}\` ${digits(1000 / cost)} MB/s`)
    .join(", ")}.`;

const edgeTable = (edge: WayFound[]) =>
  table(
    [
      "gateway",
      "host",
      "CPU an event, µs",
      "CPU an event that comes alone, µs",
      "CPU a request, µs",
      "time a request, ms",
    ],
    edge.map(({ name, host, event, alone, request, requestTime }) => [
      ...[
        name,
        host,
        event.median.toFixed(2),
        alone.median.toFixed(0),
        request.median.toFixed(0),
        requestTime.median.toFixed(2),
      ],
    ]),
  );

/** The section. */
export function trafficReport(found: Traffic): string {
  const { command, hosts, races, turns, once, load, many, framing, edge, held } = found;
  const [before, after] = load.map((value) => value.toFixed(1));
  const sections = [
    `By \`${command}\` on ${new Date().toISOString().slice(0, 10)}; ${cpus()[0]?.model}, ${cpus().length} cores; ${hosts.map(({ name, version }) => `${name} ${version}`).join(", ")}; engine of ${engineBytes().length.toLocaleString("en")} bytes. Read ratios, not times. The machine's load average was ${before} before and ${after} after; much above 1 before means that others used it too. A figure is the median of turns, and ± half of what lies between their quartiles; a ratio or a difference is that of each round of turns. In brackets are the bounds of a median, of 95 %; where the bar lies between them, this run cannot tell. The bars that are missed are explained in [performance.md](performance.md#real-traffic).`,
    barTable(found),
    races.length > 0
      ? `Electron-shaped stream of 10,000 events; CPU of the whole process. A page slowed four times counts the time it is held up too.\n\n${raceTable(races)}`
      : "",
    turns.length > 0
      ? `A turn: a stream of 200 events, one a read, opened, read and ended, in a fresh process in which the bare loop has read thirty streams before.\n\n${turnTable(turns)}`
      : "",
    onceText(once),
    many ? manyTable(many) : "",
    Object.keys(held).length > 0 ? heldTable(held) : "",
    framing ? framingText(framing) : "",
    edge ? edgeTable(edge) : "",
  ];
  return `${sections.filter(Boolean).join("\n\n")}\n`;
}
