/**
 * The gateway: its options per environment, and what is served where.
 */
import { ChatwireError, type ModelList } from "chatwire";
import { type Context, Hono } from "hono";
import { ADMIN_PATHS, adminFile } from "./admin-page.ts";
import { admit, authorized, checkHost, checkOrigin, preflight } from "./admission.ts";
import { Alarm } from "./alarm.ts";
import type { CachedAnswer } from "./answer-cache.ts";
import { type Configuration, configure, hasBudget } from "./configuration.ts";
import { LINGER } from "./forward.ts";
import { openKept, readKept, STREAM_HEADER, stopKept } from "./kept.ts";
import { createKey, type KeyRing, limitKey, listKeys, revokeKey } from "./key-management.ts";
import { type LimiterClient, withLimits } from "./limits.ts";
import type { Environment, GatewayOptions, Grant, HookRequest, UsageRecord } from "./options.ts";
import { issuePageToken, revokePageTokens, type TokenRequest } from "./page-token.ts";
import { PASSED, passThrough } from "./pass-through.ts";
import { ofOwner } from "./patience.ts";
import { Problem, Refusal, safeHeaders } from "./problem.ts";
import { type Exports, register, withExports } from "./registry.ts";
import { relay } from "./relay.ts";
import { type ChatRequest, chatRequestOf, limitsOf, modelsFor, readJSON } from "./request.ts";
import { keysInOrder, problemOf, secretsOf, type UpstreamKey } from "./upstream.ts";
import { openRecord } from "./usage-record.ts";
import { limitsReport, metricsOf, usageReport } from "./usage-report.ts";
import { publicValue } from "./words.ts";

/** The part of a worker's context that the gateway uses. */
export interface WorkerContext {
  /** Keeps the worker alive until this has settled. */
  waitUntil(promise: Promise<unknown>): void;
  /** The classes of Durable Objects that the worker exports, on platforms that list them. */
  exports?: Readonly<Record<string, unknown>>;
}

/** The export of a worker's main module. */
export interface Gateway {
  /** Answers a request. Never rejects. */
  fetch(request: Request, env?: unknown, context?: unknown): Promise<Response>;
}

/** One request, on its way through Hono. */
interface Exchange {
  configuration: Configuration;
  env: Environment;
  /** The `x-request-id` of the answer. */
  requestId: string;
  /** The gateway's number among the gateways of this worker. */
  gateway: number;
  waitUntil(promise: Promise<unknown>): void;
}

type Env = { Bindings: Exchange };

/** The most bytes of a request about keys or tokens. */
const MAX_SMALL_BODY = 64 * 1024;

/** Request ids that can be passed on as they are. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;

/**
 * An OpenAI-compatible gateway: `POST /v1/chat/completions`, `GET /v1/models`, `GET /v1/usage`, `GET /v1/streams/{id}`,
 * `GET /healthz`.
 *
 * @param options a value, or a function of the environment, asked once for each environment
 * @example
 * ```ts
 * import { bearerTokens, gateway } from "chatwire/edge";
 *
 * export default gateway((env) => ({
 *   providers: { electron: { provider: "electron", apiKey: env.SMALLEST_API_KEY } },
 *   authorize: bearerTokens([env.ACCESS_TOKEN]),
 * }));
 * ```
 */
export function gateway<E = Record<string, string>>(options: GatewayOptions | ((env: E) => GatewayOptions)): Gateway {
  const app = routes();
  let shared: Configuration | undefined;
  const known = new WeakMap<object, Configuration>();

  /** Clients hold limits and cooldowns: they live as long as their environment. */
  const configurationFor = (env: Environment, exports: () => Exports): Configuration => {
    if (typeof options !== "function") {
      shared ??= configure(withExports(options, exports()));
      return shared;
    }
    let found = known.get(env);
    if (!found) {
      found = configure(withExports(options(env as E), exports()));
      known.set(env, found);
    }
    return found;
  };
  const number = register(configurationFor);

  return {
    async fetch(request, given, context) {
      const requestId = requestIdOf(request);
      let response: Response;
      try {
        const env = (typeof given === "object" && given !== null ? given : NO_ENVIRONMENT) as Environment;
        const exchange: Exchange = {
          configuration: configurationFor(env, () => (context as Partial<WorkerContext> | undefined)?.exports),
          env,
          requestId,
          gateway: number,
          waitUntil: (promise) => (context as Partial<WorkerContext> | undefined)?.waitUntil?.(promise),
        };
        response = await answer(app, request, exchange);
      } catch (error) {
        response = misconfigured(error);
      }
      response.headers.set("x-request-id", requestId);
      return response;
    },
  };
}

