/** Errors, in words for the person in front of the page: what happened and what to do now. */
import { APIError, ChatwireError, RateLimitError } from "chatwire";

export interface Advice {
  /** The error's class, for a bug report. */
  name: string;
  title: string;
  /** What to do. */
  text: string;
  /** What the error itself says, where it adds to the advice. */
  detail?: string;
  /** Milliseconds since 1970 before which trying again is in vain. */
  retryAt?: number;
  /** The server asks for its access token. */
  wantsToken?: boolean;
}

type Words = readonly [title: string, text: string];

const WORDS: Readonly<Record<string, Words>> = {
  APIError: ["The provider reported an error", "What arrived is kept. Try again in a moment."],
  APIConnectionError: [
    "The server cannot be reached",
    "Check that it is still running and that you are online, then try again.",
  ],
  APIConnectionTimeoutError: ["The server did not answer in time", "It may be overloaded. Try again in a moment."],
  AuthenticationError: ["The key was refused", "Whoever runs this page should look at the key it was given."],
  BadRequestError: [
    "The request was refused",
    "Change what is named below, or start a new chat if the history is too long.",
  ],
  ConflictError: ["The server is busy with another request", "Try again in a moment."],
  InternalServerError: ["The provider has trouble", "Nothing is wrong with your message. Try again in a moment."],
  InvalidRequestError: ["The request was not sent", "It would have been refused. Change what is named below."],
  NotFoundError: ["There is no such model", "Pick another model at the top of the page."],
  PermissionDeniedError: ["This is not allowed", "The key is right, but it may not be used for this."],
  ProtocolError: [
    "The answer could not be read",
    "What was sent is not a chat stream. Try again, or pick another provider.",
  ],
  RateLimitError: ["Too many requests", "Wait a little, then try again."],
  StalledError: ["The answer stopped coming", "What arrived is kept. Try again to get it whole."],
  StreamError: ["The answer broke off", "What arrived is kept. Try again to get it whole."],
  TruncatedError: [
    "The answer was cut off",
    "The connection ended early. What arrived is kept; try again to get it whole.",
  ],
  UnprocessableEntityError: ["The request was refused", "Change what is named below."],
};

const UNKNOWN: Words = [
  "Something went wrong",
  "Try again. If it happens again, please report it with the text below.",
];

/** What to tell the user about a failed answer. */
export function adviceFor(error: unknown): Advice {
  const name = error instanceof Error ? error.name : "Error";
  const [title, text] = (error instanceof ChatwireError && Object.hasOwn(WORDS, name) && WORDS[name]) || UNKNOWN;
  const advice: Advice = { name, title, text };
  if (error instanceof Error && error.message) advice.detail = error.message;
  if (error instanceof RateLimitError && error.retryAt) advice.retryAt = error.retryAt;
  if (error instanceof APIError && error.code === "unauthorized") {
    advice.wantsToken = true;
    advice.title = "This server asks for its access token";
    advice.text = "Enter the token that was set as its secret ACCESS_TOKEN.";
    delete advice.detail;
  }
  return advice;
}
