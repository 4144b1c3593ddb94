/**
 * The options of a client and of a call. Types only; the engine checks the values and knows the defaults.
 */
import type { ErrorDetail } from "./errors.ts";
import type {
  ChatCompletionCreateParamsBase,
  CustomProvider,
  Fetch,
  ModelPrices,
  Outcome,
  Prices,
  SentenceOptions,
  Timeouts,
  UsageTotals,
} from "./types.ts";

/** Plan limits kept on the client: waiters are served in order. */
export interface PlanLimits {
  /**
   * Requests in any 60 seconds.
   * @range a whole number, 1 to 1,000,000
   * @default no limit
   */
  requestsPerMinute?: number;
  /**
   * Requests open at the same time.
   * @range a whole number, 1 to 1,000,000
   * @default no limit
   */
  concurrent?: number;
}

/** The purpose of a call. */
export type Operation = "chat" | "models" | "resume";

/** The part that the arguments of every hook share, so that all that happens in one call can be tied together. */
export interface HookCall {
  /** The same for all events of one call, its retries and fallbacks included. */
  call: string;
  /** The model asked for; of a fallback's requests, the fallback's. Null where the request names none. */
  model: string | null;
  operation: Operation;
  /**
   * The request's numbers and switches, such as `temperature` and `max_tokens`; `stream` is true of every answer that comes as a
   * stream, whatever method asked for it. No texts.
   */
  parameters: Readonly<Record<string, number | boolean>>;
}

/**
 * Functions that are called for the events of calls, with keys, queries and message contents left out, but for `onContents`.
 * Exceptions of a hook are ignored.
 *
 * A client's hooks are called for the requests that it sends, `onOutcome` for the calls made with it: for a call that a
 * fallback answered too, with all attempts, while the requests of the fallback go to the fallback's own hooks.
 */
export interface Hooks {
  /**
   * A request is about to be sent: `attempt` is 1 for the first, which has in `warnings` what looks wrong with it and is
   * sent all the same. Without this hook the console is warned, once of each kind.
   */
  onRequest?: (
    request: HookCall & { provider: string; url: string; method: string; attempt: number; warnings?: ErrorDetail[] },
  ) => void;
  /** Response headers arrived, whatever their status. */
  onResponse?: (
    response: HookCall & { provider: string; url: string; status: number; requestId: string | null },
  ) => void;
  /** An attempt failed, also one that broke before its first token, and another follows in `delay` milliseconds. */
  onRetry?: (retry: HookCall & { provider: string; attempt: number; reason: string; delay: number }) => void;
  /**
   * A request is held back for `delay` milliseconds before it is sent: the server has asked to wait (`cooldown`), or the plan's
   * `limits` have no slot for it. Called again where that was not enough.
   */
  onWait?: (wait: HookCall & { provider: string; reason: "cooldown" | "limits"; delay: number }) => void;
  /**
   * The connection of an answer that a gateway keeps was lost, and it is asked for the rest in `delay` milliseconds: `attempt`
   * is 1 for the first try after each loss.
   */
  onResume?: (resume: HookCall & { attempt: number; delay: number }) => void;
  /** The rest comes: nothing of the answer was lost. `attempt` is the try that was let in. */
  onResumed?: (resumed: HookCall & { attempt: number }) => void;
  /** A call is over, also one that never had an answer. Not called for a response that you read yourself. */
  onOutcome?: (
    outcome: HookCall &
      Pick<Outcome, "status" | "finishReason" | "usage" | "cost" | "timing" | "attempts" | "requestId" | "resumed"> & {
        /** The id and the model of the answer, in the server's words; null where no answer came. */
        completion: { id: string; model: string } | null;
        /** The error, by the names of the error classes and the server's codes. */
        error: { name: string; code: string | null } | null;
      },
  ) => void;
  /**
   * The contents of a call that is over, just before `onOutcome`: the request's parameters as JSON text (null of a stream that
   * was taken up by its id), and the whole outcome. The one hook that gets contents: give it only where contents may be kept.
   */
  onContents?: (contents: HookCall & { request: string | null; outcome: Outcome }) => void;
}

