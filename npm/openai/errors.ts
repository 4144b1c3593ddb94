/**
 * Errors, as the classes of the `openai` package: the same names, hierarchy and constructors. Errors that `chatwire` throws
 * becomes one of them, with what `chatwire` knows beside: `outcome`, `attempts`, `retryAt`, `details`.
 *
 * A stream that ended badly throws a connection error, which programs that try again already look for: `TruncatedError` is an
 * `APIConnectionError`, `StalledError` an `APIConnectionTimeoutError`.
 */
import * as wire from "chatwire";
import { headerOf } from "./header.ts";

/** Names a class as it is called here, whatever a minifier makes of it. */
function named(Class: { prototype: object }, name: string): void {
  Object.defineProperty(Class.prototype, "name", { value: name, configurable: true, writable: true });
}

/** The root of every error of this entry. A `ChatwireError` too. */
export class OpenAIError extends wire.ChatwireError {
  constructor(message?: string, options?: { cause?: unknown }) {
    super(message ?? "", options ?? {});
  }
}

/**
 * The server refused, or could not be reached.
 * @example
 * ```ts
 * catch (error) {
 *   if (error instanceof OpenAI.APIError) console.warn(error.status, error.code, error.requestID);
 * }
 * ```
 */
export class APIError<
  TStatus extends number | undefined = number | undefined,
  THeaders extends Headers | undefined = Headers | undefined,
  TError extends object | undefined = object | undefined,
> extends OpenAIError {
  /** HTTP status; `undefined` when no answer came, and for an error within a stream. */
  readonly status: TStatus;
  /** Headers of the answer. */
  readonly headers: THeaders;
  /** The server's id of this request. */
  readonly requestID: string | null | undefined;
  /** The `error` object of the answer's body, as the server sent it. */
  readonly error: TError;
  /** The server's machine-readable code. */
  override readonly code: string | null | undefined;
  /** The parameter at fault. */
  readonly param: string | null | undefined;
  /** The server's kind of error. */
  readonly type: string | undefined;
  /** Every field at fault, where the server lists them (Electron). */
  declare readonly details?: wire.ErrorDetail[];
  /** When to come back, in milliseconds since 1970; `undefined` when the server did not say. */
  declare readonly retryAt?: number;

  constructor(status: TStatus, error: TError, message: string | undefined, headers: THeaders) {
    super(messageOf(status, error, message));
    this.status = status;
    this.headers = headers;
    this.requestID = headers && headerOf({ headers }, "x-request-id");
    this.error = error;
    const said = error as { code?: string | null; param?: string | null; type?: string } | undefined;
    this.code = said?.code;
    this.param = said?.param;
    this.type = said?.type;
  }

  /** The error for a refusal with this status and body. */
  static generate(
    status: number | undefined,
    body: object | undefined,
    message: string | undefined,
    headers: Headers | undefined,
  ): APIError {
    if (!status || !headers) return new APIConnectionError({ message, cause: body as Error | undefined });
    const { error } = (body ?? {}) as { error?: object };
    const Class = CLASSES[status] ?? (status >= 500 ? InternalServerError : APIError);
    return new (Class as typeof APIError)(status, error, message, headers);
  }
}

function messageOf(status: number | undefined, error: unknown, message: string | undefined): string {
  const said = (error as { message?: unknown } | undefined)?.message;
  const text = said
    ? typeof said === "string"
      ? said
      : JSON.stringify(said)
    : error
      ? JSON.stringify(error)
      : message;
  if (status) return text ? `${status} ${text}` : `${status} status code (no body)`;
  return text || "(no status code or body)";
}

/** The caller aborted: `signal`, `abort()`, or a loop left early. */
export class APIUserAbortError extends APIError<undefined, undefined, undefined> {
  constructor({ message }: { message?: string } = {}) {
    super(undefined, undefined, message || "Request was aborted.", undefined);
  }
}

/** No answer came, or the connection broke. `cause` is what the host's `fetch` threw. */
export class APIConnectionError extends APIError<undefined, Headers | undefined, undefined> {
  declare cause?: unknown;

