/**
 * Tools as callers write them, and the run that lets a model use them: the shapes, and what users hold.
 * The loop itself is in loop.ts, which is loaded when the first run starts.
 */
import { aborted, ChatwireError, completed, toError, unopened } from "../errors.ts";
import { onDemand } from "../load.ts";
import type { RequestOptions } from "../options.ts";
import type { ChatStream } from "../stream/chat-stream.ts";
import { asyncDispose } from "../symbols.ts";
import type {
  ChatCompletion,
  ChatCompletionAssistantMessageParam,
  ChatCompletionCreateParamsBase,
  ChatCompletionMessageParam,
  ChatEvent,
  JSONSchema,
  Outcome,
  Usage,
} from "../types.ts";
import type { Schema, StandardSchema } from "./schema.ts";

/** What a tool is given beside its arguments. */
export interface ToolContext {
  /** The id of the call. */
  id: string;
  /** Which turn of the model asked for it, from 0. */
  step: number;
  /** Aborted when the run is, and when the tool's time is up. */
  signal: AbortSignal;
}

/** A tool with what it does. */
export type RunnableTool<Args = unknown> = ToolShape<Schema<Args>, Args>;

/** A tool whose schema and arguments belong together by `RunnableTool`, or need not be known. */
export interface ToolShape<Parameters, Args> {
  type?: "function";
  name: string;
  /** When and how to use it, for the model to read. */
  description?: string;
  /** OpenAI: hold the model to `parameters` exactly. */
  strict?: boolean | null;
  /** What the arguments are to be; they are checked before `execute` sees them. None means no arguments. */
  parameters?: Parameters;
  /** Milliseconds it may take, in place of the run's `toolTimeout`. */
  timeout?: number;
  /**
   * Does it. What it gives goes to the model, as it is when text, else as JSON; an `Error` that it gives or throws does too, as
   * a failure. Nothing at all is said in words.
   */
  execute(args: Args, context: ToolContext): unknown;
}

/** The same in the shape of the `openai` package. */
export interface RunnableFunctionTool {
  type: "function";
  function: {
    name?: string;
    description?: string;
    parameters: object;
    /** OpenAI: hold the model to `parameters` exactly. */
    strict?: boolean | null;
    /** Turns the text of the arguments into what `function` takes; `JSON.parse` when left out. */
    parse?: (text: string) => unknown;
    // A method, so that functions of any one argument fit.
    function(args: never, context?: never): unknown;
  };
}

/** A call that waits for leave to run. */
export interface PendingCall {
  id: string;
  name: string;
  /** The checked arguments. */
  arguments: unknown;
  step: number;
}

/** Settings of a run. They are not sent. */
export interface ToolRunOptions extends RequestOptions {
  /** How many turns the model gets at most. Default 10. */
  maxSteps?: number;
  /** How many tools run at the same time at most. Default 4. */
  concurrency?: number;
  /** Milliseconds a tool may take. Default none. */
  toolTimeout?: number;
  /** Asked before each call: `false`, or a reason in words, keeps it from running, and the model is told. */
  approve?: (call: PendingCall) => boolean | string | Promise<boolean | string>;
  /**
   * Ends the run after a turn whose tools have run: one condition, or several of which one is enough. The run is then
   * `complete`, and `messages` end with what the tools gave.
   */
  stopWhen?: StopCondition | readonly StopCondition[];
  /** Asked before each turn how it is to differ: another model, other messages, fewer tools. */
  prepareStep?: (step: StepContext) => PreparedStep | undefined | PromiseLike<PreparedStep | undefined>;
}

/** Whether a run has come far enough. */
export type StopCondition = (run: { steps: Outcome[] }) => boolean | PromiseLike<boolean>;

/** Where a run stands before a turn. */
export interface StepContext {
  /** Which turn it will be, from 0. */
  step: number;
  /** The outcomes of those before. */
  steps: Outcome[];
  /** What is about to be sent. */
  messages: ChatCompletionMessageParam[];
}

/** How one turn differs from the run's parameters: any of them, for this turn alone. */
export interface PreparedStep extends Partial<Omit<ChatCompletionCreateParamsBase, "tools" | "stream">> {
  /** The names of the tools that the model may use in this turn; all of them when left out. */
  activeTools?: readonly string[];
}

/** Parameters of a run. */
export interface ToolRunParams extends Omit<ChatCompletionCreateParamsBase, "tools" | "stream"> {
  tools: readonly (ToolShape<Schema, never> | RunnableFunctionTool)[];
  stream?: boolean | null;
}

/** What a run says: the events of each of its streams, and what the tools gave. */
export type ToolRunEvent =
  | (ChatEvent & { step: number })
  | {
      type: "tool_result";
      step: number;
      id: string;
      name: string;
      /** What the model is told. */
      content: string;
      /** The tool was not run, threw, or ran out of time. */
      failed: boolean;
    };

/** How a run ended: the outcome of its last stream, with usage and cost of all of them. */
export type ToolRunOutcome = Outcome & {
  /** The outcome of each stream. */
  steps: Outcome[];
  /** The whole conversation, ready to go on with. */
  messages: ChatCompletionMessageParam[];
};

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

/** What the loop works with and leaves behind. */
export interface ToolRunState {
  params: ToolRunParams;
  options: ToolRunOptions;
  messages: ChatCompletionMessageParam[];
  steps: Outcome[];
  /** Messages to be added before the next turn. */
  added: ChatCompletionMessageParam[];
  controller: AbortController;
  /** Cuts the turn that is told to what was heard of it, until its tools run. */
  cut?: ((heard: number) => void) | undefined;
  /** There once the run is over. */
  outcome?: ToolRunOutcome;
  /** Opens the stream of one turn. */
  open(params: ChatCompletionCreateParamsBase, options: RequestOptions): ChatStream;
  /** Whether the provider takes `stream_options: { include_usage: true }`. */
  takesUsage(): Promise<boolean>;
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
  readonly #ended: Promise<ToolRunOutcome>;
  #settle: (outcome: ToolRunOutcome) => void = () => {};
  #isTaken = false;
  #isBegun = false;

  /** Made by `runTools`. */
  constructor(
    params: ToolRunParams,
    options: ToolRunOptions,
    open: ToolRunState["open"],
    takesUsage: ToolRunState["takesUsage"],
  ) {
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
    // A generator that is left before its first step runs nothing, so nobody else would settle the outcome.
    const leave = events.return;
    events.return = (value) => {
      const { steps, messages } = this.#state;
      if (!this.#isBegun) this.#settle({ ...unopened(aborted()), steps, messages });
      // What `next` still waits for would be waited for first.
      this.abort();
      return leave.call(events, value);
    };
    return events;
  }

  async *#run(): AsyncGenerator<ToolRunEvent, void, void> {
    this.#isBegun = true;
    const { steps, messages } = this.#state;
    const { toolLoop } = await onDemand().catch((thrown) => {
      const error = toError(thrown);
      this.#settle({ ...unopened(error), steps, messages });
      throw error;
    });
    yield* toolLoop(this.#state, this.#settle);
  }

  /**
   * Says something more to the model while it works: the message is added before its next turn, and a run that would be over
   * goes on for it.
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

  /** How it ended; never rejects. Runs by itself if nobody iterates. */
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

  /** What all turns used together; null when nothing is known. */
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
