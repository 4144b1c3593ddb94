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
    /** Another answer is used in place of this one: frees the slot of this answer, and counts its usage. */
    left?: (outcome: Outcome) => void;
    /** The answer ended badly, and another server may yet be asked: frees the answer's slot within the plan's limits. */
    broke?: (outcome: Outcome) => void;
  };

/** A call under way. */
export interface Call {
  /** Ends it, at any time. */
  controller: AbortController;
  answer: Promise<Answer>;
}