/**
 * Why another client is asked:
 *
 * | | |
 * |---|---|
 * | `connection` | it was not reached, or sent no headers in time |
 * | `server` | it failed, or has too much to do (408, 409, 5xx) |
 * | `limit` | too many requests (429), or a cooldown or the plan's limits for longer than the call can wait |
 * | `quota` | the money or the allowance is gone (402, `insufficient_quota`) |
 * | `model` | it has no such model (a 404 that says so) |
 * | `region` | it does not serve this place (a 403 that says so) |
 * | `broken` | a good status, and then an error, an end, silence or no answer at all, before the first token |
 */
export type FallbackReason = "connection" | "server" | "limit" | "quota" | "model" | "region" | "broken";

/** Another `Chatwire`. Anything else is refused when the client is made. */
export interface OtherClient {
  readonly chat: object;
  readonly models: object;
  readonly usage: UsageTotals;
}

/**
 * Another client to ask when this one cannot answer, until the first token was handed out. A call's own `headers` and `query`
 * are not for it.
 */
export interface Fallback {
  /** Asked with its own settings; its own fallbacks are not followed. */
  client: OtherClient;
  /** In place of the request's. */
  model: string;
  /** Parameters to set differently for it. */
  params?: Partial<ChatCompletionCreateParamsBase>;
  /**
   * For which reasons to ask it; all of them when left out. For another reason the next of the list is looked at.
   * @default all reasons
   */
  on?: readonly FallbackReason[];
}

/**
 * Another client that goes on with an answer that broke. Its provider must take a prefilled turn (`prefill`); else it is passed
 * over.
 */
export interface Continuation {
  client: OtherClient;
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
  /** The service: a known name, a server of your own, or left out when `baseURL` says it all. */
  provider?: "electron" | "electronhub" | "openai" | CustomProvider;
  /**
   * The URL that `/chat/completions` is appended to, in place of the provider's. In a page it may be relative: `"/v1"`.
   * @default the provider's
   */
  baseURL?: string;
  /**
   * The key, or a function that gives it for each attempt. Required for a provider's own host; `null` sends none.
   * In Node, Deno and Bun it is read from `SMALLEST_API_KEY`, `ELECTRONHUB_API_KEY` or `OPENAI_API_KEY` when left out.
   * @default the environment variable in Node, Deno and Bun
   */
  apiKey?: string | null | (() => string | Promise<string>);
  /**
   * Allows a key for a provider's own host in a page, where every visitor can read it.
   * @default false
   */
  dangerouslyAllowBrowser?: boolean;
  /**
   * In place of the global `fetch`.
   * @default the global `fetch`
   */
  fetch?: Fetch;
  /** Sent with every request; `null` leaves a header out, `undefined` changes nothing. */
  defaultHeaders?: Record<string, string | null | undefined> | Headers | [string, string][];
  /** Added to every URL. */
  defaultQuery?: Record<string, string | undefined>;
  /**
   * How often a request is retried that failed or broke before its first token. All calls of a client share a retry quota
   * besides: in an outage most calls fail at once. With 0 a call is one request, and does not wait for a short cooldown either.
   * @range 0 to 100
   * @default 2
   */
  maxRetries?: number;
  /**
   * Patience in milliseconds: one number for the headers of each attempt, or one for each part of the call.
   * @range more than 0, at most 2,147,483,647, or `false` for a part
   * @default those of `Timeouts`
   */
  timeout?: number | Timeouts;
  /**
   * Holds back what the plan would refuse.
   * @default false
   */
  limits?: false | "standard" | "enterprise" | PlanLimits;
  /**
   * Sends a second request while the first is silent, and takes whichever brings its first token first; the other is cancelled,
   * and is in `attempts` as `hedged` and in `usage`, as an estimate. After so many milliseconds, or with `true` after the time that 95 of 100 of
   * this client's last calls took for their first token, once ten are known. Each second request costs a second prompt.
   * `create` then resolves with the first token, and is not for `asResponse`.
   * @range more than 0, at most 2,147,483,647
   * @default false
   */
  hedge?: boolean | number;
  /** Other clients to ask when this provider cannot answer, in order, before the first token only. */
  fallback?: readonly Fallback[];
  /**
   * The requests that are refused before they are sent: those that the service documents as rejected (`"documented"`; a request
   * that is merely suspicious is a warning), the suspicious ones as well (`"strict"`), or none.
   * @default `"documented"`
   */
  validate?: "documented" | "strict" | false;
  /**
   * The treatment of an answer that is not as documented: it is repaired, and `repairs` lists that, or it is refused.
   * @default `"tolerant"`
   */
  decoding?: "tolerant" | "strict";
  /**
   * USD per 1M tokens, for all models or for each. Known for Electron, and from a list (`chatwire/prices`, loaded when it is
   * needed) for common models at OpenAI, Anthropic, Google, Groq and xAI; what is not known costs `null`. A cost that the
   * server names counts before any price.
   * @default the known ones
   */
  prices?: Prices | ModelPrices;
  /**
   * ElectronHub: which of its paths, which say where reasoning appears.
   * @default the one that `baseURL` ends with, else `"v1"`
   */
  endpoint?: "v1" | "v1legacy" | "v1thinking";
  /** Functions that are called for the events of calls. */
  hooks?: Hooks;
  /**
   * How this server keeps streams, so that one whose connection is lost goes on by itself, and `resume` and `stop` find it:
   *
   * | | | |
   * |---|---|---|
   * | `"chatwire"` | a gateway of `chatwire/edge` | |
   * | `"llama-server"` | llama.cpp's server | each stream is named in `X-Conversation-Id`; a call that chooses no `resumeId` gets one |
   * | `"cloudflare-ai-gateway"` | Cloudflare AI Gateway | answers with a `cf-aig-run-id` are kept; there is no `stop` |
   * | `"durable-streams"` | servers of the Durable Streams protocol | `resume` takes a stream's path below `baseURL` |
   *
   * @default "chatwire"
   */
  resume?: "chatwire" | "llama-server" | "cloudflare-ai-gateway" | "durable-streams";
}

