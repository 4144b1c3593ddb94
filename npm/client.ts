/**
 * The client, in the call shape of the `openai` package.
 */
import { Caller, toBody } from "./call.ts";
import { readDocument, readJSON } from "./document.ts";
import type { ClientOptions, RequestOptions } from "./options.ts";
import { APIPromise } from "./promise.ts";
import { ChatStream } from "./stream.ts";
import { dispose } from "./symbols.ts";
import type {
  ChatCompletion,
  ChatCompletionCreateParamsBase,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  ModelList,
  UsageTotals,
  WithRequestId,
} from "./types.ts";

const CHAT_COMPLETIONS = "/chat/completions";

/** `client.chat.completions`. */
export class Completions {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Asks for a completion: whole, or with `stream: true` as a `ChatStream`.
   *
   * What a call is told goes into `options`; `params` is sent as it is, fields unknown here included.
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
    options: RequestOptions = {},
  ): APIPromise<ChatStream | WithRequestId<ChatCompletion>> {
    try {
      const stream = params?.stream === true;
      const body = toBody(params);
      const target = { path: CHAT_COMPLETIONS, method: "POST", params, body, stream } as const;
      const { answer, controller } = this.#caller.start(target, options);
      return new APIPromise<ChatStream | WithRequestId<ChatCompletion>>(answer, async () =>
        stream
          ? new ChatStream(await answer, controller)
          : readDocument<ChatCompletion>(await answer, controller.signal),
      );
    } catch (error) {
      return APIPromise.failed(error);
    }
  }

  /**
   * Asks for a stream and gives it at once: what goes wrong in opening it comes out of its iteration, outcome and finals.
   * @example
   * ```ts
   * const stream = client.chat.completions.stream({ messages });
   * for await (const text of stream.textStream) write(text);
   * ```
   */
  stream(params: ChatCompletionCreateParamsBase, options: RequestOptions = {}): ChatStream {
    try {
      const sent = { ...params, stream: true };
      const target = {
        path: CHAT_COMPLETIONS,
        method: "POST",
        params: sent,
        body: toBody(sent),
        stream: true,
      } as const;
      const { answer, controller } = this.#caller.start(target, options);
      return new ChatStream(answer, controller);
    } catch (error) {
      return new ChatStream(Promise.reject(error));
    }
  }
}

/** `client.chat`. */
export class Chat {
  readonly completions: Completions;

  constructor(caller: Caller) {
    this.completions = new Completions(caller);
  }
}

/** `client.models`. */
export class Models {
  readonly #caller: Caller;

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
    try {
      const { answer, controller } = this.#caller.start({ path: "/models", method: "GET" }, options);
      return new APIPromise(answer, async () => readJSON<ModelList>(await answer, controller.signal));
    } catch (error) {
      return APIPromise.failed(error);
    }
  }
}

/** Nothing has been counted yet. */
const NO_USAGE: UsageTotals = {
  requests: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  total_tokens: 0,
  cached_tokens: 0,
  cost: 0,
};

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
   * Sends nothing and starts nothing.
   * @throws {ChatwireError} the settings make no sense, a key is missing, or a page would show it. Where the engine must
   * first be fetched (browsers), the first call rejects with it instead
   */
  constructor(options: ClientOptions = {}) {
    this.#caller = new Caller(options);
    this.chat = new Chat(this.#caller);
    this.models = new Models(this.#caller);
  }

  /** What the finished calls of this client add up to. */
  get usage(): UsageTotals {
    return (this.#caller.usage as UsageTotals | undefined) ?? { ...NO_USAGE };
  }

  /** Lets go of the engine's memory. Streams under way go on; new calls are refused. */
  [dispose](): void {
    this.#caller.free();
  }
}
