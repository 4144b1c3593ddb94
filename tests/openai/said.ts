/**
 * The server's answers in the programs: completions, chunks and refusals, as OpenAI sends them.
 */
import type { Answer } from "./server.ts";

export const messages = [{ role: "user" as const, content: "Hello" }];
export const model = "gpt-test";
export const hello = { model, messages };

const HEAD = { id: "chatcmpl-1", created: 1_700_000_000, model };
const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };

/** A whole answer. */
export function completion(message: object, more: object = {}, choice: object = {}): object {
  return {
    ...HEAD,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: null, refusal: null, ...message },
        logprobs: null,
        finish_reason: "tool_calls" in message ? "tool_calls" : "stop",
        ...choice,
      },
    ],
    usage,
    ...more,
  };
}

export const says = (content: string): Answer => ({ json: completion({ content }) });

/** A call of a function, as an answer has it. */
export function call(name: string, args: object | string, id = `call_${name}`): object {
  return {
    id,
    type: "function",
    function: { name, arguments: typeof args === "string" ? args : JSON.stringify(args) },
  };
}

export const calls = (...all: object[]): Answer => ({ json: completion({ tool_calls: all }) });

/** One event of a stream. */
export function chunk(delta: object, choice: object = {}, more: object = {}): object {
  return {
    ...HEAD,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...choice }],
    ...more,
  };
}

/** A text in pieces. */
export function pieces(...texts: string[]): object[] {
  return [
    chunk({ role: "assistant", content: "", refusal: null }),
    ...texts.map((content) => chunk({ content })),
    chunk({}, { finish_reason: "stop" }),
  ];
}

export const usageChunk = { ...HEAD, object: "chat.completion.chunk", choices: [], usage };

export const streams = (...texts: string[]): Answer => ({ events: pieces(...texts) });

/** A tool call in pieces: its name, then its arguments. */
export function callPieces(name: string, args: readonly string[], index = 0, id = `call_${name}`): object[] {
  const piece = (call: object) => chunk({ tool_calls: [{ index, ...call }] });
  return [
    piece({ id, type: "function", function: { name, arguments: "" } }),
    ...args.map((text) => piece({ function: { arguments: text } })),
  ];
}

export const start = chunk({ role: "assistant", content: null, refusal: null });
export const end = (finish_reason: string): object => chunk({}, { finish_reason });

export const streamsCalls = (...all: object[][]): Answer => ({ events: [start, ...all.flat(), end("tool_calls")] });

/** A refusal, as OpenAI sends it. */
export function refuses(status: number, error: object = {}, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers,
    json: {
      error: { message: `This is a ${status}.`, type: "invalid_request_error", param: null, code: null, ...error },
    },
  };
}

/**
 * A `fetch` that never answers so many times, then gives what comes next. In the process itself, so that no time runs out on the
 * way to a server.
 */
export function silentFetch(times: number, then?: () => Response): { fetch: never; asked: () => number } {
  let asked = 0;
  const fetch = (_: string, { signal }: RequestInit = {}) => {
    if (asked++ >= times && then) return Promise.resolve(then());
    return new Promise<Response>((_, reject) => {
      const leave = () => reject(new DOMException("This operation was aborted", "AbortError"));
      if (signal?.aborted) leave();
      else signal?.addEventListener("abort", leave);
    });
  };
  return { fetch: fetch as never, asked: () => asked };
}

/** Waits until something is so, for 10 seconds at the most. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !isSo(); turn++) await new Promise((resolve) => setTimeout(resolve, 10));
}
