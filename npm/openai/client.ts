/**
 * The client, as the `openai` package has it, over one of `chatwire`.
 */
import type { APIPromise } from "./api-promise.ts";
import { Chat, Models, type ModelsPage } from "./completions.ts";
import { classElsewhere, elsewhere, NOT_CHAT, type NotChat, toFile, toStreamingFile } from "./elsewhere.ts";
import * as errors from "./errors.ts";
import type { RequestOptions as Options } from "./options.ts";
import * as options from "./options.ts";
import {
  type AbstractPage,
  CursorPage,
  type CursorPageResponse,
  Page,
  type PageClass,
  type PagePromise,
  type PageResponse,
  pageOf,
} from "./pages.ts";
import { Transport } from "./transport.ts";
import type {
  AllModels,
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
  ChatCompletionsPage,
  ChatCompletionTokenLogprob,
  ChatCompletionTool,
  ChatCompletionToolChoiceOption,
  ChatCompletionToolMessageParam,
  ChatCompletionUpdateParams,
  ChatCompletionUserMessageParam,
  ChatModel,
  ComparisonFilter,
  CompletionUsage,
  CompoundFilter,
  CursorPageParams,
  CustomToolInputFormat,
  DecisionInputJSON,
  DecisionQuestionInputImage,
  DecisionQuestionInputPart,
  DecisionQuestionInputText,
  ErrorObject,
  FunctionDefinition,
  FunctionParameters,
  Metadata,
  Model,
  ModelDeleted,
  OAuthErrorCode,
  ParsedChatCompletion,
  ParsedChatCompletionMessage,
  ParsedChatCompletionMessageToolCall,
  ParsedChoice,
  ParsedFunction,
  ParsedFunctionToolCall,
  Reasoning,
  ReasoningEffort,
  ResponseFormatJSONObject,
  ResponseFormatJSONSchema,
  ResponseFormatText,
  ResponseFormatTextGrammar,
  ResponseFormatTextPython,
  ResponsesModel,
} from "./types.ts";

const OPENAI = "https://api.openai.com/v1";
const DEFAULT_TIMEOUT = 600_000;

/** How the client of another service differs. */
export interface Difference {
  /** Puts the key into the headers, where that is not `Authorization`. */
  authorize?: (headers: Headers) => void;
  /** Where a chat completion is asked for. */
  pathOf?: (path: string, body: object) => string;
}

/**
 * A client of OpenAI, or of a server that speaks as OpenAI does.
 * @example
 * ```ts
 * import OpenAI from "chatwire/openai";
 *
 * const client = new OpenAI();
 * const completion = await client.chat.completions.create({ model: "gpt-5", messages: [{ role: "user", content: "Hello" }] });
 * ```
 */
export class OpenAI {
  /** The key; null where a function gives it, or where there is none. A key that is set here counts from the next call on. */
  apiKey: string | null;
  /** Not used for chat. */
  adminAPIKey: string | null;
  /** Sent as `OpenAI-Organization`. */
  organization: string | null;
  /** Sent as `OpenAI-Project`. */
  project: string | null;
  /** Not used for chat. */
  webhookSecret: string | null;
  /** Where requests go, up to `/chat/completions`. One that is set here counts from the next call on. */
  baseURL: string;
  /** How often a failed request is tried again. */
  maxRetries: number;
  /** Milliseconds until the headers of each attempt. */
  timeout: number;
  /** Hears what happens. */
  logger: options.Logger;
  /** How much of it. */
  logLevel: options.LogLevel | undefined;
  /** More for `fetch`. */
  fetchOptions: options.FetchOptions | undefined;

  /** `chat.completions`: `create`, `parse`, `stream`, `runTools`, and stored completions. */
  readonly chat: Chat;
  /** `list`, `retrieve` and `delete`. */
  readonly models: Models;

  protected _options: options.ClientOptions;
  /** For the resources. */
  readonly _transport: Transport;
  readonly _pathOf: (path: string, body: object) => string;

