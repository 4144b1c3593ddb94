/**
 * A chat request as the emulator reads it, once `validate.ts` has let it through.
 *
 * Only what the emulator acts on is named here; other fields are accepted and ignored, as the services do.
 */

/** One message of the history. */
export interface Message {
  role: string;
  content?: unknown;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** A JSON Schema, as far as the emulator follows one. */
export interface Schema {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  examples?: unknown[];
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
}

/** A tool definition in either of the two published shapes: OpenAI's nested one, or flat. */
export interface ToolDefinition {
  type: "function";
  function?: { name: string; description?: string; parameters?: Schema };
  name?: string;
  description?: string;
  parameters?: Schema;
}

/** The body of `POST .../chat/completions`. */
export interface ChatRequest {
  model: string;
  messages: Message[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  max_tokens?: number;
  max_completion_tokens?: number;
  stop?: string | string[];
  seed?: number;
  n?: number;
  logprobs?: boolean;
  top_logprobs?: number;
  tools?: ToolDefinition[];
  tool_choice?: "auto" | "required" | "none" | { type: "function"; function: { name: string } };
  parallel_tool_calls?: boolean;
  response_format?: { type?: string; json_schema?: { schema?: Schema } };
  thinking?: { type?: string };
  reasoning_effort?: string;
  reasoning?: { effort?: string; exclude?: boolean; delta_field?: string };
  reasoning_delta_field?: string;
  reasoning_content_compat?: boolean;
}

/** A plain JSON object: not null, not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text of a message: its string, or the text parts of its list of parts. */
export function textOf(message: Message | undefined): string {
  const content = message?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => (isObject(part) && typeof part.text === "string" ? part.text : "")).join("");
}

/** The last message of the user, or an empty string. */
export function lastUserText(messages: readonly Message[]): string {
  return textOf(messages.filter((message) => message.role === "user").at(-1));
}
