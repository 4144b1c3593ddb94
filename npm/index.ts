/**
 * The public API of `chatwire`.
 */
export type { BatchOptions, BatchProgress, BatchResult } from "./batch.ts";
export { Chat, Chatwire, Completions, Models } from "./client.ts";
export type {
  DecoderOptions,
  DecoderOutput,
  EventStreamDecoderOptions,
  EventStreamEvent,
} from "./decoders.ts";
export { ChatDecoder, EventStreamDecoder, EventStreamDecoderStream } from "./decoders.ts";
export { init, type WasmSource } from "./engine.ts";
export type { Attempt, ErrorDetail } from "./errors.ts";
export {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  ChatwireError,
  ConflictError,
  InternalServerError,
  InvalidRequestError,
  NotFoundError,
  PermissionDeniedError,
  ProtocolError,
  RateLimitError,
  StalledError,
  StreamError,
  TruncatedError,
  UnprocessableEntityError,
} from "./errors.ts";
export type { Frame } from "./frames.ts";
export type { ClientOptions, Fallback, Hooks, PlanLimits, RequestOptions } from "./options.ts";
export type { ParsedChatCompletion } from "./parse.ts";
export type { APIPromise } from "./promise.ts";
export type { Schema, StandardSchema } from "./schema.ts";
export { ChatStream } from "./stream.ts";
export type {
  PendingCall,
  RunnableFunctionTool,
  RunnableTool,
  ToolContext,
  ToolRunEvent,
  ToolRunOptions,
  ToolRunOutcome,
  ToolRunParams,
  ToolShape,
} from "./tools.ts";
export { ToolRun, tool } from "./tools.ts";
export type * from "./types.ts";