  /**
   * Sends nothing.
   * @throws {OpenAIError} there is no key, or a page would show it
   */
  constructor(given: options.ClientOptions = {}, difference: Difference = {}) {
    const { readEnv } = options;
    const {
      baseURL = readEnv("OPENAI_BASE_URL"),
      apiKey = readEnv("OPENAI_API_KEY"),
      adminAPIKey = readEnv("OPENAI_ADMIN_KEY") ?? null,
      organization = readEnv("OPENAI_ORG_ID") ?? null,
      project = readEnv("OPENAI_PROJECT_ID") ?? null,
      webhookSecret = readEnv("OPENAI_WEBHOOK_SECRET") ?? null,
    } = given;
    failNotHere(given);
    this.baseURL = baseURL || OPENAI;
    // A server of one's own may need no key, which is to be said.
    const isKeyless = given.apiKey === null && Boolean(given.baseURL) && hostOf(this.baseURL) !== hostOf(OPENAI);
    if (!apiKey && !adminAPIKey && !isKeyless) {
      throw new errors.OpenAIError(
        "Missing credentials. Please pass an `apiKey`, or set the `OPENAI_API_KEY` environment variable. For a server that takes no key, pass its `baseURL` and `apiKey: null`.",
      );
    }
    if (apiKey && !given.dangerouslyAllowBrowser && isPage()) {
      throw new errors.OpenAIError(
        "A key in a page can be read by all who visit it. Keep it on a server and give the page the server's `baseURL` and `apiKey: null`; or, if you accept that, set `dangerouslyAllowBrowser: true`.",
      );
    }
    const custom = customHeaders(readEnv("OPENAI_CUSTOM_HEADERS"));
    const defaultHeaders = custom ? options.mergedHeaders(custom, given.defaultHeaders) : given.defaultHeaders;
    this._options = { ...given, apiKey, baseURL: this.baseURL, defaultHeaders };
    this.apiKey = typeof apiKey === "string" ? apiKey : null;
    this.adminAPIKey = adminAPIKey;
    this.organization = organization;
    this.project = project;
    this.webhookSecret = webhookSecret;
    this.timeout = given.timeout ?? DEFAULT_TIMEOUT;
    this.maxRetries = retriesOf(given.maxRetries);
    this.logger = given.logger ?? console;
    this.logLevel =
      options.levelOf(given.logLevel, "ClientOptions.logLevel", this.logger) ??
      options.levelOf(readEnv("OPENAI_LOG"), "process.env['OPENAI_LOG']", this.logger) ??
      "warn";
    this.fetchOptions = given.fetchOptions;
    this._pathOf = difference.pathOf ?? ((path) => path);
    this._transport = new Transport(this, {
      fetch: given.fetch,
      authorize: difference.authorize,
      // A key that is set on the client afterwards counts.
      key: () => (typeof apiKey === "function" ? apiKey : this.apiKey),
      preparing: () => ({
        options: this.prepareOptions === unprepared.options ? undefined : async (all) => this.prepareOptions(all),
        request: this.prepareRequest === unprepared.request ? undefined : async (...of) => this.prepareRequest(...of),
      }),
    });
    for (const name of ["_options", "_transport", "_pathOf"]) Object.defineProperty(this, name, { enumerable: false });
    this.chat = new Chat(this);
    this.models = new Models(this);
  }

  /** Another client, with some options different. */
  withOptions(changed: Partial<options.ClientOptions>): this {
    const Class = this.constructor as new (all: options.ClientOptions) => this;
    const { baseURL, maxRetries, timeout, logger, logLevel, fetchOptions, organization, project } = this;
    const own = { baseURL, maxRetries, timeout, logger, logLevel, fetchOptions, organization, project };
    return new Class({ ...this._options, ...own, ...changed });
  }

  /** Called with the options of each call before it begins, to change them. For subclasses. */
  protected async prepareOptions(_: options.FinalRequestOptions): Promise<void> {}

  /** Called with each request before it is sent, retries among them, to change it or its headers. For subclasses. */
  protected async prepareRequest(
    _request: RequestInit,
    _of: { url: string; options: options.FinalRequestOptions },
  ): Promise<void> {}

