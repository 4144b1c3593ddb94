/**
 * From a question to the end of its answer: streams it, runs the tools it calls, and streams on.
 *
 * Knows the client and the conversation, not the page: what happens is told to a listener.
 */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionCreateParamsBase,
  ChatCompletionMessageParam,
  ChatEvent,
  ChatStream,
  Chatwire,
  Outcome,
} from "chatwire";
import { ChatwireError } from "chatwire";
import type { Speech } from "../voice/speech.ts";
import { asksFirst, runTool, TOOLS, TOOLS_PROMPT } from "./tools.ts";

/** Rounds of tool calls before the model has to answer in words. */
const MAX_ROUNDS = 4;

/** Is told what happens, in order. */
export interface Listener {
  /** A request goes out. */
  start(): void;
  /** Its response is there. */
  opened(stream: ChatStream): void;
  event(event: ChatEvent): void;
  /** The answer to a request has ended, however it did. */
  end(outcome: Outcome): void;
  /** A request has ended without an answer: it was refused or lost, or the visitor has stopped it. */
  unanswered(status: "error" | "aborted"): void;
  /** The answer was interrupted while it was spoken: this much of its text was heard, and stays. */
  heard(text: string): void;
  /** A tool wants to run; the visitor says whether it may. */
  approve(id: string, name: string, args: string): Promise<boolean>;
  /** A tool has answered the call with this id. */
  toolResult(id: string, result: string): void;
}

export interface Question {
  client: Chatwire;
  /** The parameters that are sent beside the messages. */
  params: Omit<ChatCompletionCreateParamsBase, "messages">;
  /** The system prompt; none where it is empty. */
  system: string;
  withTools: boolean;
  /** Reads the answer aloud while it comes: the answer is not over before that is. */
  speech: Speech | undefined;
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
      const may = !asksFirst(name) || (await listener.approve(id, name, args));
      if (question.signal.aborted) {
        // A call without its result would be refused with the next question.
        dropCalls(messages);
        return;
      }
      const result = may ? runTool(name, args) : JSON.stringify({ error: "The user did not allow this call." });
      messages.push({ role: "tool", tool_call_id: id, content: result });
      listener.toolResult(id, result);
    }
  }
}

/** Takes back a turn that called tools, and the results that are there. Its words stay. */
function dropCalls(messages: ChatCompletionMessageParam[]): void {
  while (messages.at(-1)?.role === "tool") messages.pop();
  const turn = messages.pop();
  const text = turn?.role === "assistant" && typeof turn.content === "string" ? turn.content : "";
  if (text) messages.push({ role: "assistant", content: text });
}

async function streamTurn(
  { client, params, system, withTools, speech, signal }: Question,
  messages: ChatCompletionMessageParam[],
  mayCall: boolean,
  listener: Listener,
): Promise<Outcome | undefined> {
  const prompt = [withTools ? TOOLS_PROMPT : "", system].filter(Boolean).join("\n\n");
  const first: ChatCompletionMessageParam[] = prompt ? [{ role: "system", content: prompt }] : [];
  listener.start();
  // A signal that is kept must not keep the stream, which has all the messages before it.
  const over = new AbortController();
  let outcome: Outcome | undefined;
  try {
    const stream = await client.chat.completions.create(
      {
        ...params,
        messages: [...first, ...messages],
        ...(withTools ? { tools: [...TOOLS], tool_choice: mayCall ? "auto" : "none" } : {}),
        stream: true,
        stream_options: { include_usage: true },
      },
      { signal, sentences: { stripMarkdown: true }, record: true },
    );
    listener.opened(stream);
    // The gateway keeps the answer for a visitor who comes back; one who presses Stop does not.
    signal.addEventListener("abort", () => void stream.stop().catch(() => {}), { signal: over.signal });
    for await (const event of stream.events) {
      if (event.type === "sentence" && event.choice === 0) speech?.say(event);
      listener.event(event);
    }
    outcome = await stream.outcome();
    // A tool runs while what was said before it is spoken.
    if (speech && outcome.toolCalls.length === 0) await speech.spoken();
    if (isInterrupted(speech, signal)) {
      stream.abort({ heard: speech?.heard });
      listener.heard(textOf(outcome.message));
    }
  } catch (error) {
    if (error instanceof ChatwireError) outcome = error.outcome;
    if (!signal.aborted) throw error;
  } finally {
    over.abort();
    if (outcome) {
      const turn = isInterrupted(speech, signal) ? heardTurn(outcome) : keep(outcome);
      if (turn) messages.push(turn);
      listener.end(outcome);
    } else listener.unanswered(signal.aborted ? "aborted" : "error");
  }
  return outcome;
}

/** The answer was left while it was spoken. One who has turned the voice off reads. */
function isInterrupted(speech: Speech | undefined, signal: AbortSignal): boolean {
  return speech !== undefined && !speech.isMuted && signal.aborted;
}

/** The messages of a turn that belong in the history: all of a whole one, the words of one that broke off. */
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
