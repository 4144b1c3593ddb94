/**
 * Iteration over a stream: text as one string per network chunk, chunks and events one by one.
 *
 * Written by hand: an async generator would cost two more promises per network chunk.
 */

import { NONE, type OutputKind } from "../engine/boundary.ts";
import type { PushOutput } from "../engine/push-output.ts";
import { errorOf } from "../errors.ts";
import { asyncDispose } from "../symbols.ts";
import type { Outcome } from "../types.ts";
import type { Session } from "./session.ts";
import type { BodyReading, Read } from "./source.ts";

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
/** No items: one list for all, so that a stream of text keeps none. */
const NONE_YET: unknown[] = [];

export class OutputIterator<T> implements AsyncIterator<T, undefined>, AsyncIterable<T> {
  readonly #session: Session;
  /** The reading that the last read was made with: another answer may have taken its place since. */
  #reading: BodyReading | undefined;
  /** The output of each push was chosen. */
  #isOpen = false;
  #items = NONE_YET;
  #at = 0;
  #isReading = false;
  #isOver = false;
  /** Calls of `next` made before an earlier one was answered: they are answered in order. */
  #waiting = 0;
  #last: Promise<unknown> | undefined;

  constructor(session: Session, kind: OutputKind) {
    session.take(kind);
    this.#session = session;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isReading || this.#waiting > 0) return this.#wait();
    const answer = this.#advance();
    this.#last = answer;
    return answer;
  }

  /** Leaves the loop early, which cancels the request. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#isOver = true;
    this.#items = NONE_YET;
    this.#session.abort();
    return Promise.resolve(DONE);
  }

  /** Leaves with an error. */
  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    return this.return().then(() => Promise.reject(error));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [asyncDispose](): Promise<void> {
    await this.return();
  }

  #wait(): Promise<IteratorResult<T, undefined>> {
    this.#waiting++;
    const turn = () => {
      this.#waiting--;
      return this.#advance();
    };
    const answer = (this.#last as Promise<unknown>).then(turn, turn);
    this.#last = answer;
    return answer;
  }

  #advance(): Promise<IteratorResult<T, undefined>> {
    if (this.#at < this.#items.length) return Promise.resolve({ done: false, value: this.#items[this.#at++] as T });
    if (this.#isOver) return Promise.resolve(DONE);
    this.#isReading = true;
    const reading = this.#isOpen ? this.#session.reading : undefined;
    if (!reading) return this.#more();
    this.#reading = reading;
    return reading.read().then(this.#taken, this.#lost);
  }

  readonly #taken = (result: Read) => this.#step(result) ?? this.#more();

  readonly #lost = (cause: unknown) => this.#step(undefined, cause) ?? this.#more();

  /** Reads until there is something to give: keep-alives and chunks without text give nothing. */
  async #more(): Promise<IteratorResult<T, undefined>> {
    const session = this.#session;
    if (!this.#isOpen) {
      await session.opened;
      this.#isOpen = true;
    }
    while (!session.outcome) {
      const { reading } = session;
      if (!reading) {
        await session.opened;
        continue;
      }
      this.#reading = reading;
      let result: Read | undefined;
      let cause: unknown;
      try {
        result = await reading.read();
      } catch (thrown) {
        cause = thrown;
      }
      const given = this.#step(result, cause);
      if (given) return given;
    }
    return this.#give(session.reading?.takeUnread() ?? "") ?? this.#finish();
  }

  /** The result of one read: its items, or its failure. */
  #step(result: Read | undefined, cause?: unknown): IteratorYieldResult<T> | undefined {
    const reading = this.#reading as BodyReading;
    return this.#give(result ? reading.taken(result) : reading.lost(cause));
  }

  #give(pushed: PushOutput): IteratorYieldResult<T> | undefined {
    if (pushed.length === 0 || this.#isOver) return undefined;
    this.#isReading = false;
    if (typeof pushed === "string") return { done: false, value: pushed as T };
    this.#items = pushed;
    this.#at = 1;
    return { done: false, value: pushed[0] as T };
  }

  #finish(): IteratorReturnResult<undefined> {
    const hasLeft = this.#isOver;
    this.#isReading = false;
    this.#isOver = true;
    const { outcome } = this.#session;
    if (hasLeft || !outcome || outcome.status === "complete" || outcome.status === "aborted") return DONE;
    throw errorOf(outcome);
  }
}

/** Reads a stream to its end: by the consumer that takes it in this turn of the event loop, or else by itself. */
export function readThrough(session: Session): Promise<Outcome> {
  if (!session.isTaken && !session.outcome) {
    // A promise, not queueMicrotask, which tests that fake the host's timers fake too.
    Promise.resolve().then(() => {
      if (!session.isTaken) new OutputIterator(session, NONE).next().catch(() => {});
    });
  }
  return session.ended;
}
