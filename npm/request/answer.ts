/**
 * A request, and the answer to it. Types only.
 */
import type { ProviderFacts } from "../engine/boundary.ts";
import type { Source } from "../stream/source.ts";
import type { Answered } from "./api-promise.ts";
import type { SentHeaders } from "./opening.ts";
import type { Slot } from "./slot.ts";

/** Puts the JSON text of a request into the form that a server takes. */
export type Suit = (body: string, server: Pick<ProviderFacts, "jsonSchema">) => string;

/** The parts of a request beside the caller's options. */
export interface Target {
  path: string;
  /** The body's parameters. Without them nothing is posted. */
  params?: unknown;
  stream?: boolean;
  /** The id of a kept stream that is taken up; its path is its protocol's. */
  resume?: string;
  /** Puts the body into the form that each server takes, the first one included. */
  suited?: Suit;
  /** Awaited before anything is sent. */
  needs?: Promise<unknown>;
}

/** A response, and how to read its body. */
export type Answer = Answered &
  Source & {
    sent: SentHeaders;
    slot: Slot;
  };

/** A call under way. */
export interface Call {
  /** Its abort ends the call, at any time. */
  controller: AbortController;
  answer: Promise<Answer>;
}
