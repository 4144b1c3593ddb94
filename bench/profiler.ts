/** V8's sampling profiler, by the protocol that all hosts speak, and what a profile says: shares by where the code is from. */
import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapping } from "node:module";
import { join } from "node:path";

/** A profile, as the protocol has it: `Profiler.Profile`. */
export interface Profile {
  nodes: ProfileNode[];
  samples: number[];
  /** Microseconds between samples. */
  timeDeltas: number[];
}

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number; columnNumber: number };
  children?: number[];
}

/** Sends a command of the protocol, and gives its result. */
export type Send = (method: string, params?: object) => Promise<unknown>;

/** Microseconds between samples that are asked for. */
const INTERVAL = 200;

export async function startProfile(send: Send): Promise<void> {
  await send("Profiler.enable");
  await send("Profiler.setSamplingInterval", { interval: INTERVAL });
  await send("Profiler.start");
}

export async function stopProfile(send: Send): Promise<Profile> {
  const { profile } = (await send("Profiler.stop")) as { profile: Profile };
  return profile;
}

export async function profiled(send: Send, work: () => Promise<unknown>): Promise<Profile> {
  await startProfile(send);
  await work();
  return stopProfile(send);
}

/** Profiles the last of the isolates that an inspector lists: of a worker, its own. */
export async function profiledBy(inspector: string, work: () => Promise<unknown>): Promise<Profile> {
  const listed = (await (await fetch(`${inspector}/json`)).json()) as { webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(listed.at(-1)?.webSocketDebuggerUrl ?? "");
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  let last = 0;
  const send: Send = (method, params = {}) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      socket.addEventListener("close", () => reject(new Error("The inspector has gone.")));
      const hear = ({ data }: MessageEvent) => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
        if (answer.id !== id) return;
        socket.removeEventListener("message", hear);
        if (answer.error) reject(new Error(answer.error.message));
        else resolve(answer.result);
      };
      socket.addEventListener("message", hear);
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    return await profiled(send, work);
  } finally {
    // A worker does not stop while somebody looks.
    socket.close();
  }
}

/** The share of one place in the time that was not idle. */
export interface Share {
  /** A file of chatwire, a package, or a part of the host. */
  place: string;
  share: number;
  /** The part of it that functions of the host took which it called, by their names. */
  within: Map<string, number>;
}

/** The places that profiles tell of, the largest first. */
export function sharesOf(profiles: readonly Profile[], map: string | undefined): Share[] {
  const source = map === undefined ? undefined : new SourceMap(JSON.parse(map));
  const found = new Map<string, Share>();
  let all = 0;
  for (const { nodes, samples, timeDeltas } of profiles) {
    const byId = new Map(nodes.map((node) => [node.id, node]));
    const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
    const times = new Map<number, number>();
    for (const [at, id] of samples.entries()) times.set(id, (times.get(id) ?? 0) + (timeDeltas[at] ?? 0));
    for (const [id, time] of times) {
      let node = byId.get(id);
      const name = node?.callFrame.functionName ?? "";
      if (name === "(idle)") continue;
      // A function of the host has no address: its caller's place has its time.
      let isWithin = false;
      while (node && placeOf(node, source) === undefined) {
        isWithin = true;
        node = byId.get(parents.get(node.id) ?? 0);
      }
      const place = (node && placeOf(node, source)) ?? "the host, called by nobody";
      const share = found.get(place) ?? { place, share: 0, within: new Map() };
      share.share += time;
      if (isWithin) share.within.set(name, (share.within.get(name) ?? 0) + time);
      found.set(place, share);
      all += time;
    }
  }
  const parts = (within: Map<string, number>) => new Map([...within].map(([name, time]) => [name, time / all]));
  return [...found.values()]
    .map(({ place, share, within }) => ({ place, share: share / all, within: parts(within) }))
    .sort((a, b) => b.share - a.share);
}

/** `undefined` for a function of the host that is not written in JavaScript. */
function placeOf({ callFrame }: ProfileNode, source: SourceMap | undefined): string | undefined {
  const { functionName, url, lineNumber, columnNumber } = callFrame;
  if (functionName === "(garbage collector)") return "garbage";
  if (functionName === "(program)") return "the host outside of JavaScript: its compilers, its sockets, the kernel";
  if (functionName === "(root)") return "the host, called by nobody";
  if (url.startsWith("wasm:") || url.endsWith(".wasm")) return "the engine";
  if (url === "") return undefined;
  if (/^(?:node|node-internal|cloudflare-internal|internal):/.test(url)) return "the host's own JavaScript";
  const entry = /(?:worker|page)\.js$/.test(url) ? source?.findEntry(lineNumber, columnNumber) : undefined;
  const { originalSource = url, originalLine = lineNumber } = (entry ?? {}) as Partial<SourceMapping>;
  const file = partOf(originalSource, originalLine);
  const [, named] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file) ?? [];
  if (named) return named;
  const [, own] = /(?:dist|npm)\/(.+?)\.[jt]s$/.exec(file) ?? [];
  return own ?? "the benchmark itself";
}

/** The file that a line of a bundled file comes from: the bundler names it in a comment above. */
function partOf(file: string, line: number): string {
  const [, bundled] = /(?:^|\/)dist\/((?:edge|entry)\/[\w-]+\.js)$/.exec(file) ?? [];
  if (!bundled) return file;
  const lines = bundles.get(bundled) ?? readFileSync(join(import.meta.dirname, "../dist", bundled), "utf8").split("\n");
  bundles.set(bundled, lines);
  for (let at = line; at > 0; at--) {
    const [, named] = /^\/\/ ((?:npm|dist|node_modules)\/.*)$/.exec(lines[at] ?? "") ?? [];
    if (named) return named;
  }
  return file;
}
const bundles = new Map<string, string[]>();
