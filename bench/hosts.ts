/** Where the benchmark runs: Node, workerd, Chromium. Each runs a contender over a stream and says what CPU time it took. */
import { fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { bundle, engine } from "./bundle.ts";
import type { Contender } from "./inside/contenders.ts";
import type { Question, Reply } from "./inside/node.ts";
import type { PageBench } from "./inside/page.ts";
import type { ReadSize } from "./inside/reads.ts";
import { cpuTime } from "./process-time.ts";
import { type Profile, profiled, profiledBy } from "./profiler.ts";
import type { Stream } from "./streams.ts";
import { versionOf } from "./versions.ts";
import { Worker } from "./workerd.ts";

/** A runtime. */
export interface Host {
  name: string;
  version: string;
  /** The source map of what it runs, where that is a bundle. */
  map?: string;
  open(): Promise<Lane>;
  close(): Promise<void>;
}

/** One process of a runtime. */
export interface Lane {
  prepare(stream: Stream, size: ReadSize): Promise<void>;
  /**
   * CPU time of `times` runs, in microseconds.
   * @throws {Error} the contender failed, or came to a wrong answer
   */
  run(contender: Contender, times: number): Promise<number>;
  /** Runs `work` with the profiler of the host on, and gives the profile. */
  profiled(work: () => Promise<unknown>): Promise<Profile>;
  close(): Promise<void>;
}

export function node(): Host {
  return {
    name: "Node",
    version: process.versions.node,
    async open() {
      const child = fork(join(import.meta.dirname, "inside/node.ts"), {
        execArgv: ["--expose-gc"],
        serialization: "advanced",
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      const ask = (question: Question): Promise<Exclude<Reply, { error: string }>> =>
        new Promise((resolve, reject) => {
          const gone = () => reject(new Error("the process ended"));
          child.once("exit", gone);
          child.once("message", (reply: Reply) => {
            child.off("exit", gone);
            if ("error" in reply) reject(new Error(reply.error));
            else resolve(reply);
          });
          child.send(question);
        });
      return {
        async prepare({ bytes }, size) {
          await ask({ bytes, size });
        },
        run: async (contender, times) => (await ask({ contender, times })).cpu,
        async profiled(work) {
          await ask({ profile: "start" });
          await work();
          return (await ask({ profile: "stop" })).profile as Profile;
        },
        async close() {
          child.kill();
        },
      };
    },
    async close() {},
  };
}

/** @param isInspected can be profiled */
export async function workerd(isInspected = false): Promise<Host> {
  const worker = await Worker.from({ file: "inside/worker.ts" });
  return {
    name: "workerd",
    version: versionOf("workerd"),
    map: worker.map,
    async open() {
      const running = await worker.start(isInspected);
      const ask = async (query: Record<string, string>, bytes?: Uint8Array<ArrayBuffer>) => {
        const answer = await fetch(
          `${running.url}/?${new URLSearchParams(query)}`,
          bytes ? { method: "POST", body: bytes } : {},
        );
        const text = await answer.text();
        if (!answer.ok) throw new Error(text);
      };
      return {
        prepare: ({ bytes }, size) => ask({ size: String(size) }, bytes),
        async run(contender, times) {
          const before = cpuTime(running.pid);
          await ask({ contender, times: String(times) });
          return cpuTime(running.pid) - before;
        },
        profiled: (work) => profiledBy(running.inspector, work),
        close: () => running.stop(),
      };
    },
    async close() {
      worker.remove();
    },
  };
}

/**
 * Chromium, where there is one.
 * @param slowed how many times slower its CPU is made, as developer tools do to show what a phone is like
 */
export async function page(slowed = 1): Promise<Host | undefined> {
  const executablePath = process.env.CHROME ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) return undefined;
  const { script, map } = await bundle({ file: "inside/page.ts" }, ["browser"]);
  let stream: Uint8Array = new Uint8Array();
  const served = (path: string): [type: string, body: string | Uint8Array] => {
    if (path === "/inside/page.js") return ["text/javascript", script];
    if (path.endsWith(".wasm")) return ["application/wasm", readFileSync(new URL(`..${path}`, engine))];
    if (path === "/stream") return ["application/octet-stream", stream];
    return ["text/html", '<!doctype html><title>bench</title><script type="module" src="/inside/page.js"></script>'];
  };
  const server = createServer((request, response) => {
    const [type, content] = served(request.url ?? "/");
    response.setHeader("content-type", type).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await chromium.launch({
    executablePath,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
    ],
  });
  const processes = await browser.newBrowserCDPSession();
  return {
    name: slowed === 1 ? "Chromium" : `Chromium, CPU slowed ${slowed} times`,
    version: browser.version(),
    map,
    async open() {
      const tab = await browser.newPage();
      await tab.goto(`http://127.0.0.1:${port}/`);
      await tab.waitForFunction(() => "bench" in globalThis);
      const tools = await tab.context().newCDPSession(tab);
      await tools.send("Emulation.setCPUThrottlingRate", { rate: slowed });
      const { processInfo } = await processes.send("SystemInfo.getProcessInfo");
      const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
      const cpu = () => renderers.reduce((sum, pid) => sum + (existsSync(`/proc/${pid}`) ? cpuTime(pid) : 0), 0);
      return {
        async prepare({ bytes }, size) {
          stream = bytes;
          await tab.evaluate((size) => (globalThis as unknown as { bench: PageBench }).bench.prepare(size), size);
        },
        async run(contender, times) {
          const before = cpu();
          await tab.evaluate(
            ([contender, times]) => (globalThis as unknown as { bench: PageBench }).bench.run(contender, times),
            [contender, times] as const,
          );
          return cpu() - before;
        },
        profiled: (work) => profiled((method, params) => tools.send(method as "Profiler.start", params), work),
        close: () => tab.close(),
      };
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}
