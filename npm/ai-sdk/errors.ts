/**
 * chatwire's errors as the AI SDK knows them.
 *
 * The AI SDK recognises its errors by symbols, not by class, so nothing of it has to be loaded to make one.
 */
import { APIError, ChatwireError, InvalidRequestError } from "chatwire";

const MARKER = Symbol.for("vercel.ai.error");

/** An error that `isInstance` of an AI SDK error class recognises. */
function marked(error: Error, name: string, fields: object): Error {
  for (const marker of [MARKER, Symbol.for(`vercel.ai.error.${name}`)]) {
    Object.defineProperty(error, marker, { value: true });
  }
  return Object.assign(error, { name }, fields);
}

/**
 * The error of a failed call: an `APICallError` to the AI SDK, with chatwire's own error as its `cause`. Never retried by
 * the AI SDK: the client has already retried, and has waited as long as its options allow.
 * @param url where the request went, as far as it is known
 */
export function callError(thrown: unknown, url: string, requestBodyValues: unknown): unknown {
  if (!(thrown instanceof ChatwireError)) return thrown;
  if (thrown.name === "APIUserAbortError") return thrown.cause ?? new DOMException(thrown.message, "AbortError");
  const { status, headers, error } = thrown instanceof APIError ? thrown : ({} as Partial<APIError>);
  return marked(new Error(thrown.message, { cause: thrown }), "AI_APICallError", {
    url,
    requestBodyValues,
    statusCode: status,
    responseHeaders: headers && Object.fromEntries(headers as Iterable<[string, string]>),
    responseBody: error === undefined ? undefined : JSON.stringify({ error }),
    data: thrown instanceof InvalidRequestError ? { error: { details: thrown.details } } : { error },
    isRetryable: false,
  });
}

/** An `UnsupportedFunctionalityError`: the wire has no place for what the prompt holds. */
export function unsupported(functionality: string): Error {
  const message = `'${functionality}' functionality not supported: chat completions have no place for it.`;
  return marked(new Error(message), "AI_UnsupportedFunctionalityError", { functionality });
}

/** A `NoSuchModelError`. */
export function noSuchModel(modelId: string, modelType: string, message: string): Error {
  return marked(new Error(message), "AI_NoSuchModelError", { modelId, modelType });
}
