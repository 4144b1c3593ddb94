/**
 * Reading answers and arguments as the JSON they were asked to be: the members that `zodResponseFormat` and its like carry, and their readers.
 *
 * The marks are those of the `openai` package (`$brand`, `$parseRaw`, `$callback`), so that formats and tools that it made
 * work here.
 */
import { ContentFilterFinishReasonError, LengthFinishReasonError, OpenAIError } from "./errors.ts";
import type {
  ChatCompletionCreateParamsBase,
  ParsedChatCompletion,
  ParsedChatCompletionMessageToolCall,
} from "./params.ts";
import type {
  ChatCompletion,
  ChatCompletionFunctionTool,
  ChatCompletionMessageToolCall,
  ResponseFormatJSONSchema,
} from "./shapes.ts";

/** The parameters that say how an answer is read. */
export interface ParsingParams {
  response_format?: ChatCompletionCreateParamsBase["response_format"] | undefined;
  tools?: readonly unknown[] | undefined;
  n?: number | null | undefined;
}

/** The type of `parsed`. */
export type ExtractParsedContentFromParams<Params extends { response_format?: unknown }> = ParsedFormat<
  Params["response_format"]
>;

type ParsedFormat<Format> = [Format] extends [never]
  ? null
  : Format extends AutoParseableResponseFormat<infer ParsedT>
    ? ParsedT
    : Format extends ResponseFormatJSONSchema
      ? unknown
      : null;

/** A `response_format` that knows how to read the answer. */
export type AutoParseableResponseFormat<ParsedT> = ResponseFormatJSONSchema & {
  /** For the compiler only. */
  __output: ParsedT;
  $brand: "auto-parseable-response-format";
  $parseRaw(content: string): ParsedT;
};

/** The parts of a tool, for the compiler. */
export interface ToolTypes {
  name: string;
  arguments: unknown;
  function?: ((args: never) => unknown) | undefined;
}

/** A tool that knows how to read its arguments, and perhaps what to do. */
export type AutoParseableTool<
  Types extends ToolTypes,
  HasFunction = Types["function"] extends (...args: never[]) => unknown ? true : false,
> = ChatCompletionFunctionTool & {
  /** For the compiler only. */
  __arguments: Types["arguments"];
  /** For the compiler only. */
  __name: Types["name"];
  /** For the compiler only. */
  __hasFunction: HasFunction;
  $brand: "auto-parseable-tool";
  $callback: ((args: Types["arguments"]) => unknown) | undefined;
  $parseRaw(args: string): Types["arguments"];
};

function marked<T extends object>(object: T, marks: Record<string, unknown>): T {
  for (const [name, value] of Object.entries(marks)) Object.defineProperty(object, name, { value });
  return object;
}

/** Gives a format its reader. */
export function makeParseableResponseFormat<ParsedT>(
  response_format: ResponseFormatJSONSchema,
  parser: (content: string) => ParsedT,
): AutoParseableResponseFormat<ParsedT> {
  const marks = { $brand: "auto-parseable-response-format", $parseRaw: parser };
  return marked({ ...response_format }, marks) as AutoParseableResponseFormat<ParsedT>;
}

/** Gives a tool its reader, and what it does. */
export function makeParseableTool<Types extends ToolTypes>(
  tool: ChatCompletionFunctionTool,
  {
    parser,
    callback,
  }: { parser: (content: string) => Types["arguments"]; callback: ((args: never) => unknown) | undefined },
): AutoParseableTool<Types> {
  const marks = { $brand: "auto-parseable-tool", $parseRaw: parser, $callback: callback };
  return marked({ ...tool }, marks) as unknown as AutoParseableTool<Types>;
}

/** Whether this format reads its answer itself. */
export function isAutoParsableResponseFormat<ParsedT>(format: unknown): format is AutoParseableResponseFormat<ParsedT> {
  return (format as { $brand?: string } | undefined)?.$brand === "auto-parseable-response-format";
}

/** Whether this tool reads its arguments itself. */
export function isAutoParsableTool(tool: unknown): tool is AutoParseableTool<ToolTypes> {
  return (tool as { $brand?: string } | undefined)?.$brand === "auto-parseable-tool";
}

/** Whether an answer in this format is read. */
export function isParseableResponseFormat(format: unknown): boolean {
  return isAutoParsableResponseFormat(format) || (format as { type?: string } | undefined)?.type === "json_schema";
}

/**
 * The answer as its format reads it; null where it has none.
 * @throws {SyntaxError} it is not JSON; and what the format's own reader throws
 */
export function parseResponseFormatContent<ParsedT>(format: unknown, content: string): ParsedT | null {
  if (isAutoParsableResponseFormat<ParsedT>(format)) return format.$parseRaw(content);
  return isParseableResponseFormat(format) ? (readJSON(content) as ParsedT) : null;
}

/** @throws {SyntaxError} it is not JSON */
export function readJSON(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError("Error reading response: invalid structured output JSON.");
  }
}

