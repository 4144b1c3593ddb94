/**
 * `client.chat.completions`, `client.chat` and `client.models`.
 */
import type { APIPromise } from "./api-promise.ts";
import { ChatCompletionStream, ChatCompletionStreamingRunner, type ChatCompletionStreamParams } from "./chat-stream.ts";
import type { ResourceClient } from "./client-parts.ts";
import { OpenAIError } from "./errors.ts";
import { mendedCompletion } from "./mended.ts";
import type { RequestOptions } from "./options.ts";
import {
  type ChatCompletionStoreMessagesPage,
  type ChatCompletionsPage,
  CursorPage,
  Page,
  type PagePromise,
} from "./pages.ts";
import type * as params from "./params.ts";
import { type ExtractParsedContentFromParams, parseChatCompletion, validateInputTools } from "./parsing.ts";
import type * as runnable from "./runnable.ts";
import { ChatCompletionRunner, type RunnerOptions, type RunParams } from "./runner.ts";
import type * as shapes from "./shapes.ts";
import type { Stream } from "./stream.ts";
import type {
  ChatCompletion,
  ChatCompletionAllowedToolChoice,
  ChatCompletionAllowedTools,
  ChatCompletionAssistantMessageParam,
  ChatCompletionAudio,
  ChatCompletionAudioParam,
  ChatCompletionChunk,
  ChatCompletionContentPart,
  ChatCompletionContentPartImage,
  ChatCompletionContentPartInputAudio,
  ChatCompletionContentPartRefusal,
  ChatCompletionContentPartText,
  ChatCompletionCreateParams,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionCustomTool,
  ChatCompletionDeleted,
  ChatCompletionDeveloperMessageParam,
  ChatCompletionFunctionCallOption,
  ChatCompletionFunctionMessageParam,
  ChatCompletionFunctionTool,
  ChatCompletionListParams,
  ChatCompletionMessage,
  ChatCompletionMessageCustomToolCall,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
  ChatCompletionMessageToolCall,
  ChatCompletionModality,
  ChatCompletionNamedToolChoice,
  ChatCompletionNamedToolChoiceCustom,
  ChatCompletionParseParams,
  ChatCompletionPredictionContent,
  ChatCompletionReasoningEffort,
  ChatCompletionRole,
  ChatCompletionStoreMessage,
  ChatCompletionStreamOptions,
  ChatCompletionSystemMessageParam,
  ChatCompletionTokenLogprob,
  ChatCompletionTool,
  ChatCompletionToolChoiceOption,
  ChatCompletionToolMessageParam,
  ChatCompletionUpdateParams,
  ChatCompletionUserMessageParam,
  ChatModel,
  MessageListParams,
  Model,
  ModelDeleted,
  ParsedChatCompletion,
  ParsedChatCompletionMessage,
  ParsedChatCompletionMessageToolCall,
  ParsedChoice,
  ParsedFunction,
  ParsedFunctionToolCall,
} from "./types.ts";

export type { ChatCompletionStoreMessagesPage, ChatCompletionsPage };

const CHAT = "/chat/completions";

/** The part of a client that its resources use. */
class Resource {
  protected readonly _client: ResourceClient;

  constructor(client: ResourceClient) {
    this._client = client;
    Object.defineProperty(this, "_client", { enumerable: false });
  }
}

/** Options of a call that may stand in the place of a list's query. */
export type ListOptions = Pick<
  RequestOptions,
  "headers" | "maxRetries" | "timeout" | "signal" | "idempotencyKey" | "query"
>;

const LIST_OPTIONS = new Set(["headers", "maxRetries", "timeout", "signal", "idempotencyKey", "query"]);
const OTHER_OPTIONS = new Set(["method", "path", "body", "stream", "fetchOptions", "defaultBaseURL"]);

/**
 * The options of a list. Where its query is left out, they may be in that place.
 * @throws {TypeError} one argument is both, or says where the request goes
 */
function listing(query: object | null | undefined, options: RequestOptions | undefined): RequestOptions {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  const names = given.map(([name]) => name);
  const isOption = (name: string) => LIST_OPTIONS.has(name) || OTHER_OPTIONS.has(name);
  if (!names.some(isOption)) return { query, ...options };
  if (options !== undefined || !names.every(isOption)) {
    throw new TypeError(
      "A list has its query and its options in one argument. Give them as two: list(query, options).",
    );
  }
  const other = names.find((name) => OTHER_OPTIONS.has(name));
  if (other) throw new TypeError(`The option ${other} of a list has to be in its second argument, after the query.`);
  return Object.fromEntries(given);
}

