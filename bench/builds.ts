/**
 * `npm run bench:builds -- FOLDER`: the cost of an event beside another build of chatwire, whose `dist` the folder is, as a table.
 *
 *     npm run bench:builds -- ../before/dist                three minutes
 *     npm run bench:builds -- ../before/dist --only=tools   one stream alone
 *
 * Both builds read the same streams in one process, in turns. The one that is loaded first takes up to a tenth less there, so that each
 * order has a process of its own, and a figure is the geometric mean of both: the CPU time of this build, as a part of the other's.
 */
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { grown, timed } from "./inside/partial.ts";
import { cut, type ReadSize, response } from "./inside/reads.ts";
import { streams } from "./streams.ts";
import { table } from "./tables.ts";

type Reads = readonly Uint8Array<ArrayBuffer>[];
type Build = Record<string, (reads: Reads) => unknown>;

const OWN = join(import.meta.dirname, "../dist");
const SIZES: readonly ReadSize[] = ["event", 16_384];
const [EVENTS, ROUNDS, WARMING] = [4000, 14, 8];
const PARTIAL = "partial JSON";
const WAYS = ["`textStream`", "chunks of `ChatDecoder`", "events of `ChatDecoder`"];

/** The ways in which a build reads a stream, by the columns of the table. */
async function load(dist: string): Promise<Build> {
  const entry = pathToFileURL(join(dist, "entry/node.js")).href;
  const { ChatDecoder, Chatwire, init }: typeof import("chatwire") = await import(entry);
  await init();
  let next: Reads = [];
  const client = new Chatwire({
    baseURL: "https://upstream.invalid/v1",
    apiKey: "none",
    fetch: async () => response(next),
  });
  const decode = (reads: Reads, options: object) => {
    const decoder = new ChatDecoder(options as ConstructorParameters<typeof ChatDecoder>[0]);
    for (const read of reads) decoder.push(read);
    decoder.end();
  };
  const text = async (reads: Reads) => {
    next = reads;
    const messages = [{ role: "user" as const, content: "Hello" }];
    const stream = await client.chat.completions.create({ model: "electron", messages, stream: true });
    let length = 0;
    for await (const piece of stream.textStream) length += piece.length;
    await stream.outcome();
    return length;
  };
  const [first, second, third] = WAYS as [string, string, string];
  return {
    [first]: text,
    [second]: (reads) => decode(reads, { output: "chunks" }),
    [third]: (reads) => decode(reads, { output: "events" }),
    [PARTIAL]: (reads) => decode(reads, { output: "events", partial: true }),
  };
}

/** The streams that are wanted, each with the column that it stands in and what is done with it. */
const cases = (only: string) => [
  ...streams(EVENTS)
    .filter(({ name }) => name.includes(only))
    .flatMap(({ name, bytes }) => WAYS.map((way) => ({ name, column: way, way, bytes }))),
  ...(PARTIAL.includes(only) ? [{ name: PARTIAL, column: WAYS[2] as string, way: PARTIAL, bytes: grown().bytes }] : []),
];

const quartile = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 2] as number;

/** The time of the first build as a part of the second's, for each case and size. */
async function compare(dists: readonly string[], only: string): Promise<number[]> {
  const builds: Build[] = [];
  for (const dist of dists) builds.push(await load(dist));
  const ratios: number[] = [];
  for (const { way, bytes } of cases(only)) {
    for (const size of SIZES) {
      const reads = cut(bytes, size);
      const run = (build: Build) => timed(() => build[way]?.(reads));
      const found = builds.map((): number[] => []);
      for (let round = -WARMING; round < ROUNDS; round++) {
        const order = round % 2 ? [1, 0] : [0, 1];
        for (const at of order) {
          const cost = await run(builds[at] as Build);
          if (round >= 0) found[at]?.push(cost);
          await new Promise((resolve) => setTimeout(resolve)); // as between any two answers, hosts may tidy up
        }
      }
      const [one, other] = found.map(quartile) as [number, number];
      ratios.push(one / other);
    }
  }
  return ratios;
}

const wishes = process.argv.slice(2);
const only = wishes.find((wish) => wish.startsWith("--only="))?.slice("--only=".length) ?? "";
const [first, second] = wishes.filter((wish) => !wish.startsWith("--"));
if (!first) throw new Error("Name the `dist` of another build.");
if (second) {
  console.log(JSON.stringify(await compare([first, second], only)));
  process.exit();
}
const compared = (...dists: string[]): number[] =>
  JSON.parse(
    execFileSync(process.execPath, ["--expose-gc", import.meta.filename, ...dists, `--only=${only}`], {
      encoding: "utf8",
    }),
  );
const other = resolve(first);
const [before, after] = [compared(OWN, other), compared(other, OWN)];
const ratios = before.map((ratio, at) => Math.sqrt(ratio / (after[at] as number)).toFixed(2));
const rows = new Map<string, string[]>();
for (const { name, column } of cases(only)) {
  const row = rows.get(name) ?? [name, ...WAYS.map(() => "")];
  row[1 + WAYS.indexOf(column)] = ratios.splice(0, SIZES.length).join(", ");
  rows.set(name, row);
}
console.log(table(["stream", ...WAYS], [...rows.values()]));
