/** A conversation as data: what was asked, what came of it, and what of that is sent with the next question. */
import type { ChatCompletionMessageParam, Outcome } from "chatwire";

/** One tool call, and what the tool said. */
export interface ShownCall {
  name: string;
  arguments: string;
  result: string | null;
}

/** One request's share of an answer, as it is shown. */
export interface Step {
  reasoning: string;
  text: string;
  /** The text was spoken to fill the time of a tool. */
  isFiller: boolean;
  calls: ShownCall[];
}

/** How an answer went: the outcomes of its requests without their contents. */
export type Result = Pick<
  Outcome,
  "status" | "usage" | "cost" | "timing" | "repairs" | "resumed" | "finishReason" | "attempts"
>;

/** One try at an answer. */
export interface Answer {
  steps: Step[];
  results: Result[];
  /** The messages that are sent with the next question. */
  messages: ChatCompletionMessageParam[];
  note: string | null;
  /** The class of what went wrong, and its words. */
  problem: { name: string; title: string; text: string; detail: string | null } | null;
  /** Whether it has ended. */
  isOver?: boolean;
}

/** A question and the tries to answer it, the last of which counts. */
export interface Turn {
  question: string;
  answers: Answer[];
}

export interface Conversation {
  id: string;
  /** Milliseconds since 1970. */
  updatedAt: number;
  turns: Turn[];
}

export function newConversation(): Conversation {
  return { id: idOf(), updatedAt: Date.now(), turns: [] };
}

/** A name that no other conversation has. `randomUUID` is missing in pages that came without TLS. */
export function idOf(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16).padStart(8, "0")).join("");
}

export function newAnswer(): Answer {
  return { steps: [], results: [], messages: [], note: null, problem: null, isOver: false };
}

/** The part of an outcome that is kept for the row of facts. */
export function resultOf(outcome: Outcome): Result {
  const { status, usage, cost, timing, repairs, resumed, finishReason, attempts } = outcome;
  return { status, usage, cost, timing, repairs, resumed, finishReason, attempts };
}

/** The result of a request that had no answer. */
export function unanswered(status: Outcome["status"]): Result {
  const timing = { firstByte: null, firstToken: null, firstSentence: null, total: null, tokensPerSecond: null };
  return { status, usage: null, cost: null, timing, repairs: [], resumed: 0, finishReason: null, attempts: [] };
}

/**
 * A kept conversation, with an end for each answer that has none: the page was closed while it came. Its words are sent with the next
 * question, as those of a stopped one are.
 */
export function recovered(conversation: Conversation): Conversation {
  for (const answer of conversation.turns.flatMap(({ answers }) => answers)) {
    if (answer.isOver !== false) continue;
    answer.isOver = true;
    answer.results.push(unanswered("aborted"));
    answer.note = "The page was closed while this answer came.";
    const text = answer.steps.flatMap((step) => step.text || []).join("\n\n");
    answer.messages = text ? [{ role: "assistant", content: text }] : [];
  }
  return conversation;
}

/** The first words, to tell it apart. */
export function titleOf({ turns }: Conversation): string {
  const question = turns[0]?.question.slice(0, 1000).replace(/\s+/g, " ").trim() ?? "";
  return question.length > 60 ? `${question.slice(0, 59)}…` : question || "New chat";
}

/** Whether a turn was refused as it stands: the next question would be refused with it. */
export function isLeftOut({ answers }: Turn): boolean {
  const last = answers.at(-1);
  return last !== undefined && last.messages.length === 0 && last.problem !== null;
}

/**
 * The messages to send: the turns before `end`, each with the last try at it, without those that never had an
 * answer.
 */
export function history({ turns }: Conversation, end = turns.length): ChatCompletionMessageParam[] {
  return turns.slice(0, end).flatMap((turn): ChatCompletionMessageParam[] => {
    if (isLeftOut(turn)) return [];
    return [{ role: "user", content: turn.question }, ...(turn.answers.at(-1)?.messages ?? [])];
  });
}
