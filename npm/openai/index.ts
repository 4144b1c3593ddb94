/**
 * `chatwire/openai`: the `openai` package's client for chat completions, over `chatwire`. A program written for the one runs
 * with the other's import.
 */

export { APIPromise } from "./api-promise.ts";
export { type AzureClientOptions, AzureOpenAI } from "./azure.ts";
export { OpenAI, OpenAI as default } from "./client.ts";
export { BedrockOpenAI, toFile, toStreamingFile } from "./elsewhere.ts";
export {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  ContentFilterFinishReasonError,
  InternalServerError,
  InvalidWebhookSignatureError,
  LengthFinishReasonError,
  NotFoundError,
  OAuthError,
  OpenAIError,
  PermissionDeniedError,
  ProtocolError,
  RateLimitError,
  StalledError,
  SubjectTokenProviderError,
  TruncatedError,
  UnprocessableEntityError,
} from "./errors.ts";
export type { ClientOptions } from "./options.ts";
export { PagePromise } from "./pages.ts";
