/**
 * A stream for user interfaces: what there is to show, at most once a frame.
 */
import type { ChatEvent, Outcome, ToolCall } from "../types.ts";

/** The state of choice 0, to be shown. Each is a fresh object. */
export interface Frame {
  text: string;
  reasoning: string;
  toolCalls: ToolCall[];
}

/** How long to wait where frames do not come: in a hidden page, or without a page. */
const HIDDEN_MS = 100;

/**
 * @param events is left early when the frames are: before the first of them, and while one is waited for, too
 * @param ended gives the outcome once the events are over
 */
export function frames(
  events: AsyncIterator<ChatEvent>,
  ended: () => Promise<Outcome>,
): AsyncGenerator<Frame, void, void> {
  const shown = framesOf(events, ended);
  const leave = shown.return;
  shown.return = (value) => {
    events.return?.();
    return leave.call(shown, value);
  };
  return shown;
}

async function* framesOf(
  events: AsyncIterator<ChatEvent>,
  ended: () => Promise<Outcome>,
): AsyncGenerator<Frame, void, void> {
  const now: Frame = { text: "", reasoning: "", toolCalls: [] };
  let isOver = false;
  let failure: unknown;
  let changed = false;
  let wake = () => {};
  const read = async () => {
    try {
      for (let next = await events.next(); !next.done; next = await events.next()) {
        changed = apply(now, next.value) || changed;
        if (changed) wake();
      }
    } catch (error) {
      failure = error;
    }
    isOver = true;
    wake();
  };
  read();
  try {
    for (;;) {
      if (!changed && !isOver) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (isOver) break;
      await nextFrame();
      if (isOver) break;
      changed = false;
      yield copyOf(now);
    }
    // The last frame is made of the outcome: text of the events may have turned out to be reasoning. An outcome that keeps neither
    // changes nothing.
    const last = await ended();
    yield copyOf(last.text || last.reasoning ? last : now);
    if (failure !== undefined) throw failure;
  } finally {
    if (!isOver) await events.return?.();
  }
}

function copyOf({ text, reasoning, toolCalls }: Frame): Frame {
  return { text, reasoning, toolCalls: toolCalls.map((call) => ({ ...call })) };
}

/** Applies an event; whether there is something new to show. */
function apply(frame: Frame, event: ChatEvent): boolean {
  if (event.choice !== 0) return false;
  switch (event.type) {
    case "text":
    case "reasoning":
      frame[event.type] += event.text;
      return true;
    case "tool_call.start":
      frame.toolCalls[event.index] = { id: event.id, name: event.name, arguments: "", complete: false };
      return true;
    case "tool_call.delta": {
      const call = frame.toolCalls[event.index];
      if (call) call.arguments += event.arguments;
      return true;
    }
    case "tool_call.done": {
      const { index, id, name, complete } = event;
      frame.toolCalls[index] = { id, name, arguments: event.arguments, complete };
      return true;
    }
    default:
      return false;
  }
}

/** The host's next frame; a timer where the page is hidden, which has none. */
function nextFrame(): Promise<void> {
  const { requestAnimationFrame: request, cancelAnimationFrame: cancel } = globalThis as {
    requestAnimationFrame?: (callback: () => void) => number;
    cancelAnimationFrame?: (id: number) => void;
  };
  return new Promise((resolve) => {
    let frame = 0;
    const timer = setTimeout(() => {
      cancel?.(frame);
      resolve();
    }, HIDDEN_MS);
    frame =
      request?.(() => {
        clearTimeout(timer);
        resolve();
      }) ?? 0;
  });
}
