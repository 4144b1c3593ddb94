/**
 * The matrix of faults: each fault at each phase of an answer, on each line between a client, a gateway and a provider.
 * Each call settles, says of its end what is true, and leaves its place and its connection to the next.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import * as chatwire from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { build } from "esbuild";
import { serve } from "../../npm/emulator/serve.ts";
import { startWorker } from "../../worker/workerd.ts";
import { launchChromium } from "../chromium.ts";
import { ask, type Question, type Seen, WHOLE } from "./asking.ts";
import {
  FAULTS,
  type Fault,
  type FaultyProxy,
  ofConnections,
  PHASES,
  type Phase,
  type Plan,
  startProxy,
} from "./proxy.ts";

export interface Cell {
  fault: Fault;
  /** None for faults of connections. */
  phase: Phase | undefined;
}

export const cells: Cell[] = FAULTS.flatMap((fault): Cell[] =>
  ofConnections.includes(fault) ? [{ fault, phase: undefined }] : PHASES.map((phase) => ({ fault, phase })),
);

/** The pair of client and server with the faults between them. */
export const LINES = [
  "Node → provider",
  "workerd → provider",
  "page → provider",
  "gateway → provider",
  "Node → gateway",
] as const;
export type Line = (typeof LINES)[number];

/** The result of a cell on a line: how the call ended, and what is wrong about that. */
export interface Result {
  ended: string;
  wrong: string[];
}

const nameOf = ({ fault, phase }: Cell) => [fault, phase].filter(Boolean).join(", ");

/** Milliseconds. Only a stall is waited for in vain; all else ends by itself, on however busy a machine. */
const patienceFor = ({ fault }: Cell) => (fault === "stall" ? 1500 : 30_000);

/** The faults of a client's result. */
function judge({ fault, phase }: Cell, seen: Seen | "late", next: Seen | "late"): string[] {
  if (seen === "late") return ["does not settle"];
  const wrong: string[] = [];
  const isWhole = seen.text === WHOLE;
  const isComplete = seen.status === "complete";
  const isHarmless = ["slow accept", "delay", "trickle"].includes(fault);
  // These take with them what the host has not handed on yet.
  const isOver = phase === "after [DONE]" && fault !== "reset" && fault !== "corruption";
  if ((isHarmless || isOver) && !isComplete) wrong.push(`is ${seen.status}, though all of it came`);
  if (isComplete && !isWhole && seen.repairs === 0) wrong.push("is complete without all of the text");
  if (isComplete && isWhole && (seen.tokens === null || seen.isEstimated)) wrong.push("has no usage");
  if (isComplete !== (seen.error === null)) wrong.push(`is ${seen.status} with the error ${seen.error}`);
  if (!seen.isNamed) wrong.push("throws what is no error of chatwire");
  if (seen.iterated !== seen.text) wrong.push("was iterated otherwise than its outcome says");
  if (fault !== "corruption" && !WHOLE.startsWith(seen.text)) wrong.push(`says ${JSON.stringify(seen.text)}`);
  if (next === "late") wrong.push("the next call does not settle");
  else if (next.text !== WHOLE || next.status !== "complete") wrong.push(`the next call is ${JSON.stringify(next)}`);
  else if (isComplete && isWhole && seen.tokens !== next.tokens) wrong.push(`counts ${seen.tokens} tokens`);
  return wrong;
}

/** The proxies of one line: one for all cells that are of answers, and one for each that is of connections. */
interface Faulty {
  /** Where a cell's provider is. */
  urlOf(cell: Cell): string;
  proxyOf(cell: Cell): FaultyProxy;
  /** The faults once all are done. */
  settled(): Promise<string[]>;
  close(): Promise<void>;
}

async function startFaulty(target: string): Promise<Faulty> {
  const done = new Set<string>();
  /** The plan of the cell whose name the path begins with, once. */
  const planFor = (path: string): Plan | undefined => {
    const name = /^\/cell-([^/]*)/.exec(path)?.[1];
    const cell = name === undefined || done.has(name) ? undefined : cells[Number(name)];
    if (!cell?.phase || name === undefined) return undefined;
    done.add(name);
    return { fault: cell.fault, phase: cell.phase };
  };
  const ofAnswers = await startProxy(target, planFor);
  const own = new Map<string, FaultyProxy>();
  for (const cell of cells.filter(({ phase }) => phase === undefined)) {
    const plan: Plan = { fault: cell.fault, phase: "before headers" };
    // A port that nobody listens on refuses.
    own.set(nameOf(cell), await startProxy(target, () => (cell.fault === "refused" ? undefined : plan)));
  }
  const all = [ofAnswers, ...own.values()];
  const proxyOf = (cell: Cell): FaultyProxy => own.get(nameOf(cell)) ?? ofAnswers;
  return {
    urlOf: (cell) => `${proxyOf(cell).url}/cell-${cells.findIndex((one) => nameOf(one) === nameOf(cell))}`,
    proxyOf,
    async settled() {
      const isOpen = () => all.some(({ open }) => open > 0);
      for (let waited = 0; waited < 300 && isOpen(); waited++) await new Promise((resolve) => setTimeout(resolve, 100));
      const wrong = isOpen() ? ["a connection is not let go of"] : [];
      const expected = cells.filter(({ phase }) => phase).length;
      if (ofAnswers.happened !== expected) wrong.push(`${ofAnswers.happened} of ${expected} faults happened`);
      return wrong;
    },
    close: async () => void (await Promise.all(all.map((proxy) => proxy.close()))),
  };
}

