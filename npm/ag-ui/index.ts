/**
 * `chatwire/ag-ui`: a stream or a tool run as events of AG-UI 1.0, which CopilotKit, assistant-ui, Mastra and others read.
 *
 * No dependency: the events are plain objects, checked in the tests against the schemas of `@ag-ui/core`.
 */
import type { ChatEvent, ChatStream, Outcome, ToolRun, ToolRunEvent } from "chatwire";

/** Tokens of a run, as AG-UI counts them. */
export interface AGUITokenUsage {
  inputTokens: number;
  outputTokens: number;
  /** The sum of both. */
  totalTokens: number;
  /** A part of `inputTokens`. */
  cachedInputTokens?: number;
  /** A part of `inputTokens`. */
  cacheWriteInputTokens?: number;
  /** A part of `outputTokens`. */
  reasoningTokens?: number;
  model?: string;
}

/** The events that a run gives, in the order of AG-UI. */
export type AGUIEvent =
  | { type: "RUN_STARTED"; threadId: string; runId: string }
  | { type: "TEXT_MESSAGE_START"; messageId: string; role: "assistant" }
  | { type: "TEXT_MESSAGE_CONTENT"; messageId: string; delta: string }
  | { type: "TEXT_MESSAGE_END"; messageId: string }
  | { type: "REASONING_START"; messageId: string }
  | { type: "REASONING_MESSAGE_START"; messageId: string; role: "reasoning" }
  | { type: "REASONING_MESSAGE_CONTENT"; messageId: string; delta: string }
  | { type: "REASONING_MESSAGE_END"; messageId: string }
  | { type: "REASONING_END"; messageId: string }
  | { type: "TOOL_CALL_START"; toolCallId: string; toolCallName: string; parentMessageId?: string }
  | { type: "TOOL_CALL_ARGS"; toolCallId: string; delta: string }
  | { type: "TOOL_CALL_END"; toolCallId: string }
  | { type: "TOOL_CALL_RESULT"; messageId: string; toolCallId: string; content: string; role: "tool" }
  | {
      type: "RUN_FINISHED";
      threadId: string;
      runId: string;
      outcome: { type: "success"; pendingToolCallIds?: string[] } | { type: "cancelled" };
      usage?: AGUITokenUsage[];
    }
  | { type: "RUN_ERROR"; message: string; code: string; usage?: AGUITokenUsage[] };

/** The ids of the thread and of the run. */
export interface AGUIOptions {
  /**
   * The id of the conversation.
   * @default a random id
   */
  threadId?: string;
  /**
   * The id of this run.
   * @default a random id
   */
  runId?: string;
}

/**
 * The events of one answer, or of a run with tools. Leaving the loop early cancels the request.
 *
 * An answer that breaks off ends with `RUN_ERROR` after all that came, one that was aborted with the outcome `cancelled`.
 * Calls that are left to the reader to run are in `pendingToolCallIds`; one that was cut short is not among them.
 * @throws {ChatwireError} at once, for a source that has its one reader already
 * @example
 * ```ts
 * const stream = client.chat.completions.stream({ model: "electron", messages });
 * for await (const event of toAGUI(stream, { threadId: "t1" })) send(`data: ${JSON.stringify(event)}\n\n`);
 * ```
 */
export function toAGUI(source: ChatStream | ToolRun, options: AGUIOptions = {}): AsyncGenerator<AGUIEvent, void, void> {
  // Taken here, not at the first step: an outcome() that is asked for in the same turn waits for this reader.
  const events: AsyncIterator<ChatEvent | ToolRunEvent> =
    "events" in source ? source.events[Symbol.asyncIterator]() : source[Symbol.asyncIterator]();
  const told = eventsOf(source, events, options);
  const leave = told.return;
  told.return = (value) => {
    // A generator that has not begun, or that waits, does nothing about its `return` yet.
    events.return?.().catch(() => {});
    return leave.call(told, value);
  };
  told.throw = async (error) => {
    await told.return();
    throw error;
  };
  return told;
}

async function* eventsOf(
  source: ChatStream | ToolRun,
  events: AsyncIterator<ChatEvent | ToolRunEvent>,
  options: AGUIOptions,
): AsyncGenerator<AGUIEvent, void, void> {
  const { threadId = crypto.randomUUID(), runId = crypto.randomUUID() } = options;
  yield { type: "RUN_STARTED", threadId, runId };
  const messages = new Messages(runId);
  const answered = new Set<string>();
  let results = 0;
  try {
    for await (const event of { [Symbol.asyncIterator]: () => events }) {
      if (event.type === "tool_result") {
        yield* messages.close();
        const toolCallId = messages.idOf(event);
        answered.add(toolCallId);
        yield {
          type: "TOOL_CALL_RESULT",
          messageId: `${runId}-result-${++results}`,
          toolCallId,
          content: event.content,
          role: "tool",
        };
      } else yield* messages.take(event);
    }
  } catch {
    // The outcome says why.
  }
  const outcome: Outcome = await source.outcome();
  yield* messages.end();
  const usage = usageOf(outcome);
  const { status } = outcome;
  if (status === "truncated" || status === "stalled" || status === "error") {
    const code = (outcome.error as { code?: string | null }).code ?? status;
    yield { type: "RUN_ERROR", message: outcome.error.message, code, ...usage };
    return;
  }
  const pending = outcome.toolCalls
    .flatMap(({ id, complete }) => (complete ? [messages.idOf({ id })] : []))
    .filter((id) => !answered.has(id));
  yield {
    type: "RUN_FINISHED",
    threadId,
    runId,
    outcome:
      status === "aborted"
        ? { type: "cancelled" }
        : { type: "success", ...(pending.length > 0 && { pendingToolCallIds: pending }) },
    ...usage,
  };
}

