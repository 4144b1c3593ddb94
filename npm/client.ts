/**
 * The client, in the call shape of the `openai` package.
 */

import { DEFAULT_RETRIES } from "./engine/boundary.ts";
import { onDemand } from "./load.ts";
import type { ClientOptions, RequestOptions, WarmUpOptions } from "./options.ts";
import type { Target } from "./request/answer.ts";
import { APIPromise } from "./request/api-promise.ts";
import type { BatchOptions, BatchResult } from "./request/batch.ts";
import { Caller, NO_OPTIONS } from "./request/caller.ts";
import { ChatStream } from "./stream/chat-stream.ts";
import { readDocument } from "./stream/document.ts";
import { dispose } from "./symbols.ts";
import type { ParsedChatCompletion, ParseOptions } from "./tools/parse.ts";
import { ToolRun } from "./tools/run.ts";
import type { StandardSchema } from "./tools/schema-shapes.ts";
import type { ToolRunOptions, ToolRunParams } from "./tools/shapes.ts";
import type {
  ChatCompletion,
  ChatCompletionCreateParamsBase,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  ModelList,
  ResponseFormat,
  Timeouts,
  UsageTotals,
  WithRequestId,
} from "./types.ts";

const CHAT_COMPLETIONS = "/chat/completions";

/** Chat completions: `client.chat.completions`. */
export class Completions {
  readonly #caller: Caller;

  /**
   * The object is `client.chat.completions`.
   * @internal
   */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Asks for a completion: whole, or with `stream: true` as a `ChatStream`.
   *
   * The settings of a call go into `options`; `params` is sent as it is, fields unknown here included.
   *
   * @throws {InvalidRequestError} refused before sending; `details` says why
   * @throws {APIError} the server refused or could not be reached
   * @throws {APIUserAbortError} `options.signal` was aborted
   * @throws {StreamError} without `stream`: the answer was cut short, stalled, or was not one
   * @example
   * ```ts
   * const completion = await client.chat.completions.create({ messages });
   * console.log(completion.choices[0]?.message.content);
   *
   * const stream = await client.chat.completions.create({ messages, stream: true });
   * for await (const chunk of stream) console.log(chunk.choices?.[0]?.delta.content);
   * ```
   */
  create(
    params: ChatCompletionCreateParamsNonStreaming,
    options?: RequestOptions,
  ): APIPromise<WithRequestId<ChatCompletion>>;
  create(params: ChatCompletionCreateParamsStreaming, options?: RequestOptions): APIPromise<ChatStream>;
  create(
    params: ChatCompletionCreateParamsBase,
    options?: RequestOptions,
  ): APIPromise<ChatStream | WithRequestId<ChatCompletion>>;
  create(
    params: ChatCompletionCreateParamsBase,
    options: RequestOptions = NO_OPTIONS,
  ): APIPromise<ChatStream | WithRequestId<ChatCompletion>> {
    const stream = params?.stream === true;
    const { answer, controller } = this.#caller.start({ path: CHAT_COMPLETIONS, params, stream }, options);
    return new APIPromise<ChatStream | WithRequestId<ChatCompletion>>(answer, async () =>
      stream ? new ChatStream(await answer, controller) : readDocument(await answer, controller),
    );
  }

  /**
   * Asks for a stream and gives it at once: what goes wrong in opening it comes out of its iteration, outcome and finals.
   * @example
   * ```ts
   * const stream = client.chat.completions.stream({ messages });
   * for await (const text of stream.textStream) write(text);
   * ```
   */
  stream(params: ChatCompletionCreateParamsBase, options: RequestOptions = NO_OPTIONS): ChatStream {
    return this.#stream({ path: CHAT_COMPLETIONS, params, stream: true }, options);
  }

