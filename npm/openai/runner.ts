/**
 * A conversation that goes on by itself, with the events and finals of the `openai` package: what `stream()` and `runTools()`
 * share, and `runTools()` without streams.
 */
import type { CompletionsClient } from "./client-parts.ts";
import { type BaseEvents, EventStream } from "./emitter.ts";
import { OpenAIError } from "./errors.ts";
import { mendedCompletion, newCallId } from "./mended.ts";
import type { RequestOptions } from "./options.ts";
import type { ChatCompletionCreateParams, ParsedChatCompletion } from "./params.ts";
import { isAutoParsableTool, type ParsingParams, parseChatCompletion } from "./parsing.ts";
import type {
  ChatCompletion,
  ChatCompletionAssistantMessageParam,
  ChatCompletionMessage,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
  ChatCompletionMessageToolCall,
  ChatCompletionTool,
  ChatCompletionToolMessageParam,
  CompletionUsage,
} from "./shapes.ts";

const MAX_COMPLETIONS = 10;

/** How long, in milliseconds, an aborted run waits for the caller's functions, whose results belong into the conversation. */
const MAX_LATE = 1000;

/** The actions that a callback may take on the run. */
export interface ChatCompletionRunnerContext {
  /** The conversation so far; messages may be added before the next request. */
  messages: ChatCompletionMessageParam[];
  /** Ends the run. */
  abort(): void;
}

/** Settings of a run. */
export interface RunnerOptions extends RequestOptions {
  /**
   * How many answers are asked for at most.
   * @default 10
   */
  maxChatCompletions?: number;
  /** Called after each answer and its tools, and waited for. */
  afterCompletion?: (completion: ChatCompletion, runner: ChatCompletionRunnerContext) => void | Promise<void>;
}

/** The events of every run. */
export interface AbstractChatCompletionRunnerEvents extends BaseEvents {
  functionToolCall: (functionCall: ChatCompletionMessageFunctionToolCall.Function) => void;
  message: (message: ChatCompletionMessageParam) => void;
  chatCompletion: (completion: ChatCompletion) => void;
  finalContent: (contentSnapshot: string) => void;
  finalMessage: (message: ChatCompletionMessageParam) => void;
  finalChatCompletion: (completion: ChatCompletion) => void;
  finalFunctionToolCall: (functionCall: ChatCompletionMessageFunctionToolCall.Function) => void;
  functionToolCallResult: (content: string) => void;
  finalFunctionToolCallResult: (content: string) => void;
  totalUsage: (usage: CompletionUsage) => void;
}

/** A tool as the loop of a run sees it. `runnable.ts` has the types by which callers write one. */
export interface RunTool {
  type: string;
  function: object;
}

/** Parameters of a run, as its loop sees them. */
export type RunParams = Omit<ChatCompletionCreateParams, "tools"> & {
  tools: readonly RunTool[];
  toolContext?: unknown;
};

/** A function and how it is called. */
interface Runnable {
  run(args: unknown, runner: unknown, context: unknown): unknown;
  parse: ((text: string) => unknown) | undefined;
  definition: ChatCompletionTool;
}

type Call = ChatCompletionMessageFunctionToolCall.Function;

/** A conversation and what came of it. */
export class AbstractChatCompletionRunner<
  Events extends AbstractChatCompletionRunnerEvents,
  ParsedT,
