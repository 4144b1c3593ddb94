/**
 * When the emulator calls tools, which ones, and with what arguments.
 *
 * With `tool_choice: "auto"` a tool is called when the user's words and the tool's overlap. A message that names
 * several places or things gets one call for each, as does one that several tools fit, unless `parallel_tool_calls`
 * is false.
 */
import { languageOf } from "./answers.ts";
import { FILLERS } from "./corpus.ts";
import type { Random } from "./random.ts";
import { type ChatRequest, lastUserText, type Schema, type ToolDefinition, textOf } from "./request.ts";
import { mentionsIn, valueFor } from "./schema.ts";

/** A call as it appears in an assistant message. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON text. */
  arguments: string;
}

interface Tool {
  name: string;
  description: string;
  parameters: Schema;
}

/** Reads both published shapes of a tool definition. */
function toolOf(definition: ToolDefinition): Tool {
  const { name, description, parameters } = definition.function ?? definition;
  // ElectronHub documents tools only as objects, so what is in them may be anything.
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return { name: text(name), description: text(description), parameters: parameters ?? {} };
}

const NOISE = new Set(
  "the and for get set with from that this what when where which who how about into your you are can will does tool function current given returns return please tell find make use call".split(
    " ",
  ),
);

/** Words other languages use for what English tool names say. */
const TRANSLATIONS: readonly [RegExp, string][] = [
  [/मौसम|வானிலை|আবহাওয়া|الطقس|天气|天気/, " weather "],
  [/समय|நேரம்|সময়|الوقت|时间|時間/, " time "],
  [/खोज|தேடு|খোঁজ|ابحث|搜索|検索/, " search "],
];

function wordsOf(text: string): string[] {
  const spaced = text.replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2").toLowerCase();
  return (spaced.match(/[\p{L}\p{M}\d]+/gu) ?? []).filter((word) => word.length > 2 && !NOISE.has(word));
}

function fits(tool: Tool, message: string): boolean {
  let spoken = message;
  for (const [word, meaning] of TRANSLATIONS) if (word.test(message)) spoken += meaning;
  const said = wordsOf(spoken);
  // "weather" finds "weather", and "bookings" finds "book".
  const meets = (word: string): boolean =>
    said.some((each) => each === word || (word.length > 3 && each.startsWith(word)));
  return (
    (tool.name !== "" && message.includes(tool.name)) ||
    [...wordsOf(tool.name), ...wordsOf(tool.description)].some(meets)
  );
}

/** The calls a request leads to; none when it is to be answered in words. */
export function callsFor(request: ChatRequest, random: Random): ToolCall[] {
  const tools = (request.tools ?? []).map(toolOf);
  const choice = request.tool_choice ?? "auto";
  if (tools.length === 0 || choice === "none") return [];
  const last = request.messages.at(-1)?.role;
  if (choice === "auto" && (last === "tool" || last === "function")) return [];

  const message = lastUserText(request.messages);
  let called: Tool[];
  if (typeof choice === "object") called = tools.filter((tool) => tool.name === choice.function.name);
  else {
    called = tools.filter((tool) => fits(tool, message));
    if (called.length === 0 && choice === "required") called = tools.slice(0, 1);
  }

  const mentions = mentionsIn(message);
  const calls: ToolCall[] = [];
  for (const tool of called) {
    const seen = new Set<string>();
    for (let nth = 0; nth < Math.max(1, mentions.names.length); nth++) {
      const text = JSON.stringify(valueFor(tool.parameters, mentions, nth) ?? {});
      if (seen.has(text)) continue;
      seen.add(text);
      calls.push({ id: `call_${random.id(24)}`, name: tool.name, arguments: text });
    }
  }
  return request.parallel_tool_calls === false ? calls.slice(0, 1) : calls;
}

const VOICE =
  /acknowledg|out loud|filler|(voice|phone)[- ]?(agent|assistant)|spoken|before (using|calling) (any|a) tool/i;

/**
 * The sentence that is spoken while a tool runs, or `null`.
 *
 * "When you provide a voice-agent-style system prompt, Electron emits a short filler phrase in the assistant message
 * `content` field alongside `tool_calls`" (openapi 27-33).
 */
export function fillerFor(request: ChatRequest, random: Random): string | null {
  const system = request.messages.filter((message) => message.role === "system" || message.role === "developer");
  if (!system.some((message) => VOICE.test(textOf(message)))) return null;
  return random.pick(FILLERS[languageOf(lastUserText(request.messages))]);
}
