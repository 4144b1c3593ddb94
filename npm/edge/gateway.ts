/**
 * The gateway: its options per environment, and what is served where.
 */
import { ChatwireError, type ModelList } from "chatwire";
import { type Context, Hono } from "hono";
import { admit, authorized, checkHost, checkOrigin, preflight } from "./admission.ts";
import { type Configuration, configure } from "./configuration.ts";
import { openKept, readKept, stopKept } from "./kept.ts";
import type { Environment, GatewayOptions } from "./options.ts";
import { issuePageToken } from "./page-token.ts";
import { Problem, safeHeaders } from "./problem.ts";
import { register } from "./registry.ts";
import { relay } from "./relay.ts";
import { modelsFor, readParams, wishOf } from "./request.ts";
import { problemOf } from "./upstream.ts";
import { usageReport } from "./usage-report.ts";

/** The part of a worker's context that the gateway uses. */
export interface WorkerContext {
  /** Keeps the worker alive until this has settled. */
  waitUntil(promise: Promise<unknown>): void;
}

/** What a worker's main module exports. */
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
  /** Its number among the gateways of this worker. */
  gateway: number;
  waitUntil(promise: Promise<unknown>): void;
}

type Env = { Bindings: Exchange };

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
  const configurationFor = (env: Environment): Configuration => {
    if (typeof options !== "function") {
      shared ??= configure(options);
      return shared;
    }
    const found = known.get(env) ?? configure(options(env as E));
    known.set(env, found);
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
          configuration: configurationFor(env),
          env,
          requestId,
          gateway: number,
          waitUntil: (promise) => (context as Partial<WorkerContext> | undefined)?.waitUntil?.(promise),
        };
        response = await app.fetch(request, exchange);
      } catch (error) {
        response = misconfigured(error);
      }
      response.headers.set("x-request-id", requestId);
      return response;
    },
  };
}

/** One for all requests that come without, so that what is known of it is found again. */
const NO_ENVIRONMENT: Environment = {};

function misconfigured(error: unknown): Response {
  // What the package says of options holds no secret; what others throw may.
  const what = error instanceof ChatwireError ? error.message : (error as Error)?.name;
  console.error("chatwire/edge: the gateway cannot start:", what);
  const message = "This gateway is not set up correctly. Who runs it finds the reason in its log.";
  return new Problem(500, "gateway_misconfigured", message).toResponse();
}

function requestIdOf(request: Request): string {
  const own = request.headers.get("x-request-id") ?? "";
  return REQUEST_ID.test(own) ? own : `req_${crypto.randomUUID().replaceAll("-", "")}`;
}

function routes(): Hono<Env> {
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const { configuration } = c.env;
    checkHost(configuration, c.req.raw);
    const cors = checkOrigin(configuration, c.req.raw);
    if (c.req.method === "OPTIONS") {
      c.res = preflight(c.req.raw, cors);
      return;
    }
    await next();
    for (const [name, value] of Object.entries(cors)) c.res.headers.set(name, value);
  });
  app.get("/healthz", () => Response.json({ status: "ok" }, { headers: safeHeaders() }));
  app.get("/v1/models", listModels);
  app.post("/v1/token", giveToken);
  app.get("/v1/usage", reportUsage);
  app.post("/v1/chat/completions", complete);
  app.on(["GET", "DELETE"], "/v1/streams/:id", resume);
  for (const [path, method] of [
    ["/healthz", "GET"],
    ["/v1/models", "GET"],
    ["/v1/token", "POST"],
    ["/v1/usage", "GET"],
    ["/v1/chat/completions", "POST"],
    ["/v1/streams/:id", "GET, DELETE"],
  ] as const) {
    app.all(path, () => {
      throw new Problem(405, "method_not_allowed", `Send ${method} here.`, { headers: { allow: method } });
    });
  }
  app.notFound(() =>
    new Problem(404, "not_found", "Nothing is served here. Try POST /v1/chat/completions.").toResponse(),
  );
  app.onError((error) => {
    if (error instanceof Problem) return error.toResponse();
    console.error("chatwire/edge: a request failed:", error.name);
    return problemOf(error).toResponse();
  });
  return app;
}

async function listModels(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  const grant = await admit(configuration, c.req.raw, env);
  const names = modelsFor(configuration, grant);
  const list: ModelList =
    names === null
      ? await configuration.anyModel.client.models.list({ signal: c.req.raw.signal }).catch(rethrown)
      : { object: "list", data: names.map((id) => ({ id, object: "model", created: 0, owned_by: "gateway" })) };
  return Response.json(list, { headers: safeHeaders() });
}

async function giveToken(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  if (!configuration.token) throw new Problem(404, "not_found", "This gateway gives no tokens.");
  const grant = await authorized(configuration, c.req.raw, env);
  return Response.json(await issuePageToken(configuration.token, grant), { headers: safeHeaders() });
}

async function reportUsage(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  const { shared, authorize } = configuration;
  if (!shared || !authorize) {
    throw new Problem(404, "not_found", "This gateway keeps no usage: it needs `limiter` and `authorize`.");
  }
  const grant = await authorized(configuration, c.req.raw, env);
  return Response.json(await usageReport(shared, grant, new URL(c.req.url).searchParams), { headers: safeHeaders() });
}

async function complete(c: Context<Env>): Promise<Response> {
  const { configuration, env, requestId, waitUntil } = c.env;
  const request = c.req.raw;
  const grant = await admit(configuration, request, env);
  const params = await readParams(request, configuration.maxBodyBytes);
  const wish = wishOf(configuration, grant, params);
  const { caller, plan } = grant;
  if (plan && !configuration.shared) {
    console.error("chatwire/edge: a grant has a plan, and there is no `limiter` to keep it");
    throw new Problem(500, "gateway_misconfigured", "This gateway is not set up correctly.");
  }
  const recordId = crypto.randomUUID();
  const { signal } = request;
  if (configuration.streams && wish.params.stream === true) {
    const { model, params, hidesUsage } = wish;
    const order = { gateway: c.env.gateway, caller, plan, recordId, requestId, model, params, hidesUsage };
    return openKept(configuration.streams, order, signal, waitUntil);
  }
  const asking = { recordId, caller, plan, provider: wish.route.first.name, params: wish.params, signal, waitUntil };
  const turn = await configuration.shared?.open(asking);
  const relayed = await relay({ configuration, signal, requestId, caller, wish, recordId, turn, waitUntil });
  return relayed.response;
}

/** A kept stream, from after the event that the caller had last; a DELETE stops it. */
async function resume(c: Context<Env>): Promise<Response> {
  const { configuration, env } = c.env;
  const { caller } = await admit(configuration, c.req.raw, env);
  if (!configuration.streams) throw new Problem(404, "not_found", "This gateway keeps no streams.");
  const id = c.req.param("id") ?? "";
  if (c.req.method === "DELETE") return stopKept(configuration.streams, id, caller);
  return readKept(configuration.streams, id, caller, c.req.header("last-event-id"));
}

function rethrown(error: unknown): never {
  throw problemOf(error);
}
