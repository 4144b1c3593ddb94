/**
 * Iteration over a stream: text as one string per network chunk, chunks and events one by one.
 *
 * Written by hand: an async generator would cost two more promises per network chunk.
 */

import type { Batch } from "./body-decoder.ts";
import type { OutputKind } from "./boundary.ts";
import { errorOf } from "./errors.ts";
import type { BodyReading, Read } from "./reading.ts";
import type { Session } from "./session.ts";
import { asyncDispose } from "./symbols.ts";

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

export class BatchIterator<T> implements AsyncIterableIterator<T, undefined> {
  readonly #session: Session;
  /** There once the session is open. */
  #reading: BodyReading | undefined;
  #items: unknown[] = [];
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
    this.#items = [];
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
    return this.#reading ? this.#reading.read().then(this.#taken, this.#lost) : this.#open();
  }

  async #open(): Promise<IteratorResult<T, undefined>> {
    await this.#session.opened;
    this.#reading = this.#session.reading;
    return this.#reading ? this.#more(this.#reading) : this.#finish();
  }

  readonly #taken = (result: Read) => {
    const reading = this.#reading as BodyReading;
    return this.#give(this.#batch(reading, result)) ?? this.#more(reading);
  };

  readonly #lost = (cause: unknown) => {
    const reading = this.#reading as BodyReading;
    return this.#give(this.#batch(reading, undefined, cause)) ?? this.#more(reading);
  };

  /** Reads until there is something to give: keep-alives and chunks without text give nothing. */
  async #more(reading: BodyReading): Promise<IteratorResult<T, undefined>> {
    while (!this.#session.outcome) {
      let result: Read | undefined;
      let cause: unknown;
      try {
        result = await reading.read();
      } catch (thrown) {
        cause = thrown;
      }
      const given = this.#give(this.#batch(reading, result, cause));
      if (given) return given;
    }
    return this.#give(reading.rest()) ?? this.#finish();
  }

  #batch(reading: BodyReading, result: Read | undefined, cause?: unknown): Batch {
    try {
      return result ? reading.taken(result) : reading.lost(cause);
    } catch (thrown) {
      this.#session.fail(thrown);
      return "";
    }
  }

  #give(batch: Batch): IteratorYieldResult<T> | undefined {
    if (batch.length === 0 || this.#isOver) return undefined;
    this.#isReading = false;
    if (typeof batch === "string") return { done: false, value: batch as T };
    this.#items = batch;
    this.#at = 1;
    return { done: false, value: batch[0] as T };
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
