/** What the provider picker offers, and the client behind each choice. */
import { Chatwire } from "chatwire";

/** One entry of the picker. */
export interface Choice {
  id: string;
  label: string;
  provider: "electron" | "electronhub" | "openai";
  /** ElectronHub's bases differ in where reasoning appears. */
  endpoint?: "v1" | "v1legacy" | "v1thinking";
  /** Suggestions, the first one preset. A provider with one model has no field for it. */
  models: readonly string[];
}

const HUB_MODELS = ["deepseek-r1", "gpt-4o", "claude-sonnet-4-6"];

export const CHOICES: readonly Choice[] = [
  { id: "electron", label: "Electron", provider: "electron", models: ["electron"] },
  { id: "electronhub", label: "ElectronHub", provider: "electronhub", endpoint: "v1", models: HUB_MODELS },
  {
    id: "electronhub-legacy",
    label: "ElectronHub v1legacy",
    provider: "electronhub",
    endpoint: "v1legacy",
    models: HUB_MODELS,
  },
  {
    id: "electronhub-thinking",
    label: "ElectronHub v1thinking",
    provider: "electronhub",
    endpoint: "v1thinking",
    models: HUB_MODELS,
  },
  { id: "openai", label: "OpenAI", provider: "openai", models: ["gpt-4o-mini", "gpt-4o"] },
];

/** A client of this page's own server, which holds the keys. `accessToken` is for a server that asks for one. */
export function clientFor({ provider, endpoint }: Choice, accessToken: string | null): Chatwire {
  return new Chatwire({
    provider,
    ...(endpoint ? { endpoint } : {}),
    baseURL: `/${endpoint ?? "v1"}`,
    apiKey: accessToken,
    defaultQuery: { provider },
  });
}

/** What the server says of its providers: which is the default, and which are played by the emulator. */
export async function fetchProviders(accessToken: string | null): Promise<{ id: string; emulated: boolean }[]> {
  const headers: Record<string, string> = accessToken ? { authorization: `Bearer ${accessToken}` } : {};
  const response = await fetch("/providers", { headers });
  return response.ok ? response.json() : [];
}
