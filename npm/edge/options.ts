/**
 * The options of a gateway. Types only; `configuration.ts` checks the values and knows the defaults.
 */
import type { ChatCompletionCreateParamsBase, ClientOptions, Outcome, PlanLimits, Prices } from "chatwire";

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** The environment that the platform hands to a worker: its secrets and variables. */
export type Environment = Record<string, unknown>;

/** USD per 1M tokens: one price for all models of a provider, or one for each model by its name at the provider. */
export type ModelPrices = Prices | Readonly<Record<string, Prices>>;

/** A parameter for the longest answer, as servers call it. */
export type LengthField = "max_tokens" | "max_completion_tokens";

/** One of several keys of a provider. */
export interface ProviderKey {
  apiKey: string;
  /**
   * How much of the requests it gets, beside the others.
   * @range above 0
   * @default 1
   */
  weight?: number;
}

/**
 * A service to send requests to: the settings of a `Chatwire` client, and what the service does not understand.
 * Its address and key come from here alone.
 */
export interface ProviderOptions
  extends Omit<ClientOptions, "hedge" | "fallback" | "dangerouslyAllowBrowser" | "prices" | "resume"> {
  /**
   * USD per 1M tokens, of all models or by model. Known for Electron; for others, what is not known costs `null`.
   * @default those of Electron
   */
  prices?: ModelPrices;
  /**
   * In place of `apiKey`: the least busy key is used, by weight, and the next one when it is refused, used up or failing.
   * Cooldowns and the plan of `limits.providers` are each key's own.
   */
  keys?: readonly (string | ProviderKey)[];
  /**
   * The parameters for the longest answer that this service understands: a cap is written into each.
   * @default both; `["max_completion_tokens"]` for OpenAI and Azure, `["max_tokens"]` for Electron and ElectronHub
   */
  lengthFields?: readonly LengthField[];
  /**
   * Whether usage may be asked for with `stream_options`.
   * Without it usage is estimated where the service does not send it by itself.
   * @default true; it is also left out once the service has refused it
   */
  streamOptions?: boolean;
  /**
   * Milliseconds for which a 429 that says how long to wait is believed at most: so long no request for that model is sent
   * with that key, and then one tries. `false` sends every request.
   * @range a whole number above 0, or `false`
   * @default 60,000
   */
  cooldown?: number | false;
  /**
   * Whether requests carry `x-request-id`: the caller's own, or else a UUID.
   * @default true
   */
  requestId?: boolean;
}

/** Which parameters of a request pass. A list in a route or a grant adds to the gateway's; what one of them denies is denied. */
export interface ParameterPolicy {
  /**
   * Parameters that pass beside the documented ones of the chat API; `"any"` lets every one pass. Tools that run at the
   * provider are allowed by their type, as `"tools.web_search"`; ids of what the provider has stored by the parameter and the
   * name they stand under, as `"messages.file_id"`; addresses of the provider's network as `"messages.url"`.
   */
  allow?: readonly string[] | "any";
  /** Parameters that are refused, documented or not. */
  deny?: readonly string[];
  /** Set in every request, whatever the caller sent. */
  force?: Readonly<Record<string, unknown>>;
  /** Set where the caller sent nothing. */
  defaults?: Readonly<Record<string, unknown>>;
}

/** Where requests for one model go. */
export interface ModelRoute {
  /** `"provider/model"`, or a list of them: the next is asked when the one before cannot answer. */
  to: string | readonly string[];
  /**
   * In place of `limits.maxTokens`, where it is lower.
   * @range a whole number above 0
   * @default the gateway's
   */
  maxTokens?: number;
  /**
   * `false` refuses requests with tools.
   * @default the gateway's
   */
  tools?: boolean;
  /** Set in every request, whatever the caller sent: the same as `parameters.force`. */
  params?: Partial<ChatCompletionCreateParamsBase>;
  /** Which parameters pass on this route, beside those of the gateway's `parameters`. */
  parameters?: ParameterPolicy;
  /**
   * USD per 1M tokens on this route, in place of the provider's.
   * @default the provider's
   */
  prices?: Prices;
}