/** Settings of one call. They are not sent. */
export interface RequestOptions {
  /** Cancels the call at any time, also while its answer is read. */
  signal?: AbortSignal | null | undefined;
  /** Added to the request; `null` leaves out a header that would be sent, `undefined` changes nothing. */
  headers?: Record<string, string | null | undefined> | Headers | [string, string][];
  /** Added to the URL. */
  query?: Record<string, string | undefined>;
  /**
   * In place of the client's, in milliseconds.
   * @range more than 0, at most 2,147,483,647, or `false` for a part
   * @default the client's
   */
  timeout?: number | Timeouts;
  /**
   * In place of the client's.
   * @range more than 0, at most 2,147,483,647
   * @default the client's
   */
  hedge?: boolean | number;
  /**
   * In place of the client's.
   * @range 0 to 100
   * @default the client's
   */
  maxRetries?: number;
  /**
   * In place of the client's.
   * @default the client's
   */
  decoding?: "tolerant" | "strict";
  /**
   * `false` keeps no completion for the outcome, whose text, reasoning and message are then empty: less memory for long answers. The usage of an answer that is left is then known only
   * if the server has counted it. With `continueWith`, in `runTools` and in `parse` answers are kept all the same.
   * @default true
   */
  accumulate?: boolean;
  /**
   * Cuts the text of a stream into sentences, each given out as a `sentence` event once it is complete.
   * @default false
   */
  sentences?: boolean | SentenceOptions;
  /**
   * The clients that go on, in order, when a stream breaks after its first token: from what was said, with a `seam` event
   * between, and in `outcome.seams`. Only text is continued, of one choice, without tool calls. The usage is that of both.
   */
  continueWith?: readonly Continuation[];
  /**
   * Keeps a stream's bytes and their timing, up to 64 MiB, for `stream.recording()`.
   * @default false
   */
  record?: boolean;
  /**
   * The id of a stream on a gateway that keeps streams, chosen here: 16 to 128 letters, digits, `-` and `_`, such as
   * `crypto.randomUUID()`. With it `resume` finds the stream before its first byte, also after a reload that came before the
   * headers. Other servers ignore it.
   * @range 16 to 128 letters, digits, `-` and `_`
   * @default the gateway chooses
   */
  resumeId?: string;
}

/** Settings of `client.warmUp()`. */
export interface WarmUpOptions {
  /** Stops the attempt. */
  signal?: AbortSignal | null | undefined;
  /**
   * Milliseconds that the server may take to answer.
   * @range more than 0, at most 2,147,483,647
   * @default 10,000
   */
  timeout?: number;
}
