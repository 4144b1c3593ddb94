/** Errors, in words for the person in front of the page: what happened, what became of the words, what to do now. */
import { APIError, ChatwireError, InvalidRequestError, RateLimitError } from "chatwire";

export interface Advice {
  /** The error's class, for a bug report. */
  name: string;
  title: string;
  /** The advice. */
  text: string;
  /** The words of the error itself, where they add to the advice. */
  detail?: string;
  /** Milliseconds since 1970 before which trying again is in vain. */
  retryAt?: number;
  /** The server asks for its access token. */
  wantsToken?: boolean;
}

const TITLES: Readonly<Record<string, string>> = {
  APIError: "The provider reported an error",
  APIConnectionError: "The server cannot be reached",
  APIConnectionTimeoutError: "The server did not answer in time",
  AuthenticationError: "The key was refused",
  BadRequestError: "The request was refused",
  ConflictError: "The server is busy with another request",
  InternalServerError: "The provider has trouble",
  InvalidRequestError: "The request was not sent",
  NotFoundError: "There is no such model",
  PermissionDeniedError: "This is not allowed",
  ProtocolError: "The answer could not be read",
  RateLimitError: "Too many requests",
  StalledError: "The answer stopped coming",
  StreamError: "The answer broke off",
  TruncatedError: "The answer was cut off",
  UnprocessableEntityError: "The request was refused",
};

/** The advice about an error, where nothing has arrived. */
const STEPS: Readonly<Record<string, string>> = {
  APIError: "Pick another source if it goes on.",
  APIConnectionError: "Check that the server is running and that you are online.",
  APIConnectionTimeoutError: "Its network may be slow, or the server itself.",
  AuthenticationError: "The owner of this page should look at the key that it was given.",
  BadRequestError: "Change what is named below.",
  ConflictError: "Wait a moment.",
  InternalServerError: "The failure is the server's own: the same request may succeed later.",
  InvalidRequestError: "The server would have refused it. Change what is named below.",
  NotFoundError: "Pick another model.",
  PermissionDeniedError: "The key is right, but it may not be used for this.",
  ProtocolError: "The server sent no chat stream. Pick another source.",
  RateLimitError: "The server asks to wait.",
  UnprocessableEntityError: "Change what is named below.",
};

const KEPT =
  "The words that arrived stay here and are part of the conversation. Continue from them, or try again: they stay on the page.";
const LEFT_OUT = "Your message is left out of the conversation until it is answered: try again, or edit it.";

/** The words for the user about a failed answer, of which some words arrived or none. */
export function adviceFor(error: unknown, hasWords: boolean): Advice {
  const name = error instanceof Error ? error.name : "Error";
  const isOurs = error instanceof ChatwireError && Object.hasOwn(TITLES, name);
  const title = (isOurs && TITLES[name]) || "Something went wrong";
  const step = (isOurs && STEPS[name]) || "";
  const advice: Advice = {
    name,
    title,
    text: [hasWords ? "" : step, hasWords ? KEPT : LEFT_OUT].filter(Boolean).join(" "),
  };
  if (error instanceof Error && error.message) advice.detail = error.message;
  if (error instanceof InvalidRequestError) {
    advice.detail = error.details.map(({ message, path }) => `${path.join(".") || "request"}: ${message}`).join(" ");
  }
  if (error instanceof RateLimitError && error.retryAt) advice.retryAt = error.retryAt;
  if (error instanceof APIError && error.code === "unauthorized") {
    advice.wantsToken = true;
    advice.title = "This server asks for its access token";
    advice.text = "Enter the token that was set as its secret ACCESS_TOKEN.";
    delete advice.detail;
  }
  return advice;
}