> extends EventStream<Events> {
  /** The conversation: the given messages, the answers, and what the tools gave. */
  messages: ChatCompletionMessageParam[] = [];
  protected _chatCompletions: ParsedChatCompletion<ParsedT>[] = [];
  #hasCalledBack = false;

  /** The last completion. */
  async finalChatCompletion(): Promise<ParsedChatCompletion<ParsedT>> {
    await this.done();
    const last = this._chatCompletions.at(-1);
    if (!last) throw new OpenAIError("stream ended without producing a ChatCompletion");
    return last;
  }

  /** The last answer's text. */
  async finalContent(): Promise<string | null> {
    await this.done();
    return this.#finalMessage().content;
  }

  /** The last answer. */
  async finalMessage(): Promise<ChatCompletionMessage> {
    await this.done();
    return this.#finalMessage();
  }

  /** The last call of a function; undefined where there is none. */
  async finalFunctionToolCall(): Promise<Call | undefined> {
    await this.done();
    return this.#finalCall();
  }

  /** The result of the last function that was called. */
  async finalFunctionToolCallResult(): Promise<string | undefined> {
    await this.done();
    return this.#finalResult();
  }

  /** The usage of all answers together. */
  async totalUsage(): Promise<CompletionUsage> {
    await this.done();
    return this.#totalUsage();
  }

  /** The completions so far. */
  allChatCompletions(): ChatCompletion[] {
    return [...this._chatCompletions];
  }

  #finalMessage(): ChatCompletionMessage {
    const last = lastOf(this.messages, isAssistant) as ChatCompletionAssistantMessageParam | undefined;
    if (!last) throw new OpenAIError("stream ended without producing a ChatCompletionMessage with role=assistant");
    return { ...last, content: last.content ?? null, refusal: last.refusal ?? null } as ChatCompletionMessage;
  }

  #finalCall(): Call | undefined {
    const calls = this.messages.flatMap((message) => (isAssistant(message) && message.tool_calls) || []);
    return (lastOf(calls, ({ type }) => type === "function") as ChatCompletionMessageFunctionToolCall | undefined)
      ?.function;
  }

  #finalResult(): string | undefined {
    const ids = new Set(
      this.messages.flatMap((message) => (isAssistant(message) && message.tool_calls) || []).map(({ id }) => id),
    );
    const isResult = (message: ChatCompletionMessageParam) =>
      message.role === "tool" && typeof message.content === "string" && ids.has(message.tool_call_id);
    return lastOf(this.messages, isResult)?.content as string | undefined;
  }

  #totalUsage(): CompletionUsage {
    const total: CompletionUsage = { completion_tokens: 0, prompt_tokens: 0, total_tokens: 0 };
    for (const { usage } of this._chatCompletions) if (usage) addCounts(total, usage);
    return total;
  }

  protected _addMessage(message: ChatCompletionMessageParam, emit = true): void {
    this.messages.push(message);
    if (!emit) return;
    const self = this as unknown as EmitterOf<AbstractChatCompletionRunnerEvents>;
    self._emit("message", message);
    if (message.role === "tool" && message.content) self._emit("functionToolCallResult", message.content as string);
    for (const call of (isAssistant(message) && message.tool_calls) || []) {
      if (call.type === "function") self._emit("functionToolCall", call.function);
    }
  }

  protected _addChatCompletion(completion: ParsedChatCompletion<ParsedT>): ParsedChatCompletion<ParsedT> {
    for (const { message } of completion.choices) {
      for (const call of message.tool_calls ?? []) call.id ||= newCallId();
    }
    this._chatCompletions.push(completion);
    (this as unknown as EmitterOf<AbstractChatCompletionRunnerEvents>)._emit("chatCompletion", completion);
    const message = completion.choices[0]?.message;
    if (message) {
      if (!("content" in message)) Object.assign(message, { content: null });
      this._addMessage(message);
    }
    return completion;
  }

  protected override _emitFinal(): void {
    if (this.#hasCalledBack && this.controller.signal.aborted) throw this._userAbortError();
    const self = this as unknown as EmitterOf<AbstractChatCompletionRunnerEvents>;
    const completion = this._chatCompletions.at(-1);
    if (completion) self._emit("finalChatCompletion", completion);
    const message = this.#finalMessage();
    self._emit("finalMessage", message);
    if (message.content) self._emit("finalContent", message.content);
    const call = this.#finalCall();
    if (call) self._emit("finalFunctionToolCall", call);
    const result = this.#finalResult();
    if (result !== undefined) self._emit("finalFunctionToolCallResult", result);
    if (this._chatCompletions.some(({ usage }) => usage)) self._emit("totalUsage", this.#totalUsage());
  }

  /** Asks for one answer. */
  protected async _createChatCompletion(
    client: CompletionsClient,
    params: ChatCompletionCreateParams,
    options: RequestOptions,
  ): Promise<ParsedChatCompletion<ParsedT>> {
    assertSingle(params);
    const sent = { ...params, stream: false as const };
    const completion = await client.chat.completions.create(sent, { ...options, signal: this.controller.signal });
    this._connected();
    return this._addChatCompletion(parseChatCompletion(mendedCompletion(completion), params as ParsingParams));
  }

  /** Answer after answer, with the tools that they call, until one calls none. */
  protected async _runTools(client: CompletionsClient, params: RunParams, options: RunnerOptions = {}): Promise<void> {
    const { maxChatCompletions = MAX_COMPLETIONS, afterCompletion, ...request } = options;
    const { tool_choice = "auto", stream: _, toolContext, ...rest } = params;
    const isForced = typeof tool_choice === "object" && tool_choice.type === "function";
    const forced = (isForced && tool_choice.function?.name) || undefined;
    const inTurn = forced !== undefined || params.parallel_tool_calls === false;
    this._listenForAbort(options.signal);
    const calling: Calling = { runnables: runnablesOf(params.tools), forced, toolContext };
    const tools = params.tools.map(definitionOf);
    for (const message of params.messages) this._addMessage(message, false);
    for (let turn = 0; turn < maxChatCompletions; turn++) {
      const sent = { ...rest, tool_choice, tools, messages: this.messages.map(toSend) } as ChatCompletionCreateParams;
      const completion = await this._createChatCompletion(client, sent, request);
      const message = completion.choices[0]?.message;
      if (!message) throw new OpenAIError("missing message in ChatCompletion response");
      const calls = message.tool_calls ?? [];
      const hasAnswered = inTurn ? await this.#runInTurn(calls, calling) : await this.#runTogether(calls, calling);
      if (afterCompletion) {
        this.#hasCalledBack = true;
        await this.#patiently(async () => afterCompletion(completion, this));
        this.#failIfAborted();
      }
      if (hasAnswered || calls.length === 0) return;
    }
  }

  /** Runs calls one after another. Says whether the tool that was forced has run, after which the model is not asked again. */
  async #runInTurn(calls: readonly ChatCompletionMessageToolCall[], calling: Calling): Promise<boolean> {
    for (const call of calls) {
      const { message, hasRun } = await this.#run(call, calling);
      if (message) this._addMessage(message);
      this.#failIfAborted();
      if (calling.forced !== undefined && hasRun) return true;
    }
    return false;
  }

  /** Runs calls at the same time, and waits for all of them: their effects may not be left behind. */
  async #runTogether(calls: readonly ChatCompletionMessageToolCall[], calling: Calling): Promise<false> {
    const results = await Promise.allSettled(calls.map((call) => this.#run(call, calling)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed && !this.controller.signal.aborted) throw failed.reason;
    for (const result of results) {
      if (result.status === "fulfilled" && result.value.message) this._addMessage(result.value.message);
    }
    if (calls.length > 0) this.#failIfAborted();
    return false;
  }

  async #run(call: ChatCompletionMessageToolCall, { runnables, forced, toolContext }: Calling): Promise<Ran> {
    if (call.type !== "function") return { hasRun: false };
    const { name, arguments: text } = call.function;
    const tell = (content: string, hasRun = false): Ran => ({
      message: { role: "tool", tool_call_id: call.id, content },
      hasRun,
    });
    const runnable = runnables.get(name);
    if (!runnable) return tell(noSuchTool(name, runnables));
    if (forced !== undefined && forced !== name) return tell(notRequested(name, forced));
    const { parse } = runnable;
    let args: unknown = text;
    try {
      if (parse) args = await this.#patiently(async () => parse(text));
    } catch (error) {
      this.#failIfAborted();
      return tell(error instanceof Error ? error.message : String(error));
    }
    this.#failIfAborted();
    try {
      return tell(toText(await this.#patiently(async () => runnable.run(args, this, toolContext))), true);
    } catch (error) {
      const { signal } = this.controller;
      if (signal.aborted && Object.is(error, signal.reason)) throw this._userAbortError();
      throw error;
    }
  }

  /** Settles with a caller's own function. Once the run is aborted, a function that does not settle is not waited for. */
  #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.controller;
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const leave = () => {
        timer = setTimeout(() => reject(this._userAbortError()), MAX_LATE);
      };
      signal.addEventListener("abort", leave);
      if (signal.aborted) leave();
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", leave);
      };
      work().then(resolve, reject).finally(over);
    });
  }

  #failIfAborted(): void {
    if (this.controller.signal.aborted) throw this._userAbortError();
  }
}

