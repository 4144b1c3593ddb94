/**
 * `stream()` and `runTools({ stream: true })`: chunks as they arrive, the completion as it grows, and an event for everything
 * that happens to it.
 */
import { init } from "chatwire";
import type { CompletionsClient } from "./client-parts.ts";
import { APIError } from "./errors.ts";
import { Mender, objectsIn } from "./mended.ts";
import type { RequestOptions } from "./options.ts";
import type {
  ChatCompletionCreateParams,
  ChatCompletionCreateParamsBase,
  ChatCompletionCreateParamsStreaming,
  ParsedChatCompletion,
} from "./params.ts";
import {
  isParseableResponseFormat,
  maybeParseChatCompletion,
  type ParsingParams,
  parseResponseFormatContent,
  readArguments,
  toolNamed,
} from "./parsing.ts";
import {
  AbstractChatCompletionRunner,
  type AbstractChatCompletionRunnerEvents,
  type EmitterOf,
  type RunnerOptions,
  type RunParams,
} from "./runner.ts";
import type { ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionTokenLogprob } from "./shapes.ts";
import { Accumulator, type ChatCompletionSnapshot, type GrowingCall, indexOfCall } from "./snapshot.ts";
import { linesOf, Stream } from "./stream.ts";

export type { ChatCompletionSnapshot };

/** More text. */
export interface ContentDeltaEvent {
  delta: string;
  snapshot: string;
  /** The JSON so far, where the answer is to be JSON of a shape. */
  parsed: unknown | null;
}

/** The whole text. */
export interface ContentDoneEvent<ParsedT = null> {
  content: string;
  parsed: ParsedT | null;
}

/** More of a refusal. */
export interface RefusalDeltaEvent {
  delta: string;
  snapshot: string;
}

/** The whole refusal. */
export interface RefusalDoneEvent {
  refusal: string;
}

/** More of a call's arguments. */
export interface FunctionToolCallArgumentsDeltaEvent {
  name: string;
  /** Which call of the answer it is. */
  index: number;
  /** All arguments so far. */
  arguments: string;
  /** The same as JSON so far, where the tool reads them. */
  parsed_arguments: unknown;
  arguments_delta: string;
}

/** A call's whole arguments. */
export interface FunctionToolCallArgumentsDoneEvent {
  name: string;
  index: number;
  arguments: string;
  /** As the tool reads them; null where it does not. */
  parsed_arguments: unknown;
}

/** How likely more tokens were. */
export interface LogProbsContentDeltaEvent {
  content: ChatCompletionTokenLogprob[];
  snapshot: ChatCompletionTokenLogprob[];
}

/** How likely all tokens were. */
export interface LogProbsContentDoneEvent {
  content: ChatCompletionTokenLogprob[];
}

/** How likely more tokens of a refusal were. */
export interface LogProbsRefusalDeltaEvent {
  refusal: ChatCompletionTokenLogprob[];
  snapshot: ChatCompletionTokenLogprob[];
}

/** How likely all tokens of a refusal were. */
export interface LogProbsRefusalDoneEvent {
  refusal: ChatCompletionTokenLogprob[];
}

/** The events of a stream. */
export interface ChatCompletionStreamEvents<ParsedT = null> extends AbstractChatCompletionRunnerEvents {
  content: (contentDelta: string, contentSnapshot: string) => void;
  chunk: (chunk: ChatCompletionChunk, snapshot: ChatCompletionSnapshot) => void;
  "content.delta": (props: ContentDeltaEvent) => void;
  "content.done": (props: ContentDoneEvent<ParsedT>) => void;
  "refusal.delta": (props: RefusalDeltaEvent) => void;
  "refusal.done": (props: RefusalDoneEvent) => void;
  "tool_calls.function.arguments.delta": (props: FunctionToolCallArgumentsDeltaEvent) => void;
  "tool_calls.function.arguments.done": (props: FunctionToolCallArgumentsDoneEvent) => void;
  "logprobs.content.delta": (props: LogProbsContentDeltaEvent) => void;
  "logprobs.content.done": (props: LogProbsContentDoneEvent) => void;
  "logprobs.refusal.delta": (props: LogProbsRefusalDeltaEvent) => void;
  "logprobs.refusal.done": (props: LogProbsRefusalDoneEvent) => void;
}

/** Parameters of `stream`. */
export type ChatCompletionStreamParams = Omit<ChatCompletionCreateParamsBase, "stream"> & { stream?: true };

/** A message among the chunks of a run that is passed on: a chunk without choices, to those who do not know it. */
const MESSAGE = "chat.completion.chunk.message:";

/** A chunk as servers may send it, in which a choice that goes on need not say so. */
type SentChunk = Omit<ChatCompletionChunk, "choices"> & {
  choices: (Omit<ChatCompletionChunk.Choice, "finish_reason"> &
    Partial<Pick<ChatCompletionChunk.Choice, "finish_reason">>)[];
};