  constructor({ message, cause }: { message?: string | undefined; cause?: Error | undefined }) {
    super(undefined, undefined, message || "Connection error.", undefined);
    if (cause) quiet(this, "cause", cause);
  }
}

/** No answer came in time. `cause` says which time ran out. */
export class APIConnectionTimeoutError extends APIConnectionError {
  constructor({ message }: { message?: string | undefined } = {}) {
    super({ message: message ?? "Request timed out." });
  }
}

/** 400. */
export class BadRequestError extends APIError<400, Headers> {}
/** 401. */
export class AuthenticationError extends APIError<401, Headers> {}
/** 403. */
export class PermissionDeniedError extends APIError<403, Headers> {}
/** 404. */
export class NotFoundError extends APIError<404, Headers> {}
/** 409. */
export class ConflictError extends APIError<409, Headers> {}
/** 422. */
export class UnprocessableEntityError extends APIError<422, Headers> {}
/** 429. */
export class RateLimitError extends APIError<429, Headers> {}
/** 500 and above. */
export class InternalServerError extends APIError<number, Headers> {}

const CLASSES: Record<number, unknown> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  422: UnprocessableEntityError,
  429: RateLimitError,
};

/** An answer that was to be parsed was cut at the token limit. */
export class LengthFinishReasonError extends OpenAIError {
  constructor() {
    super("Could not parse response content as the length limit was reached");
  }
}

/** An answer that was to be parsed was held back by the content filter. */
export class ContentFilterFinishReasonError extends OpenAIError {
  constructor() {
    super("Could not parse response content as the request was rejected by the content filter");
  }
}

/** A webhook is not from OpenAI. Nothing here throws it; it is there to be caught. */
export class InvalidWebhookSignatureError extends Error {}

/** A token was not given out. Nothing here throws it; it is there to be caught. */
export class OAuthError extends APIError<400 | 401 | 403, Headers> {
  readonly error_code: string | undefined;

  constructor(status: 400 | 401 | 403, error: object | undefined, headers: Headers) {
    const { error: code, error_description } = (error ?? {}) as { error?: string; error_description?: string };
    super(status, error, error_description || code || "OAuth2 authentication error", headers);
    this.error_code = code;
  }
}

/** The provider of a token failed. Nothing here throws it; it is there to be caught. */
export class SubjectTokenProviderError extends OpenAIError {
  readonly provider: string;

  constructor(message: string, provider: string, cause?: Error) {
    super(message, cause && { cause });
    this.provider = provider;
  }
}

/** The stream was cut before the answer was complete, where `openai` ends in silence. `outcome` has what arrived. */
export class TruncatedError extends APIConnectionError {}
/** Nothing new arrived for too long. `outcome` has what arrived. */
export class StalledError extends APIConnectionTimeoutError {}
/** The bytes that arrived break the protocol. `outcome` has what arrived. */
export class ProtocolError extends APIError {}

for (const [name, Class] of Object.entries({
  OpenAIError,
  APIError,
  APIUserAbortError,
  APIConnectionError,
  APIConnectionTimeoutError,
  BadRequestError,
  AuthenticationError,
  PermissionDeniedError,
  NotFoundError,
  ConflictError,
  UnprocessableEntityError,
  RateLimitError,
  InternalServerError,
  LengthFinishReasonError,
  ContentFilterFinishReasonError,
  InvalidWebhookSignatureError,
  OAuthError,
  SubjectTokenProviderError,
  TruncatedError,
  StalledError,
  ProtocolError,
})) {
  named(Class, name);
}

/** How `chatwire` says that a refusal had no body. */
const NO_BODY = /\(no reason given\)/;

/** How `chatwire` says that a request was not sent. */
const HELD_BACK = new Set(["cooldown", "limits"]);

/** The facts about the call that failed. */
export interface FailedCall {
  /** The value that the host's `fetch` threw last. */
  cause?: unknown;
  /** The last response. */
  response?: Response | undefined;
  /** The value that the function for the key threw. */
  keyFailure?: unknown;
}