/** The tools of a run, the one that it forces, and the value that each is given. */
interface Calling {
  runnables: Map<string, Runnable>;
  forced: string | undefined;
  toolContext: unknown;
}

/** The result of a call of a tool. */
interface Ran {
  message?: ChatCompletionToolMessageParam;
  hasRun: boolean;
}

/** An emitter whose events are known, where those of a subclass are not yet. */
export interface EmitterOf<Events> {
  _emit<Name extends keyof Events>(
    event: Name,
    ...args: Events[Name] extends (...args: infer Args) => unknown ? Args : never
  ): void;
}

/** The events of a run without streams. */
export interface ChatCompletionRunnerEvents extends AbstractChatCompletionRunnerEvents {
  /** Each answer's text. */
  content: (content: string) => void;
}

/**
 * A model at work with tools, answer by answer.
 * @example
 * ```ts
 * const runner = client.chat.completions.runTools({ model, messages, tools });
 * runner.on("functionToolCall", ({ name }) => console.log(name));
 * console.log(await runner.finalContent());
 * ```
 */
export class ChatCompletionRunner<ParsedT = null> extends AbstractChatCompletionRunner<
  ChatCompletionRunnerEvents,
  ParsedT
> {
  /** Starts a run. */
  static runTools<ParsedT>(
    client: CompletionsClient,
    params: RunParams,
    options?: RunnerOptions,
  ): ChatCompletionRunner<ParsedT> {
    const runner = new ChatCompletionRunner<ParsedT>();
    runner._run(() => runner._runTools(client, params, options));
    return runner;
  }

  protected override _addMessage(message: ChatCompletionMessageParam, emit = true): void {
    super._addMessage(message, emit);
    if (emit && isAssistant(message) && message.content) this._emit("content", message.content as string);
  }
}

