/**
 * A stream as the chunks that the AI SDK's user interfaces read (`useChat`), and as bytes on the wire.
 */

import type { UIMessageChunk } from "ai";
import type { ChatEvent, ChatStream, Outcome } from "chatwire";
import { sourcesOf } from "./parts.ts";
import { toFinishReason } from "./usage.ts";

/** Options of a stream for user interfaces. */
export interface UIMessageStreamOptions {
  /** The id of the assistant's message; the reader makes one when it is left out. */
  messageId?: string;
  /**
   * Reasoning is sent too.
   * @default true
   */
  sendReasoning?: boolean;
  /**
   * Sources are sent too.
   * @default true
   */
  sendSources?: boolean;
  /**
   * The text of an error for its reader.
   * @default the error's own message, which never has a key in it
   */
  onError?: (error: Error) => string;
}

/** The header that tells a reader which protocol a response speaks. */
const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
  "x-vercel-ai-ui-message-stream": "v1",
};

/**
 * The chunks of one answer. Leaving it early cancels the request.
 *
 * An answer that breaks off ends with an `error` chunk after all that came; one that was aborted with an `abort` chunk.
 * A tool call that was cut short is a `tool-input-error`.
 * @throws {ChatwireError} at once, for a stream that has its one reader already
 * @example
 * ```ts
 * const stream = client.chat.completions.stream({ model: "electron", messages });
 * for await (const chunk of toUIMessageStream(stream)) console.log(chunk.type);
 * ```
 */
export function toUIMessageStream(
  stream: ChatStream,
  options: UIMessageStreamOptions = {},
): ReadableStream<UIMessageChunk> {
  // Taken here, not at the first read: an outcome() that is asked for in the same turn waits for this reader.
  return chunkStream(stream, stream.events[Symbol.asyncIterator](), options);
}

/** The chunks of a stream whose events come from its one reader. */
export function chunkStream(
  stream: ChatStream,
  events: AsyncIterator<ChatEvent>,
  options: UIMessageStreamOptions,
): ReadableStream<UIMessageChunk> {
  const chunks = chunksOf(stream, events, options);
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    // Not only the generator: a pending read ends with the request.
    cancel() {
      stream.abort();
    },
  });
}

/**
 * The same as a response, for a worker that serves `useChat`.
 * @example
 * ```ts
 * export default {
 *   fetch: async (request: Request) => {
 *     const { messages } = await request.json();
 *     return toUIMessageStreamResponse(client.chat.completions.stream({ messages: toChatMessages(messages) }));
 *   },
 * };
 * ```
 */
export function toUIMessageStreamResponse(
  stream: ChatStream,
  options: UIMessageStreamOptions & { headers?: Record<string, string> } = {},
): Response {
  const encoder = new TextEncoder();
  const lines = new TransformStream<UIMessageChunk, Uint8Array>({
    transform: (chunk, controller) => controller.enqueue(encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`)),
    flush: (controller) => controller.enqueue(encoder.encode("data: [DONE]\n\n")),
  });
  const body = toUIMessageStream(stream, options).pipeThrough(lines);
  return new Response(body, { headers: { ...HEADERS, ...options.headers } });
}

async function* chunksOf(
  stream: ChatStream,
  events: AsyncIterator<ChatEvent>,
  options: UIMessageStreamOptions,
): AsyncGenerator<UIMessageChunk, void, void> {
  const { messageId, sendReasoning = true, sendSources = true, onError = ({ message }) => message } = options;
  yield { type: "start", ...(messageId !== undefined && { messageId }) };
  yield { type: "start-step" };
  const blocks = new Blocks(sendReasoning);
  try {
    for await (const event of { [Symbol.asyncIterator]: () => events }) yield* blocks.take(event);
  } catch {
    // The outcome says why.
  }
  const outcome = await stream.outcome();
  yield* blocks.close();
  yield* toolInputs(outcome);
  if (sendSources) {
    for (const source of sourcesOf(outcome)) {
      if (source.sourceType !== "url") continue;
      const { id, url, title } = source;
      yield { type: "source-url", sourceId: id, url, ...(title !== undefined && { title }) };
    }
  }
  if (outcome.status === "aborted") {
    yield { type: "abort" };
    return;
  }
  yield { type: "finish-step" };
  if (outcome.status !== "complete") yield { type: "error", errorText: onError(outcome.error) };
  yield { type: "finish", finishReason: toFinishReason(outcome).unified };
}

function* toolInputs({ toolCalls }: Outcome): Generator<UIMessageChunk> {
  for (const { id: toolCallId, name: toolName, arguments: input, complete } of toolCalls) {
    if (complete) yield { type: "tool-input-available", toolCallId, toolName, input: JSON.parse(input) };
    else {
      const errorText = "The arguments of this call are incomplete, so it was not run.";
      yield { type: "tool-input-error", toolCallId, toolName, input, errorText };
    }
  }
}

/** Text and reasoning in blocks of their own, and the arguments of calls as they come. */
class Blocks {
  readonly #sendReasoning: boolean;
  #open: { type: "text" | "reasoning"; id: string } | undefined;
  #count = 0;
  readonly #calls = new Map<number, string>();

  constructor(sendReasoning: boolean) {
    this.#sendReasoning = sendReasoning;
  }

  *take(event: ChatEvent): Generator<UIMessageChunk> {
    if (event.choice !== 0) return;
    if (event.type === "text" || event.type === "refusal") yield* this.#say("text", event.text);
    else if (event.type === "reasoning") {
      if (this.#sendReasoning) yield* this.#say("reasoning", event.text);
    } else if (event.type === "tool_call.start") {
      yield* this.close();
      this.#calls.set(event.index, event.id);
      yield { type: "tool-input-start", toolCallId: event.id, toolName: event.name };
    } else if (event.type === "tool_call.delta") {
      const toolCallId = this.#calls.get(event.index);
      if (toolCallId !== undefined) yield { type: "tool-input-delta", toolCallId, inputTextDelta: event.arguments };
    }
  }

  *#say(type: "text" | "reasoning", delta: string): Generator<UIMessageChunk> {
    if (this.#open?.type !== type) {
      yield* this.close();
      this.#open = { type, id: `${type}-${this.#count++}` };
      yield { type: `${type}-start`, id: this.#open.id };
    }
    yield { type: `${type}-delta`, id: this.#open.id, delta };
  }

  *close(): Generator<UIMessageChunk> {
    if (this.#open) yield { type: `${this.#open.type}-end`, id: this.#open.id };
    this.#open = undefined;
  }
}