/** A line of `toReadableStream()`: a chunk, or a message of a run among them. */
export type ChatCompletionReadableStreamItem =
  | SentChunk
  | { type: "message"; message: ChatCompletionMessageParam; tool_call_ids?: string[] }
  | (Pick<ChatCompletionChunk, "id" | "created" | "model"> & { choices: []; object: `${typeof MESSAGE}${string}` });

interface PassedMessage {
  type: "message";
  message: ChatCompletionMessageParam;
  /** The ids of the calls before it, where the server gave none. */
  tool_call_ids?: string[];
}

/** The parts of a choice that are over. */
interface Told {
  content?: boolean;
  refusal?: boolean;
  contentLogprobs?: boolean;
  refusalLogprobs?: boolean;
  calls: Set<number>;
  /** The arguments of each call, as they were told last as whole. */
  whole: Map<number, string>;
  /** The call that is being written. */
  call?: number;
}

/**
 * One streamed answer, with an event for everything that happens to it. Iterate it for its chunks.
 * @example
 * ```ts
 * const stream = client.chat.completions.stream({ model, messages });
 * stream.on("content", (delta) => process.stdout.write(delta));
 * const { usage } = await stream.finalChatCompletion();
 * ```
 */
export class ChatCompletionStream<ParsedT = null>
  extends AbstractChatCompletionRunner<ChatCompletionStreamEvents<ParsedT>, ParsedT>
  implements AsyncIterable<ChatCompletionChunk>
{
  #params: ParsingParams | null;
  #failsUnfinished = false;
  #accumulator: Accumulator | undefined;
  #mender: Mender | undefined;
  #told: Told[] = [];

  constructor(params: ChatCompletionCreateParams | null) {
    super();
    this.#params = params;
  }

  /** The completion so far; undefined before the first chunk and after the last. */
  get currentChatCompletionSnapshot(): ChatCompletionSnapshot | undefined {
    return this.#accumulator?.snapshot;
  }

  /** Reads what `toReadableStream` wrote, as on the page behind a server. */
  static fromReadableStream(stream: ReadableStream): ChatCompletionStream<null> {
    const runner = new ChatCompletionStream<null>(null);
    runner._run(() => runner._fromReadableStream(stream));
    return runner;
  }

  /** Asks for a stream. */
  static createChatCompletion<ParsedT>(
    client: CompletionsClient,
    params: ChatCompletionStreamParams,
    options: RequestOptions = {},
  ): ChatCompletionStream<ParsedT> {
    const sent = { ...params, stream: true } as ChatCompletionCreateParamsStreaming;
    const runner = new ChatCompletionStream<ParsedT>(sent);
    runner._run(() => {
      for (const message of params.messages) runner._addMessage(message, false);
      return runner._createChatCompletion(client, sent, options);
    });
    return runner;
  }

  /** The chunks. Leaving the loop early aborts the request. */
  [Symbol.asyncIterator](): AsyncIterator<ChatCompletionChunk> {
    return this._createIterator<ChatCompletionChunk>(
      (push) => {
        const heard = (chunk: ChatCompletionChunk) => push(chunk);
        this.on("chunk", heard as never);
        return () => this.off("chunk", heard as never);
      },
      undefined,
      () => this.abort(),
    );
  }

  /** The chunks as newline-separated JSON, for `fromReadableStream` on the other side. */
  toReadableStream(): ReadableStream<Uint8Array> {
    return linesOf(() => this[Symbol.asyncIterator](), this.controller);
  }

  protected override _runTools(client: CompletionsClient, params: RunParams, options?: RunnerOptions): Promise<void> {
    this.#failsUnfinished = true; // before a tool is called with half of its arguments
    return super._runTools(client, params, options);
  }

  protected override async _createChatCompletion(
    client: CompletionsClient,
    params: ChatCompletionCreateParams,
    options: RequestOptions,
  ): Promise<ParsedChatCompletion<ParsedT>> {
    this._listenForAbort(options.signal);
    this.#begin(params as ParsingParams);
    const sent = { ...params, stream: true as const };
    await init(); // the `create` of a wrapper may ask without the engine
    const mender = new Mender(params.n ?? 1);
    this.#mender = mender;
    const flush = () => {
      for (const chunk of mender.end()) this.#add(chunk);
    };
    try {
      const stream = await client.chat.completions.create(sent, { ...options, signal: this.controller.signal });
      this._connected();
      try {
        for await (const sent of stream) for (const chunk of mender.add(sent)) this.#add(chunk);
      } catch (error) {
        if (error instanceof APIError) flush();
        throw error;
      }
      if (stream.controller.signal.aborted) throw this._userAbortError();
      flush();
      return this.#finish();
    } finally {
      mender.free();
    }
  }

  protected async _fromReadableStream(readable: ReadableStream): Promise<void> {
    this.#begin(null);
    this._connected();
    let id: string | undefined;
    for await (const item of Stream.fromReadableStream<ChatCompletionChunk & { error?: object }>(
      readable,
      this.controller,
    )) {
      if (typeof item.error === "object" && item.error !== null) {
        throw new APIError(undefined, item.error, undefined, undefined);
      }
      const passed = passedMessage(item);
      if (passed) {
        if (this.#accumulator?.snapshot) {
          const calls = this.#accumulator.snapshot.choices[0]?.message.tool_calls;
          for (const [at, call] of (calls ?? []).entries()) call.id = passed.tool_call_ids?.[at] || call.id;
          this.#finish();
        }
        id = undefined;
        this._addMessage(passed.message);
        continue;
      }
      if (id && item.id && item.id !== id) this.#finish(); // the next request of a run
      this.#add(item);
      id = item.id || id;
    }
    if (this.controller.signal.aborted) throw this._userAbortError();
    if (this.#accumulator?.snapshot || this._chatCompletions.length === 0) this.#finish();
  }

  #begin(params: ParsingParams | null): void {
    this.#params = params;
    this.#told = [];
    this.#mender = undefined;
    this.#accumulator = new Accumulator(params, this.#failsUnfinished);
  }

  #finish(): ParsedChatCompletion<ParsedT> {
    // The engine has called the answer whole, and its sum counts also where it has said nothing of a repair.
    if (this.#mender) this.#accumulator?.put(this.#mender, true);
    this.#tellRest();
    const completion = (this.#accumulator as Accumulator).finish();
    this.#begin(this.#params);
    return this._addChatCompletion(maybeParseChatCompletion<ParsedT>(completion, this.#params));
  }

  #add(chunk: ChatCompletionChunk): void {
    if (this.ended || !this.#accumulator) return;
    const accumulator = this.#accumulator;
    const snapshot = accumulator.add(chunk);
    if (this.#mender?.isMending) accumulator.put(this.#mender);
    const emitter = this as unknown as EmitterOf<ChatCompletionStreamEvents<ParsedT>>;
    emitter._emit("chunk", chunk, snapshot);
    for (const said of objectsIn(chunk.choices)) {
      const choice = snapshot.choices[said.index];
      if (choice) this.#tell(said, choice, emitter);
    }
  }

  #tell(
    { delta, logprobs }: ChatCompletionChunk.Choice,
    choice: ChatCompletionSnapshot.Choice,
    emitter: EmitterOf<ChatCompletionStreamEvents<ParsedT>>,
  ): void {
    const { message } = choice;
    const isAnswer = message.role === "assistant";
    if (delta?.content != null && isAnswer && message.content) {
      emitter._emit("content", delta.content, message.content);
      emitter._emit("content.delta", { delta: delta.content, snapshot: message.content, parsed: message.parsed });
    }
    if (delta?.refusal != null && isAnswer && message.refusal) {
      emitter._emit("refusal.delta", { delta: delta.refusal, snapshot: message.refusal });
    }
    if (logprobs?.content != null && isAnswer) {
      emitter._emit("logprobs.content.delta", { content: logprobs.content, snapshot: choice.logprobs?.content ?? [] });
    }
    if (logprobs?.refusal != null && isAnswer) {
      emitter._emit("logprobs.refusal.delta", { refusal: logprobs.refusal, snapshot: choice.logprobs?.refusal ?? [] });
    }
    this.#told[choice.index] ??= { calls: new Set(), whole: new Map() };
    const told = this.#told[choice.index] as Told;
    if (choice.finish_reason) {
      this.#tellDone(choice, told, emitter);
      if (told.call !== undefined) this.#tellCallDone(choice, told, emitter);
    }
    const calls = (message.tool_calls ?? []) as GrowingCall[];
    const said = objectsIn(delta?.tool_calls).map((call) => ({ call, at: indexOfCall(calls, call) }));
    for (const { at } of said) {
      if (told.call !== at) {
        this.#tellDone(choice, told, emitter);
        if (told.call !== undefined) this.#tellCallDone(choice, told, emitter);
      }
      told.call = at;
    }
    for (const { call, at } of said) {
      const { type, function: fn } = calls[at] ?? {};
      if (type !== "function" || !fn) continue;
      emitter._emit("tool_calls.function.arguments.delta", {
        name: fn.name,
        index: at,
        arguments: fn.arguments,
        parsed_arguments: fn.parsed_arguments,
        arguments_delta: call.function?.arguments ?? "",
      });
    }
  }

  /** Tells the parts that were over with the last chunk, or that the end of the stream has put right. */
  #tellRest(): void {
    const emitter = this as unknown as EmitterOf<ChatCompletionStreamEvents<ParsedT>>;
    for (const [index, told] of this.#told.entries()) {
      const choice = this.#accumulator?.snapshot?.choices[index];
      if (!choice?.finish_reason || !told) continue;
      this.#tellDone(choice, told, emitter);
      for (const [at, call] of (choice.message.tool_calls ?? []).entries()) {
        if (call?.type !== "function" || told.whole.get(at) === call.function?.arguments) continue;
        told.calls.delete(at);
        told.call = at;
        this.#tellCallDone(choice, told, emitter);
      }
    }
  }

  #tellDone(
    { message, logprobs }: ChatCompletionSnapshot.Choice,
    told: Told,
    emitter: EmitterOf<ChatCompletionStreamEvents<ParsedT>>,
  ): void {
    const { content, refusal } = message;
    const isAlone = !refusal && !message.tool_calls?.length && !message.function_call;
    if (content != null && (content !== "" || isAlone) && !told.content) {
      told.content = true;
      const format = this.#params?.response_format;
      const parsed =
        !refusal && isParseableResponseFormat(format) ? parseResponseFormatContent<ParsedT>(format, content) : null;
      emitter._emit("content.done", { content, parsed });
    }
    if (refusal && !told.refusal) {
      told.refusal = true;
      emitter._emit("refusal.done", { refusal });
    }
    if (logprobs?.content && !told.contentLogprobs) {
      told.contentLogprobs = true;
      emitter._emit("logprobs.content.done", { content: logprobs.content });
    }
    if (logprobs?.refusal && !told.refusalLogprobs) {
      told.refusalLogprobs = true;
      emitter._emit("logprobs.refusal.done", { refusal: logprobs.refusal });
    }
  }

  #tellCallDone(
    { message, finish_reason }: ChatCompletionSnapshot.Choice,
    told: Told,
    emitter: EmitterOf<ChatCompletionStreamEvents<ParsedT>>,
  ): void {
    const at = told.call as number;
    if (told.calls.has(at)) return;
    const call = (message.tool_calls as GrowingCall[] | undefined)?.[at];
    if (call?.type !== "function" || !call.function) return;
    const { name, arguments: text } = call.function;
    const parsed_arguments = readArguments(toolNamed(this.#params, name), text);
    if (finish_reason) told.calls.add(at);
    told.whole.set(at, text);
    emitter._emit("tool_calls.function.arguments.done", { name, index: at, arguments: text, parsed_arguments });
  }
}

/** A model at work with tools, chunk by chunk. */
export class ChatCompletionStreamingRunner<ParsedT = null>
  extends ChatCompletionStream<ParsedT>
  implements AsyncIterable<ChatCompletionChunk>
{
  /** Reads what `toReadableStream` wrote, the tools' results among it. */
  static override fromReadableStream(stream: ReadableStream): ChatCompletionStreamingRunner<null> {
    const runner = new ChatCompletionStreamingRunner<null>(null);
    runner._run(() => runner._fromReadableStream(stream));
    return runner;
  }

  /** Starts a run. */
  static runTools<ParsedT = null>(
    client: CompletionsClient,
    params: RunParams,
    options?: RunnerOptions,
  ): ChatCompletionStreamingRunner<ParsedT> {
    const runner = new ChatCompletionStreamingRunner<ParsedT>(params as unknown as ChatCompletionCreateParams);
    runner._run(() => runner._runTools(client, params, options));
    return runner;
  }

  /** The chunks and the tools' results as newline-separated JSON. */
  override toReadableStream(): ReadableStream<Uint8Array> {
    let last: ChatCompletionChunk | undefined;
    let ids: string[] | undefined;
    const iterate = () =>
      this._createIterator<unknown>(
        (push) => {
          const onChunk = (chunk: ChatCompletionChunk) => {
            last = chunk;
            push(chunk);
          };
          const onMessage = (message: ChatCompletionMessageParam) => {
            if (message.role === "assistant") ids = message.tool_calls?.map(({ id }) => id);
            if (message.role !== "tool" || !last) return;
            const passed: PassedMessage = { type: "message", message, ...(ids && { tool_call_ids: ids }) };
            const { id, created, model } = last;
            push({ id, choices: [], created, model, object: `${MESSAGE}${JSON.stringify(passed)}` });
            ids = undefined;
          };
          this.on("chunk", onChunk as never);
          this.on("message", onMessage as never);
          return () => {
            this.off("chunk", onChunk as never);
            this.off("message", onMessage as never);
          };
        },
        undefined,
        () => this.abort(),
      );
    return linesOf(iterate, this.controller);
  }
}

function passedMessage(item: object): PassedMessage | undefined {
  const { type, object } = item as { type?: string; object?: string };
  if (type === "message" && "message" in item) return item as PassedMessage;
  return object?.startsWith?.(MESSAGE) ? JSON.parse(object.slice(MESSAGE.length)) : undefined;
}