  #stream(target: Target, options: RequestOptions): ChatStream {
    const { answer, controller } = this.#caller.start(target, options);
    return new ChatStream(answer, controller, target.params === undefined ? null : (options.resumeId ?? null));
  }

  /**
   * Takes up a stream that a gateway keeps (`onDisconnect: "durable"`), from its beginning, on whatever page or device.
   *
   * Streams of such a gateway need no help where only their connection is lost: they come back by themselves.
   * @param id the `resumeId` of the stream
   * @example
   * ```ts
   * sessionStorage.setItem("answer", stream.resumeId ?? "");
   * // after a reload:
   * for await (const text of client.chat.completions.resume(id).textStream) write(text);
   * ```
   */
  resume(id: string, options: RequestOptions = {}): ChatStream {
    return this.#stream({ path: "", stream: true, resume: id }, options);
  }

  /**
   * Asks for an answer of a shape, and checks it: `choices[0].message.parsed` has it.
   *
   * JSON in a fence, after prose or thinking, encoded twice, in content parts or in the reasoning field is taken, and the repair
   * is recorded in `_outcome.repairs`. A server that documents only `json_object` is asked for that, and the schema is put into
   * the messages (`schemaInMessages`).
   *
   * @param params `response_format` is a `json_schema` as in openai, or a Standard Schema such as zod's
   * @throws {ProtocolError} the answer is missing, cut, not JSON, or does not fit; `error.outcome` has its text
   * @example
   * ```ts
   * const format = z.object({ city: z.string(), people: z.number() });
   * const completion = await client.chat.completions.parse({ messages, response_format: format });
   * console.log(completion.choices[0]?.message.parsed?.people);
   * ```
   */
  parse<T = unknown>(
    params: Omit<ChatCompletionCreateParamsNonStreaming, "response_format"> & {
      response_format?: ResponseFormat | StandardSchema<T>;
    },
    options: ParseOptions = {},
  ): APIPromise<WithRequestId<ParsedChatCompletion<T>>> {
    const parsing = this.#caller
      .loadMore()
      .then(({ parse }) => parse<T>(CHAT_COMPLETIONS, params, options, this.#caller, readDocument));
    return new APIPromise(parsing, async () => (await parsing).data);
  }

  /**
   * Asks for many completions, as fast as the client's `limits` allow, and gives the result of each, in the order of `list`.
   *
   * A request that fails does not stop the others. A refusal that says when to come back is waited out, up to `maxWait`. An
   * abort settles what is left with `APIUserAbortError`.
   *
   * @throws {InvalidRequestError} `list` or the options are not valid; a fault of one request is in its result
   * @example
   * ```ts
   * const results = await client.chat.completions.batch(questions.map((content) => ({ messages: [{ role: "user", content }] })), {
   *   onProgress: ({ done, failed, total }) => console.log(`${done} of ${total}, ${failed} failed`),
   * });
   * for (const result of results) if (result.status === "fulfilled") console.log(result.value.choices[0]?.message.content);
   * ```
   */
  async batch(
    list: readonly ChatCompletionCreateParamsNonStreaming[],
    options: BatchOptions = {},
  ): Promise<BatchResult[]> {
    const { runBatch } = await this.#caller.loadMore();
    return runBatch((params, settings) => this.create(params, settings), list, options);
  }

  /**
   * Lets the model use tools: runs the tools that it calls, sends their results, and repeats that until it answers.
   * @example
   * ```ts
   * const run = client.chat.completions.runTools({ messages, tools: [weather] }, { approve: ask });
   * console.log(await run.finalContent());
   * ```
   */
  runTools(params: ToolRunParams, options: ToolRunOptions = {}): ToolRun {
    const stream = (turn: ChatCompletionCreateParamsBase, settings: RequestOptions) => this.stream(turn, settings);
    const takesUsage = async () => (await this.#caller.provider()).streamUsage;
    return new ToolRun(params, options, stream, takesUsage, () => this.#caller.loadMore());
  }
}

/** The part of a client that is about chats: `client.chat`. */
export class Chat {
  readonly completions: Completions;

  /**
   * The object is `client.chat`.
   * @internal
   */
  constructor(caller: Caller) {
    this.completions = new Completions(caller);
  }
}

/** The models of a server: `client.models`. */
export class Models {
  readonly #caller: Caller;

  /**
   * The object is `client.models`.
   * @internal
   */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * The models the server lists, where it does: its own JSON.
   * @example
   * ```ts
   * for (const { id } of (await client.models.list()).data) console.log(id);
   * ```
   */
  list(options: RequestOptions = {}): APIPromise<WithRequestId<ModelList>> {
    const needs = onDemand();
    const { answer, controller } = this.#caller.start({ path: "/models", needs }, options);
    return new APIPromise(answer, async () => {
      const listed = await answer;
      return (await needs).readJSON<ModelList>(listed, controller.signal);
    });
  }
}

/**
 * A client for one OpenAI-compatible server.
 * @example
 * ```ts
 * import { Chatwire } from "chatwire";
 *
 * const client = new Chatwire({ provider: "electron", apiKey: process.env.SMALLEST_API_KEY });
 * const stream = await client.chat.completions.create({ messages: [{ role: "user", content: "Hello" }], stream: true });
 * for await (const text of stream.textStream) process.stdout.write(text);
 * ```
 */
export class Chatwire {
  readonly chat: Chat;
  readonly models: Models;
  readonly #caller: Caller;

  /**
   * Sends no request. A page starts to fetch the engine.
   * @throws {ChatwireError} the settings are not valid, a key is missing, or a page would show it. Where the engine must first
   * be fetched (browsers), the first call rejects with it instead
   */
  constructor(options: ClientOptions = {}) {
    this.#caller = new Caller(options, this);
    this.chat = new Chat(this.#caller);
    this.models = new Models(this.#caller);
  }

  /**
   * Where requests go, up to `/chat/completions`: whole, also where a relative one was given. In a page, until the engine is
   * there, what was given (nothing for a provider by name).
   */
  get baseURL(): string {
    return this.#caller.baseURL;
  }

  /** How often a failed request is retried. */
  get maxRetries(): number {
    return this.#caller.options.maxRetries ?? DEFAULT_RETRIES;
  }

  /** Patience in milliseconds, as it was given; undefined where it is the default. */
  get timeout(): number | Timeouts | undefined {
    return this.#caller.options.timeout;
  }

  /**
   * Another client with the options of this one, but for those that are given. The new client counts its own usage.
   * @example
   * ```ts
   * const patient = client.withOptions({ maxRetries: 5, timeout: { headers: 60_000 } });
   * ```
   */
  withOptions(options: ClientOptions): Chatwire {
    return new Chatwire({ ...this.#caller.options, ...options });
  }

  /**
   * Opens the connection and loads the engine, so that the first call does not wait for either: when a page is opened, or a voice
   * agent joins a room. No tokens are used: `GET /chat/completions` is sent without a key, and the refusal that comes back has
   * opened the connection. A page's console may show that refusal.
   *
   * Hosts close a connection that is idle, Node after 4 seconds unless the server names another time.
   * @throws {APIConnectionError} the server did not answer; calls may be made all the same
   * @throws {APIUserAbortError} `signal` was aborted
   * @throws {ChatwireError} the engine cannot be loaded, or the client was disposed of
   * @example
   * ```ts
   * client.warmUp().catch(() => {}); // the first call says what is wrong
   * ```
   */
  async warmUp(options: WarmUpOptions = {}): Promise<void> {
    const { openConnection } = await onDemand();
    await openConnection(await this.#caller.address(), this.#caller.options.fetch, options);
  }

  /** The totals of the finished calls of this client. */
  get usage(): UsageTotals {
    return this.#caller.usage;
  }

  /** Refuses new calls. Streams under way go on and are counted; the engine's memory is freed after the last of them. */
  [dispose](): void {
    this.#caller.dispose();
  }
}
