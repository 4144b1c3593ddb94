/**
 * The life of one stream: opened, read by one reader, ended once. ChatStream and its iterators share it.
 */

import { cancelBody } from "../discard.ts";
import { EVENTS, type OutputKind } from "../engine/boundary.ts";
import { BodyDecoder } from "../engine/decoder.ts";
import { asBytes } from "../engine/engine.ts";
import { cutToHeard } from "../engine/heard.ts";
import { shapeOf } from "../engine/shapes.ts";
import { APIUserAbortError, aborted, ChatwireError, toError, unopened, withOutcome } from "../errors.ts";
import type { Outcome } from "../types.ts";
import { Reading } from "./reading.ts";
import type { BodyReading, Ended, Source, SourceRead } from "./source.ts";

export class Session {
  /** There once the answer's headers are, as are `decoder` and `reading`. */
  source: SourceRead | undefined;
  decoder: BodyDecoder | undefined;
  reading: BodyReading | undefined;
  outcome: Outcome | undefined;
  /** Resolves once `outcome` is there, or `reading` and what its reader needs. */
  opened: Promise<void> | undefined;

  /** Made lazily, as the promise of the outcome is: most streams need neither. */
  #controller: AbortController | undefined;
  /** Ends the opening or the reading, whichever is under way. */
  #leave: (() => void) | undefined;
  #ended: Promise<Outcome> | undefined;
  #settle: ((outcome: Outcome) => void) | undefined;
  /** The stream has its one reader. */
  isTaken = false;
  /** The output that its reader wants, once the first answer is there. */
  #kind: OutputKind | undefined;
  #heard: number | undefined;
  /** Bytes that wait for the first token, and the reading that brought them. */
  #bytes: Uint8Array[] | undefined;
  #bytesOf: BodyReading | undefined;

  /** @param controller its abort leaves the stream; without one the stream has its own */
  constructor(source: Source | Promise<Source>, controller?: AbortController) {
    if (controller) this.#listenTo(controller);
    if (source instanceof Promise) this.opened = this.#open(source);
    else this.#begin(source);
  }

  /** A controller whose abort leaves the stream. */
  get controller(): AbortController {
    return this.#controller ?? this.#listenTo(new AbortController());
  }

