/**
 * ElectronHub's reasoning: which models have it, where it appears, and how it is hidden.
 *
 * "hub N" is a line of ElectronHub's page on chat completions.
 */
import { THOUGHTS } from "./corpus.ts";
import type { ChatRequest } from "./request.ts";

/** Where a response carries its reasoning: a field of message and delta, tags inside `content`, or nowhere. */
export type Placement = "reasoning" | "reasoning_content" | "tags" | "hidden";

const REASONING_MODEL = /(^|[-/])(r1|o[1-9]|qwq)\b|gpt-5|claude|deepseek|gemini|think|reason/i;
const OPENAI_SHAPED = /(^|\/)(gpt-|o[1-9]\b|chatgpt)/i;
const EXCLUDED = ":reasoning-exclude"; // hub 115

/** The model name without the suffix that hides reasoning. */
export function baseModel(model: string): string {
  return model.endsWith(EXCLUDED) ? model.slice(0, -EXCLUDED.length) : model;
}

/** The reasoning itself, empty for models without. More effort makes it longer. */
export function reasoningFor(request: ChatRequest): string {
  if (!REASONING_MODEL.test(baseModel(request.model)) && request.thinking?.type !== "enabled") return "";
  const sentences = { minimal: 1, low: 2, medium: 4, high: 6, xhigh: 8 }[effortOf(request) ?? "medium"] ?? 4;
  return THOUGHTS.slice(0, sentences).join("");
}

/** Where it goes, from the path (hub 149-151) and the request's overrides (hub 152). */
export function placementFor(path: string, request: ChatRequest): Placement {
  if (request.reasoning?.exclude === true) return "hidden"; // hub 186
  if (request.model.endsWith(EXCLUDED)) return "hidden"; // hub 187
  if (effortOf(request) === "none" && OPENAI_SHAPED.test(request.model)) return "hidden"; // hub 188

  const field = request.reasoning?.delta_field ?? request.reasoning_delta_field; // hub 137, 140
  if (field === "reasoning" || field === "reasoning_content") return field;
  if (request.reasoning_content_compat === true) return "reasoning_content"; // hub 143

  if (path.startsWith("/v1thinking/")) return "tags"; // hub 151
  return path.startsWith("/v1legacy/") ? "reasoning_content" : "reasoning"; // hub 149-150
}

function effortOf(request: ChatRequest): string | undefined {
  return request.reasoning?.effort ?? request.reasoning_effort; // hub 135: the same enum
}
