/**
 * A gateway's options, read once: its clients made, its routes looked up, its mistakes found before the first request.
 */
import { Chatwire, ChatwireError } from "chatwire";
import { Limits } from "./limits.ts";
import type {
  DurableNamespace,
  GatewayLimits,
  GatewayOptions,
  ModelRoute,
  PageTokens,
  Plan,
  ProviderOptions,
  RequestLimits,
  StreamsNamespace,
} from "./options.ts";
import { type Upstream, upstreamOf } from "./upstream.ts";

const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Shorter secrets can be guessed from one token. */
const SECRET_LENGTH = 32;

/** A connection that says nothing for longer is not kept open by those in between. */
const LONGEST_WAIT = 90_000;

/** Where one model goes. */
export interface Route {
  first: Upstream;
  /** All of them, in order. */
  places: readonly Upstream[];
  /** Asks the first, and then the others that can answer. */
  client: Chatwire;
  limits: Pick<ModelRoute, "maxTokens" | "tools">;
  params: ModelRoute["params"];
}

/** Options as the rest of the gateway uses them. */
export interface Configuration {
  /** Whatever model is named, at the first provider. */
  anyModel: Route;
  /** By the names callers use; `null` where any will do. */
  routes: ReadonlyMap<string, Route> | null;
  authorize: GatewayOptions["authorize"];
  isPublic: boolean;
  limits: RequestLimits;
  /** Those that all isolates keep together. */
  shared: Limits | undefined;
  onUsage: GatewayOptions["onUsage"];
  onDisconnect: "drain" | "abort";
  /** Where streams are kept, if they are. */
  streams: StreamsNamespace | undefined;
  origins: ReadonlySet<string> | "*";
  maxBodyBytes: number;
  token: PageTokens | undefined;
}

/** @throws {ChatwireError} the options make no sense; the message says which, and holds no secret */
export function configure(options: GatewayOptions): Configuration {
  const { providers, authorize, onUsage, onDisconnect = "drain", maxBodyBytes = MAX_BODY_BYTES, token } = options ?? {};
  if (authorize !== undefined && typeof authorize !== "function") wrong("authorize is a function of the request");
  if (onUsage !== undefined && typeof onUsage !== "function") wrong("onUsage is a function of a record");
  if (!["drain", "abort", "durable"].includes(onDisconnect)) wrong('onDisconnect is "drain", "abort" or "durable"');
  const isKept = onDisconnect === "durable";
  if (isKept && typeof options.streams?.newUniqueId !== "function") {
    wrong('onDisconnect: "durable" needs streams, the binding of ChatwireStreams, as env.STREAMS');
  }
  if (!(Number.isSafeInteger(maxBodyBytes) && maxBodyBytes > 0)) wrong("maxBodyBytes is a number of bytes");
  const limits = checkedLimits("limits", options.limits ?? {});
  if (token) checkToken(token, authorize !== undefined || options.public === true);

  const [name] = Object.keys(providers ?? {});
  if (name === undefined) wrong('providers names at least one: { electron: { provider: "electron", apiKey } }');
  const shared = sharedLimits(options.limiter, limits, providers);
  const place: Placing = (name, model) => placed(providers, name, model, shared);
  // One that no model leads to has its mistakes, too.
  const [first] = Object.keys(providers).map((name) => place(name, null));

  return {
    anyModel: route([first as Upstream], {}),
    routes: options.models === undefined ? null : routesOf(options.models, providers, place),
    authorize,
    isPublic: options.public === true,
    limits,
    shared,
    onUsage,
    onDisconnect: onDisconnect === "abort" ? "abort" : "drain",
    streams: isKept ? options.streams : undefined,
    origins: originsOf("cors", options.cors ?? []),
    maxBodyBytes,
    token,
  };
}

type Providers = GatewayOptions["providers"];
/** Finds a provider, to be asked for one of its models. */
type Placing = (name: string, model: string | null) => Upstream;

function routesOf(
  models: NonNullable<GatewayOptions["models"]>,
  providers: Providers,
  place: Placing,
): ReadonlyMap<string, Route> {
  if (isList(models)) {
    const [first = ""] = Object.keys(providers);
    return new Map(models.map((name) => [name, route([place(first, checkedName(name))], {})]));
  }
  return new Map(
    Object.entries(models).map(([name, given]) => {
      const own: ModelRoute = typeof given === "string" || isList(given) ? { to: given } : given;
      const places = (isList(own.to) ? own.to : [own.to]).map((text) => {
        const [, provider = "", model = ""] = /^([^/]+)\/(.+)$/s.exec(String(text)) ?? [];
        if (!Object.hasOwn(providers, provider)) {
          wrong(`models.${name} leads to "provider/model", with a provider of ${Object.keys(providers).join(", ")}`);
        }
        return place(provider, model);
      });
      if (places.length === 0) wrong(`models.${name} leads nowhere`);
      return [name, route(places, checkedLimits(`models.${name}`, own))];
    }),
  );
}

