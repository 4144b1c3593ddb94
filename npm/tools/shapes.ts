/**
 * Tools as callers write them, and the run that lets a model use them: the shapes. Types only.
 */
import type { RequestOptions } from "../options.ts";
import type { ChatCompletionCreateParamsBase, ChatCompletionMessageParam, ChatEvent, Outcome } from "../types.ts";
import type { Schema } from "./schema-shapes.ts";

/** The context that a tool is given beside its arguments. */
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
  /**
   * Only functions can be run.
   * @default `"function"`
   */
  type?: "function";
  /** The name that the model calls the tool by. */
  name: string;
  /** When and how to use it, for the model to read. */
  description?: string;
  /** OpenAI: hold the model to `parameters` exactly. */
  strict?: boolean | null;
  /**
   * The schema of the arguments, which are checked before `execute` gets them.
   * @default no arguments
   */
  parameters?: Parameters;
  /**
   * Milliseconds it may take, in place of the run's `toolTimeout`.
   * @range more than 0, at most 2,147,483,647
   * @default the run's `toolTimeout`
   */
  timeout?: number;
  /**
   * Runs the tool. The return value goes to the model, as it is when text, else as JSON; an `Error` that is returned or thrown
   * does too, as a failure. Nothing at all is said in words.
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
  /**
   * How many turns the model gets at most.
   * @range at least 1
   * @default 10
   */
  maxSteps?: number;
  /**
   * How many tools run at the same time at most.
   * @range at least 1
   * @default 4
   */
  concurrency?: number;
  /**
   * Milliseconds a tool may take.
   * @range more than 0, at most 2,147,483,647
   * @default none
   */
  toolTimeout?: number;
  /** Asked before each call: all but `true`, such as `false` or a reason in words, keeps it from running, and the model is told. */
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
  /** The same, by its name in the AI SDK. */
  stepNumber: number;
  /** The outcomes of those before. */
  steps: Outcome[];
  /** The messages that are about to be sent. */
  messages: ChatCompletionMessageParam[];
}

/** How one turn differs from the run's parameters: any of them, for this turn alone. */
export interface PreparedStep extends Partial<Omit<ChatCompletionCreateParamsBase, "tools" | "stream">> {
  /** The names of the tools that the model may use in this turn; all of them when left out. No other is run. */
  activeTools?: readonly string[];
  /** `tool_choice` in the AI SDK's words: `"auto"`, `"none"`, `"required"` or `{ type: "tool", toolName }`. */
  toolChoice?: "auto" | "none" | "required" | { type: "tool"; toolName: string };
}

/** Parameters of a run. */
export interface ToolRunParams extends Omit<ChatCompletionCreateParamsBase, "tools" | "stream"> {
  tools: readonly (ToolShape<Schema, never> | RunnableFunctionTool)[];
  stream?: boolean | null;
}

/** An event of a run: those of each of its streams, and the results of the tools. */
export type ToolRunEvent =
  | (ChatEvent & { step: number })
  | {
      type: "tool_result";
      step: number;
      id: string;
      name: string;
      /** The result that the model is told. */
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

/** The stream of one turn. */
interface TurnStream {
  readonly events: AsyncIterable<ChatEvent>;
  abort(options?: { heard?: number | undefined }): void;
  outcome(): Promise<Outcome>;
}

/** The state that the loop works with and leaves behind. */
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
  open(params: ChatCompletionCreateParamsBase, options: RequestOptions): TurnStream;
  /** Whether the provider takes `stream_options: { include_usage: true }`. */
  takesUsage(): Promise<boolean>;
}
