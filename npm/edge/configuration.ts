import { AnswerCache } from "./answer-cache.ts";
import {
  type Check,
  either,
  isAnything,
  isBoolean,
  isFunction,
  isListOfTexts,
  isObject,
  isPlan,
  isPolicy,
  isPositive,
  isPrices,
  isText,
  isWhole,
  objectOf,
  oneOf,
  recordOf,
  wrong,
} from "./checks.ts";
import { LimiterClient } from "./limits.ts";
import type {
  DurableNamespace,
  GatewayLimits,
  GatewayOptions,
  ModelRoute,
  PageTokens,
  ParameterPolicy,
  Plan,
  ProviderOptions,
  RequestLimits,
  StreamsNamespace,
} from "./options.ts";
import { ofOwner } from "./patience.ts";
import { isPriced } from "./prices.ts";
import { type Upstream, upstreamOf } from "./upstream.ts";

const MAX_BODY_BYTES = 4 * 1024 * 1024;
const MAX_KEYS = 10_000;
/** Shorter secrets can be guessed from one token. */
const SECRET_LENGTH = 32;

/** Proxies close a connection that is silent for longer. */
const LONGEST_WAIT = 90_000;
const WRITE_TIMEOUT = 60_000;
const ANSWER_TIMEOUT = 60 * 60_000;
/** Requests of one caller that may wait. */
const QUEUE = 1000;

/** Where one model goes. */
export interface Route {
  /** The provider that is asked first, and those after it, in order. */
  upstreams: readonly [Upstream, ...Upstream[]];
  limits: Pick<ModelRoute, "maxTokens" | "tools">;
  parameters: ParameterPolicy | undefined;
  params: ModelRoute["params"];
}

/** Options as the rest of the gateway uses them. */
export interface Configuration {
  /** The route for any model, at the first provider. */
  anyModel: Route;
  /** Routes by the names callers use; `null` where any model may be named. */
  routes: ReadonlyMap<string, Route> | null;
  authorize: GatewayOptions["authorize"];
  isPublic: boolean;
  limits: RequestLimits;
  parameters: ParameterPolicy | undefined;
  /** The client of the limits that all isolates share. */
  shared: LimiterClient | undefined;
  /** Whether every model has a price, so that a budget can be kept. */
  isPriced: boolean;
  writeTimeout: number;
  answerTimeout: number;
  /** The owner's function; its call fails where it takes longer than such functions may. */
  onUsage: GatewayOptions["onUsage"];
  hooks: NonNullable<GatewayOptions["hooks"]>;
  cache: AnswerCache | undefined;
  hasAdminPage: boolean;
  onDisconnect: "drain" | "abort";
  /** Where streams are kept, if they are. */
  streams: StreamsNamespace | undefined;
  origins: ReadonlySet<string> | "*";
  maxBodyBytes: number;
  token: PageTokens | undefined;
  /** Where the keys of callers are kept. */
  keys: DurableNamespace | undefined;
  /** The most of these keys that may be valid at a time. */
  maxKeys: number;
}

const REQUEST_LIMITS = { maxTokens: isWhole, tools: isBoolean, choices: isWhole };

const LIMITS: Readonly<Record<keyof GatewayLimits, Check>> = {
  ...REQUEST_LIMITS,
  caller: isPlan,
  providers: recordOf(isPlan),
  wait: isAnything,
  queue: isWhole,
  writeTimeout: isWhole,
  answerTimeout: isWhole,
};

const PROVIDER: Readonly<Record<keyof ProviderOptions, Check>> & Record<string, Check> = {
  ...{ provider: isAnything, baseURL: isText, apiKey: isAnything, fetch: isFunction },
  ...{ defaultHeaders: isObject, defaultQuery: isObject, maxRetries: isAnything, timeout: isAnything },
  ...{ limits: isAnything, validate: isAnything, decoding: isAnything, endpoint: isAnything, hooks: isObject },
  prices: (where, value) => {
    const isFlat = typeof (value as { input?: unknown } | null)?.input === "number";
    (isFlat ? isPrices : recordOf(isPrices))(where, value);
  },
  lengthFields: (where, value) => {
    isListOfTexts(where, value);
    for (const field of value as string[]) oneOf("max_tokens", "max_completion_tokens")(`each of ${where}`, field);
    if ((value as string[]).length === 0) wrong(`${where} must name at least one parameter`);
  },
  keys: (where, value) => {
    if (!Array.isArray(value) || value.length === 0) wrong(`${where} must list at least one key`);
    for (const key of value as unknown[]) {
      either(isText, objectOf({ apiKey: isText, weight: isPositive }, ["apiKey"]))(`each of ${where}`, key);
    }
  },
  cooldown: either(isWhole, oneOf(false)),
  streamOptions: isBoolean,
  requestId: isBoolean,
};