function isAssistant(message: ChatCompletionMessageParam): message is ChatCompletionAssistantMessageParam {
  return message.role === "assistant";
}

function lastOf<T>(list: readonly T[], isIt: (item: T) => boolean): T | undefined {
  return [...list].reverse().find(isIt);
}

/** @throws {OpenAIError} several answers were asked for */
function assertSingle({ n }: { n?: number | null }): void {
  if (n != null && n > 1) {
    throw new OpenAIError(
      "ChatCompletion convenience helpers only support n=1 at this time. To use n>1, please use chat.completions.create() directly.",
    );
  }
}

/** The functions by name. */
function runnablesOf(tools: readonly RunTool[]): Map<string, Runnable> {
  const runnables = new Map<string, Runnable>();
  for (const tool of tools) {
    const definition = definitionOf(tool);
    if (isAutoParsableTool(tool)) {
      const { $callback, $parseRaw } = tool;
      if (!$callback) {
        throw new OpenAIError("Tool given to `.runTools()` that does not have an associated function");
      }
      const parse = (text: string) => $parseRaw.call(tool, text);
      runnables.set(tool.function.name, { run: $callback, parse, definition });
    } else if (tool.type === "function") {
      const fn = tool.function as { function: Runnable["run"]; parse?: Runnable["parse"] };
      const parse = typeof fn.parse === "function" ? (text: string) => fn.parse?.(text) : undefined;
      const { name } = (definition as { function: { name: string } }).function;
      runnables.set(name, { run: (...args) => fn.function(...args), parse, definition });
    }
  }
  return runnables;
}

/** A tool as it is sent. */
function definitionOf(tool: RunTool): ChatCompletionTool {
  if (tool.type !== "function") return tool as ChatCompletionTool;
  const isMade = isAutoParsableTool(tool);
  const {
    name,
    parameters,
    description,
    strict,
    function: run,
  } = tool.function as {
    name?: string;
    parameters: Record<string, unknown>;
    description?: string;
    strict?: boolean;
    function?: { name: string };
  };
  return {
    type: "function",
    function: {
      name: name || (run?.name as string),
      parameters,
      // Left out of the JSON where it is undefined.
      description: isMade ? description || "" : (description as string),
      strict: isMade ? true : (strict as boolean),
    },
  };
}

/** An answer as a request may carry it: without what only answers have, or a run has added. */
function toSend(message: ChatCompletionMessageParam): ChatCompletionMessageParam {
  if (!isAssistant(message)) return message;
  const { audio, content, function_call, name, refusal, tool_calls } = message;
  return {
    role: "assistant",
    ...(audio != null && { audio: { id: audio.id } }),
    ...(content !== undefined && { content }),
    ...(function_call != null && { function_call }),
    ...(name !== undefined && { name }),
    ...(refusal != null && { refusal }),
    ...(tool_calls !== undefined && { tool_calls: tool_calls.map(callToSend) }),
  };
}

function callToSend(call: ChatCompletionMessageToolCall): ChatCompletionMessageToolCall {
  if (call.type === "custom") {
    const { input, name } = call.custom;
    return { id: call.id, type: "custom", custom: { input, name } };
  }
  const { arguments: args, name } = call.function;
  return { id: call.id, type: call.type, function: { arguments: args, name } };
}

function noSuchTool(name: string, runnables: Map<string, Runnable>): string {
  const names = [...runnables.keys()].map((one) => JSON.stringify(one)).join(", ");
  return `Invalid tool_call: ${JSON.stringify(name)}. Available options are: ${names}. Please try again`;
}

function notRequested(name: string, forced: string): string {
  return `Invalid tool_call: ${JSON.stringify(name)}. ${JSON.stringify(forced)} requested. Please try again`;
}

function toText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined ? "undefined" : (JSON.stringify(value) as string);
}

/** Adds up numbers, and the numbers of details. */
function addCounts(total: CompletionUsage, usage: CompletionUsage): void {
  total.completion_tokens += usage.completion_tokens;
  total.prompt_tokens += usage.prompt_tokens;
  total.total_tokens += usage.total_tokens;
  for (const part of ["completion_tokens_details", "prompt_tokens_details"] as const) {
    const details = usage[part];
    if (typeof details !== "object" || details === null) continue;
    total[part] ??= {};
    const sums = total[part] as Record<string, number>;
    for (const [name, count] of Object.entries(details)) {
      if (typeof count === "number") sums[name] = (sums[name] ?? 0) + count;
    }
  }
}
