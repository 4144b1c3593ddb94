/**
 * A request, and the answer to it. Types only.
 */
import type { Source } from "../stream/source.ts";
import type { Outcome } from "../types.ts";
import type { Answered } from "./api-promise.ts";
import type { SentHeaders } from "./opening.ts";

/** The parts of a request beside the caller's options. */
export interface Target {
  path: string;
  /** The body's parameters. Without them nothing is posted. */
  params?: unknown;
  stream?: boolean;
  /** The id of a kept stream that is taken up; its path is its protocol's. */
  resume?: string;
  /** Is waited for before anything is sent. */
  needs?: Promise<unknown>;
}

/** A response, and how to read its body. */
export type Answer = Answered &
  Source & {
    sent: SentHeaders;
    /** Another took its place: frees its place, and counts what it used. */
    left?: (outcome: Outcome) => void;
    /** It ended badly, and it is not known yet whether another takes its place: frees its place. */
    broke?: (outcome: Outcome) => void;
  };

/** A call under way. */
export interface Call {
  /** Ends it, at any time. */
  controller: AbortController;
  answer: Promise<Answer>;
}
