/**
 * The object that users hold of a run that lets a model use tools. Its shapes are in shapes.ts.
 * The loop itself is in loop.ts, which is loaded when the first run starts.
 */
import { aborted, ChatwireError, completed, toError, unopened } from "../errors.ts";
import type { onDemand } from "../load.ts";
import { asyncDispose } from "../symbols.ts";
import type {
  ChatCompletion,
  ChatCompletionAssistantMessageParam,
  ChatCompletionMessageParam,
  JSONSchema,
  Usage,
} from "../types.ts";
import type { StandardSchema } from "./schema-shapes.ts";
import type {
  RunnableTool,
  ToolRunEvent,
  ToolRunOptions,
  ToolRunOutcome,
  ToolRunParams,
  ToolRunState,
} from "./shapes.ts";

/**
 * Ties a tool's arguments to their schema for the compiler.
 * @example
 * ```ts
 * const weather = tool({
 *   name: "get_weather",
 *   description: "Current weather of a city",
 *   parameters: z.object({ city: z.string() }),
 *   execute: async ({ city }) => forecast(city),
 * });
 * ```
 */
export function tool<Args>(definition: RunnableTool<Args> & { parameters: StandardSchema<Args> }): RunnableTool<Args>;
export function tool<Args = Record<string, unknown>>(
  definition: RunnableTool<Args> & { parameters?: JSONSchema },
): RunnableTool<Args>;
export function tool<Args>(definition: RunnableTool<Args>): RunnableTool<Args> {
  return definition;
}

/**
 * A model at work with tools: turn after turn until it answers without calling any.
 *
 * Iterate it for everything that happens, or await a final; as with `ChatStream`, there is one reader.
 * @example
 * ```ts
 * const run = client.chat.completions.runTools({ messages, tools: [weather] });
 * for await (const event of run) if (event.type === "text") write(event.text);
 * console.log(await run.totalUsage());
 * ```
 */
export class ToolRun implements AsyncIterable<ToolRunEvent> {
  readonly controller = new AbortController();
  readonly #state: ToolRunState;
  readonly #load: typeof onDemand;
  readonly #ended: Promise<ToolRunOutcome>;
  #settle: (outcome: ToolRunOutcome) => void = () => {};
  #isTaken = false;
  #isBegun = false;

  /**
   * A run is made by `runTools`.
   * @internal
   */
  constructor(
    params: ToolRunParams,
    options: ToolRunOptions,
    open: ToolRunState["open"],
    takesUsage: ToolRunState["takesUsage"],
    load: typeof onDemand,
  ) {
    this.#load = load;
    const messages = Array.isArray(params?.messages) ? [...params.messages] : [];
    this.#state = { params, options, messages, steps: [], added: [], controller: this.controller, open, takesUsage };
    this.#ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** The conversation so far: the given messages, the model's turns and the tools' results. */
  get messages(): readonly ChatCompletionMessageParam[] {
    return this.#state.messages;
  }

  /**
   * Everything that happens, in one stream. Leaving it early aborts the run.
   * @throws {ChatwireError} a turn did not end well, or `maxSteps` were not enough
   */
  [Symbol.asyncIterator](): AsyncGenerator<ToolRunEvent, void, void> {
    if (this.#isTaken) throw new ChatwireError("This run already has its one reader.");
    this.#isTaken = true;
    const events = this.#run();
    // A generator that is left before its first step runs nothing, so nothing else would settle the outcome.
    const leave = events.return;
    events.return = (value) => {
      const { steps, messages } = this.#state;
      if (!this.#isBegun) this.#settle({ ...unopened(aborted()), steps, messages });
      // Without the abort, `return` would wait for the result that `next` still waits for.
      this.abort();
      return leave.call(events, value);
    };
    events.throw = async (error) => {
      await events.return();
      throw error;
    };
    return events;
  }

  async *#run(): AsyncGenerator<ToolRunEvent, void, void> {
    this.#isBegun = true;
    const { steps, messages } = this.#state;
    const { toolLoop } = await this.#load().catch((thrown) => {
      const error = toError(thrown);
      this.#settle({ ...unopened(error), steps, messages });
      throw error;
    });
    yield* toolLoop(this.#state, this.#settle);
  }

  /**
   * Adds a message to the conversation while the model works: before its next turn. A run that would be over goes on for it.
   * @throws {ChatwireError} the run is over
   * @example
   * ```ts
   * run.addMessage({ role: "user", content: "In Celsius, please." });
   * ```
   */
  addMessage(message: ChatCompletionMessageParam): void {
    if (this.#state.outcome) throw new ChatwireError("This run is over: begin another with its messages.");
    this.#state.added.push(message);
  }

  /** How it ended; never rejects. Runs by itself without a loop. */
  outcome(): Promise<ToolRunOutcome> {
    if (!this.#isTaken) {
      Promise.resolve().then(() => {
        if (!this.#isTaken) drain(this);
      });
    }
    return this.#ended;
  }

  /** The last answer's text. */
  async finalContent(): Promise<string | null> {
    return (await completed(this.outcome())).text || null;
  }

  /** The last answer. */
  async finalMessage(): Promise<ChatCompletionAssistantMessageParam> {
    return (await completed(this.outcome())).message as ChatCompletionAssistantMessageParam;
  }

  /** The last answer as a completion. */
  async finalChatCompletion(): Promise<ChatCompletion> {
    return (await completed(this.outcome())).completion as ChatCompletion;
  }

  /** The usage of all turns together; null when nothing is known. */
  async totalUsage(): Promise<Usage | null> {
    return (await completed(this.outcome())).usage;
  }

  /**
   * Ends the run: the request under way is cancelled, and the tools' signals are aborted.
   * @param options `heard`: how much of the last answer a listener heard, as for a stream's `abort`. Its turn is cut in
   * `outcome.message`, and in `messages` if it is there; one that calls tools stays whole once they run
   */
  abort({ heard }: { heard?: number | undefined } = {}): void {
    if (heard !== undefined) this.#state.cut?.(heard);
    this.controller.abort();
  }

  async [asyncDispose](): Promise<void> {
    this.abort();
  }
}

async function drain(run: ToolRun): Promise<void> {
  try {
    for await (const _ of run);
  } catch {
    // The outcome has it.
  }
}
