/**
 * The events of a stream, its outcome, and the totals of a client's calls. Types only.
 */
import type { Attempt, ChatwireError } from "../errors.ts";
import type { ChatCompletion, ChatCompletionAssistantMessageParam, CompletionUsage } from "./wire.ts";

// ---- Events ---------------------------------------------------------------------------------------------------------

/** Usage with where it comes from. */
export interface Usage extends CompletionUsage {
  /** True when no usage arrived and the numbers are an estimate. */
  estimated: boolean;
}

/**
 * An event of a stream, whatever the dialect of its server. `choice` is the index of the answer it belongs to.
 * @example
 * ```ts
 * for await (const event of stream.events) {
 *   if (event.type === "text") write(event.text);
 *   else if (event.type === "tool_call.done") run(event.name, event.arguments);
 * }
 * ```
 */
export type ChatEvent =
  | { type: "text"; choice: number; text: string }
  | { type: "reasoning"; choice: number; text: string }
  | { type: "refusal"; choice: number; text: string }
  /**
   * A sentence of the text, as soon as it is complete, and where it starts and ends in the text, in UTF-16 units. Each starts
   * where the one before ended, white space in front: together they are the text, and the last may be blank. Asked for with
   * `sentences`.
   */
  | { type: "sentence"; choice: number; text: string; start: number; end: number }
  /** The text given so far was spoken to fill the time a tool takes. */
  | { type: "filler"; choice: number; text: string }
  /**
   * Audio of the answer: what a delta brought of it. `data` is base64; the pieces of `data`, and of `transcript`, are to be
   * joined.
   */
  | { type: "audio"; choice: number; id?: string; data?: string; transcript?: string }
  /** `custom` is there, and true, for a custom tool: its arguments are plain text. */
  | { type: "tool_call.start"; choice: number; index: number; id: string; name: string; custom?: true }
  | { type: "tool_call.delta"; choice: number; index: number; arguments: string }
  /** `complete` is false when the arguments were cut short or are not JSON. */
  | {
      type: "tool_call.done";
      choice: number;
      index: number;
      id: string;
      name: string;
      arguments: string;
      complete: boolean;
      custom?: true;
    }
  /**
   * The JSON so far, once a network chunk at most: of an answer that is an object or a list, or, with `index`, of that tool
   * call's arguments. One live object that grows in place: copy it to keep it. Strings grow too; a number or literal is there
   * once it is whole.
   */
  | { type: "partial"; choice: number; index?: number; value: unknown }
  /** `cost` in USD; null when the prices are not known. */
  | { type: "usage"; choice: number; usage: Usage; cost: number | null }
  /** Something the server did differently was put right, in its event number `at`, from 0. */
  | { type: "repair"; choice: number; code: string; at: number }
  | { type: "finish"; choice: number; finishReason: string }
  /** The answer broke, and another server goes on from here (`continueWith`). */
  | ({ type: "seam"; choice: number } & Seam);

/** Where an answer broke, and another server went on. */
export interface Seam {
  /** How much of the text was said before, in UTF-16 units. */
  at: number;
  /** The provider that goes on. */
  provider: string;
  /** The name of the error that broke it. */
  reason: string;
}

// ---- Outcome --------------------------------------------------------------------------------------------------------

/** The names that the server gives an answer. An id or a model that the server does not name is the empty text. */
export interface AnswerHead {
  id: string;
  model: string;
  /** Seconds since 1970, where the server says it. */
  created?: number | undefined;
}

/** A tool call as it stood at the end. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON text; of a custom tool its input, which is plain text. */
  arguments: string;
  /** The arguments arrived whole and are valid JSON. */
  complete: boolean;
  /** There, and true, for a custom tool. */
  custom?: true;
}

/** Something the server did differently, put right `count` times, first in its event number `at`, from 0. */
export interface Repair {
  code: string;
  at: number;
  count: number;
}

/** When things came, in milliseconds since the request was sent; null for what never came. */
export interface Timing {
  firstByte: number | null;
  firstToken: number | null;
  /** With `sentences`: when the first one was given out. */
  firstSentence: number | null;
  total: number | null;
  /** Output tokens per second between the first token and the end. */
  tokensPerSecond: number | null;
}

/** The fields of an outcome whatever its status: all that arrived. */
export interface OutcomeFields {
  /** The accumulated completion, normalised; null when nothing arrived. */
  completion: ChatCompletion | null;
  /** The assistant's turn, to append to `messages` and send back. */
  message: ChatCompletionAssistantMessageParam | null;
  /** Text of choice 0, or of the only choice. */
  text: string;
  /** The model's thinking, choice 0. */
  reasoning: string;
  /** Tool calls of choice 0. */
  toolCalls: ToolCall[];
  /** Of choice 0: `stop`, `length`, `tool_calls`, … or what the server said instead; null when it said nothing. */
  finishReason: string | null;
  /** Null when nothing is known. */
  usage: Usage | null;
  /** In USD. Null when prices or usage are not known, never 0 for unknown. */
  cost: number | null;
  timing: Timing;
  repairs: Repair[];
  /** Every try, the one that answered last. */
  attempts: Attempt[];
  /** Where the answer broke and was continued elsewhere; only with `continueWith`. */
  seams?: Seam[];
  /** How often the connection was lost and the rest of the answer fetched: 0 where no gateway keeps it. */
  resumed: number;
  requestId: string | null;
}

/**
 * How a stream ended, and all that arrived. A union on `status`:
 *
 * - `complete`: the answer is whole (cut at `max_tokens` is whole too, with `finishReason: "length"`)
 * - `truncated`: the body ended or was reset before that
 * - `stalled`: a timeout ran out while waiting for more
 * - `aborted`: you left
 * - `error`: the server said so mid-stream, or what it sent could not be read
 *
 * @example
 * ```ts
 * const outcome = await stream.outcome();
 * if (outcome.status === "complete") messages.push(outcome.message);
 * ```
 */
export type Outcome =
  | (OutcomeFields & { status: "complete"; error?: undefined })
  | (OutcomeFields & { status: "aborted"; error?: ChatwireError })
  | (OutcomeFields & { status: "truncated" | "stalled" | "error"; error: ChatwireError });

// ---- Totals ---------------------------------------------------------------------------------------------------------

/** The totals of a client's finished calls. */
export interface UsageTotals {
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
  /** Calls whose usage is not known, and not in the sums. */
  uncounted: number;
  /** Calls whose usage is an estimate. */
  estimated: number;
  /** In USD; null once a call's cost was not known. */
  cost: number | null;
  /** The amount that the prefix cache saved, in USD. */
  saved: number;
}

/** Gives the id of the request, without changing what the server sent. */
export type WithRequestId<T> = T & {
  /** The server's id of the request, from `X-Request-Id`. Not enumerable. */
  readonly _request_id?: string | null;
  /** Of a completion: how it was read, with its usage, cost, repairs and attempts. Not enumerable. */
  readonly _outcome?: Outcome;
};
