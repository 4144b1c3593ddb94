/** The clients that are compared, and what is said of each. */

export const CLIENTS = ["chatwire", "openai", "by hand"] as const;
export type ClientName = (typeof CLIENTS)[number];

/** The form in which an answer is asked for: its words as a stream or as one document, or the calls of a tool as a stream. */
export type Form = "stream" | "document" | "calls";

/** The result of a client for a stream. */
export interface Reading {
  /** The text that it gave its caller, also of a stream that failed. */
  text: string;
  /** How it says that the stream ended. */
  said: string;
  /** The caller is told that something went wrong, or that something was put right. */
  tells: boolean;
  /** The caller is told that the answer is whole. */
  isWhole: boolean;
}
