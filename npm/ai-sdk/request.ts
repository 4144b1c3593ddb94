/**
 * A call of the AI SDK as parameters of a chat completion.
 */
import type { ChatCompletionCreateParamsBase, RequestOptions } from "chatwire";
import { NAMESPACE, type Reader, toMessages } from "./prompt.ts";
import type { CallOptions, Warning } from "./spec.ts";

/** Features that the server is known to support. */
export interface Capabilities {
  /** `response_format: { type: "json_schema" }`. */
  structuredOutputs: boolean;
  /** `top_k`. */
  topK: boolean;
  /** Which parameter limits the tokens of an answer. */
  maxTokens: "max_tokens" | "max_completion_tokens";
  /** Where a turn's reasoning is expected when it is sent back. */
  reasoningField: string;
}

/** `providerOptions.chatwire` of a call. */
export interface CallSettings extends Pick<RequestOptions, "timeout" | "maxRetries" | "decoding" | "query"> {
  /** Added to the request as they are: what the AI SDK has no setting for. */
  params?: Record<string, unknown>;
  /**
   * `strict` of the JSON schema of a structured output. A tool has a `strict` of its own.
   * @default true
   */
  strictJsonSchema?: boolean;
}

const SETTINGS = ["timeout", "maxRetries", "decoding", "query", "params", "strictJsonSchema"];

/** The request to send, its options, and the warnings for the caller. */
export interface Request {
  params: ChatCompletionCreateParamsBase;
  options: RequestOptions;
  warnings: Warning[];
}

export function toRequest(modelId: string, call: CallOptions, server: Capabilities & Reader): Request {
  const warnings: Warning[] = [];
  const settings = settingsOf(call, warnings);
  const messages = toMessages(call.prompt, server);
  const { tools, tool_choice } = toTools(call, warnings);
  if (call.topK !== undefined && !server.topK) warnings.push({ type: "unsupported", feature: "topK" });
  const params: Record<string, unknown> = {
    model: modelId,
    messages,
    [server.maxTokens]: call.maxOutputTokens,
    temperature: call.temperature,
    top_p: call.topP,
    top_k: server.topK ? call.topK : undefined,
    stop: call.stopSequences,
    seed: call.seed,
    presence_penalty: call.presencePenalty,
    frequency_penalty: call.frequencyPenalty,
    reasoning_effort: effort(call.reasoning, warnings),
    response_format: format(call, settings, server, messages, warnings),
    tools,
    tool_choice,
    ...settings.params,
  };
  for (const [name, value] of Object.entries(params)) if (value === undefined) delete params[name];
  const { timeout, maxRetries, decoding, query } = settings;
  const options: RequestOptions = { signal: call.abortSignal ?? null };
  const headers = Object.entries(call.headers ?? {}).filter(([, value]) => value !== undefined);
  if (headers.length > 0) options.headers = Object.fromEntries(headers) as Record<string, string>;
  if (timeout !== undefined) options.timeout = timeout;
  if (maxRetries !== undefined) options.maxRetries = maxRetries;
  if (decoding !== undefined) options.decoding = decoding;
  if (query !== undefined) options.query = query;
  return { params: params as unknown as ChatCompletionCreateParamsBase, options, warnings };
}

function settingsOf({ providerOptions }: CallOptions, warnings: Warning[]): CallSettings {
  const own = (providerOptions?.[NAMESPACE] ?? {}) as Record<string, unknown>;
  for (const name of Object.keys(own)) {
    if (SETTINGS.includes(name)) continue;
    const message = `providerOptions.chatwire.${name} is not an option and is ignored. Parameters for the server go into providerOptions.chatwire.params.`;
    warnings.push({ type: "other", message });
  }
  const { params, ...others } = own;
  if (params === undefined || (typeof params === "object" && !Array.isArray(params))) return own as CallSettings;
  const message = "providerOptions.chatwire.params is not an object of parameters for the server and is ignored.";
  warnings.push({ type: "other", message });
  return others as CallSettings;
}

/** The AI SDK's levels are those of `reasoning_effort`, but for one. */
function effort(level: CallOptions["reasoning"], warnings: Warning[]): string | undefined {
  if (level === undefined || level === "provider-default") return undefined;
  if (level !== "max") return level;
  warnings.push({ type: "compatibility", feature: "reasoning", details: `"max" is sent as "xhigh"` });
  return "xhigh";
}

function format(
  { responseFormat }: CallOptions,
  { strictJsonSchema = true }: CallSettings,
  server: Capabilities,
  messages: unknown[],
  warnings: Warning[],
): object | undefined {
  if (responseFormat?.type !== "json") return undefined;
  const { schema, name = "response", description } = responseFormat;
  if (schema === undefined) return { type: "json_object" };
  if (server.structuredOutputs) {
    const wanted = { name, schema, strict: strictJsonSchema, ...(description !== undefined && { description }) };
    return { type: "json_schema", json_schema: wanted };
  }
  const details = "The server documents JSON mode only: the schema is sent as an instruction in the messages.";
  warnings.push({ type: "compatibility", feature: "responseFormat", details });
  const content = `Answer with JSON that fits this JSON Schema, and with nothing else:\n${JSON.stringify(schema)}`;
  messages.unshift({ role: "system", content });
  return { type: "json_object" };
}

function toTools(
  { tools = [], toolChoice }: CallOptions,
  warnings: Warning[],
): { tools?: object[]; tool_choice?: unknown } {
  const sent = tools.flatMap((tool) => {
    if (tool.type !== "function") {
      warnings.push({ type: "unsupported", feature: `provider tool ${tool.id}` });
      return [];
    }
    const { name, description, inputSchema, strict } = tool;
    if (!inputSchema) {
      const details = `The tool "${name}" has no input schema: the model is told that it takes any object.`;
      warnings.push({ type: "compatibility", feature: "tools", details });
    }
    const parameters = inputSchema ?? { type: "object", properties: {} };
    const shape = {
      name,
      ...(description !== undefined && { description }),
      parameters,
      ...(strict !== undefined && { strict }),
    };
    return [{ type: "function", function: shape }];
  });
  // A choice without tools is refused by most servers.
  if (sent.length === 0) return {};
  if (!toolChoice) return { tools: sent };
  if (toolChoice.type !== "tool") return { tools: sent, tool_choice: toolChoice.type };
  return { tools: sent, tool_choice: { type: "function", function: { name: toolChoice.toolName } } };
}
