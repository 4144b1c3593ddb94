/**
 * Tools with what they do, as `runTools` of the `openai` package takes them, and its parameters. Types, and two small tests.
 */
import type { EventValue } from "./emitter.ts";
import type { ChatCompletionCreateParamsNonStreaming, ChatCompletionCreateParamsStreaming } from "./params.ts";
import type { AbstractChatCompletionRunner, AbstractChatCompletionRunnerEvents as RunEvents } from "./runner.ts";
import type { ChatCompletionFunctionTool } from "./shapes.ts";

type Awaitable<T> = T | Promise<T>;
/** Arguments as `JSON.parse` gives them, for functions whose arguments nothing else tells. */
type FromJSON = ReturnType<JSON["parse"]>;

type Listened = "on" | "once" | "off" | "emitted" | "events";
type PublicPart = Exclude<keyof AbstractChatCompletionRunner<RunEvents, unknown>, Listened | `_${string}`>;

/** One signature for each event: a generic one would fit no other package's. */
type ForEach<Signatures> = (Signatures extends unknown ? (one: Signatures) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;
type Emitted = { [Event in keyof RunEvents]: (event: Event) => Promise<EventValue<Parameters<RunEvents[Event]>>> };
type EventsOf = { [Event in keyof RunEvents]: (event: Event) => AsyncIterableIterator<Parameters<RunEvents[Event]>> };

/**
 * The run as a tool's function is given it: all that both kinds of runner have, and no private field, so that a runner of another
 * package of the same shape fits too.
 */
export interface GivenRunner extends Pick<AbstractChatCompletionRunner<RunEvents, unknown>, PublicPart> {
  /** Adds a listener. */
  on<Event extends keyof RunEvents>(event: Event, listener: RunEvents[Event]): this;
  /** Adds a listener for the next time only. */
  once<Event extends keyof RunEvents>(event: Event, listener: RunEvents[Event]): this;
  /** Removes a listener once. */
  off<Event extends keyof RunEvents>(event: Event, listener: RunEvents[Event]): this;
  /** The next such event as a promise. */
  emitted: ForEach<Emitted[keyof RunEvents]>;
  /** Each such event, in a loop. */
  events: ForEach<EventsOf[keyof RunEvents]>;
}

/** The members of any tool's function beside the function itself. */
interface Described {
  /** JSON Schema of the arguments. */
  parameters: object;
  /** When and how to use it, for the model to read. */
  description: string;
  /** The function's own name when left out. */
  name?: string | undefined;
  strict?: boolean | undefined;
}

/** A function that takes its arguments as `parse` made them. */
export interface RunnableFunctionWithParse<Args extends object, ToolContext = unknown> extends Described {
  // Methods, here and below, so that functions fit that say more exactly what they take.
  function(args: Args, runner: GivenRunner, toolContext: ToolContext): Awaitable<unknown>;
  parse: (input: string) => Awaitable<Args>;
}

/** A function that takes its arguments as the text the model wrote. */
export interface RunnableFunctionWithoutParse<ToolContext = unknown> extends Described {
  function(args: string, runner: GivenRunner, toolContext: ToolContext): Awaitable<unknown>;
  parse?: undefined;
}

/** Either, by what it takes. */
export type RunnableFunction<Args extends object | string, ToolContext = unknown> = Args extends string
  ? RunnableFunctionWithoutParse<ToolContext>
  : Args extends object
    ? RunnableFunctionWithParse<Args, ToolContext>
    : never;

/** A tool of such a function. */
export interface RunnableToolFunctionWithParse<Args extends object, ToolContext = unknown> {
  type: "function";
  function: RunnableFunctionWithParse<Args, ToolContext>;
}

/** A tool of such a function. */
export interface RunnableToolFunctionWithoutParse<ToolContext = unknown> {
  type: "function";
  function: RunnableFunctionWithoutParse<ToolContext>;
}

/** Either, by what it takes. */
export type RunnableToolFunction<Args extends object | string, ToolContext = unknown> = Args extends string
  ? RunnableToolFunctionWithoutParse<ToolContext>
  : Args extends object
    ? RunnableToolFunctionWithParse<Args, ToolContext>
    : never;

/** A tool of any arguments, with the run's context. */
export interface RunnableToolFunctionWithContext<ToolContext> {
  type: "function";
  function: Described & {
    function(args: FromJSON, runner: GivenRunner, toolContext: ToolContext): Awaitable<unknown>;
    parse?(input: string): Awaitable<unknown>;
  };
}

/** The arguments of the functions of several tools. */
export type BaseFunctionsArgs = readonly (object | string)[];

/** Functions by what they take. */
export type RunnableFunctions<FunctionsArgs extends BaseFunctionsArgs, ToolContext = unknown> = [unknown[]] extends [
  FunctionsArgs,
]
  ? readonly RunnableFunction<FromJSON, ToolContext>[]
  : {
      [Index in keyof FunctionsArgs]: FunctionsArgs[Index] extends object | string
        ? RunnableFunction<FunctionsArgs[Index], ToolContext>
        : FunctionsArgs[Index];
    };

/** Tools by what their functions take. */
export type RunnableTools<FunctionsArgs extends BaseFunctionsArgs, ToolContext = unknown> = [unknown[]] extends [
  FunctionsArgs,
]
  ? readonly RunnableToolFunction<FromJSON, ToolContext>[]
  : {
      [Index in keyof FunctionsArgs]: FunctionsArgs[Index] extends object | string
        ? RunnableToolFunction<FunctionsArgs[Index], ToolContext>
        : FunctionsArgs[Index];
    };

/** A tool, whichever way it was made. */
export type AnyTool<ToolContext = unknown> = RunnableToolFunctionWithContext<ToolContext> | MadeTool;

/** A tool of `zodFunction` or its like, of any arguments. */
export interface MadeTool extends ChatCompletionFunctionTool {
  /** For the compiler only, as the next two. */
  __arguments: unknown;
  __name: FromJSON;
  __hasFunction: true;
  $brand: "auto-parseable-tool";
  $callback: ((args: FromJSON) => unknown) | undefined;
  $parseRaw(args: string): unknown;
}

type WithoutTools<Params> = Omit<Params, "tools">;

interface WithContext<Tools, ToolContext> {
  tools: Tools;
  /** Given to each function; never sent. */
  toolContext: ToolContext;
}

interface WithoutContext<Tools> {
  tools: Tools;
  toolContext?: never;
}

/** Tools of one kind or the other. */
type Tools<Args extends BaseFunctionsArgs, ToolContext = unknown> = RunnableTools<Args, ToolContext> | MadeTool[];

/** The parameters of `runTools`: tools of both kinds may stand in one list. */
export type RunBody<Params> = WithoutTools<Params> & { tools: readonly AnyTool[]; toolContext?: undefined };

/** The same with a context. */
export type RunBodyWithContext<Params, ToolContext> = WithoutTools<Params> &
  WithContext<readonly AnyTool<ToolContext>[], ToolContext>;

/** Parameters of a run without a context. */
export type ChatCompletionToolRunnerParamsWithoutContext<Args extends BaseFunctionsArgs> =
  WithoutTools<ChatCompletionCreateParamsNonStreaming> & WithoutContext<Tools<Args>>;

/** Parameters of a run whose tools are given a context. */
export type ChatCompletionToolRunnerParamsWithContext<
  Args extends BaseFunctionsArgs,
  ToolContext,
> = WithoutTools<ChatCompletionCreateParamsNonStreaming> & WithContext<Tools<Args, ToolContext>, ToolContext>;

/** Parameters of a run. */
export type ChatCompletionToolRunnerParams<Args extends BaseFunctionsArgs, ToolContext = never> = [
  ToolContext,
] extends [never]
  ? ChatCompletionToolRunnerParamsWithoutContext<Args>
  : ChatCompletionToolRunnerParamsWithContext<Args, ToolContext>;

/** Parameters of a streaming run without a context. */
export type ChatCompletionStreamingToolRunnerParamsWithoutContext<Args extends BaseFunctionsArgs> =
  WithoutTools<ChatCompletionCreateParamsStreaming> & WithoutContext<Tools<Args>>;

/** Parameters of a streaming run whose tools are given a context. */
export type ChatCompletionStreamingToolRunnerParamsWithContext<
  Args extends BaseFunctionsArgs,
  ToolContext,
> = WithoutTools<ChatCompletionCreateParamsStreaming> & WithContext<Tools<Args, ToolContext>, ToolContext>;

/** Parameters of a streaming run. */
export type ChatCompletionStreamingToolRunnerParams<Args extends BaseFunctionsArgs, ToolContext = never> = [
  ToolContext,
] extends [never]
  ? ChatCompletionStreamingToolRunnerParamsWithoutContext<Args>
  : ChatCompletionStreamingToolRunnerParamsWithContext<Args, ToolContext>;

/** Whether a function's arguments are parsed for it. */
export function isRunnableFunctionWithParse<Args extends object, ToolContext = unknown>(
  fn: unknown,
): fn is RunnableFunctionWithParse<Args, ToolContext> {
  return typeof (fn as { parse?: unknown }).parse === "function";
}

/** A tool of a function that parses, so that the compiler knows its arguments. */
export class ParsingToolFunction<Args extends object, ToolContext = unknown> {
  type = "function" as const;
  function: RunnableFunctionWithParse<Args, ToolContext>;

  constructor(input: RunnableFunctionWithParse<Args, ToolContext>) {
    this.function = input;
  }
}
