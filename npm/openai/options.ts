/**
 * The options of a client and of a call, by the names of the `openai` package, and those that the environment adds.
 */

/** A header's value; null takes a header away, undefined says nothing. */
export type HeaderValue = string | undefined | null;

/**
 * Headers that `openai` has merged already: `values`, a `Headers`, and `nulls`, a `Set` of the names that are taken away. Not for
 * programs to make.
 */
// biome-ignore lint/suspicious/noExplicitAny: in openai the type has a key that has no name outside
export type NullableHeaders = { values: any; nulls: any };

/** Headers, whichever way they are written. */
export type HeadersLike =
  | Headers
  | readonly HeaderValue[][]
  | Record<string, HeaderValue | readonly HeaderValue[]>
  | undefined
  | null
  | NullableHeaders;

/** Hears what happens. */
export interface Logger {
  error: (message: string, ...rest: unknown[]) => void;
  warn: (message: string, ...rest: unknown[]) => void;
  info: (message: string, ...rest: unknown[]) => void;
  debug: (message: string, ...rest: unknown[]) => void;
}

/** How much of it. */
export type LogLevel = "off" | "error" | "warn" | "info" | "debug";

/** More for the host's `fetch`, such as Node's `dispatcher` or Bun's `proxy`. */
export type FetchOptions = Omit<RequestInit, "body" | "headers" | "method" | "signal"> & {
  dispatcher?: unknown;
  agent?: unknown;
  client?: unknown;
  proxy?: unknown;
};

/** In place of the global `fetch`: called with a string URL, and the parts of a request. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Gives the key for each attempt. */
export type ApiKeySetter = () => Promise<string>;

/** Settings of a client. */
export interface ClientOptions {
  /**
   * The key, or a function that gives it for each attempt. `null` sends none, to a server of your own.
   * @default `OPENAI_API_KEY`
   */
  apiKey?: string | ApiKeySetter | null | undefined;
  /** Not used for chat; kept for programs that give it. */
  adminAPIKey?: string | null | undefined;
  /**
   * Sent as `OpenAI-Organization`.
   * @default `OPENAI_ORG_ID`
   */
  organization?: string | null | undefined;
  /**
   * Sent as `OpenAI-Project`.
   * @default `OPENAI_PROJECT_ID`
   */
  project?: string | null | undefined;
  /** Not used for chat; kept for programs that give it. */
  webhookSecret?: string | null | undefined;
  /**
   * The address that `/chat/completions` is appended to.
   * @default `OPENAI_BASE_URL`, else OpenAI's
   */
  baseURL?: string | null | undefined;
  /**
   * Milliseconds until the headers of each attempt.
   * @range more than 0, at most 2,147,483,647
   * @default 10 minutes
   */
  timeout?: number | undefined;
  /** More for `fetch`. */
  fetchOptions?: FetchOptions | undefined;
  /**
   * In place of the global `fetch`.
   * @default the global `fetch`
   */
  fetch?: Fetch | undefined;
  /**
   * How often a failed request is tried again.
   * @range 0 to 100
   * @default 2
   */
  maxRetries?: number | undefined;
  /** Sent with every request. */
  defaultHeaders?: HeadersLike;
  /** Added to every URL. */
  defaultQuery?: Record<string, string | undefined> | undefined;
  /**
   * Allows a key in a page, where every visitor can read it.
   * @default false
   */
  dangerouslyAllowBrowser?: boolean | undefined;
  /**
   * The least severe messages that are logged.
   * @default `OPENAI_LOG`, else `warn`
   */
  logLevel?: LogLevel | undefined;
  /**
   * Takes the messages.
   * @default the console
   */
  logger?: Logger | undefined;
}

