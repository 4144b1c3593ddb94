/**
 * The source of a stream: a body, how to read it, and its observers. Types only.
 */

import type { EngineDecoderOptions } from "../engine/boundary.ts";
import type { BodyDecoder, Notes } from "../engine/decoder.ts";
import type { Part } from "../engine/engine.ts";
import type { PushOutput } from "../engine/push-output.ts";
import type { Outcome } from "../types.ts";
import type { Kept } from "./resume.ts";

/** The value of one read of a body: bytes, if the host does as it should. */
export interface Read {
  done: boolean;
  value?: unknown;
}

/** Called with how a body ended; returns whether another takes its place, so that nothing of this one is to be handed out. */
export type Ended = (outcome: Outcome) => boolean;

/** A reader of a body, step by step: `read`, then `taken` or `lost`, until its decoder has an outcome. */
export interface BodyReading {
  read(): Promise<Read>;
  taken(read: Read): PushOutput;
  lost(cause: unknown): PushOutput;
  takeUnread(): PushOutput;
}

/** The parts of a source that count after the reading has begun. */
export type SourceRead = Pick<
  Source,
  "ended" | "slot" | "recorder" | "kept" | "holds" | "again" | "continued" | "verdict"
> & {
  /** Until the first token. */
  decoder: EngineDecoderOptions | undefined;
};

/** A body and how to read it. */
export interface Source {
  body: ReadableStream<Uint8Array> | null;
  decoder: EngineDecoderOptions;
  /** Gives the engine's decoder that was made by these options, where there is one. */
  opening?: { decoder(): Part | undefined } | undefined;
  /** Called once with how the body ended, as the engine saw it. */
  ended?: ((outcome?: Outcome) => void) | undefined;
  /**
   * The slot within the limits; `settle` is called at the first token, after which no other answer takes the place of this one.
   */
  slot?: { settle(): void } | undefined;
  /** Records what is read, to be read again. */
  recorder?: (Notes & { finish(outcome: Outcome): string }) | undefined;
  /** Reads the body in place of the engine's own loop. */
  reading?: (decoder: BodyDecoder, signal: AbortSignal, ended: Ended) => BodyReading;
  /** The stream on the gateway that keeps it. */
  kept?: Kept | undefined;
  /** Another answer may take the place of this one: nothing is handed out before the first token. */
  holds?: boolean | undefined;
  /** The answer ended badly before anything of it was handed out: gives the answer that takes its place, if there is one. */
  again?: ((outcome: Outcome) => Promise<Source> | undefined) | undefined;
  /** The answer broke after its first token: gives the source that goes on with it, or nothing where none does. */
  continued?: ((outcome: Outcome) => Promise<Source | undefined> | undefined) | undefined;
  /** The event that comes before all others. */
  preamble?: object;
  /** Corrects the outcome by facts that the bytes do not show. */
  verdict?: ((own: Outcome) => Outcome) | undefined;
}
