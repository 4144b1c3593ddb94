/**
 * A language model of `@livekit/agents`, behind a chatwire client.
 */
// Imported as a whole: of a version that lacks one of these names, the error then says the version, not the missing export.
import * as agents from "@livekit/agents";
import {
  type ChatCompletionCreateParamsBase,
  Chatwire,
  ChatwireError,
  type ClientOptions,
  type Outcome,
  type RequestOptions,
  type SentenceOptions,
} from "chatwire";
import { livekitError } from "./errors.ts";

/** The version of `@livekit/agents` that this is written for. */
const MAJOR = "1";
// The check runs before a class of another version is extended.
mustBeOurMajor();

/** Options of the language model. */
export interface LLMOptions {
  /** The client to ask with, or the options of one. */
  client: Chatwire | ClientOptions;
  /** The model's name. */
  model: string;
  /** Parameters of every request, such as `temperature`. Those of one call (`extraKwargs`) win over them. */
  params?: Partial<ChatCompletionCreateParamsBase>;
  /**
   * Gives the text in whole sentences, each as soon as it is complete, cut as for `sentences` of a stream; `false` gives each piece
   * as it arrives. Together the pieces are the text either way.
   * @default true
   */
  sentences?: boolean | SentenceOptions;
  /**
   * Sends tools with `strict: true`, and their schemas as strict schemas are written. Default false.
   * @default false
   */
  strictToolSchema?: boolean;
}

/** The options of one call, as LiveKit gives them. */
type Call = Parameters<agents.llm.LLM["chat"]>[0];
type Connect = NonNullable<Call["connOptions"]>;

/**
 * A language model for an `AgentSession`.
 *
 * Reasoning is never spoken, wherever a server puts it. Tool calls are handed over once the answer is whole, so that none is run of
 * an answer that breaks off. An interruption cancels the request. Errors are LiveKit's own (`APIStatusError`, `APITimeoutError`,
 * `APIConnectionError`), with chatwire's as their `cause`.
 *
 * The session's `maxRetry` says how often the client retries, and `timeoutMs` how long it waits for headers.
 * @example
 * ```ts
 * import { voice } from "@livekit/agents";
 * import { LLM } from "chatwire/livekit";
 *
 * const session = new voice.AgentSession({ llm: new LLM({ client: { provider: "electron" }, model: "electron" }) });
 * ```
 */
export class LLM extends agents.llm.LLM {
  readonly #options: LLMOptions;
  readonly #client: Chatwire;

  /**
   * @throws {ChatwireError} the options are not valid
   */
  constructor(options: LLMOptions) {
    const { client, model } = options ?? {};
    if (typeof model !== "string" || model === "") {
      throw new ChatwireError(
        `The LLM has no model: give it one by name, as in new LLM({ client, model: "electron" }).`,
      );
    }
    super();
    this.#options = options;
    this.#client = client instanceof Chatwire ? client : new Chatwire(client);
  }

  /** How logs and metrics name this model. */
  label(): string {
    return "chatwire.LLM";
  }

  override get model(): string {
    return this.#options.model;
  }

  override get provider(): string {
    const { client } = this.#options;
    const named = client instanceof Chatwire ? undefined : client?.provider;
    return typeof named === "string" ? named : "chatwire";
  }

  /** Begins to answer. An error of the request ends the stream, and this model emits it as `error`. */
  override chat(call: Call): agents.llm.LLMStream {
    const connect = call.connOptions ?? agents.DEFAULT_API_CONNECT_OPTIONS;
    return new Answer(this, { ...call, connOptions: connect }, this.#client, this.#options);
  }

  /** Opens the connection and loads the engine; no tokens are used. */
  protected override async _prewarmImpl(signal: AbortSignal): Promise<void> {
    await this.#client.warmUp({ signal });
  }
}

/** @throws {ChatwireError} another major version of `@livekit/agents` is installed */
function mustBeOurMajor(): void {
  const { version } = agents;
  if (String(version).split(".")[0] === MAJOR) return;
  const found = `chatwire/livekit is for version ${MAJOR} of @livekit/agents, and version ${version} is installed`;
  throw new ChatwireError(`${found}: install @livekit/agents@${MAJOR}.`);
}

class Answer extends agents.llm.LLMStream {
  readonly #call: Call & { connOptions: Connect };
  readonly #client: Chatwire;
  readonly #options: LLMOptions;

  constructor(model: LLM, call: Call & { connOptions: Connect }, client: Chatwire, options: LLMOptions) {
    super(model, call);
    this.#call = call;
    this.#client = client;
    this.#options = options;
  }

  protected async run(): Promise<void> {
    const { signal } = this.abortController;
    if (signal.aborted) return;
    try {
      await this.#answer(signal);
    } catch (thrown) {
      if (!signal.aborted) throw livekitError(thrown);
    }
  }