/** Sets a property that is not enumerable. */
function quiet(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
}

/** The error of this entry for what `chatwire` threw. */
export function toOpenAIError(thrown: unknown, call: FailedCall = {}): Error {
  if (thrown instanceof OpenAIError || !(thrown instanceof wire.ChatwireError)) return thrown as Error;
  const error = converted(thrown, call);
  if (thrown.outcome) quiet(error, "outcome", { ...thrown.outcome, error });
  if (thrown.attempts) quiet(error, "attempts", thrown.attempts);
  for (const name of ["retryAt", "details"] as const) {
    const value = (thrown as { retryAt?: number; details?: unknown })[name];
    if (value !== undefined) quiet(error, name, value);
  }
  return error;
}

function converted(thrown: wire.ChatwireError, { cause, response, keyFailure }: FailedCall): OpenAIError {
  const headers = response?.headers;
  if (keyFailure !== undefined) {
    if (keyFailure instanceof OpenAIError) return keyFailure;
    const { message } = keyFailure as Error;
    return new OpenAIError(`Failed to get token from 'apiKey' function: ${message}`, { cause: keyFailure });
  }
  if (thrown instanceof wire.APIUserAbortError) return withCause(new APIUserAbortError(), thrown.cause);
  if (thrown instanceof wire.APIConnectionTimeoutError) return withCause(new APIConnectionTimeoutError(), thrown);
  if (thrown instanceof wire.StalledError) {
    return midStream(new StalledError({ message: thrown.message }), headers, thrown);
  }
  if (thrown instanceof wire.TruncatedError) {
    return midStream(new TruncatedError({ message: thrown.message }), headers, thrown.cause ?? thrown);
  }
  if (thrown instanceof wire.APIConnectionError) {
    const reason = cause ?? thrown.cause ?? thrown;
    return withCause(isTimeout(reason) ? new APIConnectionTimeoutError() : new APIConnectionError({}), reason);
  }
  if (thrown instanceof wire.APIError) {
    const { status, error } = thrown;
    const body = (error ?? undefined) as object | undefined;
    // The text of a body that is no JSON is in the message.
    const text = NO_BODY.test(thrown.message) ? undefined : thrown.message.replace(/^\d{3} /, "");
    const own = thrown.headers ?? headers;
    // Nothing was sent, since an earlier refusal still holds: programs look for that one's class and status.
    if (HELD_BACK.has(thrown.attempts?.at(-1)?.reason ?? "")) {
      const held = APIError.generate(429, undefined, text, own ?? new Headers());
      return Object.assign(held, { code: thrown.code });
    }
    // The answer had begun: its status was a good one, whatever code the error in it has.
    if (status === undefined || thrown.outcome) {
      const inner = (body as { error?: object } | undefined)?.error;
      return new APIError(undefined, inner ?? body, text, own);
    }
    return APIError.generate(status, { error: body }, text, own ?? new Headers());
  }
  if (thrown instanceof wire.StreamError) {
    return withCause(new ProtocolError(undefined, undefined, thrown.message, headers), thrown);
  }
  return new OpenAIError(thrown.message, { cause: thrown.cause ?? thrown });
}

/** Whether the host's `fetch` gave up for want of time, as far as its error says: no class or code is common to all hosts. */
function isTimeout(reason: unknown): boolean {
  try {
    const { name, cause } = (reason ?? {}) as { name?: unknown; cause?: unknown };
    return name === "AbortError" || /timed? ?out/i.test(`${reason} ${cause}`);
  } catch {
    return false; // a value that cannot be read, or that is no text
  }
}

function withCause<E extends OpenAIError>(error: E, cause: unknown): E {
  if (cause !== undefined) quiet(error, "cause", cause);
  return error;
}

/** A connection error of a stream whose headers are known. */
function midStream<E extends APIConnectionError>(error: E, headers: Headers | undefined, cause: unknown): E {
  Object.assign(error, { headers, requestID: headers && headerOf({ headers }, "x-request-id") });
  return withCause(error, cause);
}