  /** Added to every URL. */
  protected defaultQuery(): Record<string, string | undefined> | undefined {
    return this._options.defaultQuery;
  }

  /** Sent with every request. */
  defaultHeaders(): options.HeadersLike {
    return this._options.defaultHeaders;
  }

  /** The URL of a request. */
  buildURL(path: string, query?: Record<string, unknown> | null, defaultBaseURL?: string): string {
    const isOwn = this.baseURL !== OPENAI;
    const base = (!isOwn && defaultBaseURL) || this.baseURL;
    const url = /^[a-z][a-z\d+.-]*:/i.test(path) ? new URL(path) : joined(base, path);
    const asked = { ...Object.fromEntries(url.searchParams), ...this.defaultQuery(), ...query };
    if (Object.keys(asked).length > 0) url.search = options.queryText(asked);
    return url.toString();
  }

  /** A GET of any path, for JSON. */
  get<Rsp>(path: string, opts: options.RequestOptions = {}): APIPromise<Rsp> {
    return this.request({ ...opts, method: "get", path });
  }

  /** A POST of any path, for JSON. */
  post<Rsp>(path: string, opts: options.RequestOptions = {}): APIPromise<Rsp> {
    return this.request({ ...opts, method: "post", path });
  }

  /** A PATCH of any path, for JSON. */
  patch<Rsp>(path: string, opts: options.RequestOptions = {}): APIPromise<Rsp> {
    return this.request({ ...opts, method: "patch", path });
  }

  /** A PUT of any path, for JSON. */
  put<Rsp>(path: string, opts: options.RequestOptions = {}): APIPromise<Rsp> {
    return this.request({ ...opts, method: "put", path });
  }

  /** A DELETE of any path, for JSON. */
  delete<Rsp>(path: string, opts: options.RequestOptions = {}): APIPromise<Rsp> {
    return this.request({ ...opts, method: "delete", path });
  }

  /** Any request for JSON: `{ method, path, body, query, headers }`. With `stream: true`, chunks. */
  request<Rsp>(opts: options.RequestOptions): APIPromise<Rsp> {
    const { method = "get", body, stream } = opts;
    const path = method === "post" && body ? this._pathOf(opts.path ?? "", body) : (opts.path ?? "");
    if (stream && typeof body === "object" && body !== null) {
      return this._transport.chat(path, { ...body, stream: true }, opts) as unknown as APIPromise<Rsp>;
    }
    return this._transport.request<Rsp>(method, path, opts);
  }

  /** A GET of any path that is answered with a list, page by page. */
  getAPIList<Item, PageOf extends AbstractPage<Item> = AbstractPage<Item>>(
    path: string,
    Class: PageClass<PageOf>,
    opts?: options.RequestOptions,
  ): PagePromise<PageOf, Item> {
    return this.requestAPIList<Item, PageOf>(Class, { method: "get", path, ...opts });
  }

  /** Any request that is answered with a list, page by page. */
  requestAPIList<Item = unknown, PageOf extends AbstractPage<Item> = AbstractPage<Item>>(
    Class: PageClass<PageOf>,
    options: options.FinalRequestOptions,
  ): PagePromise<PageOf, Item> {
    return pageOf<PageOf, Item>(this, Class, options);
  }

