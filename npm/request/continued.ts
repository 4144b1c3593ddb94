/**
 * Going on elsewhere: an answer that broke after its first token is continued by another server, from the text so far. The
 * decoders of the two do not know of each other; this file joins their outcomes into one.
 */
import { type Attempt, define, unsent, withOutcome } from "../errors.ts";
import type { Continuation } from "../options.ts";
import { bothUsages } from "../stream/both-usages.ts";
import type { Outcome, Seam } from "../types.ts";
import type { Answer } from "./answer.ts";

/** How other clients are asked to go on. */
interface Ways {
  /**
   * The caller behind a client, if the value is one. `prefill` has the members that a turn needs beside its text so that the client's
   * server goes on with it; it is undefined for a server that does not go on with a turn.
   */
  callerOf(client: object): { prefill: object | undefined } | undefined;
  /** Sends a request to the client of a continuation, after these attempts. */
  ask(continuation: Continuation, body: string, attempts: readonly Attempt[]): Promise<Answer>;
  /** The caller's. */
  signal: AbortSignal;
}

/**
 * Makes answers to one request that others go on with where they break.
 * @param list asked in turn
 * @param body of the request
 * @throws {InvalidRequestError} the list is none, or one of its clients
 */
export function continuedBy(list: readonly Continuation[], body: string, { callerOf, ask, signal }: Ways) {
  const isOther = (one?: Continuation) => one && callerOf(one.client) && typeof one.model === "string";
  if (!Array.isArray(list) || !list.every(isOther)) {
    const message = "continueWith must be a list of { client, model }, each client another Chatwire";
    throw unsent("invalid_option", message, "continueWith");
  }
  const left: Continuation[] = [...list];
  const goOn = async (answer: Answer, broken: Outcome): Promise<Answer | undefined> => {
    // Attempts at servers that refused are added to the answer that broke only where no server goes on.
    let { attempts } = broken;
    for (let next = left.shift(); next; next = left.shift()) {
      const turn = callerOf(next.client)?.prefill;
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
  const later = second.attempts.slice(first.attempts.length);
  const joined = {
    ...second,
    text,
    reasoning,
    message: bothMessages([first.message, first.text], [second.message, second.text]),
    completion: second.completion ?? first.completion,
    usage: first.usage && second.usage ? bothUsages(first.usage, second.usage) : (first.usage ?? second.usage),
    cost: first.cost === null || second.cost === null ? null : first.cost + second.cost,
    timing: { ...second.timing, ...pick(first.timing) },
    repairs: [...first.repairs, ...second.repairs],
    attempts: [...first.attempts, ...later],
    seams: [...(first.seams ?? []), seam],
  } as Outcome;
  const [choice] = joined.completion?.choices ?? [];
  const own = second.completion?.choices[0]?.message;
  const said = bothMessages([first.completion?.choices[0]?.message, first.text], [own, second.text]);
  if (choice) Object.assign(choice, { message: said });
  if (joined.completion && first.completion) joined.completion.id = first.completion.id;
  if (joined.error) {
    define(joined.error, "attempts", joined.attempts);
    withOutcome(joined.error, joined);
  }
  return joined;
}

/** The fields of a message that thinking is in. */
const THINKING = /^(reasoning(_content|_text|Content)?|thinking(_content)?|thought)$/;

/** A message of an answer, and the answer's text in it. */
type Written = [message: { content?: unknown } | null | undefined, text: string];

/** The second message, or else the first, with the text of both, and with the thinking of both where each has it. */
function bothMessages<M extends object>([first, before]: Written, [second, after]: Written): M | null {
  const message = second ?? first;
  if (!message) return null;
  const all: Written[] = [
    [first, before],
    [second, after],
  ];
  const text = before + after;
  const parts = all.flatMap(([one]) => (Array.isArray(one?.content) ? one.content.filter(isThought) : []));
  const tags = all.map(([one, own]) => tagsOf(one?.content, own)).join("");
  const content = parts.length > 0 ? [...parts, { type: "text", text }] : tags + text;
  const whole: Record<string, unknown> = { ...message, content };
  for (const [name, thought] of Object.entries(second ? (first ?? {}) : {})) {
    if (THINKING.test(name)) whole[name] = `${thought}${whole[name] ?? ""}`;
  }
  return whole as M;
}

function isThought({ type }: { type?: unknown }): boolean {
  return type !== "text";
}

/** Thinking in tags, which stands before the text in the turn to send back. */
function tagsOf(content: unknown, text: string): string {
  return typeof content === "string" && content.endsWith(text) ? content.slice(0, content.length - text.length) : "";
}

function pick({ firstByte, firstToken, firstSentence }: Outcome["timing"]): Partial<Outcome["timing"]> {
  return { firstByte, firstToken, ...(firstSentence === null ? {} : { firstSentence }) };
}
