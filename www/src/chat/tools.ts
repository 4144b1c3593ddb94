/** The tools the page offers a model. They run here. One of them changes the page, so it asks first. */
import type { ChatCompletionFunctionTool } from "chatwire";

interface PageTool {
  definition: ChatCompletionFunctionTool;
  asksFirst: boolean;
  run(args: Record<string, unknown>): unknown;
}

function describe(name: string, description: string, properties: Record<string, object>): ChatCompletionFunctionTool {
  const parameters = { type: "object", properties, required: Object.keys(properties) };
  return { type: "function", function: { name, description, parameters } };
}

const PAGE_TOOLS: Readonly<Record<string, PageTool>> = {
  current_time: {
    definition: describe("current_time", "The current date and time in a city.", {
      city: { type: "string", description: "A city that a time zone is named for, such as Kolkata or New York" },
    }),
    asksFirst: false,
    run({ city }) {
      const timeZone = typeof city === "string" ? zoneOf(city) : undefined;
      if (!timeZone) return { error: "No time zone has that name. Name a larger city nearby." };
      return { city, time: new Date().toLocaleString("en-GB", { dateStyle: "full", timeStyle: "short", timeZone }) };
    },
  },
  set_theme: {
    definition: describe("set_theme", "Shows this page in a dark or a light theme.", {
      theme: { type: "string", enum: ["dark", "light"] },
    }),
    asksFirst: true,
    run({ theme }) {
      if (theme !== "dark" && theme !== "light") return { error: "The theme is dark or light." };
      document.documentElement.dataset.theme = theme;
      return { theme };
    },
  },
};

export const TOOLS: readonly ChatCompletionFunctionTool[] = Object.values(PAGE_TOOLS).map(
  ({ definition }) => definition,
);

/** Asks for a spoken word before a tool is used, which Electron then writes beside the call. */
export const TOOLS_PROMPT =
  "You are a friendly voice assistant. Acknowledge out loud, in a few words, before using a tool. Answer in the user's language.";

/** Whether the visitor is asked before this tool runs. */
export const asksFirst = (name: string): boolean =>
  Object.hasOwn(PAGE_TOOLS, name) && PAGE_TOOLS[name]?.asksFirst === true;

/** Answers a call, as JSON text for the model. Every text of the model is answered. */
export function runTool(name: string, args: string): string {
  const tool = Object.hasOwn(PAGE_TOOLS, name) ? PAGE_TOOLS[name] : undefined;
  if (!tool) return JSON.stringify({ error: `There is no tool called ${name}.` });
  try {
    const read: unknown = JSON.parse(args || "{}");
    return JSON.stringify(tool.run(typeof read === "object" && read !== null ? (read as Record<string, unknown>) : {}));
  } catch {
    return JSON.stringify({ error: "The arguments are no JSON." });
  }
}

const REGIONS = ["Asia", "Europe", "America", "Africa", "Australia", "Pacific", "Atlantic", "Indian"];
/** Cities that share the zone of another. */
const NEIGHBOURS: Readonly<Record<string, string>> = {
  pune: "Kolkata",
  mumbai: "Kolkata",
  delhi: "Kolkata",
  bengaluru: "Kolkata",
  beijing: "Shanghai",
  munich: "Berlin",
};

function zoneOf(city: string): string | undefined {
  const named = NEIGHBOURS[city.trim().toLowerCase()] ?? city.trim();
  return REGIONS.map((region) => `${region}/${named.replaceAll(" ", "_")}`).find((timeZone) => {
    try {
      return Boolean(new Intl.DateTimeFormat("en", { timeZone }));
    } catch {
      return false;
    }
  });
}
