/**
 * A gateway's options, read once: its clients made, its routes looked up, its mistakes found before the first request.
 */
import { Chatwire, ChatwireError } from "chatwire";
import type { GatewayOptions, ModelRoute, PageTokens, ProviderOptions, RequestLimits } from "./options.ts";
import { type Upstream, upstreamOf } from "./upstream.ts";

const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Shorter secrets can be guessed from one token. */
const SECRET_LENGTH = 32;

/** One place that can answer. */
export interface Target {
  upstream: Upstream;
  /** `null` leaves the caller's. */
  model: string | null;
}

/** Where one model goes. */
export interface Route {
  /** In order; never empty. */
  targets: readonly [Target, ...Target[]];
  /** Asks the first target, then the others. */
  client: Chatwire;
  limits: Pick<ModelRoute, "maxTokens" | "tools">;
  params: ModelRoute["params"];
}

/** Options as the rest of the gateway uses them. */
export interface Configuration {
  first: Upstream;
  /** `null` for any model of the first provider. */
  routes: ReadonlyMap<string, Route> | null;
  anyModel: Route;
  authorize: GatewayOptions["authorize"];
  isPublic: boolean;
  limits: RequestLimits;
  onUsage: GatewayOptions["onUsage"];
  onDisconnect: "drain" | "abort";
  origins: ReadonlySet<string> | "*";
  maxBodyBytes: number;
  token: PageTokens | undefined;
}

/** @throws {ChatwireError} the options make no sense; the message says which, and holds no secret */
export function configure(options: GatewayOptions): Configuration {
  const { providers, authorize, onUsage, onDisconnect = "drain", maxBodyBytes = MAX_BODY_BYTES, token } = options ?? {};
  if (authorize !== undefined && typeof authorize !== "function") wrong("authorize is a function of the request");
  if (onUsage !== undefined && typeof onUsage !== "function") wrong("onUsage is a function of a record");
  if (onDisconnect !== "drain" && onDisconnect !== "abort") wrong('onDisconnect is "drain" or "abort"');
  if (!(Number.isSafeInteger(maxBodyBytes) && maxBodyBytes > 0)) wrong("maxBodyBytes is a number of bytes");
  const limits = checkedLimits("limits", options.limits ?? {});
  if (token) checkToken(token, authorize !== undefined || options.public === true);

  const upstreams = new Map(
    Object.entries(providers ?? {}).map(([name, provider]) => {
      if (name === "" || name.includes("/")) wrong(`a provider's name has no "/": rename "${name}"`);
      return [name, upstreamOf(name, provider as ProviderOptions)];
    }),
  );
  const [first] = upstreams.values();
  if (!first) return wrong('providers names at least one: { electron: { provider: "electron", apiKey } }');

  return {
    first,
    routes: options.models === undefined ? null : routesOf(options.models, first, upstreams),
    anyModel: route([{ upstream: first, model: null }], {}),
    authorize,
    isPublic: options.public === true,
    limits,
    onUsage,
    onDisconnect,
    origins: originsOf("cors", options.cors ?? []),
    maxBodyBytes,
    token,
  };
}

function routesOf(
  models: NonNullable<GatewayOptions["models"]>,
  first: Upstream,
  upstreams: ReadonlyMap<string, Upstream>,
): ReadonlyMap<string, Route> {
  if (isList(models)) {
    return new Map(models.map((name) => [name, route([{ upstream: first, model: checkedName(name) }], {})]));
  }
  return new Map(
    Object.entries(models).map(([name, given]) => {
      const own: ModelRoute = typeof given === "string" || isList(given) ? { to: given } : given;
      const places = isList(own.to) ? own.to : [own.to];
      const [target, ...others] = places.map((place) => targetOf(name, place, upstreams));
      if (!target) wrong(`models.${name} names no place to go`);
      checkedLimits(`models.${name}`, own);
      return [name, route([target as Target, ...others], own)];
    }),
  );
}

function targetOf(name: string, place: unknown, upstreams: ReadonlyMap<string, Upstream>): Target {
  const [, provider = "", model = ""] = /^([^/]+)\/(.+)$/s.exec(String(place)) ?? [];
  const upstream = upstreams.get(provider);
  if (!upstream) {
    wrong(`models.${name} is "provider/model" with a provider of ${[...upstreams.keys()].join(", ")}`);
  }
  return { upstream: upstream as Upstream, model };
}

function route(targets: Route["targets"], { params, maxTokens, tools }: Partial<ModelRoute>): Route {
  const [{ upstream }, ...others] = targets;
  const fallback = others.map(({ upstream, model }) => ({ client: upstream.client, model: model as string }));
  return {
    targets,
    client: fallback.length > 0 ? new Chatwire({ ...upstream.options, fallback }) : upstream.client,
    limits: { ...(maxTokens !== undefined && { maxTokens }), ...(tools !== undefined && { tools }) },
    params,
  };
}

function checkedLimits<Limits extends RequestLimits>(where: string, limits: Limits): Limits {
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