const ROUTE: Readonly<Record<keyof ModelRoute, Check>> = {
  to: either(isText, isListOfTexts),
  maxTokens: isWhole,
  tools: isBoolean,
  params: isObject,
  parameters: isPolicy,
  prices: isPrices,
};

const TOKEN: Readonly<Record<keyof PageTokens, Check>> = {
  secret: isAnything,
  origins: isAnything,
  expiresIn: isWhole,
  models: isListOfTexts,
  maxTokens: isWhole,
  tools: isBoolean,
};

const OPTIONS: Readonly<Record<keyof GatewayOptions, Check>> = {
  providers: recordOf(objectOf(PROVIDER)),
  authorize: isFunction,
  public: isBoolean,
  models: either(isListOfTexts, isObject),
  limits: objectOf(LIMITS),
  parameters: isPolicy,
  limiter: isAnything,
  streams: isAnything,
  onUsage: isFunction,
  cache: objectOf({ ttl: isWhole, models: isListOfTexts, shared: isBoolean }, ["ttl"]),
  hooks: objectOf({ before: isFunction, after: isFunction }),
  admin: isBoolean,
  onDisconnect: oneOf("drain", "abort", "durable"),
  cors: isAnything,
  maxBodyBytes: isWhole,
  token: objectOf(TOKEN),
  keys: isAnything,
  maxKeys: isWhole,
};

/** @throws {ChatwireError} an option is not valid; the message names it, and holds no secret */
export function configure(options: GatewayOptions): Configuration {
  objectOf(OPTIONS, ["providers"])("options", options);
  const { providers, authorize, onUsage, onDisconnect = "drain", maxBodyBytes = MAX_BODY_BYTES, token } = options;
  const isKept = onDisconnect === "durable";
  if (isKept && typeof options.streams?.newUniqueId !== "function") {
    wrong('onDisconnect: "durable" needs streams, the binding of ChatwireStreams, as env.STREAMS');
  }
  if (options.keys && typeof options.keys.idFromName !== "function") {
    wrong("keys must be the binding of ChatwireKeys, such as env.KEYS");
  }
  if (options.keys && !authorize) wrong("keys needs authorize, whose grants say which callers may manage keys");
  const limits = options.limits ?? {};
  if (token) checkToken(token, authorize !== undefined || options.public === true);

  const [name] = Object.keys(providers);
  if (name === undefined) wrong('providers names at least one: { electron: { provider: "electron", apiKey } }');
  if (options.admin && !(options.limiter && authorize)) {
    wrong("admin needs limiter, which counts the usage, and authorize, whose grants say which callers may read it");
  }
  const shared = sharedLimits(options.limiter, limits, providers, options.admin);
  const make: UpstreamMaker = (name, model, prices) => upstreamFor(providers, name, model, shared, prices);
  // The clients of providers without a route are made, too, so that mistakes in their options are found.
  const all = Object.keys(providers).map((name) => make(name, null));
  const [first] = all;
  const anyModel: Route = { upstreams: [first as Upstream], limits: {}, parameters: undefined, params: undefined };
  const routes = options.models === undefined ? null : routesOf(options.models, providers, make);
  const reachable = routes ? [...routes.values()].flatMap(({ upstreams }) => upstreams) : all;
  checkBudgets(limits, reachable);

  return {
    anyModel,
    routes,
    authorize,
    isPublic: options.public === true,
    limits,
    parameters: options.parameters,
    shared,
    isPriced: unpriced(reachable) === undefined,
    writeTimeout: limits.writeTimeout ?? WRITE_TIMEOUT,
    answerTimeout: limits.answerTimeout ?? ANSWER_TIMEOUT,
    onUsage: onUsage && ((record) => ofOwner(() => onUsage(record))),
    hooks: options.hooks ?? {},
    cache: options.cache && new AnswerCache(options.cache),
    hasAdminPage: options.admin === true,
    onDisconnect: onDisconnect === "abort" ? "abort" : "drain",
    streams: isKept ? options.streams : undefined,
    origins: originsOf("cors", options.cors ?? []),
    maxBodyBytes,
    token,
    keys: options.keys,
    maxKeys: options.maxKeys ?? MAX_KEYS,
  };
}

type Providers = GatewayOptions["providers"];
/** Makes the client of a provider, to be asked for one of its models. */
type UpstreamMaker = (name: string, model: string | null, prices?: ModelRoute["prices"]) => Upstream;

