/**
 * The sources that the page can ask: the emulator in its own worker, the gateway of the server it came from, or a
 * server of the visitor's own. Each choice has an account of its own, so that a refusal of one holds back no other.
 */
import { Chatwire, type Fetch, type Hooks } from "chatwire";
import { fetchInPage } from "./in-page.ts";
import { type Line, tap, type WireListener } from "./tap.ts";

/** One entry of the picker. */
export interface Source {
  id: string;
  label: string;
  group: "In this page" | "This page's server" | "Your own";
  provider?: "electron" | "electronhub" | "openai";
  /** ElectronHub's bases differ in where reasoning appears. */
  endpoint?: "v1" | "v1legacy" | "v1thinking";
  /** The path under which its requests go out. */
  path: string;
  /** Suggestions, the first one preset. A source with one model has no field for it. */
  models: readonly string[];
}

const HUB_MODELS = ["deepseek-r1", "gpt-4o", "claude-sonnet-4-6"];
const IN_PAGE = "In this page" as const;
const SERVER = "This page's server" as const;

/** The visitor's own server. */
export const OWN = "own";
/** The emulator behind a gateway that keeps its streams. */
export const KEEPING = "page-gateway";

/** The emulator's and the server's entry for each of ElectronHub's bases. */
function hubs(group: Source["group"], id: string, label: string): Source[] {
  return (["v1", "v1legacy", "v1thinking"] as const).map((endpoint) => ({
    id: endpoint === "v1" ? id : `${id}-${endpoint.slice(2)}`,
    label: endpoint === "v1" ? label : `${label}, ${endpoint}`,
    group,
    provider: "electronhub",
    endpoint,
    path: `/${endpoint}`,
    models: HUB_MODELS,
  }));
}

export const SOURCES: readonly Source[] = [
  {
    id: "page",
    label: "Emulator in this page",
    group: IN_PAGE,
    provider: "electron",
    path: "/waves/v1",
    models: ["electron"],
  },
  {
    id: KEEPING,
    label: "Emulator behind a gateway",
    group: IN_PAGE,
    provider: "electron",
    path: "/gateway/v1",
    models: ["electron"],
  },
  ...hubs(IN_PAGE, "page-hub", "Emulator with reasoning"),
  { id: "electron", label: "Electron", group: SERVER, provider: "electron", path: "/v1", models: ["electron"] },
  ...hubs(SERVER, "electronhub", "ElectronHub"),
  { id: "openai", label: "OpenAI", group: SERVER, provider: "openai", path: "/v1", models: ["gpt-4o-mini", "gpt-4o"] },
  { id: OWN, label: "Your own server", group: "Your own", path: "", models: ["", ""] },
];

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
