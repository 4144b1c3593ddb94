/** The one tool the page offers a model: a clock. It runs here and touches nothing. */
import type { ChatCompletionTool } from "chatwire";

const NAME = "current_time";

export const CLOCK: ChatCompletionTool = {
  type: "function",
  function: {
    name: NAME,
    description: "The current date and time in a city.",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string", description: "A city that a time zone is named for, such as Kolkata or New York" },
      },
      required: ["city"],
    },
  },
};

/** Asks for a spoken word before the clock is looked at, which Electron then writes beside the call. */
export const CLOCK_PROMPT =
  "You are a friendly voice assistant. Acknowledge out loud, in a few words, before using a tool. Answer in the user's language.";

/** Answers a call of the clock, as JSON text for the model. Whatever the model wrote, it answers. */
export function readClock(name: string, args: string): string {
  if (name !== NAME) return JSON.stringify({ error: `There is no tool called ${name}.` });
  const city = cityIn(args);
  const timeZone = zoneOf(city);
  if (!timeZone) return JSON.stringify({ error: "No time zone has that name. Name a larger city nearby." });
  const time = new Date().toLocaleString("en-GB", { dateStyle: "full", timeStyle: "short", timeZone });
  return JSON.stringify({ city, time });
}

function cityIn(args: string): string {
  try {
    const { city } = JSON.parse(args) as { city?: unknown };
    return typeof city === "string" ? city : "";
  } catch {
    return "";
  }
}

const REGIONS = ["Asia", "Europe", "America", "Africa", "Australia", "Pacific", "Atlantic", "Indian"];

function zoneOf(city: string): string | undefined {
  return REGIONS.map((region) => `${region}/${city.trim().replaceAll(" ", "_")}`).find((timeZone) => {
    try {
      return Boolean(new Intl.DateTimeFormat("en", { timeZone }));
    } catch {
      return false;
    }
  });
}
