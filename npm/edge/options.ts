/**
 * What a gateway can be told. Types only; `configuration.ts` checks the values and knows the defaults.
 */
import type { ChatCompletionCreateParamsBase, ClientOptions, Outcome, PlanLimits } from "chatwire";

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** What the platform hands to a worker: its secrets and variables. */
export type Environment = Record<string, unknown>;

/** A service to send requests to: the settings of a `Chatwire` client. Its address and key come from here alone. */
export type ProviderOptions = Omit<ClientOptions, "fallback" | "dangerouslyAllowBrowser">;

/** Where requests for one model go. */
export interface ModelRoute {
  /** `"provider/model"`, or a list of them: the next is asked when the one before cannot answer. */
  to: string | readonly string[];
  /** In place of `limits.maxTokens`, where it is lower. */
  maxTokens?: number;
  /** `false` refuses requests with tools. */
  tools?: boolean;
  /** Set in every request, whatever the caller sent. */
  params?: Partial<ChatCompletionCreateParamsBase>;
}

/** What one request may ask for. */
export interface RequestLimits {
  /** Tokens an answer may have: a larger wish is lowered to it, and a request without one gets it. */
  maxTokens?: number;
  /** `false` refuses requests with tools, functions or web search. Default true. */
  tools?: boolean;
  /** Answers to one request (`n`). Default 1 where `maxTokens` is set, else any. */
  choices?: number;
}

/** What one caller, or one provider's key, may use. What is left out is not limited. */
export interface Plan extends PlanLimits {
  /** Those of question and answer. What a request may use at most counts until it is known what it did. */
  tokensPerMinute?: number;
  /** USD in one day (UTC). Reached, it lets those requests end that run. */
  costPerDay?: number;
}

/** The binding of a class of Durable Objects, such as `env.LIMITER`: the part of it that is used. */
export interface DurableNamespace {
  idFromName(name: string): object;
  get(id: never): { fetch(url: string, init?: RequestInit): Promise<Response> };
}

/** The same of `ChatwireStreams`. */
export interface StreamsNamespace extends DurableNamespace {
  newUniqueId(): object;
  /** @throws {TypeError} it is no id of this namespace */
  idFromString(id: string): object;
}

/** What may be asked for: by one request, and by all together, which needs `limiter`. */
export interface GatewayLimits extends RequestLimits {
  /** For each caller, unless their grant has a plan of its own. */
  caller?: Plan;
  /** For the keys of providers, by their names. */
  providers?: Readonly<Record<string, Plan>>;
  /** Milliseconds a request may wait for its turn. Default 0: it is refused at once. */
  wait?: number;
}

/** Who calls, and what they may do. */
export interface Grant {
  /** Appears in usage records. Never the token itself. */
  caller: string;
  /** The models they may use, by the names callers use; all when left out. */
  models?: readonly string[];
  /** In place of `limits.maxTokens`, where it is lower. */
  maxTokens?: number;
  /** `false` refuses requests with tools. */
  tools?: boolean;
  /** In place of `limits.caller`. */
  plan?: Plan;
  /** Whether they read everybody's usage at `GET /v1/usage`. Others read their own. */
  readsUsage?: boolean;
}

/**
 * Says who calls, or `null` for nobody known. It gets the request without its body.
 * What it throws is answered with 503: nobody is let in by a failure.
 */
export type Authorize = (request: Request, env: Environment) => Awaitable<Grant | null>;

/** Short-lived tokens for pages. */
export interface PageTokens {
  /** What signs them: at least 32 characters, the same for all who check them. */
  secret: string;
  /** The pages that may use them, as origins (`https://chat.example.com`). A browser tells the truth about this; a program need not. */
  origins: readonly string[];
  /** Seconds until a token expires. Default 300. */
  expiresIn?: number;
  /** The models they open; those of whoever asks for one when left out. */
  models?: readonly string[];
  /** Tokens an answer may have. */
  maxTokens?: number;
  /** `false` refuses requests with tools. */
  tools?: boolean;
}

/** One request as it is billed. `null` is what nobody knows. */
export interface UsageRecord {
  /** Unique to the request. A record that you get twice is the same one. */
  recordId: string;
  /** The `x-request-id` that the caller sent or was given. */
  requestId: string;
  /** The provider's own id of it. */
  upstreamRequestId: string | null;
  caller: string;
  /** As the caller named it. */
  model: string;
  /** Who answered, by the name in `providers`, and with which of its models. */
  provider: string | null;
  upstreamModel: string | null;
  /** The HTTP status the caller was answered with. */
  status: number;
  outcome: Outcome["status"];
  /** The caller left before the end. */
  disconnected: boolean;
  /** Everything that went in, cached or not. */
  promptTokens: number | null;
  /** The part of it that came from the provider's cache. */
  cached: number | null;
  completionTokens: number | null;
  /** Both together. */
  tokens: number | null;
  /** In USD, by the provider's prices. */
  cost: number | null;
  /** The provider did not say what it used, and the numbers are an estimate. */
  estimated: boolean;
  /** When the request came, in milliseconds since 1970. */
  startedAt: number;
  /** Milliseconds since the request was sent on. */
  timing: { firstByte: number | null; firstToken: number | null; total: number | null };
}

/**
 * Settings of a gateway.
 * @example
 * ```ts
 * export default gateway((env) => ({
 *   providers: { electron: { provider: "electron", apiKey: env.SMALLEST_API_KEY } },
 *   authorize: bearerTokens([env.ACCESS_TOKEN]),
 *   models: ["electron"],
 *   onUsage: (record) => console.log(JSON.stringify(record)),
 * }));
 * ```
 */
export interface GatewayOptions {
  /** The services, by names of your choice. Models that are not routed go to the first. */
  providers: Record<string, ProviderOptions>;
  /** Who may call. Without it only a local host is answered. */
  authorize?: Authorize;
  /** Answers everybody, at your expense. Default false. */
  public?: boolean;
  /**
   * The models that may be used. A list names those of the first provider; an object says for each name where it goes:
   * `{ fast: "electron/electron", smart: ["openai/gpt-5", "hub/gpt-5"] }`. Any model of the first provider when left out.
   * A request that names no model gets the first.
   */
  models?: readonly string[] | Record<string, string | readonly string[] | ModelRoute>;
  /** What may be asked for, by one request and by all together. */
  limits?: GatewayLimits;
  /** The binding of `ChatwireLimiter`: it keeps limits for all isolates together, and the usage behind `GET /v1/usage`. */
  limiter?: DurableNamespace;
  /** The binding of `ChatwireStreams`, which keeps streams: see `onDisconnect`. */
  streams?: StreamsNamespace;
  /** Is told once of each request that was sent on. What it returns is waited for, and what it throws ends nothing. */
  onUsage?: (record: UsageRecord) => unknown;
  /**
   * What happens to an answer whose caller has left: `"drain"` (default) reads on to its usage, for at most 25 seconds;
   * `"abort"` stops it and estimates; `"durable"` has a Durable Object read it to its end, where the caller finds the rest
   * at `GET /v1/streams/{id}`. What is not streamed is drained then.
   */
  onDisconnect?: "drain" | "abort" | "durable";
  /** Origins whose pages may call, or `"*"`. The gateway's own always may. */
  cors?: readonly string[] | "*";
  /** The largest request body in bytes. Default 4 MiB. */
  maxBodyBytes?: number;
  /** Lets callers exchange what `authorize` accepts for a token that a page may hold, at `POST /v1/token`. */
  token?: PageTokens;
}
