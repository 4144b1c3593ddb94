/** The sources that the page can ask, as the picker lists them. */

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
export const IN_PAGE = "In this page" as const;
export const SERVER = "This page's server" as const;

/** The visitor's own server. */
export const OWN = "own";
/** The emulator behind a gateway that keeps its streams. */
const KEEPING = "page-gateway";

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
