/**
 * What a client and a call can be told. Types only; the engine checks the values and knows the defaults.
 */
import type { Chatwire } from "./client.ts";
import type { ErrorDetail } from "./errors.ts";
import type {
  ChatCompletionCreateParamsBase,
  CustomProvider,
  Fetch,
  Outcome,
  Prices,
  SentenceOptions,
  Timeouts,
} from "./types.ts";

/** Plan limits kept on the client: waiters are served in order. */
export interface PlanLimits {
  requestsPerMinute?: number;
  /** Requests open at the same time. */
  concurrent?: number;
}

/**
 * Told what happens, with keys, queries and message contents left out. What a hook throws is ignored.
 *
 * A client's hooks hear of the requests that it sends, `onOutcome` of the calls made with it: one that a fallback answered
 * is told there, with all attempts, while its requests are told to the fallback's own hooks.
 */
export interface Hooks {
  /**
   * A request is about to be sent: `attempt` is 1 for the first, which has in `warnings` what looks wrong with it and is
   * sent all the same. Without this hook the console is warned, once of each kind.
   */
  onRequest?: (request: {
    provider: string;
    url: string;
    method: string;
    attempt: number;
    warnings?: ErrorDetail[];
  }) => void;
  /** Response headers arrived, whatever their status. */
  onResponse?: (response: { provider: string; url: string; status: number; requestId: string | null }) => void;
  /** An attempt failed, and another follows in `delay` milliseconds. */
  onRetry?: (retry: { provider: string; attempt: number; reason: string; delay: number }) => void;
  /**
   * A request is held back for `delay` milliseconds before it is sent: the server has asked to wait (`cooldown`), or the plan's
   * `limits` have no place for it. Told again where that was not enough.
   */
  onWait?: (wait: { provider: string; reason: "cooldown" | "limits"; delay: number }) => void;
  /**
   * The connection of an answer that a gateway keeps was lost, and it is asked for the rest in `delay` milliseconds: `attempt`
   * is 1 for the first try after each loss.
   */
  onResume?: (resume: { attempt: number; delay: number }) => void;
  /** The rest comes: nothing of the answer was lost. `attempt` is the try that was let in. */
  onResumed?: (resumed: { attempt: number }) => void;
  /** A call is over, also one that never had an answer. Not told of a response that you read yourself. */
  onOutcome?: (outcome: Pick<Outcome, "status" | "usage" | "cost" | "timing" | "attempts" | "requestId">) => void;
}

/**
 * Another client to ask when this one cannot answer: it was not reached, failed (5xx), or refused for longer than the call
 * can wait (429, a cooldown, the plan's limits). A call's own `headers` and `query` are not for it.
 */
export interface Fallback {
  /** Asked with its own settings; its own fallbacks are not followed. */
  client: Chatwire;
  /** In place of the request's. */
  model: string;
  /** Parameters to set differently for it. */
  params?: Partial<ChatCompletionCreateParamsBase>;
}

/**
 * Settings of a client.
 * @example
 * ```ts
 * const client = new Chatwire({ provider: "electron", apiKey: process.env.SMALLEST_API_KEY });
 * const inPage = new Chatwire({ baseURL: "/v1" });
 * ```
 */
export interface ClientOptions {
  /** Whose service it is: a known name, a server of your own, or left out when `baseURL` says it all. */
  provider?: "electron" | "electronhub" | "openai" | CustomProvider;
  /** What `/chat/completions` is appended to, in place of the provider's. In a page it may be relative: `"/v1"`. */
  baseURL?: string;
  /**
   * The key, or a function that gives it for each attempt. Required for a provider's own host; `null` sends none.
   * In Node, Deno and Bun it is read from `SMALLEST_API_KEY`, `ELECTRONHUB_API_KEY` or `OPENAI_API_KEY` when left out.
   */
  apiKey?: string | null | (() => string | Promise<string>);
  /** Allows a key for a provider's own host in a page, where every visitor can read it. Default false. */
  dangerouslyAllowBrowser?: boolean;
  /** In place of the global `fetch`. */
  fetch?: Fetch;
  /** Sent with every request; `null` leaves a header out. */
  defaultHeaders?: Record<string, string | null | undefined>;
  /** Added to every URL. */
  defaultQuery?: Record<string, string | undefined>;
  /** How often a failed request is tried again, before the first token only. Default 2. */
  maxRetries?: number;
  /** Patience in milliseconds: one number for the whole call, or one for each part of it. */
  timeout?: number | Timeouts;
  /** Holds back what the plan would refuse. Default false. */
  limits?: false | "standard" | "enterprise" | PlanLimits;
  /** Whom to ask when this provider cannot answer, in order, before the first token only. */
  fallback?: readonly Fallback[];
  /**
   * What to refuse before sending: what the service documents as rejected (`"documented"`, default; what is merely
   * suspicious is a warning), also what is suspicious (`"strict"`), or nothing.
   */
  validate?: "documented" | "strict" | false;
  /** What to do with an answer that is not as it should be: put it right and say so (default), or refuse it. */
  decoding?: "tolerant" | "strict";
  /** USD per 1M tokens. Known for Electron; for others, what is not known costs `null`. */
  prices?: Prices;
  /** ElectronHub: which of its paths, which say where reasoning appears. */
  endpoint?: "v1" | "v1legacy" | "v1thinking";
  /** Told what happens. */
  hooks?: Hooks;
}

/** Settings of one call. They are not sent. */
export interface RequestOptions {
  /** Cancels the call at any time, also while its answer is read. */
  signal?: AbortSignal | null | undefined;
  /** Added to the request; `null` leaves out a header that would be sent. */
  headers?: Record<string, string | null | undefined> | Headers | [string, string][];
  /** Added to the URL. */
  query?: Record<string, string | undefined>;
  /** In place of the client's, in milliseconds. */
  timeout?: number | Timeouts;
  /** In place of the client's. */
  maxRetries?: number;
  /** In place of the client's. */
  decoding?: "tolerant" | "strict";
  /** `false` keeps no completion for the outcome: less memory for long answers. Default true. */
  accumulate?: boolean;
  /** Cuts the text of a stream into sentences, each given out as a `sentence` event once it is complete. Default false. */
  sentences?: boolean | SentenceOptions;
  /** Keeps a stream's bytes and their timing, for `stream.recording()`. Default false. */
  record?: boolean;
}