function routesOf(
  models: NonNullable<GatewayOptions["models"]>,
  providers: Providers,
  make: UpstreamMaker,
): ReadonlyMap<string, Route> {
  if (isList(models)) {
    const [first = ""] = Object.keys(providers);
    return new Map(
      models.map((name) => [
        name,
        { upstreams: [make(first, name)], limits: {}, parameters: undefined, params: undefined },
      ]),
    );
  }
  return new Map(
    Object.entries(models).map(([name, given]) => {
      const own: ModelRoute = typeof given === "string" || isList(given) ? { to: given } : given;
      objectOf(ROUTE, ["to"])(`models.${name}`, own);
      const { maxTokens, tools, parameters, params, prices } = own;
      const [first, ...others] = (isList(own.to) ? own.to : [own.to]).map((text) => {
        const [, provider = "", model = ""] = /^([^/]+)\/(.+)$/s.exec(text) ?? [];
        if (!Object.hasOwn(providers, provider)) {
          wrong(
            `models.${name} must name "provider/model", with one of the providers ${Object.keys(providers).join(", ")}`,
          );
        }
        return make(provider, model, prices);
      });
      if (!first) return wrong(`models.${name} leads nowhere`);
      const limits = { ...(maxTokens !== undefined && { maxTokens }), ...(tools !== undefined && { tools }) };
      return [name, { upstreams: [first, ...others], limits, parameters, params }];
    }),
  );
}

function upstreamFor(
  providers: Providers,
  name: string,
  model: string | null,
  shared: LimiterClient | undefined,
  prices?: ModelRoute["prices"],
): Upstream {
  if (name === "" || name.includes("/")) wrong(`the name of a provider must not contain "/": rename "${name}"`);
  return upstreamOf(name, providers[name] as ProviderOptions, model, shared, prices);
}

function sharedLimits(
  limiter: DurableNamespace | undefined,
  { caller, providers: plans = {}, wait = 0, queue = QUEUE }: GatewayLimits,
  providers: Providers,
  isWatched = false,
): LimiterClient | undefined {
  if (!(wait >= 0 && wait <= LONGEST_WAIT))
    wrong(`limits.wait must be a number of milliseconds, at most ${LONGEST_WAIT}`);
  for (const name of Object.keys(plans)) {
    if (!Object.hasOwn(providers, name)) {
      wrong(`limits.providers.${name} must name one of the providers ${Object.keys(providers).join(", ")}`);
    }
  }
  if (limiter) {
    if (typeof limiter.idFromName !== "function")
      wrong("limiter is the binding of ChatwireLimiter, such as env.LIMITER");
    const known = Object.entries(providers).map(([name, options]) => [name, { options, plan: plans[name] }]);
    return new LimiterClient(limiter, caller, Object.fromEntries(known), wait, queue, isWatched);
  }
  if (caller || wait > 0 || Object.keys(plans).length > 0) {
    wrong("limits.caller, limits.providers and limits.wait need limiter, the binding of ChatwireLimiter");
  }
  return undefined;
}

/** Whether a plan has a limit in money. */
export function hasBudget(plan: Plan | undefined): boolean {
  return plan?.costPerDay !== undefined || plan?.costPerMonth !== undefined || plan?.costTotal !== undefined;
}

/** The first upstream without a price, as `provider/model`. */
function unpriced(upstreams: readonly Upstream[], provider?: string): string | undefined {
  const found = upstreams.find(
    (upstream) => (provider === undefined || upstream.name === provider) && !isPriced(upstream),
  );
  return found && `${found.name}/${found.model ?? "*"}`;
}

/** A budget needs prices: requests of unknown cost would never use it up. */
function checkBudgets({ caller, providers = {} }: GatewayLimits, upstreams: readonly Upstream[]): void {
  const check = (where: string, plan: Plan | undefined, provider?: string) => {
    for (const name of ["costPerDay", "costPerMonth", "costTotal"] as const) {
      const found = plan?.[name] === undefined ? undefined : unpriced(upstreams, provider);
      if (found)
        wrong(
          `${where}.${name} needs the price of every model: ${found} has none. Give the provider or the route prices`,
        );
    }
  };
  check("limits.caller", caller);
  for (const [name, plan] of Object.entries(providers)) check(`limits.providers.${name}`, plan, name);
}

function checkToken(token: PageTokens, isGuarded: boolean): void {
  if (typeof token.secret !== "string" || token.secret.length < SECRET_LENGTH) {
    wrong(`token.secret must have at least ${SECRET_LENGTH} characters, such as 32 random bytes in base64`);
  }
  if (!isList(token.origins) || token.origins.length === 0)
    wrong("token.origins must name the origins whose pages may use a token");
  originsOf("token.origins", token.origins);
  if (!isGuarded) wrong("token needs authorize, whose grants say which callers may request a page token");
}

/** Origins as browsers write them. */
function originsOf(where: string, origins: readonly string[] | "*"): ReadonlySet<string> | "*" {
  if (origins === "*") return "*";
  for (const origin of isList(origins) ? origins : [origins as unknown]) {
    if (typeof origin !== "string" || !URL.canParse(origin) || new URL(origin).origin !== origin) {
      wrong(`${where} must list origins such as "https://chat.example.com", without a path`);
    }
  }
  return new Set(origins);
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}
