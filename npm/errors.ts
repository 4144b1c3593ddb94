/**
 * Errors, as classes. Names and hierarchy are those of the `openai` package, so `instanceof` and `name` both work.
 *
 * The engine decides which error it is; here its description becomes an instance. Keys and message contents never get in. Also
 * here: the outcome of a call that never became a stream, and the error that an outcome stands for.
 */
import type { Outcome } from "./types/outcome.ts";

/** One problem with one field of a request, in the shape Electron's own 400 answers have. */
export interface ErrorDetail {
  code: string;
  message: string;
  /** Where in the parameters: `["messages", 0, "content"]`. */
  path: (string | number)[];
}

/** One try at one provider, as it went. */
export interface Attempt {
  /** Name of the provider, or its host. */
  provider: string;
  /** HTTP status; `null` when no answer came. */
  status: number | null;
  /** `ok` for the one that answered, else the name of the error; `cooldown` or `limits` where nothing was sent. */
  reason: string;
}

/** How the engine describes an error. */
export interface ErrorDescriptor {
  name: string;
  message: string;
  status?: number | undefined;
  headers?: [string, string][] | undefined;
  error?: unknown;
  code?: string | null | undefined;
  param?: string | null | undefined;
  type?: string | undefined;
  details?: ErrorDetail[] | undefined;
  requestID?: string | null | undefined;
  retryAt?: number | undefined;
  attempts?: Attempt[] | undefined;
  /** Another provider may do better: the trouble, by its word in `Fallback.on`. */
  fallback?: string | undefined;
  cause?: unknown;
}

type Description = Partial<Omit<ErrorDescriptor, "name" | "message">>;

/**
 * The root of every error of this package.
 * @example
 * ```ts
 * try {
 *   for await (const text of stream.textStream) write(text);
 * } catch (error) {
 *   if (error instanceof ChatwireError) console.warn(error.name, error.message, error.outcome?.text);
 * }
 * ```
 */
export class ChatwireError extends Error {
  /** How the stream ended and all that had arrived, when the error was thrown from one. Not enumerable. */
  declare readonly outcome?: Outcome;
  /** Every try that was made before giving up, oldest first. */
  declare readonly attempts?: readonly Attempt[];
  /** A word for programs: the server's, or one such as `timeout.idle`, `cooldown` or `truncated`. */
  declare readonly code?: string | null | undefined;

  constructor(message: string, description: Description = {}) {
    super(message, "cause" in description ? { cause: description.cause } : undefined);
    if (description.code !== undefined) this.code = description.code;
    if (description.attempts) this.attempts = description.attempts;
  }
}

/**
 * The server refused, or could not be reached.
 * @example
 * ```ts
 * catch (error) {
 *   if (error instanceof APIError) console.warn(error.status, error.requestID, error.message);
 * }
 * ```
 */
export class APIError extends ChatwireError {
  /** HTTP status; `undefined` when no answer came. */
  declare readonly status: number | undefined;
  /**
   * Headers of the answer, the server's limits (`X-RateLimit-*`, `Retry-After`) included:
   * `error.headers?.get("x-ratelimit-reset")`. Those of a good answer are in `(await
   * create(…).withResponse()).response.headers`.
   */
  declare readonly headers: Headers | undefined;
  /** The `error` object of the answer's body, as the server sent it (the key scrubbed). */
  declare readonly error: unknown;
  /** The server's machine-readable code. */
  declare readonly code: string | null | undefined;
  /** The parameter at fault, where the server names one (OpenAI). */
  declare readonly param: string | null | undefined;
  /** The server's kind of error, such as `invalid_request_error`. */
  declare readonly type: string | undefined;
  /** Every field at fault, where the server lists them (Electron). */
  declare readonly details: ErrorDetail[] | undefined;
  /** The server's id of this request, for its support. */
  declare readonly requestID: string | null | undefined;
  /**
   * When to come back, in milliseconds since 1970 (as `Date.now()`): where the server writes a wait, in a refusal of any status or in
   * an error within its stream. `undefined` when it does not say.
   */
  declare readonly retryAt: number | undefined;

  constructor(message: string, description: Description = {}) {
    super(message, description);
    this.status = description.status;
    this.headers = description.headers && new Headers(description.headers);
    this.error = description.error;
    this.code = description.code;
    this.param = description.param;
    this.type = description.type;
    this.details = description.details;
    this.requestID = description.requestID;
    this.retryAt = description.retryAt;
  }
}

/** 400: the request is malformed, a parameter is not accepted, or the context is too long. */
export class BadRequestError extends APIError {}
/** 401: the key is missing or wrong. */
export class AuthenticationError extends APIError {}
/** 403: the key is right, but its plan does not include this. */
export class PermissionDeniedError extends APIError {}
/** 404: no such endpoint or model. */
export class NotFoundError extends APIError {}
/** 409: the server is busy with a conflicting request. */
export class ConflictError extends APIError {}
/** 422: understood, but not possible. */
export class UnprocessableEntityError extends APIError {}

/**
 * 429: too many requests, or too many at once. Also of a call that was held back: nothing is sent before `retryAt`.
 * @example
 * ```ts
 * if (error instanceof RateLimitError && error.retryAt) await until(error.retryAt);
 * ```
 */
export class RateLimitError extends APIError {}

/** 500 and above: the server's own trouble. */
export class InternalServerError extends APIError {}
/** No answer came: refused, reset, not found, blocked by CORS, or offline. */
export class APIConnectionError extends APIError {}
/** No answer came within `timeout.headers` or `timeout.total`. */
export class APIConnectionTimeoutError extends APIConnectionError {}

