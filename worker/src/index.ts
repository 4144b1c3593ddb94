/**
 * The worker behind the page: it serves the page's files, and is the gateway that the page's requests go through.
 *
 * Keys stay here, among the worker's secrets; the page never sees one. A provider without a key is played by the
 * emulator, in process.
 */
import {
  ChatwireLimiter,
  ChatwireStreams,
  type DurableNamespace,
  type Gateway,
  gateway,
  type StreamsNamespace,
  type UsageRecord,
  type WorkerContext,
} from "chatwire/edge";
import { authorizeWith, type DoorEnv, refuseCall, refusePage } from "./door.ts";
import { type PageEnv, page } from "./page.ts";
import {
  chooseProvider,
  listProviders,
  PROVIDERS,
  type ProviderEnv,
  type ProviderName,
  settingsOf,
  VARIANTS,
  type Variant,
} from "./providers.ts";

/** The environment of the worker, from `wrangler.toml`, the secrets and the platform. */
export interface Env extends ProviderEnv, PageEnv, DoorEnv {
  /** The largest request body in bytes, 4 MiB when it is left out. */
  MAX_BODY_BYTES?: string;
  /** Keeps answers. Without it, a page that disconnects has stopped its answer. */
  STREAMS?: StreamsNamespace;
  /** `short` logs a line for people in place of each usage record. */
  LOG?: string;
  /** Keeps limits and usage. */
  LIMITER?: DurableNamespace;
}

export { ChatwireLimiter, ChatwireStreams };

/** A gateway for each provider and variant: the page says which it wants, and names models as the provider does. */
const gateways = new Map<string, Gateway>(
  PROVIDERS.flatMap((id) => VARIANTS.map((variant) => [`${id} ${variant}`, gatewayTo(id, variant)])),
);

function gatewayTo(id: ProviderName, variant: Variant): Gateway {
  return gateway((env: Env) => {
    const [authorize, maxBodyBytes] = [authorizeWith(env), Number(env.MAX_BODY_BYTES)];
    const { STREAMS: streams, LIMITER: limiter } = env;
    return {
      providers: { [id]: settingsOf(env, id, variant) },
      ...(authorize && { authorize }),
      ...(maxBodyBytes && { maxBodyBytes }),
      ...(limiter && { limiter }),
      // A page whose network failed resumes its stream; a page whose user pressed Stop says so.
      ...(streams ? { streams, onDisconnect: "durable" } : { onDisconnect: "abort" }),
      onUsage: (record) => console.log(env.LOG === "short" ? lineOf(record) : JSON.stringify(record)),
    };
  });
}

const any = gateways.get("electron v1") as Gateway;

export default {
  async fetch(request: Request, env: Env, context: WorkerContext): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/providers" || url.pathname === "/providers.json") {
      const refused = await refuseCall(any, request, env);
      return refused ?? Response.json(listProviders(env), { headers: { "cache-control": "no-store" } });
    }
    const [, variant, path] = /^\/(v1\w*)(?:\/(.*))?$/.exec(url.pathname) ?? [];
    if (!variant && url.pathname !== "/healthz") return (await refusePage(any, request, env)) ?? page(request, env);

    const named = url.searchParams.get("provider") ?? request.headers.get("x-chatwire-provider");
    const id = chooseProvider(env, named, (variant ?? "v1") as Variant);
    const chosen = gateways.get(`${id} ${variant ?? "v1"}`);
    if (!chosen) return (await refuseCall(any, request, env)) ?? unknown();
    if (!variant || variant === "v1") return chosen.fetch(request, env, context);
    // A gateway serves below /v1.
    return chosen.fetch(new Request(new URL(`/v1/${path ?? ""}`, url), request), env, context);
  },
};

/** A usage record in one short line. */
function lineOf({ status, provider, outcome, tokens, cost, startedAt }: UsageRecord): string {
  const parts = [
    status,
    provider ?? "-",
    outcome,
    `${tokens ?? "?"} tokens`,
    cost === null ? "" : `$${cost.toFixed(6)}`,
  ];
  return [...parts, `${Date.now() - startedAt} ms`].filter((part) => part !== "").join("  ");
}

function unknown(): Response {
  const message = `There is no such provider, or it has no such base. Known: ${PROVIDERS.join(", ")}.`;
  const error = { message, type: "invalid_request_error", param: null, code: "unknown_provider" };
  return Response.json({ error }, { status: 400, headers: { "cache-control": "no-store" } });
}
