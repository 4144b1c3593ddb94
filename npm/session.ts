/**
 * The life of one stream: opened, read by one reader, ended once. What ChatStream and its iterators share.
 */
import type { Batch } from "./body-decoder.ts";
import { type EngineDecoderOptions, NONE, type OutputKind } from "./boundary.ts";
import { APIError, APIUserAbortError, ChatwireError, toError, withOutcome } from "./errors.ts";
import { type Read, Reading } from "./reading.ts";
import { asyncDispose } from "./symbols.ts";
import type { Outcome } from "./types.ts";

/** A body and how to read it. */
export interface Source {
  body: ReadableStream<Uint8Array> | null;
  decoder: EngineDecoderOptions;
  /** Is told once how it ended, as the engine put it. */
  ended?: (account: string) => void;
  /** How it ended, by one who knows more than the bytes show. */
  verdict?: (own: Outcome) => Outcome;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The error that stands for a caller's own leaving. */
export function aborted(reason?: unknown): APIUserAbortError {
  const cause = reason === undefined || (reason as Error)?.name === "AbortError" ? {} : { cause: reason };
  return new APIUserAbortError("The request was aborted by the caller.", cause);
}

/** The outcome of what never became a stream. */
export function unopened(error: ChatwireError): Outcome {
  const outcome = outcomeOf(error);
  withOutcome(error, outcome);
  return outcome;
}

/** The same without the error knowing of it. */
export function outcomeOf(error: ChatwireError): Outcome {
  return {
    status: error instanceof APIUserAbortError ? "aborted" : "error",
    completion: null,
    message: null,
    text: "",
    reasoning: "",
    toolCalls: [],
    finishReason: null,
    usage: null,
    cost: null,
    timing: { firstByte: null, firstToken: null, firstSentence: null, total: null, tokensPerSecond: null },
    repairs: [],
    attempts: [...(error.attempts ?? [])],
    requestId: (error instanceof APIError ? error.requestID : undefined) ?? null,
    error,
  };
}

/** What an outcome throws, where it throws at all. */
export function errorOf(outcome: Outcome): ChatwireError {
  return outcome.error ?? withOutcome(aborted(), outcome);
}

export class Session {
  readonly controller: AbortController;
  /** There once the answer's headers are, as is `decoder`. */
  reading: Reading | undefined;
  decoder: EngineDecoderOptions = {};
  outcome: Outcome | undefined;
  /** Resolves once `reading` or `outcome` is there. */
  readonly opened: Promise<void> | undefined;
  /** Resolves with the outcome; never rejects. */
  readonly ended: Promise<Outcome>;

  #settle: (outcome: Outcome) => void = () => {};
  #isTaken = false;

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
    const ended = (outcome: Outcome, account: string) => {
      this.#end(source.verdict?.(outcome) ?? outcome);
      source.ended?.(account);
    };
    this.decoder = source.decoder;
    this.reading = new Reading(source.body, source.decoder, this.controller.signal, ended);
  }

  #end(outcome: Outcome): void {
    if (this.outcome) return;
    this.outcome = outcome;
    this.#settle(outcome);
  }

  /** Becomes the one reader. */
  take(): void {
    if (this.#isTaken) {
      throw new ChatwireError(
        "This stream already has its one reader: a loop over it, or outcome() or a final*() called before any loop. Use tee() for a second reader, or read the outcome when the loop is done.",
      );
    }
    this.#isTaken = true;
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

  /** The engine itself gave up on what it was given. */
  fail(thrown: unknown): void {
    this.#end(unopened(toError(thrown)));
    this.reading?.drop();
  }

  /** Leaves. The request is cancelled, the outcome is `aborted`; without effect once it has ended. */
  abort(reason?: unknown): void {
    if (this.outcome) return;
    this.controller.abort(reason);
  }
}

/**
 * Iterates over what a session puts out: text as one string per network chunk, chunks and events one by one.
 *
 * Written by hand: an async generator would cost two more promises per network chunk.
 */
export class BatchIterator<T> implements AsyncIterableIterator<T, undefined> {
  readonly #session: Session;
  readonly #kind: OutputKind;
  #items: unknown[] = [];
  #at = 0;
  #isReading = false;
  #isOver = false;
  /** Calls of `next` made before an earlier one was answered: they are answered in order. */
  #waiting = 0;
  #last: Promise<unknown> | undefined;

  constructor(session: Session, kind: OutputKind) {
    session.take();
    this.#session = session;
    this.#kind = kind;
    session.reading?.setOutput(kind);
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
    const { reading } = this.#session;
    return reading ? reading.read().then(this.#taken, this.#lost) : this.#open();
  }

  async #open(): Promise<IteratorResult<T, undefined>> {
    await this.#session.opened;
    const { reading } = this.#session;
    reading?.setOutput(this.#kind);
    return reading ? this.#more(reading) : this.#finish();
  }

  readonly #taken = (result: Read) => {
    const reading = this.#session.reading as Reading;
    return this.#give(this.#batch(reading, result)) ?? this.#more(reading);
  };

  readonly #lost = (cause: unknown) => {
    const reading = this.#session.reading as Reading;
    return this.#give(this.#batch(reading, undefined, cause)) ?? this.#more(reading);
  };

  /** Reads until there is something to give: keep-alives and chunks without text give nothing. */
  async #more(reading: Reading): Promise<IteratorResult<T, undefined>> {
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

  #batch(reading: Reading, result: Read | undefined, cause?: unknown): Batch {
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
