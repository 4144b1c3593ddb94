/** The clients of the soak, a process of its own: mixed calls, many at a time, each of which has to settle. */
import { Chatwire, ChatwireError } from "chatwire";
import { tellMemory } from "./memory.ts";

const { GATEWAY, SEED = "1", TOGETHER = "12" } = process.env;

/** A generator of numbers below a bound, the same for the same seed. */
let state = Number(SEED);
function random(bound: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
  return Math.floor((state / 0x8000_0000) * bound);
}

const client = new Chatwire({
  baseURL: `${GATEWAY}/v1`,
  apiKey: "any",
  maxRetries: 1,
  timeout: { headers: 5000, firstToken: 5000, idle: 5000, total: 30_000 },
  limits: { concurrent: 64 },
});

const counts = { calls: 0, complete: 0, other: {} as Record<string, number>, wrong: [] as string[] };

const tool = { name: "look", parameters: { type: "object", properties: {} }, execute: () => "nothing" };

/** One call in one of the ways there are; gives the status, or the error's name. */
async function call(): Promise<string> {
  const content = `Tell me about number ${random(1e6)}`;
  const params = { model: "electron", max_tokens: 5 + random(60), messages: [{ role: "user" as const, content }] };
  const { completions } = client.chat;
  switch (random(10)) {
    case 0:
      await completions.create(params);
      return "complete";
    case 1: {
      const run = completions.runTools({ ...params, tools: [tool] }, { maxSteps: 2 });
      return (await run.outcome()).status;
    }
    case 2: {
      const stream = completions.stream(params);
      const [one, two] = stream.tee();
      const both = await Promise.allSettled([drain(one.textStream), drain(two.events)]);
      for (const side of both) if (side.status === "rejected") throw side.reason;
      return "complete";
    }
    case 3: {
      // Leaves after a few chunks.
      let left = 1 + random(6);
      const stream = completions.stream(params);
      for await (const _ of stream) if (--left === 0) break;
      await stream.outcome();
      return "left";
    }
    case 4: {
      // Leaves at any time.
      const stream = completions.stream(params);
      setTimeout(() => stream.abort(), random(120));
      await stream.outcome();
      return "left";
    }
    case 5: {
      const reader = completions.stream(params).toReadableStream().getReader();
      while (!(await reader.read()).done);
      return "complete";
    }
    case 6: {
      const stream = completions.stream(params);
      await drain(stream.events);
      return (await stream.outcome()).status;
    }
    default: {
      const stream = completions.stream(params);
      let text = "";
      for await (const piece of stream.textStream) text += piece;
      const outcome = await stream.outcome();
      if (outcome.text !== text) counts.wrong.push(`the text and its outcome differ: ${content}`);
      return outcome.status;
    }
  }
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** The longest that a call may take: its own timeouts, twice for `maxRetries`, and a busy machine. */
const LONGEST = 120_000;
let isOver = false;

async function caller(): Promise<void> {
  while (!isOver) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, LONGEST, "late");
    });
    const ended = await Promise.race([late, call().catch((error: unknown) => error)]);
    clearTimeout(timer);
    counts.calls++;
    if (ended === "complete") counts.complete++;
    else if (ended instanceof Error || typeof ended === "string") {
      const name = typeof ended === "string" ? ended : ended.constructor.name;
      counts.other[name] = (counts.other[name] ?? 0) + 1;
      if (ended === "late") counts.wrong.push("a call does not settle");
      if (ended instanceof Error && !(ended instanceof ChatwireError)) counts.wrong.push(String(ended));
    }
  }
}

process.on("unhandledRejection", (error) => counts.wrong.push(`unhandled: ${String(error)}`));
tellMemory();
const callers = Array.from({ length: Number(TOGETHER) }, caller);
process.on("message", async (message) => {
  if (message === "counts") process.send?.({ counts });
  if (message !== "end") return;
  isOver = true;
  await Promise.all(callers);
  process.send?.({ counts, ended: true });
});