/** The caller aborted: `signal`, `stream.abort()`, or a loop left early. */
export class APIUserAbortError extends APIError {}

/**
 * Refused here, before anything was sent. `details` lists every problem at once.
 * @example
 * ```ts
 * catch (error) {
 *   if (error instanceof InvalidRequestError) for (const { path, message } of error.details) show(path.join("."), message);
 * }
 * ```
 */
export class InvalidRequestError extends ChatwireError {
  declare readonly details: ErrorDetail[];

  constructor(message: string, description: Description = {}) {
    super(message, description);
    this.details = description.details ?? [];
  }
}

/** A stream began and did not end well. `outcome` has what arrived. */
export class StreamError extends ChatwireError {}
/**
 * The body ended, or the connection was lost, before the answer was complete. `code` is `truncated`; or `empty_answer`, when the
 * body ended with nothing in it: no text, no reasoning, no tool call and no finish reason.
 */
export class TruncatedError extends StreamError {}
/** Nothing new arrived for `timeout.firstToken` or `timeout.idle`, or `timeout.total` ran out. */
export class StalledError extends StreamError {}
/** The bytes that arrived break the protocol, or grew past a limit. */
export class ProtocolError extends StreamError {}

const classes: Record<string, typeof ChatwireError> = {
  ChatwireError,
  APIError,
  BadRequestError,
  AuthenticationError,
  PermissionDeniedError,
  NotFoundError,
  ConflictError,
  UnprocessableEntityError,
  RateLimitError,
  InternalServerError,
  APIConnectionError,
  APIConnectionTimeoutError,
  APIUserAbortError,
  InvalidRequestError,
  StreamError,
  TruncatedError,
  StalledError,
  ProtocolError,
};

// Written out once, here: a minifier renames classes.
for (const [name, Class] of Object.entries(classes)) define(Class.prototype, "name", name);

/** Sets a property that is not enumerable. */
export function define<T extends object>(object: T, name: string, value: unknown): T {
  return Object.defineProperty(object, name, { value, configurable: true, writable: true });
}

/** The error for a call that is refused before anything is sent. */
export function unsent(code: string, message: string, ...path: string[]): InvalidRequestError {
  return new InvalidRequestError(`The request was not sent: ${message}.`, { details: [{ code, message, path }] });
}

function isDescriptor(value: unknown): value is ErrorDescriptor {
  return typeof value === "object" && value !== null && "name" in value && "message" in value;
}

/** The instance for what the engine threw, rejected with, or put into an outcome. An instance stays what it is. */
export function toError(thrown: unknown): ChatwireError {
  if (thrown instanceof ChatwireError) return thrown;
  if (isDescriptor(thrown) && !(thrown instanceof Error)) {
    const Class = Object.hasOwn(classes, thrown.name) ? (classes[thrown.name] as typeof ChatwireError) : ChatwireError;
    return new Class(thrown.message, thrown);
  }
  return new ChatwireError(`chatwire failed (${reasonOf(thrown)}). This is a mistake in chatwire.`, { cause: thrown });
}

/**
 * The words of a host about a failure: the message of its error, and of the error's cause, which is where Node says what happened.
 */
export function reasonOf(error: unknown): string {
  let text: unknown;
  let why: unknown;
  try {
    const { message, cause } = (error ?? {}) as { message?: unknown; cause?: { message?: unknown; code?: unknown } };
    text = message || error;
    why = cause?.message || cause?.code;
  } catch {
    // The members of some objects of a host cannot be read.
  }
  return `${typeof text === "string" ? text : "no reason given"}${why && typeof why === "string" ? `: ${why}` : ""}`;
}

/** For a `catch`: an error of this package. */
export function rethrow(thrown: unknown): never {
  throw toError(thrown);
}

/** Ties an error to how its stream ended, without the outcome filling every log line. */
export function withOutcome<E extends ChatwireError>(error: E, outcome: Outcome): E {
  return define(error, "outcome", outcome);
}

/** The error for a call that its caller has aborted. */
export function aborted(reason?: unknown): APIUserAbortError {
  const isUsual = reason === undefined || (reason instanceof Error && reason.name === "AbortError");
  const cause = isUsual ? {} : { cause: reason };
  return new APIUserAbortError("The request was aborted by the caller.", cause);
}

/** The outcome of a call that never became a stream. */
export function unopened(error: ChatwireError): Outcome {
  const outcome = outcomeOf(error);
  withOutcome(error, outcome);
  return outcome;
}

/** As `unopened`, but the error gets no `outcome`. */
export function outcomeOf(error: ChatwireError): Outcome {
  return {
    status: error instanceof APIUserAbortError ? "aborted" : "error",
    completion: null,
    message: null,
    text: "",
    reasoning: "",
    toolCalls: [],
    finishReason: null,
    usage: null,
    cost: null,
    timing: { firstByte: null, firstToken: null, firstSentence: null, total: null, tokensPerSecond: null },
    repairs: [],
    attempts: [...(error.attempts ?? [])],
    resumed: 0,
    requestId: (error instanceof APIError ? error.requestID : undefined) ?? null,
    error,
  };
}

/** The error that an outcome throws, if any. */
export function errorOf(outcome: Outcome): ChatwireError {
  return outcome.error ?? withOutcome(aborted(), outcome);
}

/** The outcome of a stream or a run that ended well; else it rejects with the outcome's error. */
export async function completed<O extends Outcome>(ended: Promise<O>): Promise<O> {
  const outcome = await ended;
  if (outcome.status !== "complete") throw errorOf(outcome);
  return outcome;
}