  #listenTo(controller: AbortController): AbortController {
    this.#controller = controller;
    controller.signal.addEventListener("abort", this);
    return controller;
  }

  /** Leaves if the signal was aborted. */
  handleEvent(): void {
    if (this.#controller?.signal.aborted) this.#leave?.();
  }

  /** Resolves with the outcome; never rejects. */
  get ended(): Promise<Outcome> {
    this.#ended ??= new Promise((resolve) => {
      this.#settle = resolve;
      if (this.outcome) resolve(this.outcome);
    });
    return this.#ended;
  }

  /**
   * A stream that is left before its source is there ends at once, and discards a source that still comes.
   * @param broken how the source ended that this one takes the place of
   */
  async #open(source: Promise<Source | undefined>, broken?: Outcome): Promise<void> {
    const left = new Promise<never>((_, reject) => {
      this.#leave = () => reject(aborted(this.controller.signal.reason));
    });
    this.handleEvent();
    try {
      const next = await Promise.race([source, left]);
      if (next) return this.#begin(next);
      if (broken) this.#end(broken);
      this.source?.ended?.(broken);
    } catch (thrown) {
      const error = toError(thrown);
      // The output from before the caller left stays.
      const outcome = broken?.text ? withLeft(broken, error) : unopened(error);
      // The attempts before the last one.
      if (outcome.attempts.length === 0) outcome.attempts = broken?.attempts ?? [];
      this.#end(outcome);
      const before = this.source;
      before?.ended?.(outcome);
      // Of a call that had no answer before, this is all that its hooks hear.
      source
        .then((late) => {
          late?.ended?.(before ? undefined : outcome);
          cancelBody(late?.body);
        })
        .catch(() => {});
    }
  }

  #begin(given: Source): void {
    // A copy: what is given has more, such as the response, which a stream that goes on would keep.
    const { decoder: options, ended: tell, slot, recorder, kept, holds, again, continued, verdict } = given;
    const source: SourceRead = {
      decoder: options,
      ended: tell,
      slot,
      recorder,
      kept,
      holds,
      again,
      continued,
      verdict,
    };
    let isOver = false;
    const ended = (own: Outcome): boolean => {
      isOver = true;
      const outcome = source.verdict?.(own) ?? own;
      const next = isBroken(outcome, this.decoder) ? nextOf(source, outcome) : undefined;
      if (next) {
        this.reading = undefined;
        this.opened = this.#open(next, outcome);
        return true;
      }
      const goingOn = source.continued?.(outcome);
      if (goingOn) {
        this.reading = undefined;
        this.opened = this.#open(goingOn, outcome);
        return false;
      }
      this.#end(outcome);
      source.ended?.(outcome);
      return false;
    };
    this.source = source;
    try {
      // A recording is read again by the options that it has, and sentences only they know.
      const made = recorder || options.sentences ? undefined : given.opening?.decoder();
      const decoder = new BodyDecoder(options, recorder, holds, made);
      given.opening = given.again = undefined;
      this.decoder = decoder;
      if (this.#kind !== undefined) decoder.setOutput(this.#kind, shapeOf(this.#kind));
      if (given.preamble && this.#kind === EVENTS) decoder.begin(given.preamble);
      decoder.onToken = () => {
        slot?.settle();
        source.again = source.decoder = decoder.onToken = undefined;
      };
      this.#leave = undefined;
      const reading = given.reading?.(decoder, this.controller.signal, ended) ?? this.#read(given, decoder, ended);
      if (!isOver || this.outcome) this.reading = reading;
    } catch (thrown) {
      const outcome = unopened(toError(thrown));
      this.#end(outcome);
      source.ended?.(outcome);
      cancelBody(given.body);
    }
  }

  /** Reads the body by the engine's own loop. */
  #read({ body }: Source, decoder: BodyDecoder, ended: Ended): Reading {
    const reading = new Reading(body, decoder, ended);
    if (!decoder.outcome) this.#leave = reading.abort;
    this.handleEvent();
    return reading;
  }

  #end(outcome: Outcome): void {
    if (this.outcome) return;
    this.#leave = undefined;
    if (this.#heard !== undefined) cutToHeard(outcome, this.#heard);
    outcome.resumed = this.source?.kept?.resumed ?? 0;
    this.outcome = outcome;
    this.#settle?.(outcome);
  }

  /** Becomes the one reader, and chooses the output of each push. */
  take(kind: OutputKind): void {
    if (this.isTaken) {
      throw new ChatwireError(
        "This stream already has its one reader: a loop, or outcome() or a final*() called before any loop. Use tee() for a second one, or read the outcome after the loop.",
      );
    }
    this.isTaken = true;
    this.#kind = kind;
    this.decoder?.setOutput(kind, shapeOf(kind));
  }

  /** The bytes of the next read that brings any, decoded on the way; undefined once the stream has ended. */
  async nextBytes(): Promise<Uint8Array | undefined> {
    await this.opened;
    for (;;) {
      const { reading, source, decoder } = this;
      // The output of an answer that broke is dropped.
      if (this.#bytesOf !== reading && !this.outcome) this.#bytes = [];
      this.#bytesOf = reading;
      if (!source?.holds || decoder?.hasToken || this.outcome) {
        const bytes = this.#bytes?.shift();
        if (bytes || this.outcome) return bytes;
      }
      if (!reading) {
        await this.opened;
        continue;
      }
      try {
        const read = await reading.read();
        const bytes = asBytes(read.value);
        reading.taken(read);
        if (bytes && bytes.length > 0) this.#bytes?.push(bytes);
      } catch (thrown) {
        reading.lost(thrown);
      }
    }
  }

  /** Notes how much of the text was heard: the turn to send back is cut to it, also when all of it has arrived. */
  setHeard(heard: number): void {
    this.#heard = heard;
    if (this.outcome) cutToHeard(this.outcome, heard);
  }

  /** Leaves. The request is cancelled, the outcome is `aborted`; without effect once it has ended. */
  abort(reason?: unknown): void {
    if (!this.outcome) this.controller.abort(reason);
  }
}

/** The answer that takes the place of one that broke. If none can be asked for, the one that broke stands. */
function nextOf(source: SourceRead, outcome: Outcome): Promise<Source> | undefined {
  try {
    return source.again?.(outcome);
  } catch {
    return undefined;
  }
}

/** Whether another answer may take the place of this one: it ended badly, and nothing was there to be handed out. */
function isBroken({ status }: Outcome, decoder: BodyDecoder | undefined): boolean {
  return status !== "complete" && status !== "aborted" && (decoder?.isDocument || !decoder?.hasToken);
}

/** The outcome of an answer that broke, and whose caller left before another server went on with it. */
function withLeft(broken: Outcome, error: ChatwireError): Outcome {
  const status = error instanceof APIUserAbortError ? "aborted" : "error";
  const outcome = { ...broken, status, error } as Outcome;
  withOutcome(error, outcome);
  return outcome;
}
