/**
 * The providers a request can be relayed to, and which of them are real here.
 *
 * Where a provider is comes from configuration alone: nothing in a request can name an address.
 */
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

/** Someone who answers chat requests. */
export interface Provider {
  label: string;
  /** The secret that holds its key: what to look at when the key is refused. */
  keyName: string;
  emulated: boolean;
  /** Sends a request to `path` below the provider's base URL, with its key. */
  send(path: string, init: { method: string; headers: Headers; body?: string; signal: AbortSignal }): Promise<Response>;
}

interface Known {
  label: string;
  keyName: "SMALLEST_API_KEY" | "ELECTRONHUB_API_KEY" | "OPENAI_API_KEY";
  urlName: "ELECTRON_BASE_URL" | "ELECTRONHUB_BASE_URL" | "OPENAI_BASE_URL";
  url: string;
  hasVariants?: boolean;
}

const KNOWN: Readonly<Record<string, Known>> = {
  electron: {
    label: "Electron",
    keyName: "SMALLEST_API_KEY",
    urlName: "ELECTRON_BASE_URL",
    url: "https://api.smallest.ai/waves/v1",
  },
  electronhub: {
    label: "ElectronHub",
    keyName: "ELECTRONHUB_API_KEY",
    urlName: "ELECTRONHUB_BASE_URL",
    url: "https://api.electronhub.ai",
    hasVariants: true,
  },
  openai: {
    label: "OpenAI",
    keyName: "OPENAI_API_KEY",
    urlName: "OPENAI_BASE_URL",
    url: "https://api.openai.com/v1",
  },
};

/** What the page's picker shows: the providers, the default first, and whether each is emulated. */
export function listProviders(env: ProviderEnv): { id: string; label: string; emulated: boolean }[] {
  return Object.entries(KNOWN)
    .map(([id, { label, keyName }]) => ({ id, label, emulated: !env[keyName] }))
    .sort((a, b) => Number(b.id === env.PROVIDER) - Number(a.id === env.PROVIDER));
}

/** The provider a request names, or why there is none. `variant` is one of ElectronHub's bases; others have only `v1`. */
export function chooseProvider(
  env: ProviderEnv,
  named: string | null,
  variant: string,
): Provider | { refusal: string } {
  const id = named ?? (variant === "v1" ? env.PROVIDER || "electron" : "electronhub");
  const known = Object.hasOwn(KNOWN, id) ? KNOWN[id] : undefined;
  if (!known) return { refusal: `There is no such provider. Known: ${Object.keys(KNOWN).join(", ")}.` };
  if (variant !== "v1" && !known.hasVariants) return { refusal: `${known.label} has no /${variant}, only /v1.` };

  const { label, keyName } = known;
  const key = env[keyName];
  const base =
    ((key && env[known.urlName]) || known.url).replace(/\/+$/, "") + (known.hasVariants ? `/${variant}` : "");
  return {
    label,
    keyName,
    emulated: !key,
    send(path, { method, headers, body, signal }) {
      headers.set("authorization", `Bearer ${key || "emulated"}`);
      const send = key ? fetch : emulator().fetch;
      // A redirect is not followed: it would carry the key to an address nobody configured.
      return send(base + path, { method, headers, ...(body !== undefined && { body }), signal, redirect: "manual" });
    },
  };
}

let shared: ReturnType<typeof createEmulator> | undefined;

/** One emulator for the isolate, so that its prefix cache lives as long as a conversation. */
function emulator(): ReturnType<typeof createEmulator> {
  shared ??= createEmulator({ timeToFirstToken: 180, tokensPerSecond: 70 });
  return shared;
}