/** One object for all requests without an environment, so that its configuration is found again. */
const NO_ENVIRONMENT: Environment = {};

function misconfigured(error: unknown): Response {
  // The package's messages about options hold no secret; those of other errors may.
  const what = error instanceof ChatwireError ? error.message : (error as Error)?.name;
  console.error("chatwire/edge: the gateway cannot start:", what);
  const message = "The gateway's options are not valid, so it cannot answer. Its log names the option.";
  return new Problem(500, "gateway_misconfigured", message).toResponse();
}

function requestIdOf(request: Request): string {
  const own = request.headers.get("x-request-id") ?? "";
  return REQUEST_ID.test(own) ? own : crypto.randomUUID();
}

/**
 * Answers a request that may come from where it does. The steps that all requests need are here: a request that Hono gives to one
 * function is cheaper.
 */
async function answer(app: Hono<Env>, request: Request, exchange: Exchange): Promise<Response> {
  const { configuration } = exchange;
  let cors: Record<string, string>;
  try {
    checkHost(configuration, request);
    cors = checkOrigin(configuration, request);
  } catch (error) {
    return failed(error as Error);
  }
  if (request.method === "OPTIONS") return preflight(request, cors);
  const response = await app.fetch(request, exchange);
  for (const name in cors) response.headers.set(name, cors[name] as string);
  return response;
}

function failed(error: Error): Response {
  if (error instanceof Problem) return error.toResponse();
  console.error("chatwire/edge: a request failed:", error.name);
  return problemOf(error).toResponse();
}

function routes(): Hono<Env> {
  const app = new Hono<Env>({ strict: false });
  for (const path of ["/health", "/healthz"]) {
    app.get(path, () => Response.json({ status: "ok" }, { headers: safeHeaders() }));
  }
  app.get("/v1/models", listModels);
  // Names of models may have slashes.
  app.get("/v1/models/:id{.+}", oneModel);
  app.post("/v1/token", giveToken);
  app.post("/v1/token/revoke", revokeTokens);
  app.get("/v1/keys", (c) => manageKeys(c, ({ keys }) => listKeys(keys, new URL(c.req.url).searchParams)));
  app.post("/v1/keys", (c) => manageKeys(c, async (ring) => createKey(ring, await bodyOf(c))));
  app.patch("/v1/keys/:id", (c) => manageKeys(c, async (ring, id) => limitKey(ring, id, await bodyOf(c))));
  app.delete("/v1/keys/:id", (c) => manageKeys(c, ({ keys }, id) => revokeKey(keys, id)));
  app.get("/v1/usage", (c) => reportUsage(c, usageReport));
  app.get("/v1/limits", (c) => reportUsage(c, limitsReport));
  for (const path of ADMIN_PATHS) {
    app.get(path, (c) => {
      if (c.env.configuration.hasAdminPage) return adminFile(path);
      throw new Problem(404, "not_found", "This gateway has no operators' page. Its option `admin` serves one.");
    });
  }
  app.get("/metrics", showMetrics);
  app.post("/v1/chat/completions", complete);
  for (const path of Object.keys(PASSED)) app.post(`/v1${path}`, (c) => pass(c, path));
  app.on(["GET", "DELETE"], "/v1/streams/:id", resume);
  const others = otherMethods();
  app.notFound((c) => others.fetch(c.req.raw));
  app.onError(failed);
  return app;
}

