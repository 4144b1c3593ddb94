/**
 * A transport for `useChat` that needs no route: straight to a gateway, or to any compatible server.
 */

import type { ChatTransport, UIMessage, UIMessageChunk } from "ai";
import {
  APIConnectionError,
  type ChatCompletionCreateParamsBase,
  type ChatCompletionMessageParam,
  type ChatStream,
  type Chatwire,
  ChatwireError,
  type ClientOptions,
  type RequestOptions,
  StreamError,
} from "chatwire";
import { readPart } from "./prompt.ts";
import { clientOf } from "./provider.ts";
import { chunkStream, toUIMessageStream, type UIMessageStreamOptions } from "./ui.ts";

/** Where the ids of streams that can be taken up again are kept: `sessionStorage`, or something like it. */
export interface StreamStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Options of a transport. */
export interface ChatwireTransportOptions
  extends Pick<UIMessageStreamOptions, "sendReasoning" | "sendSources" | "onError"> {
  /** The client to ask with, or the options of one. */
  client: Chatwire | ClientOptions;
  model: string;
  /** Goes before the conversation. */
  system?: string;
  /** Added to each request. The `body` of one message comes after it. */
  params?: Partial<ChatCompletionCreateParamsBase>;
  /**
   * Where the id of the running stream is kept, so that a page that was reloaded goes on with it. `false` keeps none.
   * @default `sessionStorage` where there is one
   */
  store?: StreamStore | false;
}

type SendOptions = Parameters<ChatTransport<UIMessage>["sendMessages"]>[0];
type ReconnectOptions = Parameters<ChatTransport<UIMessage>["reconnectToStream"]>[0];

/**
 * The transport of a chat: `useChat({ transport: new ChatwireTransport({ client: { baseURL: "/v1" }, model: "electron" }) })`.
 *
 * With a gateway that keeps streams (`onDisconnect: "durable"`), `useChat({ resume: true })` goes on after a reload. Stopping ends
 * the provider's work too, where the server can be told.
 * @example
 * ```ts
 * const transport = new ChatwireTransport({ client: { baseURL: "/v1" }, model: "electron" });
 * const chunks = await transport.sendMessages({
 *   chatId: "1",
 *   messages,
 *   trigger: "submit-message",
 *   messageId: undefined,
 *   abortSignal: undefined,
 * });
 * ```
 */
export class ChatwireTransport<Message extends UIMessage = UIMessage> implements ChatTransport<Message> {
  /** A stream that is taken up comes from its beginning. */
  readonly resumeStreamIsReplay = true;
  readonly #options: ChatwireTransportOptions;
  readonly #client: Chatwire;

  /** @throws {ChatwireError} the options make no sense, or name no model */
  constructor(options: ChatwireTransportOptions) {
    if (typeof options?.model !== "string" || options.model === "") {
      throw new ChatwireError(
        `The transport has no model: give it one by name, as in new ChatwireTransport({ client, model: "electron" }).`,
      );
    }
    this.#options = options;
    this.#client = clientOf(options.client);
  }

  /** @throws {ChatwireError} what is wrong with the request before it is sent, and a refusal */
  async sendMessages({
    chatId,
    messages,
    abortSignal,
    headers,
    body,
  }: SendOptions): Promise<ReadableStream<UIMessageChunk>> {
    const { model, system, params } = this.#options;
    const before: ChatCompletionMessageParam[] = system === undefined ? [] : [{ role: "system", content: system }];
    const sent = {
      model,
      messages: [...before, ...toChatMessages(messages)],
      ...params,
      ...body,
      stream: true as const,
    };
    const stream = await this.#client.chat.completions.create(sent, requestOptions(abortSignal, headers));
    stopWith(abortSignal, stream);
    const id = stream.resumeId;
    if (id) this.#store?.setItem(keyOf(chatId), id);
    return this.#forgetting(toUIMessageStream(stream, this.#options), stream, chatId, id);
  }

  /** Goes on with the answer that was under way, from its beginning; null where there is none, or where it is no longer kept. */
  async reconnectToStream({
    chatId,
    abortSignal,
    headers,
  }: ReconnectOptions): Promise<ReadableStream<UIMessageChunk> | null> {
    const id = this.#store?.getItem(keyOf(chatId));
    if (!id) return null;
    const stream = this.#client.chat.completions.resume(id, requestOptions(abortSignal, headers));
    stopWith(abortSignal, stream);
    const events = stream.events[Symbol.asyncIterator]();
    let first: ReturnType<typeof events.next> | undefined = events.next();
    if (await isGone(first)) {
      this.#forget(chatId, id);
      return null;
    }
    const next = () => {
      const asked = first ?? events.next();
      first = undefined;
      return asked;
    };
    return this.#forgetting(chunkStream(stream, { next }, this.#options), stream, chatId, id);
  }