  /** Not here: use the `openai` package for it. */
  get embeddings(): NotChat<"embeddings"> {
    return notChat(this, "embeddings");
  }
  /** Not here: use the `openai` package for it. */
  get completions(): NotChat<"completions"> {
    return notChat(this, "completions");
  }
  /** Not here: use the `openai` package for it. */
  get responses(): NotChat<"responses"> {
    return notChat(this, "responses");
  }
  /** Not here: use the `openai` package for it. */
  get files(): NotChat<"files"> {
    return notChat(this, "files");
  }
  /** Not here: use the `openai` package for it. */
  get images(): NotChat<"images"> {
    return notChat(this, "images");
  }
  /** Not here: use the `openai` package for it. */
  get audio(): NotChat<"audio"> {
    return notChat(this, "audio");
  }
  /** Not here: use the `openai` package for it. */
  get moderations(): NotChat<"moderations"> {
    return notChat(this, "moderations");
  }
  /** Not here: use the `openai` package for it. */
  get fineTuning(): NotChat<"fineTuning"> {
    return notChat(this, "fineTuning");
  }
  /** Not here: use the `openai` package for it. */
  get graders(): NotChat<"graders"> {
    return notChat(this, "graders");
  }
  /** Not here: use the `openai` package for it. */
  get vectorStores(): NotChat<"vectorStores"> {
    return notChat(this, "vectorStores");
  }
  /** Not here: use the `openai` package for it. */
  get webhooks(): NotChat<"webhooks"> {
    return notChat(this, "webhooks");
  }
  /** The part that was in beta once, and is not any more: chat. */
  get beta(): NotChat<"beta"> & { chat: Chat } {
    const beta = notChat(this, "beta") as NotChat<"beta"> & { chat: Chat };
    beta.chat = this.chat;
    return beta;
  }
  /** Not here: use the `openai` package for it. */
  get batches(): NotChat<"batches"> {
    return notChat(this, "batches");
  }
  /** Not here: use the `openai` package for it. */
  get uploads(): NotChat<"uploads"> {
    return notChat(this, "uploads");
  }
  /** Not here: use the `openai` package for it. */
  get realtime(): NotChat<"realtime"> {
    return notChat(this, "realtime");
  }
  /** Not here: use the `openai` package for it. */
  get live(): NotChat<"live"> {
    return notChat(this, "live");
  }
  /** Not here: use the `openai` package for it. */
  get conversations(): NotChat<"conversations"> {
    return notChat(this, "conversations");
  }
  /** Not here: use the `openai` package for it. */
  get evals(): NotChat<"evals"> {
    return notChat(this, "evals");
  }
  /** Not here: use the `openai` package for it. */
  get containers(): NotChat<"containers"> {
    return notChat(this, "containers");
  }
  /** Not here: use the `openai` package for it. */
  get skills(): NotChat<"skills"> {
    return notChat(this, "skills");
  }
  /** Not here: use the `openai` package for it. */
  get videos(): NotChat<"videos"> {
    return notChat(this, "videos");
  }
  /** Not here: use the `openai` package for it. */
  get admin(): NotChat<"admin"> {
    return notChat(this, "admin");
  }
  /** Not here: use the `openai` package for it. */
  get safety(): NotChat<"safety"> {
    return notChat(this, "safety");
  }
  /** Not here: use the `openai` package for it. */
  get decisions(): NotChat<"decisions"> {
    return notChat(this, "decisions");
  }
  /** Not here: use the `openai` package for it. */
  get contentProvenanceChecks(): NotChat<"contentProvenanceChecks"> {
    return notChat(this, "contentProvenanceChecks");
  }

  static OpenAI = OpenAI;
  static DEFAULT_TIMEOUT = DEFAULT_TIMEOUT;
  static toFile = toFile;
  static toStreamingFile = toStreamingFile;
  static InvalidWebhookSignatureError = errors.InvalidWebhookSignatureError;
  static OpenAIError = errors.OpenAIError;
  static APIError = errors.APIError;
  static APIConnectionError = errors.APIConnectionError;
  static APIConnectionTimeoutError = errors.APIConnectionTimeoutError;
  static APIUserAbortError = errors.APIUserAbortError;
  static NotFoundError = errors.NotFoundError;
  static ConflictError = errors.ConflictError;
  static RateLimitError = errors.RateLimitError;
  static BadRequestError = errors.BadRequestError;
  static AuthenticationError = errors.AuthenticationError;
  static InternalServerError = errors.InternalServerError;
  static PermissionDeniedError = errors.PermissionDeniedError;
  static UnprocessableEntityError = errors.UnprocessableEntityError;
}

// In the namespace they have their types too.
Object.assign(OpenAI, { Chat, Models, Page, CursorPage });
// Instrumentation puts its own `create` into the prototypes of all parts, of those that are not here too.
for (const name of NOT_CHAT) Object.defineProperty(OpenAI, name, { value: classElsewhere(name), configurable: true });