/** The answers to requests for which there is no route: the path is unknown, or the method is another. */
function otherMethods(): Hono {
  const app = new Hono({ strict: false });
  for (const [path, method] of [
    ["/health", "GET"],
    ["/healthz", "GET"],
    ["/v1/models", "GET"],
    ["/v1/models/:id{.+}", "GET"],
    ["/v1/token", "POST"],
    ["/v1/token/revoke", "POST"],
    ["/v1/keys", "GET, POST"],
    ["/v1/keys/:id", "PATCH, DELETE"],
    ["/v1/usage", "GET"],
    ["/v1/limits", "GET"],
    ["/admin", "GET"],
    ["/metrics", "GET"],
    ["/v1/chat/completions", "POST"],
    ["/v1/embeddings", "POST"],
    ["/v1/completions", "POST"],
    ["/v1/responses", "POST"],
    ["/v1/streams/:id", "GET, DELETE"],
  ] as const) {
    app.all(path, () => {
      throw new Problem(405, "method_not_allowed", `Send ${method} here.`, { headers: { allow: method } });
    });
  }
  app.notFound(() =>
    new Problem(
      404,
      "not_found",
      "Nothing is served at this path. This gateway serves POST /v1/chat/completions, /v1/embeddings, /v1/completions and /v1/responses, and GET /v1/models; images, audio, files, batches and assistants it does not.",
    ).toResponse(),
  );
  app.onError(failed);
  return app;
}

async function listModels(c: Context<Env>): Promise<Response> {
  return Response.json(await modelsOf(c), { headers: safeHeaders() });
}

async function oneModel(c: Context<Env>): Promise<Response> {
  const id = (c.req.param("id") ?? "").replace(/\/+$/, "");
  const found = (await modelsOf(c)).data.find((model) => model.id === id);
  if (!found)
    throw new Problem(
      404,
      "model_not_found",
      "This gateway has no model of this name, or this token may not use it. GET /v1/models lists them.",
    );
  return Response.json(found, { headers: safeHeaders() });
}

/** The models that the caller may use. */
async function modelsOf(c: Context<Env>): Promise<ModelList> {
  const { configuration, env } = c.env;
  const grant = await admit(configuration, c.req.raw, env);
  const names = modelsFor(configuration, grant);
  if (names)
    return { object: "list", data: names.map((id) => ({ id, object: "model", created: 0, owned_by: "gateway" })) };
  const { upstreams } = configuration.anyModel;
  const [key] = keysInOrder(upstreams[0]) as [UpstreamKey];
  try {
    return publicModels(await key.client.models.list({ signal: c.req.raw.signal }), secretsOf(upstreams));
  } catch (error) {
    throw problemOf(error, secretsOf(upstreams));
  }
}

/** A provider's list, of models alone, in which callers find no key and no inner address. */
function publicModels({ data }: ModelList, secrets: readonly string[]): ModelList {
  if (!Array.isArray(data)) throw new Problem(502, "upstream_failed", "The provider's answer is no list of models.");
  const models = (data as unknown[]).filter((one): one is ModelList["data"][number] => {
    return typeof (one as { id?: unknown } | null)?.id === "string";
  });
  const shown = models.map((one) => ({ ...(publicValue(one, secrets) as object), id: one.id }));
  return { object: "list", data: shown as ModelList["data"] };
}

async function giveToken(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  const { token, keys } = configuration;
  if (!token)
    throw new Problem(404, "not_found", "This gateway issues no page tokens. Its option `token` allows them.");
  const grant = await authorized(configuration, c.req.raw, env);
  const wanted = (await bodyOf(c)) as TokenRequest;
  return Response.json(await issuePageToken({ token, keys }, grant, wanted), { headers: safeHeaders() });
}

async function revokeTokens(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  const { token, keys } = configuration;
  if (!token)
    throw new Problem(404, "not_found", "This gateway issues no page tokens. Its option `token` allows them.");
  const grant = await authorized(configuration, c.req.raw, env);
  return Response.json(await revokePageTokens(token, keys, grant, await bodyOf(c)), { headers: safeHeaders() });
}

/** Runs a change of keys for a caller who may make it. */
async function manageKeys(c: Context<Env>, run: (ring: KeyRing, id: string) => Promise<object>): Promise<Response> {
  const { configuration, env } = c.env;
  const { keys, maxKeys } = configuration;
  if (!keys) throw new Problem(404, "not_found", "This gateway manages no keys. Its option `keys` allows that.");
  const { managesKeys } = await authorized(configuration, c.req.raw, env);
  if (!managesKeys)
    throw new Problem(403, "not_allowed", "This token may not manage keys. Use one whose grant has `managesKeys`.");
  return Response.json(await run({ keys, maxKeys }, c.req.param("id") ?? ""), { headers: safeHeaders() });
}

