/** From import to the first request sent, in fresh processes that take turns: Node as installed, workerd as bundled. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { cpuTime } from "./process-time.ts";
import { type Figure, figure } from "./race.ts";
import { Worker } from "./workerd.ts";

const run = promisify(execFile);

const clients = { chatwire: "Chatwire", openai: "OpenAI" } as const;
type Client = keyof typeof clients;
const names = Object.keys(clients) as Client[];

/** The time of both to their first request, in CPU and, where the host tells it, in wall time; milliseconds. */
export interface Start {
  host: string;
  cpu: Record<Client, Figure>;
  wall?: Record<Client, Figure>;
}

/** The same call with either client; `sent` is run when its request is. */
const asking = (sent: string) => `
  const answering = async () => {
    ${sent};
    return new Response("data: [DONE]\\n\\n", { headers: { "content-type": "text/event-stream" } });
  };
  const client = new Client({ baseURL: "https://upstream.invalid/v1", apiKey: "none", fetch: answering });
  const messages = [{ role: "user", content: "Hello" }];
  const asked = client.chat.completions.create({ model: "electron", messages, stream: true });
`;

/** A program for Node that tells what it took until its first request was sent. */
export const inNode = (client: Client) => `
  const [started, before] = [performance.now(), process.cpuUsage()];
  const { ${clients[client]}: Client } = await import("${client}");
  let wall, cpu;
  ${asking("[wall, cpu] = [performance.now() - started, process.cpuUsage(before)]")}
  await asked;
  console.log(JSON.stringify({ wall, cpu: (cpu.user + cpu.system) / 1000 }));
`;

const inWorkerd = (client: Client) => `
  import { ${clients[client]} as Client } from "${client}";
  export default {
    fetch: () => new Promise((resolve, reject) => {
      ${asking('resolve(new Response("sent"))')}
      asked.catch(reject);
    }),
  };
`;

export async function startInNode(rounds: number): Promise<Start> {
  const measures = names.map((name) => ({ name, wall: [] as number[], cpu: [] as number[] }));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, wall, cpu } of measures) {
      const { stdout } = await run(process.execPath, ["--input-type=module", "-e", inNode(name)], {
        cwd: import.meta.dirname,
      });
      if (round === 0) continue; // the first one reads from the disk
      const told: { wall: number; cpu: number } = JSON.parse(stdout);
      wall.push(told.wall);
      cpu.push(told.cpu);
    }
  }
  const each = (what: "wall" | "cpu") =>
    Object.fromEntries(measures.map((measure) => [measure.name, figure(measure[what])])) as Record<Client, Figure>;
  return { host: "Node", cpu: each("cpu"), wall: each("wall") };
}

/** The time of an empty worker to its first answer is the runtime's own, and taken off each measure. */
export async function startInWorkerd(rounds: number): Promise<Start> {
  const empty = await Worker.from({ text: 'export default { fetch: () => new Response("sent") };' });
  const workers = await Promise.all(names.map((name) => Worker.from({ text: inWorkerd(name) })));
  const measures = names.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    const own = await untilSent(empty);
    for (const [index, worker] of workers.entries()) {
      const taken = (await untilSent(worker)) - own;
      if (round > 0) measures[index]?.push(taken);
    }
  }
  for (const worker of [empty, ...workers]) worker.remove();
  const cpu = Object.fromEntries(names.map((name, index) => [name, figure(measures[index] ?? [])]));
  return { host: "workerd", cpu: cpu as Record<Client, Figure> };
}

/** How far each worker goes on the way to its first request, and the CPU milliseconds of it above an empty worker. */
export async function stepsInWorkerd(rounds: number): Promise<Record<string, Figure>> {
  const answering = (imports: string, made: string) =>
    `${imports}\nexport default { fetch: () => { ${made}; return new Response("sent"); } };`;
  const client = 'new Chatwire({ baseURL: "https://upstream.invalid/v1", apiKey: "none" })';
  const steps = {
    empty: answering("", ""),
    "the script is parsed and run": answering('import { Chatwire } from "chatwire";', "globalThis.client = Chatwire"),
    "a client is made, and so is an instance of the engine": answering(
      'import { Chatwire } from "chatwire";',
      `globalThis.client = ${client}`,
    ),
    "the first request is sent": inWorkerd("chatwire"),
  };
  const workers = await Promise.all(Object.values(steps).map((text) => Worker.from({ text })));
  const measures = workers.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    let own = 0;
    for (const [index, worker] of workers.entries()) {
      const taken = await untilSent(worker);
      if (index === 0) own = taken;
      if (round > 0) measures[index]?.push(taken - own);
    }
  }
  for (const worker of workers) worker.remove();
  const [, ...found] = Object.keys(steps).map((step, index) => [step, figure(measures[index] ?? [])] as const);
  return Object.fromEntries(found);
}

/** CPU milliseconds of a fresh process, from its start until its first request is sent. */
async function untilSent(worker: Worker): Promise<number> {
  const running = await worker.start();
  try {
    const answer = await fetch(running.url);
    const text = await answer.text();
    if (text !== "sent") throw new Error(`the worker did not send its request: ${text}`);
    return cpuTime(running.pid) / 1000;
  } finally {
    await running.stop();
  }
}