export declare namespace OpenAI {
  export type RequestOptions = Options;
  export {
    type AllModels,
    Chat,
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
    type ComparisonFilter,
    type CompletionUsage,
    type CompoundFilter,
    CursorPage,
    type CursorPageParams,
    type CursorPageResponse,
    type CustomToolInputFormat,
    type DecisionInputJSON,
    type DecisionQuestionInputImage,
    type DecisionQuestionInputPart,
    type DecisionQuestionInputText,
    type ErrorObject,
    type FunctionDefinition,
    type FunctionParameters,
    type Metadata,
    type Model,
    type ModelDeleted,
    Models,
    type ModelsPage,
    type OAuthErrorCode,
    Page,
    type PageResponse,
    type ParsedChatCompletion,
    type ParsedChatCompletionMessage,
    type ParsedChatCompletionMessageToolCall,
    type ParsedChoice,
    type ParsedFunction,
    type ParsedFunctionToolCall,
    type Reasoning,
    type ReasoningEffort,
    type ResponseFormatJSONObject,
    type ResponseFormatJSONSchema,
    type ResponseFormatText,
    type ResponseFormatTextGrammar,
    type ResponseFormatTextPython,
    type ResponsesModel,
  };
}

/** A whole number, or else the default. */
function retriesOf(given: unknown): number {
  return typeof given === "number" && Number.isInteger(given) && given >= 0 ? given : 2;
}

/** Options of openai that stand for something this client does not do. */
const NOT_HERE = ["provider", "workloadIdentity", "credential", "x509Transport", "dataResidency"];

/** @throws {OpenAIError} an option asks for what this client does not do */
function failNotHere(given: options.ClientOptions): void {
  const name = NOT_HERE.find((one) => (given as Record<string, unknown>)[one] != null);
  if (name === undefined) return;
  throw new errors.OpenAIError(`The option ${name} is not in chatwire/openai. Use the \`openai\` package for it.`);
}

/** Headers of the environment, a line each. */
function customHeaders(text: string | undefined): Record<string, string> | undefined {
  const pairs = text?.split("\n").map((line) => [line.indexOf(":"), line] as const);
  const named = pairs?.filter(([colon]) => colon >= 0);
  return named && Object.fromEntries(named.map(([at, line]) => [line.slice(0, at).trim(), line.slice(at + 1).trim()]));
}

/** Whether visitors can read what is here. */
function isPage(): boolean {
  const { window } = globalThis as { window?: { document?: unknown; navigator?: { userAgent?: string } } };
  // In a test, jsdom and happy-dom make a document that nobody visits.
  return window?.document !== undefined && !/jsdom|happydom/i.test(window.navigator?.userAgent ?? "");
}

function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return ""; // relative, in a page
  }
}

/** A path under a base, whose query stays. In a page, the base may be relative. */
function joined(base: string, path: string): URL {
  const { location } = globalThis as { location?: { href: string } };
  const url = new URL(base, location?.href);
  const under = url.pathname.endsWith("/") && path.startsWith("/") ? path.slice(1) : path;
  const [way = "", query] = under.split("?");
  url.pathname += way;
  url.hash = "";
  if (query) for (const [name, value] of new URLSearchParams(query)) url.searchParams.set(name, value);
  return url;
}

/** The methods that change nothing: those of a client that no subclass changes. */
const unprepared = {
  options: Reflect.get(OpenAI.prototype, "prepareOptions"),
  request: Reflect.get(OpenAI.prototype, "prepareRequest"),
};

const made = new WeakMap<object, Map<string, unknown>>();

/** An object for a part that is not here, the same each time it is asked for, so that members that a wrapper puts into it stay. */
function notChat<Name extends string>(client: object, name: Name): NotChat<Name> {
  const own = made.get(client) ?? new Map<string, unknown>();
  made.set(client, own);
  if (!own.has(name)) own.set(name, elsewhere(name));
  return own.get(name) as NotChat<Name>;
}