/** `client.chat.completions.messages`. */
export class Messages extends Resource {
  /** The messages of a stored completion. */
  list(
    completionID: string,
    query?: params.MessageListParams | null | undefined,
    options?: RequestOptions,
  ): PagePromise<ChatCompletionStoreMessagesPage, shapes.ChatCompletionStoreMessage>;
  list(
    completionID: string,
    options?: ListOptions,
  ): PagePromise<ChatCompletionStoreMessagesPage, shapes.ChatCompletionStoreMessage>;
  list(
    completionID: string,
    query?: object | null,
    options?: RequestOptions,
  ): PagePromise<ChatCompletionStoreMessagesPage, shapes.ChatCompletionStoreMessage> {
    const path = `${CHAT}/${segment(completionID)}/messages`;
    return this._client.getAPIList(path, CursorPage<shapes.ChatCompletionStoreMessage>, listing(query, options));
  }
}

export declare namespace Messages {
  export type { MessageListParams };
}

/** `client.chat.completions`. */
export class Completions extends Resource {
  readonly messages: Messages = new Messages(this._client);

  /**
   * Asks for a completion: whole, or with `stream: true` as a stream of chunks.
   * @throws {APIError} the server refused or could not be reached
   * @throws {APIUserAbortError} `options.signal` was aborted
   * @example
   * ```ts
   * const completion = await client.chat.completions.create({ model: "gpt-5", messages });
   * ```
   */
  create(
    body: params.ChatCompletionCreateParamsNonStreaming,
    options?: RequestOptions,
  ): APIPromise<shapes.ChatCompletion>;
  create(
    body: params.ChatCompletionCreateParamsStreaming,
    options?: RequestOptions,
  ): APIPromise<Stream<shapes.ChatCompletionChunk>>;
  create(
    body: params.ChatCompletionCreateParamsBase,
    options?: RequestOptions,
  ): APIPromise<Stream<shapes.ChatCompletionChunk> | shapes.ChatCompletion>;
  create(
    body: params.ChatCompletionCreateParamsBase,
    options: RequestOptions = {},
  ): APIPromise<Stream<shapes.ChatCompletionChunk> | shapes.ChatCompletion> {
    const sent = (options?.body ?? body) as object; // null stands for no options, too
    return this._client._transport.chat(this._client._pathOf(CHAT, sent), sent, options);
  }

  /** A stored completion. */
  retrieve(completionID: string, options: RequestOptions = {}): APIPromise<shapes.ChatCompletion> {
    return this._client.get(`${CHAT}/${segment(completionID)}`, options);
  }

  /** Changes the metadata of a stored completion. */
  update(
    completionID: string,
    body: params.ChatCompletionUpdateParams,
    options: RequestOptions = {},
  ): APIPromise<shapes.ChatCompletion> {
    return this._client.post(`${CHAT}/${segment(completionID)}`, { body, ...options });
  }

  /** Stored completions. */
  list(
    query?: params.ChatCompletionListParams | null | undefined,
    options?: RequestOptions,
  ): PagePromise<ChatCompletionsPage, shapes.ChatCompletion>;
  list(options?: ListOptions): PagePromise<ChatCompletionsPage, shapes.ChatCompletion>;
  list(query?: object | null, options?: RequestOptions): PagePromise<ChatCompletionsPage, shapes.ChatCompletion> {
    return this._client.getAPIList(CHAT, CursorPage<shapes.ChatCompletion>, listing(query, options));
  }

  /** Deletes a stored completion. */
  delete(completionID: string, options: RequestOptions = {}): APIPromise<shapes.ChatCompletionDeleted> {
    return this._client.delete(`${CHAT}/${segment(completionID)}`, options);
  }

