/**
 * chatwire's errors as LiveKit Agents knows them.
 */
import * as agents from "@livekit/agents";
import { APIConnectionTimeoutError, APIError, ChatwireError, StalledError, TruncatedError } from "chatwire";

/**
 * The error of LiveKit's kind, with chatwire's own as its `cause`. Never retried by LiveKit: the client has already retried, as
 * often as the session's `maxRetry` allows.
 *
 * | chatwire | LiveKit |
 * |---|---|
 * | headers, first token or text did not come in time | `APITimeoutError` |
 * | a status of 400 or more | `APIStatusError` |
 * | no connection, or one that broke in mid-answer | `APIConnectionError` |
 * | anything else, such as a request that makes no sense | `APIError` |
 */
export function livekitError(thrown: unknown): Error {
  if (!(thrown instanceof ChatwireError)) return thrown instanceof Error ? thrown : new Error(String(thrown));
  const error = ofKind(thrown);
  error.cause = thrown;
  return error;
}

function ofKind(thrown: ChatwireError): agents.APIError {
  const { message } = thrown;
  const retryable = false;
  if (thrown instanceof APIConnectionTimeoutError || thrown instanceof StalledError) {
    return new agents.APITimeoutError({ message, options: { retryable } });
  }
  if (thrown instanceof APIError && thrown.status !== undefined) {
    const { status: statusCode, error, requestID } = thrown;
    const body = typeof error === "object" ? error : null;
    const options = { statusCode, body, requestId: requestID ?? null, retryable };
    return new agents.APIStatusError({ message, options });
  }
  if (thrown instanceof APIError || thrown instanceof TruncatedError) {
    return new agents.APIConnectionError({ message, options: { retryable } });
  }
  return new agents.APIError(message, { retryable });
}
