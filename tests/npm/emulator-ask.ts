/**
 * How the emulator's tests ask it: one call, and a deliberately naive reading of its stream.
 *
 * The reading splits on blank lines and parses each `data` line; it is right only for well-formed streams, so that
 * nothing of the engine is needed to judge the emulator.
 */
import type { Clock, Emulator, Usage } from "../../npm/emulator/index.ts";

export const ELECTRON = "https://api.smallest.ai/waves/v1/chat/completions";
export const HUB = "https://api.electronhub.ai/v1/chat/completions";

export interface Delta {
  role?: string;
  content?: string | null;
  reasoning?: string;
  reasoning_content?: string;
  tool_calls?: {
    index: number;
    id?: string;
    type?: string;
    function: { name?: string; arguments: string };
  }[];
}
export interface Chunk {
  id: string;
  object: string;
  created: number;
  model: string;
  choices: { index: number; delta: Delta; finish_reason: string | null; logprobs?: { content: { token: string }[] } }[];
  usage?: Usage | null;
}
export interface Message {
  role: string;
  content: string | null;
  reasoning?: string;
  reasoning_content?: string;
  tool_calls?: { id: string; type: string; function: { name: string; arguments: string } }[];
}
export interface Completion {
  id: string;
  object: string;
  created: number;
  model: string;
  choices: {
    index: number;
    message: Message;
    finish_reason: string;
    logprobs?: { content: { token: string; logprob: number; top_logprobs: { token: string; logprob: number }[] }[] };
  }[];
  usage: Usage;
}
export interface ErrorBody {
  error: {
    message: string;
    type: string;
    code?: unknown;
    param?: unknown;
    request_id?: string;
    details?: { code: string; message: string; path: string[] }[];
  };
}

export interface Asked {
  url?: string;
  trouble?: string;
  key?: string;
  signal?: AbortSignal;
}

/** Sends a body; without a model and messages of its own it gets Electron and a greeting. */
export function ask(emulator: Emulator, body: object, asked: Asked = {}): Promise<Response> {
  const { url = ELECTRON, trouble, key = "a-key", signal } = asked;
  return emulator.fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, ...(trouble === undefined ? {} : { "x-emulator": trouble }) },
    body: JSON.stringify({ model: "electron", messages: [{ role: "user", content: "Hello!" }], ...body }),
    ...(signal ? { signal } : {}),
  });
}

export const says = (content: string): object => ({ messages: [{ role: "user", content }] });

export async function complete(emulator: Emulator, body: object, asked: Asked = {}): Promise<Completion> {
  const response = await ask(emulator, body, asked);
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as Completion;
}

/** The `data` lines of a stream, in order. */
export function dataOf(text: string): string[] {
  const events = text.split("\n\n");
  if (events.pop() !== "") throw new Error("the stream ends inside an event");
  return events.flatMap((event) =>
    event.split("\n").flatMap((line) => (line.startsWith("data: ") ? [line.slice(6)] : [])),
  );
}

/** The chunks of a stream that must end in `[DONE]`. */
export async function chunks(emulator: Emulator, body: object, asked: Asked = {}): Promise<Chunk[]> {
  const response = await ask(emulator, { ...body, stream: true }, asked);
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  const data = dataOf(await response.text());
  if (data.pop() !== "[DONE]") throw new Error("the stream does not end in [DONE]");
  return data.map((each) => JSON.parse(each) as Chunk);
}

/** The sum of the chunks of one choice. */
export function added(all: readonly Chunk[], index = 0): { message: Message; finish: string | null } {
  const message: Message = { role: "", content: null };
  let finish: string | null = null;
  for (const choice of all.flatMap((chunk) => chunk.choices).filter((each) => each.index === index)) {
    const { delta } = choice;
    if (delta.role) message.role = delta.role;
    if (typeof delta.content === "string") message.content = (message.content ?? "") + delta.content;
    if (delta.reasoning) message.reasoning = (message.reasoning ?? "") + delta.reasoning;
    if (delta.reasoning_content)
      message.reasoning_content = (message.reasoning_content ?? "") + delta.reasoning_content;
    for (const part of delta.tool_calls ?? []) {
      message.tool_calls ??= [];
      message.tool_calls[part.index] ??= { id: "", type: "", function: { name: "", arguments: "" } };
      const call = message.tool_calls[part.index];
      if (!call) continue;
      call.id += part.id ?? "";
      call.type += part.type ?? "";
      call.function.name += part.function.name ?? "";
      call.function.arguments += part.function.arguments;
    }
    finish = choice.finish_reason ?? finish;
  }
  return { message, finish };
}

/** A clock that moves only when somebody sleeps: waiting is instant and exact. */
export function testClock(start = 1_700_000_000_000): Clock & { time: number; slept: number[] } {
  const clock = {
    time: start,
    slept: [] as number[],
    now: () => clock.time,
    sleep: async (ms: number) => {
      clock.slept.push(ms);
      clock.time += ms;
    },
  };
  return clock;
}