function usageOf({ usage, completion }: Outcome): { usage?: AGUITokenUsage[] } {
  if (!usage) return {};
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = usage;
  const { cached_tokens: cached, cache_write_tokens: written } = usage.prompt_tokens_details ?? {};
  const { reasoning_tokens: reasoned } = usage.completion_tokens_details ?? {};
  const counts: AGUITokenUsage = {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(cached && { cachedInputTokens: cached }),
    ...(written && { cacheWriteInputTokens: written }),
    ...(reasoned && { reasoningTokens: reasoned }),
    ...(completion?.model && { model: completion.model }),
  };
  return { usage: [counts] };
}

/**
 * Text and reasoning as messages of their own, one open at a time, and the arguments of calls as they come.
 *
 * Readers keep one call of an id, and one message of the calls that have the same parent. So the calls of a step have one parent, and
 * an id that a server gave in an earlier step already is told with the step's number after it.
 */
class Messages {
  readonly #runId: string;
  #count = 0;
  #open: { type: "text" | "reasoning"; messageId: string } | undefined;
  #step = 0;
  /** The message that the calls of this step belong to: the step's text, or one of their own. */
  #parent: string | undefined;
  /** The ids of this step's calls as they are told, by those of the server and by their indices. */
  #ids = new Map<string | number, string>();
  readonly #told = new Set<string>();
  readonly #running = new Set<string>();

  constructor(runId: string) {
    this.#runId = runId;
  }

  /** A call of the current step, by the id that readers know it by. */
  idOf({ id }: { id: string }): string {
    return this.#ids.get(id) ?? id;
  }

  *take(event: ChatEvent & { step?: number }): Generator<AGUIEvent> {
    if (event.choice !== 0) return;
    const { step = 0 } = event;
    if (step !== this.#step) {
      yield* this.end();
      this.#step = step;
      this.#parent = undefined;
      this.#ids = new Map();
    }
    switch (event.type) {
      case "text":
      case "refusal":
        yield* this.#say("text", event.text);
        break;
      case "reasoning":
        yield* this.#say("reasoning", event.text);
        break;
      case "tool_call.start": {
        yield* this.close();
        const toolCallId = this.#told.has(event.id) ? `${event.id}-${step}` : event.id;
        this.#told.add(toolCallId);
        this.#running.add(toolCallId);
        this.#ids.set(event.id, toolCallId).set(event.index, toolCallId);
        this.#parent ??= `${this.#runId}-calls-${this.#count++}`;
        const parentMessageId = this.#parent;
        yield { type: "TOOL_CALL_START", toolCallId, toolCallName: event.name, parentMessageId };
        break;
      }
      case "tool_call.delta": {
        const toolCallId = this.#ids.get(event.index);
        if (toolCallId !== undefined) yield { type: "TOOL_CALL_ARGS", toolCallId, delta: event.arguments };
        break;
      }
      case "tool_call.done":
        yield* this.#endCall(this.idOf(event));
        break;
    }
  }

  *#endCall(toolCallId: string): Generator<AGUIEvent> {
    if (this.#running.delete(toolCallId)) yield { type: "TOOL_CALL_END", toolCallId };
  }

  *#say(type: "text" | "reasoning", delta: string): Generator<AGUIEvent> {
    if (delta === "") return;
    if (this.#open?.type !== type) {
      yield* this.close();
      const messageId = `${this.#runId}-${type}-${this.#count++}`;
      this.#open = { type, messageId };
      if (type === "text") {
        this.#parent ??= messageId;
        yield { type: "TEXT_MESSAGE_START", messageId, role: "assistant" };
      } else {
        yield { type: "REASONING_START", messageId };
        yield { type: "REASONING_MESSAGE_START", messageId, role: "reasoning" };
      }
    }
    const { messageId } = this.#open;
    yield { type: type === "text" ? "TEXT_MESSAGE_CONTENT" : "REASONING_MESSAGE_CONTENT", messageId, delta };
  }

  /** Ends the message that is open. */
  *close(): Generator<AGUIEvent> {
    if (!this.#open) return;
    const { type, messageId } = this.#open;
    this.#open = undefined;
    if (type === "text") yield { type: "TEXT_MESSAGE_END", messageId };
    else {
      yield { type: "REASONING_MESSAGE_END", messageId };
      yield { type: "REASONING_END", messageId };
    }
  }

  /** Ends all that is open, also calls whose arguments were cut short: no reader takes the end of a run before. */
  *end(): Generator<AGUIEvent> {
    yield* this.close();
    for (const toolCallId of [...this.#running]) yield* this.#endCall(toolCallId);
  }
}