/** Whether this is a function tool. */
export function isChatCompletionFunctionTool(tool: unknown): tool is ChatCompletionFunctionTool {
  return (tool as ChatCompletionFunctionTool | undefined)?.function !== undefined;
}

/** Whether the arguments of this call are read. */
export function shouldParseToolCall(
  params: ParsingParams | null | undefined,
  call: { type?: string; function?: { name?: string } },
): boolean {
  return call.type === "function" && isParseableTool(toolNamed(params ?? null, call.function?.name));
}

/** The function tool of that name. */
export function toolNamed(
  params: ParsingParams | null,
  name: string | undefined,
): ChatCompletionFunctionTool | undefined {
  const isIt = (tool: unknown) => (tool as ChatCompletionFunctionTool)?.function?.name === name;
  return params?.tools?.find(isIt) as ChatCompletionFunctionTool | undefined;
}

/** Whether the arguments of a tool are read. */
export function isParseableTool(tool: unknown): boolean {
  return isAutoParsableTool(tool) || (tool as ChatCompletionFunctionTool | undefined)?.function?.strict === true;
}

/** The arguments as the tool reads them; null where it does not. */
export function readArguments(tool: ChatCompletionFunctionTool | undefined, text: string): unknown {
  if (isAutoParsableTool(tool)) return tool.$parseRaw(text);
  return tool?.function?.strict ? readJSON(text) : null;
}

/** Whether there is anything to read by these parameters. */
export function hasAutoParseableInput(params: ParsingParams): boolean {
  return isParseableResponseFormat(params.response_format) || (params.tools?.some(isParseableTool) ?? false);
}

/**
 * An answer with its JSON read.
 * @throws {LengthFinishReasonError} it was cut at the token limit
 * @throws {ContentFilterFinishReasonError} it was held back
 */
export function parseChatCompletion<ParsedT>(
  completion: ChatCompletion,
  params: ParsingParams,
): ParsedChatCompletion<ParsedT> {
  const choices = completion.choices.map((choice) => {
    failUnfinished(choice.finish_reason);
    const { content, refusal, tool_calls, function_call } = choice.message;
    const isText =
      typeof content === "string" && !refusal && (content !== "" || !(tool_calls?.length || function_call));
    const message = {
      ...choice.message,
      ...(tool_calls && { tool_calls: tool_calls.map((call) => parsedCall(params, call)) }),
      parsed: isText ? parseResponseFormatContent<ParsedT>(params.response_format, content) : null,
    };
    return { ...choice, message };
  });
  return kept(completion, { ...completion, choices });
}

/** The same where there is nothing to read: `parsed` is null. */
export function maybeParseChatCompletion<ParsedT>(
  completion: ChatCompletion,
  params: ParsingParams | null,
): ParsedChatCompletion<ParsedT> {
  if (params && hasAutoParseableInput(params)) return parseChatCompletion(completion, params);
  const choices = completion.choices.map((choice) => ({ ...choice, message: { ...choice.message, parsed: null } }));
  return kept(completion, { ...completion, choices });
}

/** @throws {OpenAIError} the answer was not finished, so that it cannot be read */
export function failUnfinished(finishReason: string | null): void {
  if (finishReason === "length") throw new LengthFinishReasonError();
  if (finishReason === "content_filter") throw new ContentFilterFinishReasonError();
}

/** The request's id, which is not enumerable, stays. */
function kept<T extends object>(from: object, to: T): T {
  const id = Object.getOwnPropertyDescriptor(from, "_request_id");
  return id ? Object.defineProperty(to, "_request_id", id) : to;
}

function parsedCall(params: ParsingParams, call: ChatCompletionMessageToolCall): ParsedChatCompletionMessageToolCall {
  if (call.type === "custom") return call;
  if (call.type !== "function") {
    const { type } = call as { type: string };
    throw new OpenAIError(`Currently only \`function\` and \`custom\` tool calls are supported; Received \`${type}\``);
  }
  const parsed_arguments = readArguments(toolNamed(params, call.function.name), call.function.arguments);
  return { ...call, function: { ...call.function, parsed_arguments } };
}

/**
 * @throws {OpenAIError} a function tool is not strict, so that its arguments cannot be read
 */
export function validateInputTools(tools: readonly unknown[] | undefined): void {
  for (const tool of (tools ?? []) as ChatCompletionFunctionTool[]) {
    if ((tool as { type: string }).type === "custom") continue;
    if (tool.type !== "function") {
      const { type } = tool as { type: string };
      throw new OpenAIError(
        `Currently only \`function\` and \`custom\` tool types are supported; Received \`${type}\``,
      );
    }
    if (tool.function.strict !== true) {
      throw new OpenAIError(
        `The \`${tool.function.name}\` tool is not marked with \`strict: true\`. Only strict function tools can be auto-parsed`,
      );
    }
  }
}