  get #store(): StreamStore | undefined {
    const { store } = this.#options;
    if (store !== undefined) return store || undefined;
    try {
      return (globalThis as { sessionStorage?: StreamStore }).sessionStorage;
    } catch {
      return undefined; // a page without storage
    }
  }

  /** Nothing is left to take up once the answer has ended. An answer whose connection broke may go on at the gateway. */
  #forgetting(
    chunks: ReadableStream<UIMessageChunk>,
    stream: ChatStream,
    chatId: string,
    id: string | null,
  ): ReadableStream<UIMessageChunk> {
    if (!id) return chunks;
    const flush = async () => {
      const { error } = await stream.outcome();
      if (!(error instanceof APIConnectionError || error instanceof StreamError)) this.#forget(chatId, id);
    };
    return chunks.pipeThrough(new TransformStream<UIMessageChunk, UIMessageChunk>({ flush }));
  }

  /** The id of a later answer stays. */
  #forget(chatId: string, id: string): void {
    if (this.#store?.getItem(keyOf(chatId)) === id) this.#store.removeItem(keyOf(chatId));
  }
}

/** How long `reconnectToStream` looks whether an answer is still kept, in milliseconds. An answer may be silent for longer. */
const LOOK = 2_000;

/** Whether a gateway says within a moment that it no longer keeps this stream. */
async function isGone(first: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LOOK);
  });
  try {
    await Promise.race([first, later]);
    return false;
  } catch (error) {
    const { status } = (error ?? {}) as { status?: unknown };
    return status === 404 || status === 410;
  } finally {
    clearTimeout(timer);
  }
}

function requestOptions(signal: AbortSignal | null | undefined, headers: ReconnectOptions["headers"]): RequestOptions {
  return {
    ...(signal && { signal }),
    ...(headers && { headers: headers instanceof Headers ? headers : new Headers(headers) }),
  };
}

/** Stopping is not leaving: a gateway that keeps the stream is told to end it. A reload aborts nothing. */
function stopWith(signal: AbortSignal | null | undefined, stream: ChatStream): void {
  const stop = () => void stream.stop().catch(() => {});
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop, { once: true });
}

const keyOf = (chatId: string) => `chatwire:stream:${chatId}`;

type ToolPart = {
  toolCallId: string;
  input?: unknown;
  output?: unknown;
  errorText?: string;
  approval?: { reason?: string };
  state: string;
};

/**
 * Messages of a user interface as messages of chat completions: text, images, files of text and sound, other files by address, tool
 * calls with their results. Reasoning stays behind, and so does what has no place on the wire.
 */
export function toChatMessages(messages: readonly UIMessage[]): ChatCompletionMessageParam[] {
  return messages.flatMap((message) =>
    message.role === "assistant" ? assistantTurns(message) : [plainTurn(message)],
  ) as unknown as ChatCompletionMessageParam[];
}

function plainTurn({ role, parts }: UIMessage): object {
  const content = parts.flatMap((part): object[] => {
    if (part.type === "text") return [{ type: "text", text: part.text }];
    if (part.type !== "file") return [];
    if (part.mediaType.startsWith("image/")) return [{ type: "image_url", image_url: { url: part.url } }];
    const [, bytes] = /^data:[^,]*;base64,(.*)$/s.exec(part.url) ?? [];
    const read = bytes === undefined ? undefined : readPart(part.mediaType, bytes);
    return [read ?? { type: "file", file: { filename: part.filename ?? "file", file_data: part.url } }];
  }) as { type: string; text?: string }[];
  const isText = role === "system" || content.every((part) => part.type === "text");
  return { role, content: isText ? content.map((part) => part.text ?? "").join("") : content };
}

/** One turn for each step: a call's result goes between what was said before it and what was said after it. */
function assistantTurns({ parts }: UIMessage): object[] {
  const turns: object[] = [];
  let text = "";
  let calls: { call: object; result: object }[] = [];
  const end = () => {
    if (text === "" && calls.length === 0) return;
    const tool_calls = calls.map(({ call }) => call);
    turns.push({ role: "assistant", content: text, ...(calls.length > 0 && { tool_calls }) });
    turns.push(...calls.map(({ result }) => result));
    text = "";
    calls = [];
  };
  for (const part of parts) {
    if (part.type === "step-start") end();
    else if (part.type === "text") {
      if (calls.length > 0) end();
      text += part.text;
    } else if (part.type.startsWith("tool-") || part.type === "dynamic-tool") {
      const { toolCallId: id, input, output, errorText, approval, state } = part as unknown as ToolPart;
      // A tool call whose arguments never came is left out.
      if (state === "input-streaming") continue;
      const name = part.type === "dynamic-tool" ? (part as { toolName: string }).toolName : part.type.slice(5);
      const notRun =
        state === "output-denied" ? (approval?.reason ?? "This call was denied.") : "This call was not run.";
      const content = errorText ?? (output === undefined ? notRun : textOf(output));
      const call = { id, type: "function", function: { name, arguments: JSON.stringify(input ?? {}) } };
      calls.push({ call, result: { role: "tool", tool_call_id: id, content } });
    }
  }
  end();
  return turns;
}

const textOf = (output: unknown): string => (typeof output === "string" ? output : JSON.stringify(output));
