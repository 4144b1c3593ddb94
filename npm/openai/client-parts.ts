/**
 * A client as the files below it know it: only the members that each uses. Types only, so that no import leads from there back up
 * to the client.
 */
import type { APIPromise } from "./api-promise.ts";
import type { FetchOptions, HeadersLike, Logger, LogLevel, RequestOptions } from "./options.ts";
import type { AbstractPage, PageClass, PagePromise } from "./pages.ts";
import type {
  ChatCompletionCreateParamsBase,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
} from "./params.ts";
import type { ChatCompletion, ChatCompletionChunk } from "./shapes.ts";
import type { Stream } from "./stream.ts";

/** The settings that count for each request. They may be set anew between two. */
export interface RequestSettings {
  baseURL: string;
  organization: string | null;
  project: string | null;
  maxRetries: number;
  timeout: number;
  logger: Logger;
  logLevel: LogLevel | undefined;
  fetchOptions: FetchOptions | undefined;
  defaultHeaders(): HeadersLike;
  buildURL(path: string, query?: Record<string, unknown> | null, defaultBaseURL?: string): string;
}

/** The part of a client that conversations use. */
export interface CompletionsClient {
  readonly chat: { readonly completions: CreatesCompletions };
}

interface CreatesCompletions {
  create(body: ChatCompletionCreateParamsNonStreaming, options?: RequestOptions): APIPromise<ChatCompletion>;
  create(body: ChatCompletionCreateParamsStreaming, options?: RequestOptions): APIPromise<Stream<ChatCompletionChunk>>;
  create(
    body: ChatCompletionCreateParamsBase,
    options?: RequestOptions,
  ): APIPromise<Stream<ChatCompletionChunk> | ChatCompletion>;
}

/** The part of a client that its resources use. */
export interface ResourceClient extends CompletionsClient {
  readonly _transport: {
    chat(
      path: string,
      params: object,
      options: RequestOptions,
    ): APIPromise<ChatCompletion | Stream<ChatCompletionChunk>>;
  };
  readonly _pathOf: (path: string, body: object) => string;
  get<Rsp>(path: string, opts?: RequestOptions): APIPromise<Rsp>;
  post<Rsp>(path: string, opts?: RequestOptions): APIPromise<Rsp>;
  delete<Rsp>(path: string, opts?: RequestOptions): APIPromise<Rsp>;
  getAPIList<Item, PageOf extends AbstractPage<Item> = AbstractPage<Item>>(
    path: string,
    Class: PageClass<PageOf>,
    opts?: RequestOptions,
  ): PagePromise<PageOf, Item>;
}