  async #answer(signal: AbortSignal): Promise<void> {
    const { sentences = true } = this.#options;
    const params = { ...(await this.#params()), stream: true as const };
    const asked = this.#client.chat.completions.create(params, this.#requestOptions(signal));
    const { data: stream, request_id } = await asked.withResponse();
    const spoken = sentences === false ? "text" : "sentence";
    // LiveKit writes this id into its traces, and the provider into its logs.
    const id = request_id ?? crypto.randomUUID();
    for await (const event of stream.events) {
      if (event.choice !== 0) continue;
      if ((event.type === spoken || event.type === "refusal") && event.text !== "") {
        this.#put(id, { content: event.text });
      }
    }
    const outcome = await stream.outcome();
    if (outcome.status === "aborted") return;
    const { finishReason } = outcome;
    // LiveKit mends arguments that are not JSON, or tells the model. Mended, those that were cut short would be run.
    const cut = outcome.toolCalls.find(({ complete }) => !complete);
    if (cut && (finishReason === "length" || finishReason === "content_filter")) {
      throw new ChatwireError(
        `The arguments of the tool call ${cut.name} were cut short (${finishReason}), so no tool was run: raise max_tokens.`,
      );
    }
    const toolCalls = toolCallsOf(outcome);
    const extra = extraOf(outcome.message);
    if (toolCalls.length > 0 || extra) {
      this.#put(id, { ...(toolCalls.length > 0 && { toolCalls }), ...(extra && { extra }) });
    }
    const usage = usageOf(outcome);
    if (usage) this.queue.put({ id, usage });
  }

  #put(id: string, delta: Omit<NonNullable<agents.llm.ChatChunk["delta"]>, "role">): void {
    this.queue.put({ id, delta: { role: "assistant", ...delta } });
  }

  async #params(): Promise<ChatCompletionCreateParamsBase> {
    const { parallelToolCalls, toolChoice, extraKwargs } = this.#call;
    const { model, params, strictToolSchema = false } = this.#options;
    const tools = Object.values(this.toolCtx?.functionTools ?? {}).map(({ name, description, parameters }) => {
      const { $schema: _, ...schema } = agents.llm.toJsonSchema(parameters, true, strictToolSchema);
      const own = { name, description, parameters: schema, ...(strictToolSchema && { strict: true }) };
      return { type: "function" as const, function: own };
    });
    return {
      model,
      messages: await this.chatCtx.toProviderFormat("openai"),
      // Without the usage the cost of the answer stays unknown.
      stream_options: { include_usage: true },
      ...(tools.length > 0 && {
        tools,
        ...(toolChoice !== undefined && { tool_choice: toolChoice }),
        ...(parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
      }),
      ...params,
      ...extraKwargs,
    } as unknown as ChatCompletionCreateParamsBase;
  }

  #requestOptions(signal: AbortSignal): RequestOptions {
    const { maxRetry, timeoutMs } = this.#call.connOptions;
    const { timeout } = this.#client;
    const { sentences = true } = this.#options;
    const patience = typeof timeout === "object" ? timeout : {};
    return { signal, maxRetries: maxRetry, timeout: { ...patience, headers: timeoutMs }, sentences };
  }
}

/** Fields that a server wants to see again with a turn or a call, such as the signature of a thought. */
function extraOf(from: unknown): Record<string, unknown> | undefined {
  const extra = (from as { extra_content?: unknown } | null)?.extra_content;
  return typeof extra === "object" && extra !== null ? (extra as Record<string, unknown>) : undefined;
}

function toolCallsOf({ message, toolCalls }: Outcome): agents.llm.FunctionCall[] {
  const sent = ((message as { tool_calls?: { id: string }[] } | null)?.tool_calls ?? []) as { id: string }[];
  return toolCalls.map(({ id, name, arguments: args }, at) => {
    const extra = extraOf(sent.find((one) => one.id === id) ?? sent[at]) ?? {};
    const google = extra.google as { thoughtSignature?: string; thought_signature?: string } | undefined;
    const thoughtSignature = google?.thoughtSignature ?? google?.thought_signature;
    return agents.llm.FunctionCall.create({
      callId: id,
      name,
      args,
      extra,
      ...(thoughtSignature && { thoughtSignature }),
    });
  });
}

function usageOf({ usage }: Outcome): agents.llm.CompletionUsage | undefined {
  if (!usage) return undefined;
  const details = usage.prompt_tokens_details as { cached_tokens?: number; cache_write_tokens?: number } | undefined;
  return {
    completionTokens: usage.completion_tokens,
    promptTokens: usage.prompt_tokens,
    promptCachedTokens: details?.cached_tokens ?? 0,
    ...(details?.cache_write_tokens && { cacheCreationTokens: details.cache_write_tokens }),
    totalTokens: usage.total_tokens,
  };
}
