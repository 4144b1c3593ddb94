/**
 * Outcomes and the errors that stand for them, where no stream was there to give them.
 */
import { APIError, APIUserAbortError, type ChatwireError, withOutcome } from "./errors.ts";
import type { Outcome } from "./types.ts";

/** The error that stands for a caller's own leaving. */
export function aborted(reason?: unknown): APIUserAbortError {
  const cause = reason === undefined || (reason as Error)?.name === "AbortError" ? {} : { cause: reason };
  return new APIUserAbortError("The request was aborted by the caller.", cause);
}

/** The outcome of what never became a stream. */
export function unopened(error: ChatwireError): Outcome {
  const outcome = outcomeOf(error);
  withOutcome(error, outcome);
  return outcome;
}

/** The same without the error knowing of it. */
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
    requestId: (error instanceof APIError ? error.requestID : undefined) ?? null,
    error,
  };
}

/** What an outcome throws, where it throws at all. */
export function errorOf(outcome: Outcome): ChatwireError {
  return outcome.error ?? withOutcome(aborted(), outcome);
}
