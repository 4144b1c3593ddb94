/**
 * The worker behind the page: it serves the page's files and relays chat requests to a provider.
 *
 * Keys stay here, among the worker's secrets; the page never sees one. A provider without a key is played by the
 * emulator, in process. This is a demonstration with one door, not a gateway: it counts, limits and rewrites nothing.
 */
import { refuseAtDoor } from "./door.ts";
import { problem } from "./errors.ts";
import { type PageEnv, page } from "./page.ts";
import { chooseProvider, listProviders, type ProviderEnv } from "./providers.ts";
import { relay } from "./relay.ts";

/** What `wrangler.toml`, the secrets and the platform give the worker. */
export interface Env extends ProviderEnv, PageEnv {
  /** What callers must present as a bearer token. Without one, only a local host is answered. */
  ACCESS_TOKEN?: string;
  /** The largest request body in bytes, 4 MiB when it is left out. */
  MAX_BODY_BYTES?: string;
}

interface Route {
  method: "GET" | "POST";
  answer(request: Request, url: URL, env: Env): Response | Promise<Response>;
}

const chat = (variant: string): Route => ({
  method: "POST",
  answer: (request, url, env) => send(request, url, env, variant, "/chat/completions"),
});

const ROUTES: Readonly<Record<string, Route>> = {
  "/v1/chat/completions": chat("v1"),
  // ElectronHub's other two bases, which differ in where reasoning appears.
  "/v1legacy/chat/completions": chat("v1legacy"),
  "/v1thinking/chat/completions": chat("v1thinking"),
  "/v1/models": { method: "GET", answer: (request, url, env) => send(request, url, env, "v1", "/models") },
  "/providers": {
    method: "GET",
    answer: (_request, _url, env) => Response.json(listProviders(env), { headers: { "cache-control": "no-store" } }),
  },
};

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    const route = Object.hasOwn(ROUTES, url.pathname) ? ROUTES[url.pathname] : undefined;
    const isApi = route !== undefined || url.pathname.startsWith("/v1");

    const refused = await refuseAtDoor(request, url, isApi, env.ACCESS_TOKEN);
    if (refused) return refused;
    if (!isApi) return page(request, env);
    if (!route)
      return problem(404, "not_found", `Nothing is served at ${url.pathname}. Try POST /v1/chat/completions.`);
    if (request.method !== route.method) {
      return problem(405, "method_not_allowed", `Send ${route.method} to ${url.pathname}.`, { allow: route.method });
    }
    return route.answer(request, url, env);
  },
};

function send(request: Request, url: URL, env: Env, variant: string, path: string): Response | Promise<Response> {
  const named = url.searchParams.get("provider") ?? request.headers.get("x-chatwire-provider");
  const provider = chooseProvider(env, named, variant);
  if ("refusal" in provider) return problem(400, "unknown_provider", provider.refusal);
  return relay(request, provider, path, Number(env.MAX_BODY_BYTES) || 4 * 1024 * 1024);
}
