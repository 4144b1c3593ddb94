/**
 * From a question to the end of its answer: streams it, runs the tools it calls, and streams on.
 *
 * Knows the client and the conversation, not the page: what happens is told to a listener.
 */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionMessageParam,
  ChatEvent,
  Chatwire,
  Outcome,
} from "chatwire";
import { ChatwireError } from "chatwire";
import { CLOCK, CLOCK_PROMPT, readClock } from "./clock.ts";
import { Speech } from "./speech.ts";

/** Rounds of tool calls before the model has to answer in words. */
const MAX_ROUNDS = 4;

/** Is told what happens, in order. */
export interface Listener {
  /** A request goes out. */
  start(): void;
  event(event: ChatEvent): void;
  /** A request has ended, however it did. */
  end(outcome: Outcome): void;
  /** The answer was interrupted while it was spoken: this much of its text was heard, and stays. */
  heard(text: string): void;
  /** A tool has answered the call with this id. */
  toolResult(id: string, result: string): void;
}

export interface Question {
  client: Chatwire;
  model: string;
  /** Whether the model may look at the clock. */
  withClock: boolean;
  /** Whether the answer is read aloud while it comes. It is not over before that is. */
  isSpoken: boolean;
  signal: AbortSignal;
}

/**
 * Asks for the next turn of `messages` and appends what arrives of it, so that the conversation can go on from there.
 * @throws {ChatwireError} the answer did not come, or not whole; an abort by `signal` is no error
 */
export async function exchange(question: Question, messages: ChatCompletionMessageParam[], listener: Listener) {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const outcome = await streamTurn(question, messages, round < MAX_ROUNDS - 1, listener);
    if (outcome?.status !== "complete" || outcome.toolCalls.length === 0) return;
    for (const { id, name, arguments: args } of outcome.toolCalls) {
      const result = readClock(name, args);
      messages.push({ role: "tool", tool_call_id: id, content: result });
      listener.toolResult(id, result);
    }
  }
}

async function streamTurn(
  { client, model, withClock, isSpoken, signal }: Question,
  messages: ChatCompletionMessageParam[],
  mayCall: boolean,
  listener: Listener,
): Promise<Outcome | undefined> {
  const system: ChatCompletionMessageParam[] = withClock ? [{ role: "system", content: CLOCK_PROMPT }] : [];
  const speech = isSpoken ? new Speech(signal) : undefined;
  listener.start();
  let outcome: Outcome | undefined;
  try {
    const stream = await client.chat.completions.create(
      {
        model,
        messages: [...system, ...messages],
        ...(withClock ? { tools: [CLOCK], tool_choice: mayCall ? "auto" : "none" } : {}),
        stream: true,
        stream_options: { include_usage: true },
      },
      { signal, ...(speech ? { sentences: { stripMarkdown: true } } : {}) },
    );
    // The gateway keeps the answer for one who comes back; who presses Stop does not.
    signal.addEventListener("abort", () => void stream.stop().catch(() => {}));
    for await (const event of stream.events) {
      if (event.type === "sentence" && event.choice === 0) speech?.say(event);
      listener.event(event);
    }
    outcome = await stream.outcome();
    // A tool runs while what was said before it is spoken.
    if (speech && outcome.toolCalls.length === 0) await speech.spoken();
    if (speech && signal.aborted) {
      stream.abort({ heard: speech.heard });
      listener.heard(textOf(outcome.message));
    }
  } catch (error) {
    if (error instanceof ChatwireError) outcome = error.outcome;
    if (!signal.aborted) throw error;
  } finally {
    if (outcome) {
      const turn = speech && signal.aborted ? heardTurn(outcome) : keep(outcome);
      if (turn) messages.push(turn);
      listener.end(outcome);
    }
  }
  return outcome;
}

/** What of a turn belongs in the history: all of a whole one, the words of one that broke off. */
function keep({ status, message, text }: Outcome): ChatCompletionAssistantMessageParam | null {
  if (status === "complete") return message;
  return text ? { role: "assistant", content: text } : null;
}

/** The turn as far as it was heard, if it was at all. */
function heardTurn({ message }: Outcome): ChatCompletionAssistantMessageParam | null {
  return textOf(message) ? message : null;
}

function textOf(message: ChatCompletionAssistantMessageParam | null): string {
  return typeof message?.content === "string" ? message.content : "";
}