  /**
   * Asks for an answer of a shape and reads it: `choices[0].message.parsed`, and `parsed_arguments` of tool calls.
   * @throws {OpenAIError} a tool is not strict; `LengthFinishReasonError` and `ContentFilterFinishReasonError`: not finished
   */
  parse<Params extends params.ChatCompletionParseParams, ParsedT = ExtractParsedContentFromParams<Params>>(
    body: Params,
    options?: RequestOptions,
  ): APIPromise<params.ParsedChatCompletion<ParsedT>> {
    validateInputTools(body.tools);
    const parsed = (completion: shapes.ChatCompletion) =>
      parseChatCompletion<ParsedT>(mendedCompletion(completion), body);
    const created = this._client.chat.completions.create(body, options);
    // Instrumentation may have put a `create` in place that gives a plain promise.
    return created._thenUnwrap
      ? created._thenUnwrap(parsed)
      : (Promise.resolve(created).then(parsed) as APIPromise<params.ParsedChatCompletion<ParsedT>>);
  }

  /** Lets the model use tools: calls them, tells it what they gave, and goes on until it answers. */
  runTools<ToolContext, ParsedT = null>(
    body: runnable.RunBodyWithContext<params.ChatCompletionCreateParamsNonStreaming, ToolContext>,
    options?: RunnerOptions,
  ): ChatCompletionRunner<ParsedT>;
  runTools<ToolContext, ParsedT = null>(
    body: runnable.RunBodyWithContext<params.ChatCompletionCreateParamsStreaming, ToolContext>,
    options?: RunnerOptions,
  ): ChatCompletionStreamingRunner<ParsedT>;
  runTools<
    Params extends runnable.RunBody<params.ChatCompletionCreateParamsNonStreaming>,
    ParsedT = ExtractParsedContentFromParams<Params>,
  >(body: Params, options?: RunnerOptions): ChatCompletionRunner<ParsedT>;
  runTools<
    Params extends runnable.RunBody<params.ChatCompletionCreateParamsStreaming>,
    ParsedT = ExtractParsedContentFromParams<Params>,
  >(body: Params, options?: RunnerOptions): ChatCompletionStreamingRunner<ParsedT>;
  runTools(
    body: object,
    options?: RunnerOptions,
  ): ChatCompletionRunner<unknown> | ChatCompletionStreamingRunner<unknown> {
    const run = body as RunParams;
    return run.stream
      ? ChatCompletionStreamingRunner.runTools<unknown>(this._client, run, options)
      : ChatCompletionRunner.runTools<unknown>(this._client, run, options);
  }

  /** Asks for a stream, with an event for everything that happens to it. */
  stream<Params extends ChatCompletionStreamParams, ParsedT = ExtractParsedContentFromParams<Params>>(
    body: Params,
    options?: RequestOptions,
  ): ChatCompletionStream<ParsedT> {
    return ChatCompletionStream.createChatCompletion<ParsedT>(this._client, body, options);
  }
}

export declare namespace Completions {
  export {
    type ChatCompletion,
    type ChatCompletionAllowedToolChoice,
    type ChatCompletionAllowedTools,
    type ChatCompletionAssistantMessageParam,
    type ChatCompletionAudio,
    type ChatCompletionAudioParam,
    type ChatCompletionChunk,
    type ChatCompletionContentPart,
    type ChatCompletionContentPartImage,
    type ChatCompletionContentPartInputAudio,
    type ChatCompletionContentPartRefusal,
    type ChatCompletionContentPartText,
    type ChatCompletionCreateParams,
    type ChatCompletionCreateParamsNonStreaming,
    type ChatCompletionCreateParamsStreaming,
    type ChatCompletionCustomTool,
    type ChatCompletionDeleted,
    type ChatCompletionDeveloperMessageParam,
    type ChatCompletionFunctionCallOption,
    type ChatCompletionFunctionMessageParam,
    type ChatCompletionFunctionTool,
    type ChatCompletionListParams,
    type ChatCompletionMessage,
    type ChatCompletionMessageCustomToolCall,
    type ChatCompletionMessageFunctionToolCall,
    type ChatCompletionMessageParam,
    type ChatCompletionMessageToolCall,
    type ChatCompletionModality,
    type ChatCompletionNamedToolChoice,
    type ChatCompletionNamedToolChoiceCustom,
    type ChatCompletionParseParams,
    type ChatCompletionPredictionContent,
    type ChatCompletionReasoningEffort,
    type ChatCompletionRole,
    type ChatCompletionStoreMessage,
    type ChatCompletionStreamOptions,
    type ChatCompletionSystemMessageParam,
    type ChatCompletionsPage,
    type ChatCompletionTokenLogprob,
    type ChatCompletionTool,
    type ChatCompletionToolChoiceOption,
    type ChatCompletionToolMessageParam,
    type ChatCompletionUpdateParams,
    type ChatCompletionUserMessageParam,
    type MessageListParams,
    Messages,
    type ParsedChatCompletion,
    type ParsedChatCompletionMessage,
    type ParsedChatCompletionMessageToolCall,
    type ParsedChoice,
    type ParsedFunction,
    type ParsedFunctionToolCall,
  };
}

