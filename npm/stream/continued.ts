/**
 * Going on elsewhere: an answer that broke after its first token is continued by another server, from the text so far. The part that is
 * added here is one that the decoders of the two cannot know: both are one answer.
 */
import { type Attempt, define, withOutcome } from "../errors.ts";
import type { ChatCompletionAssistantMessageParam, Outcome, Seam } from "../types.ts";
import { bothUsages } from "./both-usages.ts";

/** Whether another server could go on: text was said, and nothing but text. */
export function canContinue({ status, text, toolCalls, finishReason, completion, error }: Outcome): boolean {
  const isBroken = status === "truncated" || status === "stalled" || status === "error";
  const isOne = (completion?.choices.length ?? 1) <= 1;
  // The time is up after that.
  const hasTime = error?.code !== "timeout.total";
  return isBroken && hasTime && isOne && text !== "" && toolCalls.length === 0 && finishReason === null;
}

/** The request that has another server go on: the same, with what was said as the turn to be continued. */
export function continuation(body: string, { model, params, turn }: Wanted, said: string): string {
  const sent = JSON.parse(body) as { messages: object[] };
  const messages = [...sent.messages, { role: "assistant", content: said, ...turn }];
  return JSON.stringify({ ...sent, ...params, model, messages, stream: true });
}

/** How the other server is asked. */
export interface Wanted {
  model: string;
  params?: object | undefined;
  /** The members of the turn beside its text. */
  turn: object;
}

/** Where one answer ends and the other begins. */
export function seamOf({ text, error, status }: Outcome, attempts: readonly Attempt[]): Seam {
  return { at: text.length, provider: attempts.at(-1)?.provider ?? "", reason: error?.name ?? status };
}

/** Both as one: how the second ended, with what the first said before it. */
export function joinedOutcome(first: Outcome, second: Outcome, seam: Seam): Outcome {
  const text = first.text + second.text;
  const reasoning = first.reasoning + second.reasoning;
  const last = first.attempts.at(-1);
  if (last && first.error) last.reason = first.error.name;
  const own = second.attempts.slice(first.attempts.length);
  const joined = {
    ...second,
    text,
    reasoning,
    message: withText(second.message ?? first.message, text),
    completion: second.completion ?? first.completion,
    usage: first.usage && second.usage ? bothUsages(first.usage, second.usage) : (first.usage ?? second.usage),
    cost: first.cost === null || second.cost === null ? null : first.cost + second.cost,
    timing: { ...second.timing, ...pick(first.timing) },
    repairs: [...first.repairs, ...second.repairs],
    attempts: [...first.attempts, ...own],
    seams: [...(first.seams ?? []), seam],
  } as Outcome;
  const [choice] = joined.completion?.choices ?? [];
  if (choice) Object.assign(choice, { message: { ...choice.message, content: text } });
  if (joined.completion && first.completion) joined.completion.id = first.completion.id;
  if (joined.error) {
    define(joined.error, "attempts", joined.attempts);
    withOutcome(joined.error, joined);
  }
  return joined;
}

function withText(message: Outcome["message"], content: string): ChatCompletionAssistantMessageParam | null {
  return message && ({ ...message, content } as ChatCompletionAssistantMessageParam);
}

function pick({ firstByte, firstToken, firstSentence }: Outcome["timing"]): Partial<Outcome["timing"]> {
  return { firstByte, firstToken, ...(firstSentence === null ? {} : { firstSentence }) };
}
