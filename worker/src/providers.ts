/**
 * The providers behind the gateway, and which of them are real here.
 *
 * Where a provider is comes from configuration alone: nothing in a request can name an address.
 */
import type { Fetch } from "chatwire";
import type { ProviderOptions } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";

/** Keys and addresses, from the worker's secrets and variables. */
export interface ProviderEnv {
  /** The provider of requests that name none; Electron when it is left out. */
  PROVIDER?: string;
  SMALLEST_API_KEY?: string;
  ELECTRONHUB_API_KEY?: string;
  OPENAI_API_KEY?: string;
  /** Ends in `/waves/v1`. */
  ELECTRON_BASE_URL?: string;
  /** Without `/v1`: the variants are its children. */
  ELECTRONHUB_BASE_URL?: string;
  /** Ends in `/v1`. */
  OPENAI_BASE_URL?: string;
}

const KNOWN = {
  electron: { label: "Electron", keyName: "SMALLEST_API_KEY", urlName: "ELECTRON_BASE_URL" },
  electronhub: { label: "ElectronHub", keyName: "ELECTRONHUB_API_KEY", urlName: "ELECTRONHUB_BASE_URL" },
  openai: { label: "OpenAI", keyName: "OPENAI_API_KEY", urlName: "OPENAI_BASE_URL" },
} as const;

export type ProviderName = keyof typeof KNOWN;
export const PROVIDERS = Object.keys(KNOWN) as ProviderName[];

/** ElectronHub's bases, which differ in where reasoning appears. Others have only the first. */
export const VARIANTS = ["v1", "v1legacy", "v1thinking"] as const;
export type Variant = (typeof VARIANTS)[number];

/** The list for the page's picker: the providers, the default first, and whether each is emulated. */
export function listProviders(env: ProviderEnv): { id: string; label: string; emulated: boolean }[] {
  return PROVIDERS.map((id) => ({ id, label: KNOWN[id].label, emulated: !env[KNOWN[id].keyName] })).sort(
    (a, b) => Number(b.id === env.PROVIDER) - Number(a.id === env.PROVIDER),
  );
}

/** The provider a request names, or gets. `undefined` where there is no such provider, or it has no such variant. */
export function chooseProvider(env: ProviderEnv, named: string | null, variant: Variant): ProviderName | undefined {
  const id = named ?? (variant === "v1" ? env.PROVIDER || "electron" : "electronhub");
  const isKnown = PROVIDERS.includes(id as ProviderName) && (variant === "v1" || id === "electronhub");
  return isKnown ? (id as ProviderName) : undefined;
}

/** How the gateway reaches a provider. One without a key is played by the emulator. */
export function settingsOf(env: ProviderEnv, id: ProviderName, variant: Variant): ProviderOptions {
  const { keyName, urlName } = KNOWN[id];
  const [apiKey, url] = [env[keyName], env[urlName]?.replace(/\/+$/, "")];
  const isHub = id === "electronhub";
  return {
    provider: id,
    ...(isHub && { endpoint: variant }),
    // The page, or another caller, retries.
    maxRetries: 0,
    ...(apiKey
      ? { apiKey, ...(url && { baseURL: isHub ? `${url}/${variant}` : url }) }
      : { apiKey: () => crypto.randomUUID(), fetch: emulate, cooldown: false as const }),
  };
}

/**
 * Each request has a key of its own on its way to the emulator, since a refusal holds back all requests with the
 * same key: the trouble that one visitor asks for is not another's. The emulator knows one key, so that its prefix
 * cache is used.
 */
const emulate: Fetch = (address, init) => {
  init.headers.set("authorization", "Bearer emulated");
  return emulator().fetch(address, init);
};

let shared: ReturnType<typeof createEmulator> | undefined;

/** One emulator for the isolate, so that its prefix cache lives as long as a conversation. */
function emulator(): ReturnType<typeof createEmulator> {
  shared ??= createEmulator({ timeToFirstToken: 180, tokensPerSecond: 70 });
  return shared;
}