function placed(providers: Providers, name: string, model: string | null, shared: Limits | undefined): Upstream {
  if (name === "" || name.includes("/")) wrong(`a provider's name has no "/": rename "${name}"`);
  return upstreamOf(name, providers[name] as ProviderOptions, model, shared);
}

function sharedLimits(
  limiter: DurableNamespace | undefined,
  { caller, providers: plans = {}, wait = 0 }: GatewayLimits,
  providers: Providers,
): Limits | undefined {
  if (!(wait >= 0 && wait <= LONGEST_WAIT)) wrong(`limits.wait is a number of milliseconds, at most ${LONGEST_WAIT}`);
  if (caller) checkPlan("limits.caller", caller, Object.values(providers));
  for (const [name, plan] of Object.entries(plans)) {
    const provider = Object.hasOwn(providers, name) ? providers[name] : undefined;
    if (!provider) wrong(`limits.providers.${name} is the plan of a provider of ${Object.keys(providers).join(", ")}`);
    checkPlan(`limits.providers.${name}`, plan, [provider as ProviderOptions]);
  }
  if (limiter) {
    if (typeof limiter.idFromName !== "function") wrong("limiter is the binding of ChatwireLimiter, as env.LIMITER");
    const known = Object.entries(providers).map(([name, options]) => [name, { options, plan: plans[name] }]);
    return new Limits(limiter, caller, Object.fromEntries(known), wait);
  }
  if (caller || wait > 0 || Object.keys(plans).length > 0) {
    wrong("limits.caller, limits.providers and limits.wait need limiter, the binding of ChatwireLimiter");
  }
  return undefined;
}

function checkPlan(where: string, plan: Plan, providers: readonly ProviderOptions[]): void {
  for (const name of ["requestsPerMinute", "tokensPerMinute", "concurrent", "costPerDay"] as const) {
    const limit = plan[name];
    if (limit === undefined) continue;
    const isLimit =
      name === "costPerDay" ? limit > 0 && Number.isFinite(limit) : Number.isSafeInteger(limit) && limit > 0;
    if (!isLimit) wrong(`${where}.${name} is a ${name === "costPerDay" ? "" : "whole "}number above 0`);
  }
  if (plan.costPerDay !== undefined && !providers.every(isPriced)) {
    wrong(`${where}.costPerDay needs the prices of its providers: what nobody knows keeps no budget`);
  }
}

function isPriced({ provider, prices }: ProviderOptions): boolean {
  return (
    (prices ?? (typeof provider === "object" ? provider.prices : provider === "electron" || undefined)) !== undefined
  );
}

function route(places: readonly Upstream[], { params, maxTokens, tools }: Partial<ModelRoute>): Route {
  const [first, ...others] = places as [Upstream, ...Upstream[]];
  const fallback = others.map(({ client, model }) => ({ client, model: model as string }));
  return {
    first,
    places,
    client: fallback.length > 0 ? new Chatwire({ ...first.options, fallback }) : first.client,
    limits: { ...(maxTokens !== undefined && { maxTokens }), ...(tools !== undefined && { tools }) },
    params,
  };
}

function checkedLimits<Limits extends { maxTokens?: number; choices?: number }>(where: string, limits: Limits): Limits {
  for (const name of ["maxTokens", "choices"] as const) {
    const limit = limits[name];
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0))
      wrong(`${where}.${name} is a whole number above 0`);
  }
  return limits;
}

function checkToken(token: PageTokens, isGuarded: boolean): void {
  if (typeof token.secret !== "string" || token.secret.length < SECRET_LENGTH) {
    wrong(`token.secret has at least ${SECRET_LENGTH} characters, such as 32 random bytes in base64`);
  }
  if (!isList(token.origins) || token.origins.length === 0) wrong("token.origins names the pages that may use a token");
  originsOf("token.origins", token.origins);
  const { expiresIn = 1 } = token;
  if (!(Number.isSafeInteger(expiresIn) && expiresIn > 0)) wrong("token.expiresIn is a number of seconds");
  checkedLimits("token", token);
  if (!isGuarded) wrong("token needs authorize, which says who may have one");
}

/** Origins as browsers write them. */
export function originsOf(where: string, origins: readonly string[] | "*"): ReadonlySet<string> | "*" {
  if (origins === "*") return "*";
  for (const origin of isList(origins) ? origins : [origins as unknown]) {
    if (typeof origin !== "string" || !URL.canParse(origin) || new URL(origin).origin !== origin) {
      wrong(`${where} lists origins such as "https://chat.example.com", without a path`);
    }
  }
  return new Set(origins);
}

function checkedName(name: unknown): string {
  if (typeof name !== "string" || name === "") wrong("models lists names");
  return name as string;
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}

function wrong(what: string): never {
  throw new ChatwireError(`The gateway's options make no sense: ${what}.`);
}
