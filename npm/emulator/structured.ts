/**
 * Answers in JSON: `response_format` `json_object`, and `json_schema` where the service takes it.
 */
import { languageOf } from "./answers.ts";
import { type ChatRequest, isObject, lastUserText, textOf } from "./request.ts";
import { mentionsIn, valueFor } from "./schema.ts";

const CAPITALS = ["Mumbai", "Bengaluru", "Chennai", "Kolkata", "Jaipur", "Lucknow", "Patna"];
const COUNTS: Record<string, number> = { one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7 };

/** The JSON text that answers, or `null` when the request is for prose. `prose` is what would have been said. */
export function structuredAnswer(request: ChatRequest, prose: string): string | null {
  const format = request.response_format;
  if (!isObject(format)) return null;
  const message = lastUserText(request.messages);
  if (format.type === "json_schema") {
    return JSON.stringify(valueFor(format.json_schema?.schema ?? { type: "object" }, mentionsIn(message)));
  }
  if (format.type !== "json_object") return null;
  if (isObject(parse(prose))) return prose; // an echo of JSON

  const asked = [message, ...request.messages.map(textOf)].map(shapeIn).find((shape) => shape !== null);
  return JSON.stringify(asked ? fill(asked, message) : { answer: prose, language: languageOf(message) });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The keys of an example such as `{"capitals": [...], "country": "..."}` in a message. */
function shapeIn(message: string): [key: string, value: string][] | null {
  const example = /\{([^{}]*)\}/.exec(message)?.[1];
  if (!example) return null;
  const pairs = [...example.matchAll(/["']?([\p{L}_][\p{L}\p{M}\d_]*)["']?\s*:\s*(\[[^\]]*\]|[^,]*)/gu)];
  return pairs.length > 0 ? pairs.map((pair) => [pair[1] ?? "", (pair[2] ?? "").trim()]) : null;
}

function fill(shape: [key: string, value: string][], message: string): Record<string, unknown> {
  const { names, numbers } = mentionsIn(message);
  const word = Object.keys(COUNTS).find((each) => new RegExp(`\\b${each}\\b`, "i").test(message));
  const count = numbers[0] ?? COUNTS[word ?? ""] ?? 3;
  const list = /capital|cit(y|ies)|place/i.test(message) ? CAPITALS : [...names, "one", "two", "three", "four", "five"];
  const entries = shape.map(([key, value], index): [string, unknown] => {
    if (value.startsWith("[")) return [key, list.slice(0, Math.min(Math.max(count, 0), 7))];
    if (/^(number|integer|int|float|-?\d)/i.test(value)) return [key, numbers[index] ?? 42];
    if (/^(bool|true|false)/i.test(value)) return [key, true];
    return [key, list[index] ?? "yes"];
  });
  return Object.fromEntries(entries);
}
