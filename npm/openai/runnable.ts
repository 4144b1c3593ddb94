/**
 * Tools with what they do, as `runTools` of the `openai` package takes them, and its parameters. Types, and two small tests.
 */
import type { ChatCompletionStreamingRunner } from "./chat-stream.ts";
import type { ChatCompletionCreateParamsNonStreaming, ChatCompletionCreateParamsStreaming } from "./params.ts";
import type { ChatCompletionRunner } from "./runner.ts";
import type { ChatCompletionFunctionTool } from "./shapes.ts";

type Awaitable<T> = T | Promise<T>;
// A method's argument: runners of any kind of answer fit.
type AnyRunner = ChatCompletionRunner<unknown> | ChatCompletionStreamingRunner<unknown>;

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
  function: (args: Args, runner: AnyRunner, toolContext: ToolContext) => Awaitable<unknown>;
  parse: (input: string) => Awaitable<Args>;
}

/** A function that takes its arguments as the text the model wrote. */
export interface RunnableFunctionWithoutParse<ToolContext = unknown> extends Described {
  function: (args: string, runner: AnyRunner, toolContext: ToolContext) => Awaitable<unknown>;
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
    // Methods, so that functions of any one argument fit.
    function(args: never, runner: AnyRunner, toolContext: ToolContext): Awaitable<unknown>;
    parse?(input: string): Awaitable<unknown>;
  };
}

/** The arguments of the functions of several tools. */
export type BaseFunctionsArgs = readonly (object | string)[];

/** Functions by what they take. */
export type RunnableFunctions<FunctionsArgs extends BaseFunctionsArgs, ToolContext = unknown> = {
  [Index in keyof FunctionsArgs]: FunctionsArgs[Index] extends object | string
    ? RunnableFunction<FunctionsArgs[Index], ToolContext>
    : FunctionsArgs[Index];
};

/** Tools by what their functions take. */
export type RunnableTools<FunctionsArgs extends BaseFunctionsArgs, ToolContext = unknown> = {
  [Index in keyof FunctionsArgs]: FunctionsArgs[Index] extends object | string
    ? RunnableToolFunction<FunctionsArgs[Index], ToolContext>
    : FunctionsArgs[Index];
};

/** A tool, whichever way it was made. */
export type AnyTool<ToolContext = unknown> = RunnableToolFunctionWithContext<ToolContext> | MadeTool;

/** A tool of `zodFunction` or its like, of any arguments. */
export interface MadeTool extends ChatCompletionFunctionTool {
  $brand: "auto-parseable-tool";
  $callback: ((args: never) => unknown) | undefined;
  $parseRaw(args: string): unknown;
}

type WithoutTools<Params> = Omit<Params, "tools">;

/** Parameters of a run without a context. */
export type ChatCompletionToolRunnerParamsWithoutContext<_Args extends BaseFunctionsArgs = BaseFunctionsArgs> =
  WithoutTools<ChatCompletionCreateParamsNonStreaming> & { tools: readonly AnyTool[]; toolContext?: undefined };

/** Parameters of a run whose tools are given a context. */
export type ChatCompletionToolRunnerParamsWithContext<
  _Args extends BaseFunctionsArgs = BaseFunctionsArgs,
  ToolContext = unknown,
> = WithoutTools<ChatCompletionCreateParamsNonStreaming> & {
  tools: readonly AnyTool<ToolContext>[];
  /** Given to each function; never sent. */
  toolContext: ToolContext;
};

/** Parameters of a run. */
export type ChatCompletionToolRunnerParams<Args extends BaseFunctionsArgs = BaseFunctionsArgs, ToolContext = never> = [
  ToolContext,
] extends [never]
  ? ChatCompletionToolRunnerParamsWithoutContext<Args>
  : ChatCompletionToolRunnerParamsWithContext<Args, ToolContext>;

/** Parameters of a streaming run without a context. */
export type ChatCompletionStreamingToolRunnerParamsWithoutContext<_Args extends BaseFunctionsArgs = BaseFunctionsArgs> =
  WithoutTools<ChatCompletionCreateParamsStreaming> & { tools: readonly AnyTool[]; toolContext?: undefined };

/** Parameters of a streaming run whose tools are given a context. */
export type ChatCompletionStreamingToolRunnerParamsWithContext<
  _Args extends BaseFunctionsArgs = BaseFunctionsArgs,
  ToolContext = unknown,
> = WithoutTools<ChatCompletionCreateParamsStreaming> & {
  tools: readonly AnyTool<ToolContext>[];
  /** Given to each function; never sent. */
  toolContext: ToolContext;
};

/** Parameters of a streaming run. */
export type ChatCompletionStreamingToolRunnerParams<
  Args extends BaseFunctionsArgs = BaseFunctionsArgs,
  ToolContext = never,
> = [ToolContext] extends [never]
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
