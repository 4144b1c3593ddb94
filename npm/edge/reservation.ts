/**
 * The most that a request may use, as far as can be told before it is sent: tokens of its prompt by their length, and of its
 * answer by its cap. Limits and budgets reserve it until the usage is known.
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
/** An image or a recording costs about so many tokens, however long its base64 is. */
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

/** Tokens of everything a model reads: messages, tools and schemas. */
export function promptTokensOf({ messages, prompt, input, tools, functions, response_format }: Params): number {
  let units = 0;
  let attachments = 0;
  const list = Array.isArray(messages) ? messages : [];
  for (const message of list) {
    const { content, ...rest } = (typeof message === "object" && message !== null ? message : {}) as Params;
    units += lengthOf(rest);
    if (!Array.isArray(content)) {
      units += lengthOf(content);
      continue;
    }
    for (const part of content) {
      const { type, file, text, ...others } = (typeof part === "object" && part !== null ? part : {}) as Params;
      if (type === "image_url" || type === "input_audio" || type === "video_url") attachments++;
      else if (type === "file") attachments += Math.ceil(lengthOf(file) / FILE_UNITS_PER_TOKEN) / TOKENS_PER_ATTACHMENT;
      else units += lengthOf(text) + lengthOf(others);
    }
  }
  for (const own of [prompt, input, tools, functions, response_format]) units += lengthOf(own);
  return Math.ceil(units / UNITS_PER_TOKEN) + Math.ceil(attachments * TOKENS_PER_ATTACHMENT);
}

function lengthOf(value: unknown): number {
  if (value === undefined || value === null) return 0;
  return typeof value === "string" ? value.length : JSON.stringify(value).length;
}