/** A host in which clients ask. */
interface Host {
  ask(question: Question): Promise<Seen | "late">;
  close(): Promise<unknown>;
}

const node: Host = { ask: (question) => ask(chatwire, question), close: async () => {} };

async function workerd(): Promise<Host> {
  const worker = await startWorker({ entry: join(import.meta.dirname, "client-worker.ts") });
  return {
    ask: async (question) => {
      const answer = await fetch(worker.url, { method: "POST", body: JSON.stringify(question) });
      return (await answer.json()) as Seen | "late";
    },
    close: () => worker.stop(),
  };
}

async function page(): Promise<Host> {
  const root = join(import.meta.dirname, "../..");
  const entryPoints = [join(import.meta.dirname, "asking.ts")];
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, format: "esm", target: "es2022" });
  const server = createServer(({ url = "/" }, response) => {
    const path = normalize(new URL(url, "http://page").pathname);
    const type = path.endsWith(".wasm") ? "application/wasm" : path.endsWith(".js") ? "text/javascript" : "text/html";
    response.setHeader("content-type", type);
    if (path === "/asking.js") response.end(outputFiles[0]?.text);
    else if (path.startsWith("/dist/")) response.end(readFileSync(join(root, path)));
    else response.end("<!doctype html><title>Faults</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launchChromium();
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return {
    ask: (question) =>
      tab.evaluate(async (question) => {
        const from = (path: string) => import(path);
        const { ask } = await from("/asking.js");
        return ask(await from("/dist/entry/default.js"), question);
      }, question),
    async close() {
      await browser.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Runs all cells on a line. `together` is how many calls are under way. */
export async function runLine(line: Line, together = 8): Promise<Map<string, Result>> {
  const emulator = createEmulator({ tokensPerSecond: 250 });
  const provider = await serve(emulator);
  const closing: (() => Promise<unknown>)[] = [() => provider.close()];
  const results = new Map<string, Result>();
  try {
    const isGateway = line.includes("gateway");
    let faulty: Faulty;
    let urlOf: (cell: Cell) => { baseURL: string; model: string };
    if (!isGateway) {
      faulty = await startFaulty(provider.url);
      urlOf = (cell) => ({ baseURL: `${faulty.urlOf(cell)}/waves/v1`, model: "electron" });
    } else if (line === "gateway → provider") {
      faulty = await startFaulty(provider.url);
      const providers = cells.map((cell, at) => [
        `cell-${at}`,
        { baseURL: `${faulty.urlOf(cell)}/waves/v1`, patience: patienceFor(cell) },
      ]);
      const gateway = await startGateway(Object.fromEntries(providers));
      closing.unshift(() => gateway.stop());
      urlOf = (cell) => ({ baseURL: new URL("/v1", gateway.url).href, model: `cell-${cells.indexOf(cell)}` });
    } else {
      const gateway = await startGateway({ own: { baseURL: `${provider.url}/waves/v1`, patience: 30_000 } });
      closing.unshift(() => gateway.stop());
      faulty = await startFaulty(gateway.url.origin);
      urlOf = (cell) => ({ baseURL: `${faulty.urlOf(cell)}/v1`, model: "own" });
    }
    closing.unshift(() => faulty.close());
    const host = line.startsWith("workerd") ? await workerd() : line.startsWith("page") ? await page() : node;
    closing.unshift(() => host.close());
    let next = 0;
    const worker = async () => {
      while (next < cells.length) {
        const cell = cells[next++] as Cell;
        // The gateway gives up first, and says why.
        const patience = line === "gateway → provider" ? 60_000 : patienceFor(cell);
        const question: Question = { ...urlOf(cell), patience, key: `sk-${cells.indexOf(cell)}` };
        const isRefused = cell.fault === "refused";
        if (isRefused) await faulty.proxyOf(cell).refuse();
        const seen = await host.ask(question);
        if (isRefused) await faulty.proxyOf(cell).listen();
        const after = await host.ask({ ...question, patience: 60_000 });
        const ended =
          seen === "late" ? "never" : seen.status === "complete" ? endOf(seen) : `${seen.status}: ${seen.error}`;
        results.set(nameOf(cell), { ended, wrong: judge(cell, seen, after) });
      }
    };
    await Promise.all(Array.from({ length: together }, worker));
    results.set("", { ended: "", wrong: await faulty.settled() });
  } finally {
    for (const close of closing) await close();
  }
  return results;
}

const endOf = ({ repairs }: Seen) => (repairs === 0 ? "complete" : `complete, repaired (${repairs})`);

const startGateway = (providers: Record<string, { baseURL: string; patience: number }>) =>
  startWorker({
    entry: join(import.meta.dirname, "gateway-worker.ts"),
    bindings: { PROVIDERS: JSON.stringify(providers) },
  });

/** The faults of a line, a sentence each. */
export const wrongOf = (results: Map<string, Result>): string[] =>
  [...results].flatMap(([name, { wrong }]) => wrong.map((one) => (name ? `${name}: ${one}` : one)));

/** The matrix as a table of Markdown. */
export function tableOf(all: Map<Line, Map<string, Result>>): string {
  const lines = [...all.keys()];
  const rows = cells.map((cell) => {
    const ends = lines.map((line) => all.get(line)?.get(nameOf(cell))?.ended ?? "");
    return `| ${[cell.fault, cell.phase ?? "", ...ends].join(" | ")} |`;
  });
  return [`| fault | where | ${lines.join(" | ")} |`, `|---|---|${lines.map(() => "---|").join("")}`, ...rows].join(
    "\n",
  );
}
