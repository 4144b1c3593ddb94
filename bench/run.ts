/**
 * `npm run bench`: chatwire and its peers on the same bytes, in Node, workerd and Chromium. Writes docs/benchmarks.md.
 *
 *     npm run bench                    everything, twenty minutes or so
 *     npm run bench -- --quick         the most telling part, under two minutes
 *     npm run bench -- --only=node     one part alone (node, workerd, chromium, long, tolerance, start, size, ai-sdk,
 *                                      memory); writes no file
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ProviderFindings } from "./ai-sdk.ts";
import { writeClients } from "./document.ts";
import { type Host, node, page, workerd } from "./hosts.ts";
import type { Long } from "./inside/long.ts";
import type { ReadSize } from "./inside/reads.ts";
import type { Tolerance } from "./inside/tolerance.ts";
import type { MemoryCheck } from "./memory.ts";
import { type Effort, race } from "./race.ts";
import { type Findings, goalTable, report } from "./report.ts";
import { startInNode, startInWorkerd } from "./start.ts";
import { type Stream, streams } from "./streams.ts";

const wishes = process.argv.slice(2);
const isQuick = wishes.includes("--quick");
const only = wishes.find((wish) => wish.startsWith("--only="))?.slice("--only=".length);
const isWanted = (part: string) => only === undefined || only === part;

const effort: Effort = isQuick
  ? { rounds: 5, turn: 10_000, warming: 300_000 }
  : { rounds: 9, turn: 20_000, warming: 500_000 };
const allSizes: ReadSize[] = ["event", 1400, 16_384, 65_536];
const fewSizes: ReadSize[] = ["event", 16_384];
const long = streams(10_000);
/** Some take half a millisecond for an event in workerd. */
const short = isQuick ? streams(3_000) : long;

/** Which reads of a stream a host is given. */
function sizes(host: string, stream: Stream): ReadSize[] {
  const isFirst = stream.name === "electron";
  if (!isQuick) return host === "Node" || isFirst ? allSizes : fewSizes;
  if (isFirst) return fewSizes;
  return host === "Node" && stream.isUnpredictable ? [16_384] : [];
}

const started = performance.now();
const say = (text: string) =>
  console.error(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}`);

const findings: Findings = {
  command: ["npm run bench", ...(wishes.length > 0 ? ["--", ...wishes] : [])].join(" "),
  hosts: [],
  missing: [],
  races: [],
  starts: [],
};

async function raceIn(host: Host): Promise<void> {
  findings.hosts.push({ name: host.name, version: host.version });
  try {
    for (const stream of host.name === "Node" ? long : short) {
      for (const size of sizes(host.name, stream)) {
        say(`${host.name}: ${stream.name}, reads of ${size === "event" ? "one event" : `${size} bytes`}`);
        findings.races.push(await race(host, stream, size, effort));
      }
    }
  } finally {
    await host.close();
  }
}

/** The output of a program that runs in a process of its own. */
async function printedBy(file: string, args: string[]): Promise<string> {
  const run = promisify(execFile);
  const path = join(import.meta.dirname, file);
  // A missed bar is told by the exit code too; what was printed counts.
  const { stdout } = await run(process.execPath, ["--expose-gc", path, ...args]).catch((error) => {
    if (error.stdout) return error as { stdout: string };
    throw error;
  });
  return stdout;
}

const told = async <T>(file: string, args: string[]): Promise<T> => JSON.parse(await printedBy(file, args));

if (isWanted("node")) await raceIn(node());
if (isWanted("workerd")) await raceIn(await workerd());
if (isWanted("chromium")) {
  const chromium = await page();
  if (chromium) await raceIn(chromium);
  else findings.missing.push("Chromium, which was not found; CHROME may hold its path");
}
if (isWanted("long")) {
  say("long streams");
  findings.long = await told<Long>("inside/long.ts", [String(isQuick ? 2 : 9)]);
}
if (isWanted("tolerance")) {
  say("tolerance");
  findings.tolerance = await told<Tolerance[]>("inside/tolerance.ts", [String(isQuick ? 40 : 200)]);
}
if (isWanted("start")) {
  say("start");
  findings.starts.push(await startInNode(isQuick ? 3 : 15), await startInWorkerd(isQuick ? 3 : 15));
}
if (isWanted("size")) {
  say("size");
  const printed = await printedBy("../scripts/size.mjs", []);
  findings.size = Number(/^chatwire, both +(\d+) /m.exec(printed)?.[1]);
}
if (isWanted("ai-sdk")) {
  say("ai-sdk");
  findings.provider = await told<ProviderFindings>("ai-sdk.ts", ["--json", ...(isQuick ? ["--quick"] : [])]);
}
if (isWanted("memory")) {
  say("memory");
  findings.memory = await told<MemoryCheck[]>("memory.ts", ["--json", ...(isQuick ? ["--quick"] : [])]);
}
if (!long.some(({ about }) => about.startsWith("a recording")))
  findings.missing.push("recorded streams, which are not here");

if (only) {
  console.log(report(findings));
} else {
  writeClients(report(findings));
  console.log(goalTable(findings));
  say("written to docs/benchmarks.md");
}
