/**
 * A gateway's options, read once: its clients made, its routes looked up, its mistakes found before the first request.
 */
import { Chatwire, ChatwireError } from "chatwire";
import type { GatewayOptions, ModelRoute, PageTokens, ProviderOptions, RequestLimits } from "./options.ts";
import { type Upstream, upstreamOf } from "./upstream.ts";

const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Shorter secrets can be guessed from one token. */
const SECRET_LENGTH = 32;

/** Where one model goes. */
export interface Route {
  first: Upstream;
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

  const [name] = Object.keys(providers ?? {});
  if (name === undefined) wrong('providers names at least one: { electron: { provider: "electron", apiKey } }');
  // One that no model leads to has its mistakes, too.
  const [first] = Object.keys(providers).map((name) => place(providers, name, null));

  return {
    anyModel: route([first as Upstream], {}),
    routes: options.models === undefined ? null : routesOf(options.models, providers),
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

type Providers = GatewayOptions["providers"];

function routesOf(models: NonNullable<GatewayOptions["models"]>, providers: Providers): ReadonlyMap<string, Route> {
  if (isList(models)) {
    const [first = ""] = Object.keys(providers);
    return new Map(models.map((name) => [name, route([place(providers, first, checkedName(name))], {})]));
  }
  return new Map(
    Object.entries(models).map(([name, given]) => {
      const own: ModelRoute = typeof given === "string" || isList(given) ? { to: given } : given;
      const places = (isList(own.to) ? own.to : [own.to]).map((text) => {
        const [, provider = "", model = ""] = /^([^/]+)\/(.+)$/s.exec(String(text)) ?? [];
        if (!Object.hasOwn(providers, provider)) {
          wrong(`models.${name} leads to "provider/model", with a provider of ${Object.keys(providers).join(", ")}`);
        }
        return place(providers, provider, model);
      });
      if (places.length === 0) wrong(`models.${name} leads nowhere`);
      return [name, route(places, checkedLimits(`models.${name}`, own))];
    }),
  );
}

function place(providers: Providers, name: string, model: string | null): Upstream {
  if (name === "" || name.includes("/")) wrong(`a provider's name has no "/": rename "${name}"`);
  return upstreamOf(name, providers[name] as ProviderOptions, model);
}

function route(places: readonly Upstream[], { params, maxTokens, tools }: Partial<ModelRoute>): Route {
  const [first, ...others] = places as [Upstream, ...Upstream[]];
  const fallback = others.map(({ client, model }) => ({ client, model: model as string }));
  return {
    first,
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
