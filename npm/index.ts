/**
 * The public API of `chatwire`.
 */

export { Chat, Chatwire, Completions, Models } from "./client.ts";
export type {
  DecoderOptions,
  DecoderOutput,
  EventStreamDecoderOptions,
  EventStreamEvent,
  EventStreamPositions,
} from "./decoders.ts";
export { ChatDecoder, EventStreamDecoder, EventStreamDecoderStream } from "./decoders.ts";
export { init, type WasmSource } from "./engine/engine.ts";
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
export type {
  ClientOptions,
  Continuation,
  Fallback,
  FallbackReason,
  HookCall,
  Hooks,
  Operation,
  OtherClient,
  PlanLimits,
  RequestOptions,
  WarmUpOptions,
} from "./options.ts";
export type { APIPromise } from "./request/api-promise.ts";
export type { BatchOptions, BatchProgress, BatchResult } from "./request/batch.ts";
export { ChatStream } from "./stream/chat-stream.ts";
export type { Frame } from "./stream/frames.ts";
export type { ParsedChatCompletion, ParseOptions } from "./tools/parse.ts";
export { ToolRun, tool } from "./tools/run.ts";
export type { Schema, StandardSchema } from "./tools/schema-shapes.ts";
export type {
  PendingCall,
  PreparedStep,
  RunnableFunctionTool,
  RunnableTool,
  StepContext,
  StopCondition,
  ToolContext,
  ToolRunEvent,
  ToolRunOptions,
  ToolRunOutcome,
  ToolRunParams,
  ToolShape,
} from "./tools/shapes.ts";
export type * from "./types.ts";
