/**
 * Who may come in.
 *
 * A worker on a developer's machine holds a paid key and is within reach of every page the developer opens. A foreign
 * page can reach it in two ways: by its address, which the Origin betrays, or by a name of its own that resolves to
 * 127.0.0.1 (DNS rebinding), which the Host betrays. Anywhere else than on a local host a token is needed.
 */
import { problem } from "./errors.ts";

const LOCAL_HOSTS: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The refusal for a request that may not pass, else `null`. Static files need no token: they are in the repository. */
export async function refuseAtDoor(
  request: Request,
  url: URL,
  isApi: boolean,
  accessToken: string | undefined,
): Promise<Response | null> {
  const host = request.headers.get("host") ?? url.host;
  // A local runtime may take the URL from a header that a rebound page can set; the Host it cannot.
  if (!accessToken && !(isLocal(url.host) && isLocal(host))) {
    return problem(
      403,
      "host_not_allowed",
      "This worker answers only on localhost. To open it to other hosts, set the secret ACCESS_TOKEN and send it as a bearer token.",
    );
  }
  if (!isApi) return null;
  if (isForeign(request, host)) {
    return problem(403, "origin_not_allowed", "This API answers only pages served from its own address.");
  }
  if (accessToken && !(await isSame(bearer(request), accessToken))) {
    return problem(401, "access_token_required", "Send this worker's access token as `Authorization: Bearer ...`.", {
      "www-authenticate": "Bearer",
    });
  }
  return null;
}

function isLocal(host: string): boolean {
  return URL.canParse(`http://${host}`) && LOCAL_HOSTS.has(new URL(`http://${host}`).hostname);
}

/** Whether a browser says that a page of another site is asking. Programs send neither header. */
function isForeign(request: Request, host: string): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return true;
  const origin = request.headers.get("origin");
  // Only the host is compared: before a proxy that ends TLS, the page's scheme is not the worker's.
  return origin !== null && (!URL.canParse(origin) || new URL(origin).host !== host);
}

function bearer(request: Request): string {
  return /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
}

/** Compares digests, so that the time taken tells nothing about the token. */
async function isSame(given: string, expected: string): Promise<boolean> {
  const digest = async (text: string) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const [a, b] = await Promise.all([digest(given), digest(expected)]);
  return a.reduce((difference, byte, i) => difference | (byte ^ (b[i] ?? 0)), 0) === 0;
}
