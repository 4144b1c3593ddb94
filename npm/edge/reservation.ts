/**
 * The most that a request may use, as far as it is known before the request is sent: tokens of its prompt by their length, and
 * of its answer by its cap. Limits and budgets reserve it until the usage is known.
 */
import type { Prices } from "chatwire";
import { costOf } from "./prices.ts";

/** Tokens and USD that are set aside for a request. */
export interface Reservation {
  /** The part of `tokens` that is the prompt's. */
  promptTokens: number;
  /** Those of the prompt and, where its length is capped, of the answer. */
  tokens: number;
  cost: number;
}

/** UTF-16 units of text that make a token, about. */
export const UNITS_PER_TOKEN = 4;
/** Tokens of an image or a recording, about, however long its base64 is. */
const TOKENS_PER_ATTACHMENT = 1000;
/** Base64 units of an attached document for each token of its text, about. */
const FILE_UNITS_PER_TOKEN = 40;
/** Tokens that an answer without a cap is expected to have, for its cost. */
const USUAL_ANSWER = 1000;

type Params = Readonly<Record<string, unknown>>;

/** @param prices of the upstreams that may be asked: the dearest counts */
export function reservationOf(params: Params, prices: readonly (Prices | undefined)[]): Reservation {
  const promptTokens = promptTokensOf(params);
  const { max_tokens, max_completion_tokens, max_output_tokens } = params;
  const cap = Math.max(...[max_tokens, max_completion_tokens, max_output_tokens].map(positive));
  const choices = Math.max(1, positive(params.n)) * promptsIn(params);
  const expected = (cap > 0 ? cap : USUAL_ANSWER) * choices;
  return {
    promptTokens,
    tokens: promptTokens + Math.ceil(cap * choices),
    cost: Math.max(0, ...prices.map((own) => costOf(own, promptTokens, expected))),
  };
}

/** `/v1/completions` answers each of a list of prompts; a list of numbers is one prompt, in tokens. */
export function promptsIn({ prompt }: Params): number {
  const isList = Array.isArray(prompt) && prompt.some((one) => typeof one !== "number");
  return isList ? prompt.length : 1;
}

function positive(value: unknown): number {
  return typeof value === "number" && value > 0 && Number.isFinite(value) ? value : 0;
}

/** Parts of a message that are no text, by the member that holds them. */
const ATTACHMENTS: ReadonlySet<unknown> = new Set([
  ...["image_url", "input_image", "image", "input_audio", "audio_url", "video_url", "input_video"],
]);
const FILES: ReadonlySet<unknown> = new Set(["file", "input_file", "document"]);
/** The members of such a part that hold its contents: others are counted as text. */
const CONTENTS: ReadonlySet<string> = new Set([
  ...[
    "type",
    "image_url",
    "image",
    "input_audio",
    "audio_url",
    "video_url",
    "input_video",
    "file",
    "file_data",
    "source",
  ],
]);

/** Tokens of everything a model reads: messages, instructions, tools, schemas, and a text that it is to repeat. */
export function promptTokensOf(params: Params): number {
  const { messages, input, prompt, instructions, suffix, prediction, tools, functions, response_format, text } = params;
  let units = 0;
  let attachments = 0;
  for (const item of [messages, input].flatMap((list) => (Array.isArray(list) ? list : [list]))) {
    if (typeof item !== "object" || item === null || Array.isArray(item)) {
      units += lengthOf(item);
      continue;
    }
    const { content, output, result, ...rest } = item as Params;
    units += lengthOf(rest);
    if (result !== undefined) attachments++; // an image that was made
    for (const part of [content, output].flatMap((parts) => (Array.isArray(parts) ? parts : [parts]))) {
      const { type, ...members } = (typeof part === "object" && part !== null ? part : { text: part }) as Params;
      const isFile = FILES.has(type);
      const isAttachment = isFile || ATTACHMENTS.has(type);
      const words = Object.entries(members).filter(([name]) => !isAttachment || !CONTENTS.has(name));
      units += words.reduce((length, [, own]) => length + lengthOf(own), 0);
      const { file, file_data, source } = members;
      const fileUnits = lengthOf(file) + lengthOf(file_data) + lengthOf(source);
      if (isFile) attachments += Math.ceil(fileUnits / FILE_UNITS_PER_TOKEN) / TOKENS_PER_ATTACHMENT;
      else if (isAttachment) attachments++;
    }
  }
  for (const own of [prompt, instructions, suffix, prediction, tools, functions, response_format, text]) {
    units += lengthOf(own);
  }
  return Math.ceil(units / UNITS_PER_TOKEN) + Math.ceil(attachments * TOKENS_PER_ATTACHMENT);
}

function lengthOf(value: unknown): number {
  if (value === undefined || value === null) return 0;
  // A prompt may come as its tokens.
  if (typeof value === "number") return UNITS_PER_TOKEN;
  if (Array.isArray(value)) return value.reduce((length: number, one) => length + lengthOf(one), 0);
  return typeof value === "string" ? value.length : JSON.stringify(value).length;
}
