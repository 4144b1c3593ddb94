/**
 * Going on elsewhere: an answer that broke after its first token is continued by another server, from the text so far. The
 * decoders of the two do not know of each other; this file joins their outcomes into one.
 */
import { type Attempt, define, withOutcome } from "../errors.ts";
import type { Continuation } from "../options.ts";
import { bothUsages } from "../stream/both-usages.ts";
import type { ChatCompletionAssistantMessageParam, Outcome, Seam } from "../types.ts";
import type { Answer } from "./answer.ts";

/** How other clients are asked to go on. */
interface Ways {
  /** The members that the turn needs beside its text for this client's server to go on with it; nothing where it does not. */
  turnFor(client: object): object | undefined;
  /** Sends a request to the client of a continuation, after these attempts. */
  ask(continuation: Continuation, body: string, attempts: readonly Attempt[]): Promise<Answer>;
  /** The caller's. */
  signal: AbortSignal;
}

/**
 * Makes answers to one request that others go on with where they break.
 * @param left loses each client as it is asked
 * @param body of the request
 */
export function continuedBy(left: Continuation[], body: string, { turnFor, ask, signal }: Ways) {
  const goOn = async (answer: Answer, broken: Outcome): Promise<Answer | undefined> => {
    // Attempts at servers that refused are added to the answer that broke only where no server goes on.
    let { attempts } = broken;
    for (let next = left.shift(); next; next = left.shift()) {
      const turn = turnFor(next.client);
      if (!turn) continue;
      try {
        const more = await ask(next, continuation(body, next, { content: broken.text, ...turn }), attempts);
        answer.slot.leave(broken);
        answer.slot.end();
        const seam = seamOf(broken, (more.decoder.attempts ?? []) as Attempt[]);
        const verdict = (own: Outcome) => joinedOutcome(broken, own, seam);
        return { ...more, holds: false, again: undefined, verdict, preamble: { type: "seam", choice: 0, ...seam } };
      } catch (thrown) {
        attempts = (thrown as { attempts?: Attempt[] }).attempts ?? attempts;
        if (signal.aborted) break;
      }
    }
    broken.attempts = attempts;
    return undefined;
  };
  return (answer: Answer): Answer => ({
    ...answer,
    continued: (outcome) => (canContinue(outcome) ? goOn(answer, outcome) : undefined),
  });
}

/** Whether another server could go on: text was said, and nothing but text. */
function canContinue({ status, text, toolCalls, finishReason, completion, error }: Outcome): boolean {
  const isBroken = status === "truncated" || status === "stalled" || status === "error";
  const isOne = (completion?.choices.length ?? 1) <= 1;
  // After `timeout.total` no time is left for another server.
  const hasTime = error?.code !== "timeout.total";
  // A reason that stands for a failure, or that was on every chunk of a body that was cut, ends nothing.
  const isOpen = finishReason === null || finishReason === error?.code || status === "truncated";
  return isBroken && hasTime && isOne && isOpen && text !== "" && toolCalls.length === 0;
}

/** The request to another server: the same, with the text so far as the turn to be continued. */
function continuation(body: string, { model, params }: Continuation, turn: object): string {
  const sent = JSON.parse(body) as { messages: object[] };
  const messages = [...sent.messages, { role: "assistant", ...turn }];
  return JSON.stringify({ ...sent, ...params, model, messages, stream: true });
}

/** Where one answer ends and the other begins. */
function seamOf({ text, error, status }: Outcome, attempts: readonly Attempt[]): Seam {
  return { at: text.length, provider: attempts.at(-1)?.provider ?? "", reason: error?.name ?? status };
}

/** Both as one outcome: the end of the second, with the text of the first before its own. */
function joinedOutcome(first: Outcome, second: Outcome, seam: Seam): Outcome {
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