/** Limits of one request. */
export interface RequestLimits {
  /**
   * Tokens an answer may have. Written into every parameter for it that the provider understands: a larger value is
   * lowered, and a request without one gets it.
   * @range a whole number above 0
   * @default no limit
   */
  maxTokens?: number;
  /**
   * `false` refuses requests with tools, functions or web search.
   * @default true
   */
  tools?: boolean;
  /**
   * Answers to one request (`n`).
   * @range a whole number above 0
   * @default 1 where `maxTokens` is set, else any
   */
  choices?: number;
}

/** Limits of one caller, or of one provider's key. A limit that is left out does not apply. */
export interface Plan extends PlanLimits {
  /**
   * Tokens of prompts and answers. The most that a request may use is reserved until its usage is known.
   * @range a whole number above 0
   * @default no limit
   */
  tokensPerMinute?: number;
  /**
   * USD in one day (UTC). The most that a request may cost is reserved until its cost is known.
   * @range above 0
   * @default no limit
   */
  costPerDay?: number;
  /**
   * USD in one month (UTC), reserved in the same way.
   * @range above 0
   * @default no limit
   */
  costPerMonth?: number;
  /**
   * USD in all, reserved in the same way.
   * @range above 0
   * @default no limit
   */
  costTotal?: number;
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

/** Limits of one request, and of all requests together. Those of all together need `limiter`. */
export interface GatewayLimits extends RequestLimits {
  /** For each caller, unless their grant has a plan of its own. */
  caller?: Plan;
  /** For the keys of providers, by their names. */
  providers?: Readonly<Record<string, Plan>>;
  /**
   * Milliseconds a request may wait for its turn.
   * @range 0 to 90,000
   * @default 0: it is refused at once
   */
  wait?: number;
  /**
   * Requests of one caller that may wait at the same time; callers take turns.
   * @range a whole number above 0
   * @default 1,000
   */
  queue?: number;
  /**
   * Milliseconds a caller may take to accept what has arrived, before it counts as gone.
   * @range a whole number above 0
   * @default 60,000
   */
  writeTimeout?: number;
  /**
   * Milliseconds an answer may take in all; then it breaks off.
   * @range a whole number above 0
   * @default 3,600,000 (one hour)
   */
  answerTimeout?: number;
}

/** A caller, and what it may do. */
export interface Grant {
  /** Appears in usage records. Never the token itself. */
  caller: string;
  /**
   * The models the caller may use, by the names callers use; all when left out.
   * @default all
   */
  models?: readonly string[];
  /**
   * In place of `limits.maxTokens`, where it is lower.
   * @range a whole number above 0
   * @default the gateway's
   */
  maxTokens?: number;
  /**
   * `false` refuses requests with tools.
   * @default the gateway's
   */
  tools?: boolean;
  /** Which parameters this caller may send, beside those of the gateway's `parameters`. */
  parameters?: ParameterPolicy;
  /**
   * In place of `limits.caller`.
   * @default `limits.caller`
   */
  plan?: Plan;
  /**
   * Whether the caller reads everybody's usage at `GET /v1/usage`. Others read their own.
   * @default false
   */
  readsUsage?: boolean;
  /**
   * Whether the caller makes, lists, limits and revokes keys at `/v1/keys`, which needs `keys`.
   * @default false
   */
  managesKeys?: boolean;
  /**
   * When the grant ends, in milliseconds since 1970. No page's token that it makes lasts longer.
   * @range a whole number above 0
   * @default never
   */
  expiresAt?: number;
  /** Appear in usage records, to group them by. */
  tags?: Readonly<Record<string, string>>;
}

/**
 * Finds the caller of a request, or `null` if there is none known. The function gets the request without its body.
 * An error that it throws is answered with 503, also that it took longer than 30 seconds, and a grant that is malformed with 500: a
 * failure admits no caller.
 */
export type Authorize = (request: Request, env: Environment) => Awaitable<Grant | null>;

/** Short-lived tokens for pages. */
export interface PageTokens {
  /**
   * The secret that signs them: at least 32 characters, the same at every gateway that checks them.
   * @range at least 32 characters
   */
  secret: string;
  /**
   * The pages that may use them, as origins (`https://chat.example.com`). A browser tells the truth about this; a program need
   * not.
   */
  origins: readonly string[];
  /**
   * Seconds until a token expires.
   * @range a whole number above 0
   * @default 300
   */
  expiresIn?: number;
  /**
   * The models they open; when left out, those of the caller that asks for the token.
   * @default the caller's
   */
  models?: readonly string[];
  /**
   * Tokens an answer may have.
   * @range a whole number above 0
   * @default no limit
   */
  maxTokens?: number;
  /**
   * `false` refuses requests with tools.
   * @default the caller's
   */
  tools?: boolean;
}

/** One request as it is billed. A value that is not known is `null`. */
export interface UsageRecord {
  /** Unique to the request. A record that you get twice is the same one. */
  recordId: string;
  /** The `x-request-id` that the caller sent or was given. */
  requestId: string;
  /** The provider's own id of it. */
  upstreamRequestId: string | null;
  caller: string;
  /** Those of the caller's grant, where it has any. */
  tags?: Readonly<Record<string, string>>;
  /**
   * The usage that an answer from the cache would have had: nothing was asked of a provider, and the record's own numbers are
   * 0.
   */
  saved?: { tokens: number | null; cost: number | null };
  /** The path that was asked, where it is not `/v1/chat/completions`. */
  endpoint?: string;
  /** As the caller named it. */
  model: string;
  /** The provider that answered, by the name in `providers`, and its name of the model. */
  provider: string | null;
  upstreamModel: string | null;
  /** The HTTP status the caller was answered with. */
  status: number;
  outcome: Outcome["status"];
  /** The caller left before the end. */
  disconnected: boolean;
  /** Everything that went in, cached or not. */
  promptTokens: number | null;
  /** The part of them that came from the provider's cache; `null` where the provider does not say. */
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
  /**
   * Milliseconds since the request was sent on. `firstToken` is `null` where `endpoint` is set: those answers are passed through, and
   * the gateway does not look for tokens in them.
   */
  timing: { firstByte: number | null; firstToken: number | null; total: number | null };
}

/** Answers that are given again to the same request. */
export interface CacheOptions {
  /**
   * Seconds for which an answer is given again.
   * @range a whole number above 0
   */
  ttl: number;
  /**
   * Only for these models, by the names callers use; for all when left out.
   * @default all
   */
  models?: readonly string[];
  /**
   * Whether callers get each other's answers.
   * @default false
   */
  shared?: boolean;
}

/** The facts that a hook is told of a request. */
export interface HookRequest {
  caller: string;
  /** As the caller named it. */
  model: string;
  requestId: string;
  /** The path that was asked, where it is not `/v1/chat/completions`: the parameters are those of that API. */
  endpoint?: string;
}

/** The gateway's own code before and after a chat completion. */
export interface GatewayHooks {
  /**
   * Called with the parameters of a request that was let in, before limits are asked. The hook gives them back, changed or not
   * (`undefined` changes nothing), or throws a `Refusal`. Any other error is answered with 500, also that the hook took longer
   * than 30 seconds, or gave no object. Requests of the APIs that are passed through come here too, with their `endpoint`.
   */
  before?: (
    params: Readonly<Record<string, unknown>>,
    request: HookRequest,
  ) => Awaitable<Record<string, unknown> | undefined>;
  /**
   * Called with a completion, or with each chunk of a stream, as the provider sent it. The hook gives it back as the caller is
   * to see it; `null` leaves it out. Usage is counted as the provider sent it. An error ends the answer, and so does a promise: the hook
   * is not waited for. With this hook `/v1/completions` and `/v1/responses` are not served: their answers are not read.
   */
  after?: (answer: Readonly<Record<string, unknown>>, request: HookRequest) => Record<string, unknown> | null;
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
  /**
   * Finds out which callers may call. Without it only a local host is answered.
   * @default only local hosts are answered
   */
  authorize?: Authorize;
  /**
   * Answers everybody, at your expense.
   * @default false
   */
  public?: boolean;
  /**
   * The models that may be used. A list names those of the first provider; an object says for each name where it goes:
   * `{ fast: "electron/electron", smart: ["openai/gpt-5", "hub/gpt-5"] }`. Any model of the first provider when left out.
   * A request that names no model gets the first.
   * @default any model of the first provider
   */
  models?: readonly string[] | Record<string, string | readonly string[] | ModelRoute>;
  /** Limits of one request, and of all requests together. */
  limits?: GatewayLimits;
  /**
   * Which parameters pass. By default the documented ones of the chat API do, which choose no model, price or tool.
   * @default the documented ones
   */
  parameters?: ParameterPolicy;
  /** The binding of `ChatwireLimiter`: it keeps limits for all isolates together, and the usage behind `GET /v1/usage`. */
  limiter?: DurableNamespace;
  /** The binding of `ChatwireStreams`, which keeps streams: see `onDisconnect`. */
  streams?: StreamsNamespace;
  /**
   * Called with the record of each request that was sent on. A promise that it returns is awaited, for 30 seconds; after that the
   * call counts as failed. If it fails, it is called again with the same record: three times more, after 0.5, 3 and 10 seconds, and
   * with `onDisconnect: "durable"` every 30 seconds for a day. A record that it never takes is given up, and a line is logged.
   */
  onUsage?: (record: UsageRecord) => unknown;
  /**
   * The treatment of an answer whose caller has left: `"drain"` reads on to its usage, for at most 25 seconds;
   * `"abort"` stops it and estimates; `"durable"` has a Durable Object read it to its end, where the caller finds the rest
   * at `GET /v1/streams/{id}`. An answer that is not streamed is drained then.
   * @default `"drain"`
   */
  onDisconnect?: "drain" | "abort" | "durable";
  /**
   * Gives whole answers again to the same request, from this isolate's memory. `cache-control: no-cache`, `no-store` and
   * `max-age` of a request are honoured. Streams that are kept (`onDisconnect: "durable"`) are not cached.
   * @default none
   */
  cache?: CacheOptions;
  /** Code of yours before and after a chat completion: to change, refuse or redact. */
  hooks?: GatewayHooks;
  /**
   * Serves a page at `/admin` that shows usage, limits and requests under way to those who enter the token of a caller with
   * `readsUsage`, and changes nothing. The page needs `limiter` and `authorize`; each request then takes a lease, also where no plan
   * asks for that.
   * @default false
   */
  admin?: boolean;
  /**
   * Origins whose pages may call, or `"*"`. The gateway's own always may.
   * @default the gateway's own origin
   */
  cors?: readonly string[] | "*";
  /**
   * The largest request body in bytes.
   * @range a whole number above 0
   * @default 4,194,304
   */
  maxBodyBytes?: number;
  /** Lets callers exchange what `authorize` accepts for a token that a page may hold, at `POST /v1/token`. */
  token?: PageTokens;
  /**
   * The binding of `ChatwireKeys`: keys of callers (`cwk_…`) that are made, listed, limited and revoked at `/v1/keys` while
   * the gateway runs, and revocation of pages' tokens.
   */
  keys?: DurableNamespace;
  /**
   * The most keys of `/v1/keys` that may be valid at a time; one more is refused with 409 `too_many_keys`. Keys that have expired or
   * were revoked do not count: they are listed for 30 days, and no more of them than this.
   * @range a whole number above 0
   * @default 10,000
   */
  maxKeys?: number;
}