/** A small JSON body; `{}` where there is none. */
async function bodyOf(c: Context<Env>): Promise<Record<string, unknown>> {
  if (!c.req.raw.body) return {};
  return (await readJSON(c.req.raw, MAX_SMALL_BODY, undefined, {})).value;
}

async function reportUsage(
  c: Context<Env>,
  report: (limits: LimiterClient, grant: Grant, query: URLSearchParams) => Promise<object>,
): Promise<Response> {
  const { configuration, env } = c.env;
  const { shared, authorize } = configuration;
  if (!shared || !authorize) {
    throw new Problem(
      404,
      "not_found",
      "This gateway counts no usage. Its options `limiter` and `authorize` allow that.",
    );
  }
  const grant = await authorized(configuration, c.req.raw, env);
  return Response.json(await report(shared, grant, new URL(c.req.url).searchParams), { headers: safeHeaders() });
}

/** The usage of all callers, for Prometheus. */
async function showMetrics(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  const { shared, authorize } = configuration;
  if (!shared || !authorize) {
    throw new Problem(
      404,
      "not_found",
      "This gateway counts no usage. Its options `limiter` and `authorize` allow that.",
    );
  }
  const { readsUsage } = await authorized(configuration, c.req.raw, env);
  if (!readsUsage)
    throw new Problem(
      403,
      "not_allowed",
      "This token may not read the usage of all callers. Use one whose grant has `readsUsage`.",
    );
  const headers = safeHeaders({ "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  return new Response(await metricsOf(shared), { headers });
}

async function complete(c: Context<Env>): Promise<Response> {
  const { configuration, env, requestId, waitUntil } = c.env;
  const { signal } = c.req.raw;
  const grant = await admit(configuration, c.req.raw, env);
  const alarm = new Alarm();
  // Rings for nothing, once: until then the linger of a short answer takes no timer of its own.
  alarm.set(() => {}, LINGER);
  const json = await readJSON(c.req.raw, configuration.maxBodyBytes, alarm);
  const request = chatRequestOf(configuration, grant, json, { wantsUsage: wantsUsage(c.req.raw) });
  checkPlan(configuration, grant);
  await runBefore(configuration, request, { caller: grant.caller, model: request.model, requestId });
  const { caller, plan, tags = null } = grant;
  const recordId = crypto.randomUUID();
  if (configuration.streams && request.isStream) {
    const { model, maxTokens, hidesUsage } = request;
    const known = { gateway: c.env.gateway, caller, plan, tags, recordId, requestId, model, maxTokens, hidesUsage };
    const order = { ...known, trace: traceOf(c.req.raw) };
    const body = request.json.print(request.params) ?? JSON.stringify(request.params);
    return openKept(configuration.streams, { ...order, body }, c.req.header(STREAM_HEADER), waitUntil);
  }
  const control = c.req.raw.headers.get("cache-control");
  const key = await configuration.cache?.keyOf(request, caller, control);
  const cached = key === undefined ? undefined : configuration.cache?.find(key, control);
  if (cached) return fromCache(cached, c.env, { recordId, requestId, caller, model: request.model });
  const gathering = key === undefined ? undefined : configuration.cache?.gather(key);
  const leases = await configuration.shared?.open({ recordId, caller, plan, ...limitsOf(request), signal, waitUntil });
  const trace = traceOf(c.req.raw);
  const admitted = {
    alarm,
    gathering,
    configuration,
    signal,
    requestId,
    caller,
    tags,
    request,
    recordId,
    trace,
    leases,
    waitUntil,
  };
  const { response } = await relay(admitted);
  return withLimits(response, leases);
}

/** An answer from the cache, and a record of what it saved. */
function fromCache(
  { contentType, bytes, tokens, cost }: CachedAnswer,
  { configuration, waitUntil }: Exchange,
  known: Pick<UsageRecord, "recordId" | "requestId" | "caller" | "model">,
): Response {
  const record = openRecord(configuration, undefined, known);
  waitUntil(record.closed);
  const nothing = { promptTokens: 0, cached: null, completionTokens: 0, tokens: 0, cost: 0 };
  void record.close({ ...nothing, outcome: "complete", saved: { tokens, cost } });
  return new Response(bytes.slice(), {
    headers: safeHeaders({ "content-type": contentType, "x-chatwire-cache": "hit" }),
  });
}

/** Lets `hooks.before` change a request's parameters, or refuse it. */
async function runBefore({ hooks }: Configuration, request: ChatRequest, about: HookRequest): Promise<void> {
  const { before } = hooks;
  if (!before) return;
  try {
    const { stream, model } = request.params;
    const changed: unknown = (await ofOwner(() => before(request.params, about))) ?? request.params;
    if (typeof changed !== "object" || Array.isArray(changed)) throw new TypeError("hooks.before gave no parameters.");
    // `stream` and `model` stay: the route and the limits were chosen by them.
    request.params = { ...changed, stream, model };
    // Fails here on a value that JSON cannot hold, before any limit is reserved.
    JSON.stringify(request.params);
  } catch (error) {
    if (error instanceof Refusal) throw new Problem(error.status, error.code, error.message);
    console.error("chatwire/edge: hooks.before failed:", (error as Error)?.name);
    throw new Problem(
      500,
      "gateway_failed",
      "The hook `before` failed, so the request was not sent. The gateway's log says why.",
    );
  }
}

/** An API that the gateway meters, and otherwise passes through. */
async function pass(c: Context<Env>, path: string): Promise<Response> {
  const { configuration, env, requestId, waitUntil } = c.env;
  const { signal } = c.req.raw;
  const grant = await admit(configuration, c.req.raw, env);
  if (configuration.hooks.after && path !== "/embeddings") {
    // Answers of this API pass as they are, past the hook that has to see every answer.
    const message =
      "This gateway checks each answer, and cannot check those of this API. Use POST /v1/chat/completions.";
    throw new Problem(404, "not_found", message);
  }
  const json = await readJSON(c.req.raw, configuration.maxBodyBytes);
  const request = chatRequestOf(configuration, grant, json, { documented: PASSED[path] });
  checkPlan(configuration, grant);
  const about = { caller: grant.caller, model: request.model, requestId, endpoint: `/v1${path}` };
  await runBefore(configuration, request, about);
  const { caller, plan, tags = null } = grant;
  const recordId = crypto.randomUUID();
  const leases = await configuration.shared?.open({ recordId, caller, plan, ...limitsOf(request), signal, waitUntil });
  const trace = traceOf(c.req.raw);
  const passing = { configuration, signal, requestId, caller, tags, path, request, recordId, trace, leases, waitUntil };
  return withLimits(await passThrough(passing), leases);
}

/** W3C Trace Context, as far as it is well-formed. */
function traceOf(request: Request): Record<string, string> {
  const parent = request.headers.get("traceparent") ?? "";
  // Ids of zeros, and the version ff, are not valid.
  if (!/^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/.test(parent)) return {};
  const state = request.headers.get("tracestate") ?? "";
  return { traceparent: parent, ...(/^[\x20-\x7e]{1,512}$/.test(state) && { tracestate: state }) };
}

/**
 * Whether the request comes from a `Chatwire` client, which reads the usage event also where its program has not asked for it.
 */
function wantsUsage(request: Request): boolean {
  return /;\s*usage=1\b/.test(request.headers.get("accept") ?? "");
}

/** @throws {Problem} 500, the caller's plan cannot be kept */
function checkPlan({ shared, isPriced }: Configuration, { plan }: Grant): void {
  const trouble =
    plan && !shared
      ? "a grant has a plan, which needs the option `limiter`"
      : hasBudget(plan) && !isPriced
        ? "a grant has a budget, which needs the price of every model that its caller may use"
        : undefined;
  if (!trouble) return;
  console.error(`chatwire/edge: ${trouble}`);
  throw new Problem(
    500,
    "gateway_misconfigured",
    "The gateway's options are not valid, so it cannot answer. Its log names the option.",
  );
}

/** A kept stream, from after the event that the caller had last; a DELETE stops it. */
async function resume(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  const { caller } = await admit(configuration, c.req.raw, env);
  if (!configuration.streams)
    throw new Problem(
      404,
      "not_found",
      'This gateway keeps no streams. Its option `onDisconnect: "durable"` keeps them.',
    );
  const id = c.req.param("id") ?? "";
  if (c.req.method === "DELETE") return stopKept(configuration.streams, id, caller);
  return readKept(configuration.streams, id, caller, c.req.header("last-event-id"));
}
