/**
 * The sources that the page can ask: the emulator in its own worker, the gateway of the server it came from, or a
 * server of the visitor's own. Each choice has an account of its own, so that a refusal of one holds back no other.
 */
import { Chatwire, type Fetch, type Hooks } from "chatwire";
import { fetchInPage } from "./in-page.ts";
import { IN_PAGE, SERVER, type Source } from "./list.ts";
import { type Line, tap, type WireListener } from "./tap.ts";

/** The options of a client, beside its source. */
export interface Access {
  /** For a server that asks for its access token. */
  token: string | null;
  /** Of the visitor's own server. The key is kept in memory only. */
  own: { baseURL: string; key: string };
  /** Holds back what Electron's standard plan would refuse. */
  hasLimits: boolean;
}

/** A client, and the line it speaks through. */
export interface Connection {
  client: Chatwire;
  line: Line;
}

/** Made anew for each connection: an account is a host and a key, and nothing is known of a new one. */
let accounts = 0;

/** Connects to a source. */
export function connect(source: Source, access: Access, listener: WireListener, hooks: Hooks): Connection {
  const { provider, endpoint, path, group } = source;
  const { fetch, apiKey } = wayTo(source, access);
  const line = tap(fetch, listener);
  // The host is a name for the account alone: the way there is taken from the path.
  const host = `https://${source.id}-${++accounts}.invalid`;
  const client = new Chatwire({
    ...(provider && { provider }),
    ...(endpoint && { endpoint }),
    baseURL: group === "Your own" ? access.own.baseURL : `${host}${path}`,
    apiKey,
    fetch: line.fetch,
    hooks,
    ...(access.hasLimits && { limits: "standard" }),
    ...(group === SERVER && provider && { defaultQuery: { provider } }),
    ...(group === "Your own" && { dangerouslyAllowBrowser: true }),
  });
  return { client, line };
}

function wayTo({ group }: Source, { token, own }: Access): { fetch: Fetch; apiKey: string | null } {
  if (group === IN_PAGE) return { fetch: fetchInPage, apiKey: "emulated" };
  if (group === "Your own") return { fetch: (url, init) => globalThis.fetch(url, init), apiKey: own.key || null };
  const fetch: Fetch = (url, init) => {
    const { pathname, search } = new URL(url);
    return globalThis.fetch(pathname + search, init);
  };
  return { fetch, apiKey: token };
}

/**
 * The server's list of its providers: which is the default, and which are played by the emulator. None on a static
 * host.
 */
export async function fetchProviders(accessToken: string | null): Promise<{ id: string; emulated: boolean }[]> {
  const headers: Record<string, string> = accessToken ? { authorization: `Bearer ${accessToken}` } : {};
  const response = await fetch(new URL("providers.json", document.baseURI), { headers });
  // A server that asks for its token has providers, and tells of them later.
  if (response.status === 401) return ["electron", "electronhub", "openai"].map((id) => ({ id, emulated: false }));
  return response.ok ? response.json() : [];
}
