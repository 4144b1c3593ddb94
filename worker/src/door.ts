/**
 * The access to the parts that are not the gateway's: the page and the list of providers. The gateway knows whom it
 * answers, so it is asked; `/healthz` passes its Host and its Origin, and tells nothing.
 */
import { type Authorize, bearerTokens, type Gateway } from "chatwire/edge";

/** The secret that opens the worker to other hosts than this machine. */
export interface DoorEnv {
  /** The bearer token that callers must present. Without one, only a local host is answered. */
  ACCESS_TOKEN?: string;
}

/** The callers that the worker knows; undefined where everybody on a local host may come in. */
export function authorizeWith({ ACCESS_TOKEN }: DoorEnv): Authorize | undefined {
  return ACCESS_TOKEN ? bearerTokens({ [ACCESS_TOKEN]: "owner" }) : undefined;
}

/** The gateway's refusal of a request for the page, or `null`. Its files need no token: they are in the repository. */
export async function refusePage(gateway: Gateway, request: Request, env: DoorEnv): Promise<Response | null> {
  // A page may be opened from anywhere: where it was linked is not looked at.
  return refuse(gateway, request, env, { host: request.headers.get("host") ?? new URL(request.url).host });
}

/** The gateway's refusal of a request by a program or a page's script, or `null`. */
export async function refuseCall(gateway: Gateway, request: Request, env: DoorEnv): Promise<Response | null> {
  const refused = await refuse(gateway, request, env, request.headers);
  if (refused) return refused;
  const authorize = authorizeWith(env);
  if (!authorize || (await authorize(request, env as Record<string, unknown>))) return null;
  // In the gateway's own words.
  return gateway.fetch(new Request(new URL("/v1/models", request.url), { headers: request.headers }), env);
}

async function refuse(gateway: Gateway, request: Request, env: DoorEnv, headers: HeadersInit) {
  const answer = await gateway.fetch(new Request(new URL("/healthz", request.url), { headers }), env);
  return answer.ok ? null : answer;
}