/** Settings of one call. */
export interface RequestOptions {
  method?: "get" | "post" | "put" | "patch" | "delete";
  path?: string;
  /** Added to the URL. */
  query?: object | undefined | null;
  /** In place of the parameters. */
  body?: unknown;
  /** Added to the request; null takes a header away. */
  headers?: HeadersLike;
  /**
   * In place of the client's.
   * @range 0 to 100
   * @default the client's
   */
  maxRetries?: number;
  /** Chunks, where the answer is a stream. */
  stream?: boolean | undefined;
  /**
   * In place of the client's.
   * @range more than 0, at most 2,147,483,647
   * @default the client's
   */
  timeout?: number;
  /** Beside the client's. */
  fetchOptions?: FetchOptions;
  /** Cancels the call at any time. */
  signal?: AbortSignal | undefined | null;
  /** Sent as `Idempotency-Key`. */
  idempotencyKey?: string;
  /** In place of the client's, unless that is set. */
  defaultBaseURL?: string | undefined;
}

/** Settings of a request that says where it goes. */
export type FinalRequestOptions = RequestOptions & {
  method: NonNullable<RequestOptions["method"]>;
  path: string;
};

/** The value of an environment variable; undefined where there is none, it is blank, or we may not know. */
export function readEnv(name: string): string | undefined {
  try {
    const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
    return process?.env?.[name]?.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Headers one over the other: the later one wins, and null takes away. Names are in lower case. */
export function mergedHeaders(...all: HeadersLike[]): Record<string, string | null> {
  const merged: Record<string, string | null> = {};
  for (const headers of all) {
    const seen = new Set<string>();
    for (const [name, value] of pairsOf(headers)) {
      if (value === undefined) continue;
      const key = name.toLowerCase();
      const before = merged[key];
      // A list of values, or the same name twice: all of them are sent.
      merged[key] = value !== null && seen.has(key) && before != null ? `${before}, ${value}` : value;
      seen.add(key);
    }
  }
  return merged;
}

function* pairsOf(headers: HeadersLike): Generator<[string, HeaderValue]> {
  if (!headers) return;
  const { values, nulls } = headers as { values?: unknown; nulls?: unknown };
  if (values instanceof Headers && nulls instanceof Set) {
    for (const name of nulls) yield [String(name), null];
    yield* values;
    return;
  }
  const entries: Iterable<readonly unknown[]> =
    typeof (headers as Headers)[Symbol.iterator] === "function" ? (headers as Headers) : Object.entries(headers);
  for (const [name, ...values] of entries) {
    const given = values.length === 1 && Array.isArray(values[0]) ? values[0] : values;
    for (const value of given) yield [String(name), value as HeaderValue];
  }
}

/** A query as openai writes it: nested fields in brackets, nothing for undefined. */
export function queryText(query: object): string {
  const parts: string[] = [];
  const add = (name: string, value: unknown): void => {
    if (value === undefined) return;
    if (Array.isArray(value)) for (const item of value) add(`${name}[]`, item);
    else if (value instanceof Date) add(name, value.toISOString());
    else if (typeof value === "object" && value !== null) {
      for (const [key, one] of Object.entries(value)) add(`${name}[${key}]`, one);
    } else parts.push(`${encodeURIComponent(name)}=${encodeURIComponent(String(value ?? ""))}`);
  };
  for (const [name, value] of Object.entries(query)) add(name, value);
  return parts.join("&");
}

const LEVELS: LogLevel[] = ["off", "error", "warn", "info", "debug"];

/** The level of a word, if it is one. */
export function levelOf(word: string | undefined, source: string, logger: Logger): LogLevel | undefined {
  if (!word || LEVELS.includes(word as LogLevel)) return word as LogLevel | undefined;
  logger.warn(`${source} was set to ${JSON.stringify(word)}, expected one of ${JSON.stringify(LEVELS)}`);
  return undefined;
}

/** The logger as far as its level goes. */
export function loggerOf({ logger, logLevel }: { logger: Logger; logLevel: LogLevel | undefined }): Logger {
  const most = LEVELS.indexOf(logLevel ?? "off");
  // An observer's failure is not the call's.
  const say = (level: Exclude<LogLevel, "off">): Logger[typeof level] => {
    if (LEVELS.indexOf(level) > most) return () => {};
    return (...said) => {
      try {
        Promise.resolve(logger[level](...said) as unknown).catch(() => {});
      } catch {}
    };
  };
  return { error: say("error"), warn: say("warn"), info: say("info"), debug: say("debug") };
}