/** `client.chat`. */
export class Chat extends Resource {
  readonly completions: Completions = new Completions(this._client);
}

export declare namespace Chat {
  export {
    type ChatCompletion,
    type ChatCompletionAllowedToolChoice,
    type ChatCompletionAllowedTools,
    type ChatCompletionAssistantMessageParam,
    type ChatCompletionAudio,
    type ChatCompletionAudioParam,
    type ChatCompletionChunk,
    type ChatCompletionContentPart,
    type ChatCompletionContentPartImage,
    type ChatCompletionContentPartInputAudio,
    type ChatCompletionContentPartRefusal,
    type ChatCompletionContentPartText,
    type ChatCompletionCreateParams,
    type ChatCompletionCreateParamsNonStreaming,
    type ChatCompletionCreateParamsStreaming,
    type ChatCompletionCustomTool,
    type ChatCompletionDeleted,
    type ChatCompletionDeveloperMessageParam,
    type ChatCompletionFunctionCallOption,
    type ChatCompletionFunctionMessageParam,
    type ChatCompletionFunctionTool,
    type ChatCompletionListParams,
    type ChatCompletionMessage,
    type ChatCompletionMessageCustomToolCall,
    type ChatCompletionMessageFunctionToolCall,
    type ChatCompletionMessageParam,
    type ChatCompletionMessageToolCall,
    type ChatCompletionModality,
    type ChatCompletionNamedToolChoice,
    type ChatCompletionNamedToolChoiceCustom,
    type ChatCompletionParseParams,
    type ChatCompletionPredictionContent,
    type ChatCompletionReasoningEffort,
    type ChatCompletionRole,
    type ChatCompletionStoreMessage,
    type ChatCompletionStreamOptions,
    type ChatCompletionSystemMessageParam,
    type ChatCompletionsPage,
    type ChatCompletionTokenLogprob,
    type ChatCompletionTool,
    type ChatCompletionToolChoiceOption,
    type ChatCompletionToolMessageParam,
    type ChatCompletionUpdateParams,
    type ChatCompletionUserMessageParam,
    type ChatModel,
    Completions,
    type ParsedChatCompletion,
    type ParsedChatCompletionMessage,
    type ParsedChatCompletionMessageToolCall,
    type ParsedChoice,
    type ParsedFunction,
    type ParsedFunctionToolCall,
  };
}

/** Models page by page. */
export type ModelsPage = Page<params.Model>;

// In the namespaces they have their types too.
Object.assign(Completions, { Messages });
Object.assign(Chat, { Completions });

/** `client.models`. */
export class Models extends Resource {
  /** One model. */
  retrieve(model: string, options: RequestOptions = {}): APIPromise<params.Model> {
    return this._client.get(`/models/${segment(model)}`, options);
  }

  /** The models the server lists. */
  list(options?: RequestOptions): PagePromise<ModelsPage, params.Model> {
    return this._client.getAPIList("/models", Page<params.Model>, options);
  }

  /** Deletes a fine-tuned model. */
  delete(model: string, options: RequestOptions = {}): APIPromise<params.ModelDeleted> {
    return this._client.delete(`/models/${segment(model)}`, options);
  }
}

export declare namespace Models {
  export type { Model, ModelDeleted, ModelsPage };
}

/** A part of a path. */
function segment(value: string): string {
  const text = String(value).replace(/[^\w\-.~!$&'()*+,;=:@]+/g, encodeURIComponent);
  if (value === undefined || value === null || /^(\.|%2e){0,2}$/i.test(text)) {
    throw new OpenAIError(`A path parameter must be a name: ${JSON.stringify(value)} is not one.`);
  }
  return text;
}
