/** A gateway between a provider whose every byte the test decides and callers that may leave; no network. */
import type { TestContext } from "node:test";
import { type GatewayOptions, gateway, type UsageRecord } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";

export const KEY = "sk-secret-of-the-provider";
const encoder = new TextEncoder();
export const encode = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);

/** Nothing is left out, not even a mark at the start. */
export const asText = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

/** A gateway that tells of its records. */
export interface Setting {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  records: UsageRecord[];
  /** Resolves with the first `count` records. */
  recorded(count: number): Promise<UsageRecord[]>;
}

/** A gateway whose one provider is `fetch`, unless the options say otherwise. */
export function setUp(
  fetch: (url: string, init: { body?: string; headers: Headers; redirect?: string }) => Promise<Response>,
  { onUsage, ...options }: Partial<GatewayOptions> = {},
): Setting {
  const records: UsageRecord[] = [];
  const waiting = new Set<() => void>();
  const own = fetch as (url: string, init: object) => Promise<Response>;
  const app = gateway({
    providers: { upstream: { provider: "electron", apiKey: KEY, maxRetries: 0, fetch: own } },
    onUsage: (record) => {
      records.push(record);
      for (const look of waiting) look();
      return onUsage?.(record);
    },
    ...options,
  });
  return {
    records,
    fetch: (path, init) => app.fetch(new Request(new URL(path, "http://localhost"), init)),
    recorded: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (records.length < count) return;
          waiting.delete(look);
          resolve(records.slice(0, count));
        };
        waiting.add(look);
        look();
      }),
  };
}

/** The same with the emulator behind it. */
export function withEmulator(options: Partial<GatewayOptions> = {}, settings = {}) {
  const emulator = createEmulator(settings);
  return { ...setUp(emulator.fetch as Parameters<typeof setUp>[0], options), emulator };
}

export const CHAT = "/v1/chat/completions";

/** A request for a chat completion. */
export function chat(content: string, { headers, signal, ...params }: Record<string, unknown> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...(headers as object) },
    body: JSON.stringify({ model: "electron", messages: [{ role: "user", content }], ...params }),
    ...(signal ? { signal: signal as AbortSignal } : {}),
  };
}

/** An event stream of these reads. */
export function streamOf(reads: readonly (string | Uint8Array)[], contentType = "text/event-stream"): Response {
  let at = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const part = reads[at++];
        if (part === undefined) controller.close();
        else controller.enqueue(typeof part === "string" ? encode(part) : part);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": contentType } });
}

export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
export const says = (content: string, finish_reason: string | null = null, index = 0): string =>
  event({
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index, delta: { content }, finish_reason }],
  });
export const usageEvent = event({
  id: "c",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [],
  usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
});
export const DONE = "data: [DONE]\n\n";

/** A generator of whole numbers below a bound, the same for the same seed. */
export function randomFrom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * bound);
  };
}

/** The bytes cut at random, into pieces of up to `most` bytes. */
export function cut(bytes: Uint8Array, most: number, random: (bound: number) => number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random(most);
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}

/** All that a body gives. */
export async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

/** The error of a refusal, as OpenAI's clients read it. */
export async function errorOf(
  response: Response,
): Promise<{ message: string; type: string; code: string; param: string | null }> {
  return ((await response.json()) as { error: { message: string; type: string; code: string; param: string | null } })
    .error;
}

/** The host's own timer, also where a test mocks the clock. */
const { setTimeout: pause } = globalThis;

/** Lets the event loop go round until something is so, and leaves the processor to others when that takes long. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    await new Promise<void>((resolve) => {
      if (turns < 50) setImmediate(resolve);
      else pause(resolve, 2);
    });
  }
}

/** A clock that the test moves: gives the function that lets so many milliseconds pass, a second at a time. */
export function mockTime({ mock }: TestContext): (ms: number) => Promise<void> {
  const start = Date.UTC(2026, 0, 31, 12);
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: start });
  mock.method(performance, "now", () => Date.now() - start);
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  };
  return async (ms) => {
    await turns();
    for (let left = ms; left > 0; left -= 1000) {
      mock.timers.tick(Math.min(1000, left));
      await turns();
    }
  };
}
