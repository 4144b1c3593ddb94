/**
 * Admission of requests: by Host, by Origin, by token.
 *
 * A gateway on a developer's machine holds a paid key and is within reach of every page the developer opens. A foreign page can
 * reach the gateway by its address, which shows in the Origin, or by a name of its own that resolves to 127.0.0.1, which shows
 * in the Host.
 */
import { isGrant } from "./checks.ts";
import type { Configuration } from "./configuration.ts";
import { type Admitted, grantOfKey, isCallerKey } from "./key-management.ts";
import { LIMIT_HEADERS } from "./limits.ts";
import type { Environment, Grant } from "./options.ts";
import { isPageToken, verifyPageToken } from "./page-token.ts";
import { ofOwner } from "./patience.ts";
import { Problem } from "./problem.ts";

const LOCAL_HOSTS: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** @throws {Problem} 403, without `authorize` or `public` this host is not answered */
export function checkHost({ authorize, isPublic }: Configuration, request: Request): void {
  if (authorize || isPublic) return;
  const { host } = new URL(request.url);
  // A local runtime may take the URL from a header that a rebound page can set. The page cannot set the Host.
  if (isLocal(host) && isLocal(request.headers.get("host") ?? host)) return;
  throw new Problem(
    403,
    "host_not_allowed",
    "This gateway answers only on localhost. To open it to other hosts, give it `authorize`, or `public: true`.",
  );
}

function isLocal(host: string): boolean {
  return URL.canParse(`http://${host}`) && LOCAL_HOSTS.has(new URL(`http://${host}`).hostname);
}

/**
 * The CORS headers of an answer to this request; none where it comes from no page, or from the gateway's own.
 * @throws {Problem} 403, the request comes from a page of another site that is not listed
 */
export function checkOrigin({ origins, token }: Configuration, request: Request): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null) {
    // A page's GET without CORS has no Origin, but browsers send this header. Programs send neither.
    const site = request.headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin" && site !== "none" && origins !== "*") throw foreign();
    return {};
  }
  const isListed = origins === "*" || origins.has(origin) || token?.origins.includes(origin) === true;
  if (!isListed) {
    // Only the host is compared: behind a proxy that ends TLS, the page's scheme is not the gateway's.
    const host = request.headers.get("host") ?? new URL(request.url).host;
    if (URL.canParse(origin) && new URL(origin).host === host) return {};
    throw foreign();
  }
  return {
    "access-control-allow-origin": origins === "*" ? "*" : origin,
    "access-control-expose-headers": EXPOSED,
    vary: "origin",
  };
}

const EXPOSED = [
  ...["x-request-id", "x-upstream-request-id", "x-chatwire-stream", "x-chatwire-stream-state", "x-chatwire-cache"],
  ...["retry-after", "retry-after-ms", "x-should-retry"],
  ...LIMIT_HEADERS,
].join(", ");

function foreign(): Problem {
  return new Problem(
    403,
    "origin_not_allowed",
    "Pages of this origin may not call this gateway. Its `cors` lists those that may.",
  );
}

/** The answer to a browser's preflight request. */
export function preflight(request: Request, cors: Record<string, string>): Response {
  const wanted = request.headers.get("access-control-request-headers");
  return new Response(null, {
    status: 204,
    headers: {
      ...cors,
      "access-control-allow-methods": "GET, POST, PATCH, DELETE",
      // Any header may be sent: the gateway reads none but its own, and passes none on.
      "access-control-allow-headers": wanted ?? "authorization, content-type",
      "access-control-max-age": "86400",
      vary: "origin, access-control-request-headers",
    },
  });
}

/** The grant of every caller where no token is needed. */
const ANYBODY: Grant = { caller: "anonymous" };

/**
 * @throws {Problem} 401, the caller is not known; 403, a page's token on another page; 503, the caller could not be
 * authenticated
 */
export async function admit(configuration: Configuration, request: Request, env: Environment): Promise<Grant> {
  const { token, keys } = configuration;
  const given = bearerOf(request);
  if (token && isPageToken(given)) return verifyPageToken(token, keys, given, request);
  return authorized(configuration, request, env);
}

/** As `admit`, without page tokens: a page cannot make itself another token. */
export async function authorized(configuration: Configuration, request: Request, env: Environment): Promise<Admitted> {
  const { authorize, keys } = configuration;
  if (!authorize) return ANYBODY;
  const given = bearerOf(request);
  if (keys && isCallerKey(given)) return (await grantOfKey(keys, given)) ?? unknown();
  let grant: Grant | null;
  try {
    const { url, method, headers } = request;
    const asked = new Request(url, { method: method === "POST" ? "POST" : "GET", headers });
    grant = await ofOwner(() => authorize(asked, env));
  } catch (error) {
    console.error("chatwire/edge: authorize failed:", (error as Error)?.name ?? "no error");
    throw new Problem(
      503,
      "authorization_unavailable",
      "The caller could not be authenticated. Try again in a moment.",
    );
  }
  if (typeof grant !== "object" || grant === null || typeof grant.caller !== "string") {
    const isRefusal = [null, undefined, false].includes(grant as null | undefined | false);
    if (!isRefusal)
      console.error(
        "chatwire/edge: authorize gave no grant such as { caller }, so the request got a 401. Return a grant, or null.",
      );
    return unknown();
  }
  const checked = checkedGrant(grant);
  return checked.expiresAt !== undefined && checked.expiresAt <= Date.now() ? unknown() : checked;
}

function unknown(): never {
  throw new Problem(401, "unauthorized", "Send a valid token as `Authorization: Bearer ...`.", {
    headers: { "www-authenticate": "Bearer" },
  });
}

/** @throws {Problem} 500, the grant is malformed, and would let its caller do something else than its author meant */
function checkedGrant(grant: Grant): Grant {
  try {
    isGrant("authorize's grant", grant);
    return grant;
  } catch (error) {
    console.error("chatwire/edge: authorize gave a malformed grant:", (error as Error).message);
    throw new Problem(
      500,
      "gateway_misconfigured",
      "The gateway's options are not valid, so it cannot answer. Its log names the option.",
    );
  }
}

/** The token of `Authorization: Bearer`, or nothing. */
export function bearerOf(request: Request): string {
  return /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
}
