/**
 * The life of one stream: opened, read by one reader, ended once. What ChatStream and its iterators share.
 */

import { type EngineDecoderOptions, NONE, type OutputKind } from "../engine/boundary.ts";
import { BodyDecoder } from "../engine/decoder.ts";
import { cutToHeard } from "../engine/heard.ts";
import { shapeOf } from "../engine/shapes.ts";
import { ChatwireError, toError, unopened } from "../errors.ts";
import type { Outcome } from "../types.ts";
import { BatchIterator } from "./iterator.ts";
import { type BodyReading, type Ended, Reading } from "./reading.ts";
import type { Recorder } from "./recording.ts";
import type { Kept } from "./resume.ts";

/** A body and how to read it. */
export interface Source {
  body: ReadableStream<Uint8Array> | null;
  decoder: EngineDecoderOptions;
  /** Is told once how it ended, as the engine saw it. */
  ended?: (outcome?: Outcome) => void;
  /** Notes what is read, to be read again. */
  recorder?: Recorder | undefined;
  /** Reads it in place of the engine's own loop. */
  reading?: (decoder: BodyDecoder, signal: AbortSignal, ended: Ended) => BodyReading;
  /** The same on a gateway that keeps it. */
  kept?: Kept;
  /** How it ended, by one who knows more than the bytes show. */
  verdict?: (own: Outcome) => Outcome;
}

export class Session {
  readonly controller: AbortController;
  /** There once the answer's headers are, as are `decoder` and `reading`. */
  source: Source | undefined;
  decoder: BodyDecoder | undefined;
  reading: BodyReading | undefined;
  outcome: Outcome | undefined;
  /** Resolves once `outcome` is there, or `reading` and what its reader needs. */
  opened: Promise<void> | undefined;
  /** Resolves with the outcome; never rejects. */
  readonly ended: Promise<Outcome>;

  #settle: (outcome: Outcome) => void = () => {};
  #isTaken = false;
  #heard: number | undefined;

  constructor(source: Source | Promise<Source>, controller: AbortController) {
    this.controller = controller;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    if (source instanceof Promise) this.opened = this.#open(source);
    else this.#begin(source);
  }

  async #open(source: Promise<Source>): Promise<void> {
    try {
      this.#begin(await source);
    } catch (thrown) {
      this.#end(unopened(toError(thrown)));
    }
  }

  #begin(source: Source): void {
    const ended = (outcome: Outcome) => {
      this.#end(source.verdict?.(outcome) ?? outcome);
      source.ended?.(outcome);
    };
    this.source = source;
    const { signal } = this.controller;
    const decoder = new BodyDecoder(source.decoder, source.recorder);
    this.decoder = decoder;
    this.reading = source.reading?.(decoder, signal, ended) ?? new Reading(source.body, decoder, signal, ended);
  }

  #end(outcome: Outcome): void {
    if (this.outcome) return;
    if (this.#heard !== undefined) cutToHeard(outcome, this.#heard);
    outcome.resumed = this.source?.kept?.resumed ?? 0;
    this.outcome = outcome;
    this.#settle(outcome);
  }

  /** Becomes the one reader, who wants this of each push. */
  take(kind: OutputKind): void {
    if (this.#isTaken) {
      throw new ChatwireError(
        "This stream already has its one reader: a loop, or outcome() or a final*() called before any loop. Use tee() for a second one, or read the outcome after the loop.",
      );
    }
    this.#isTaken = true;
    this.opened = this.#prepare(kind);
  }

  async #prepare(kind: OutputKind): Promise<void> {
    try {
      await this.opened;
      this.decoder?.setOutput(kind, shapeOf(kind));
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** Has the stream read to its end, by whoever takes it in this turn or else by itself. */
  readThrough(): Promise<Outcome> {
    if (!this.#isTaken && !this.outcome) {
      queueMicrotask(() => {
        if (!this.#isTaken) new BatchIterator(this, NONE).next().catch(() => {});
      });
    }
    return this.ended;
  }

  /** Reading cannot go on: the engine itself gave up on what it was given. */
  fail(thrown: unknown): void {
    if (this.outcome) return;
    const outcome = unopened(toError(thrown));
    this.#end(outcome);
    if (this.reading) this.reading.drop();
    else this.controller.abort(); // what still comes is let go
    this.source?.ended?.(outcome);
  }

  /** Notes how much of the text was heard: the turn to send back is cut to it, also when all of it has arrived. */
  setHeard(heard: number): void {
    this.#heard = heard;
    if (this.outcome) cutToHeard(this.outcome, heard);
  }

  /** Leaves. The request is cancelled, the outcome is `aborted`; without effect once it has ended. */
  abort(reason?: unknown): void {
    if (this.outcome) return;
    this.controller.abort(reason);
  }
}
