/**
 * Reading one response body through the engine: the loop's single step, its timer, and its end.
 *
 * This file decides nothing: the engine says when to give up, what bytes mean and how the body ended.
 */

import { cancelBody } from "../discard.ts";
import { ABORTED, CLOSED, LONGEST_MS, LOST } from "../engine/boundary.ts";
import { clock, sameClock } from "../engine/clock.ts";
import type { BodyDecoder } from "../engine/decoder.ts";
import { asBytes } from "../engine/engine.ts";
import { joined, type PushOutput } from "../engine/push-output.ts";
import { define, reasonOf } from "../errors.ts";
import type { Outcome } from "../types.ts";
import type { BodyReading, Ended, Read } from "./source.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** How long, in milliseconds, a body may take to end after its last event. */
const LINGER = 100;
/** Milliseconds by which a timer is late where its host has slept, or was kept from running. */
const JUMP = 5000;
/** `#readStarted` while no read is pending. */
const IDLE = -1;
/** Stands for bytes where a tick has brought output while the read is still pending. */
const WOKEN: Read = { done: false };

/** Whether a reader is the host's own, so that its `cancel` settles the read that goes on: the streams standard says so. */
function isStandard(reader: ReadableStreamDefaultReader | undefined): boolean {
  return (
    typeof ReadableStreamDefaultReader !== "undefined" && reader?.read === ReadableStreamDefaultReader.prototype.read
  );
}

export class Reading implements BodyReading {
  readonly #decoder: BodyDecoder;
  readonly #body: ReadableStream<Uint8Array> | null;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #ended: Ended;
  /** The output that came out of the engine between two reads, on a timeout or an abort. */
  #unread: PushOutput = "";
  #readStarted = IDLE;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = NEVER;
  /** The clock has jumped during this read, which was given its time once more. */
  #hasJumped = false;
  /** Its reader has to be woken while a read goes on, which costs a promise a read. */
  readonly #isWoken: boolean;
  /** The read that goes on, and how to wake its reader. */
  #pending: Promise<Read> | undefined;
  #awaken: ((read: Read) => void) | undefined;
  #isSettled = false;

  /**
   * @param decoder is freed at the end
   * @param ended called once with how the body ended
   */
  constructor(body: ReadableStream<Uint8Array> | null, decoder: BodyDecoder, ended: Ended) {
    this.#decoder = decoder;
    this.#ended = ended;
    this.#body = body;
    try {
      this.#reader = body?.getReader();
    } catch (cause) {
      this.lost(cause); // locked: someone else reads it
    }
    // Silence brings sentences out while a read goes on. Else only the end does, and a standard reader's cancel settles its read.
    this.#isWoken = decoder.speaks || !isStandard(this.#reader);
  }

  get #outcome(): Outcome | undefined {
    return this.#decoder.outcome;
  }

  /** Starts one read. Hand its result to `taken`, or its failure to `lost`. */
  read(): Promise<Read> {
    if (this.#outcome || !this.#reader) return Promise.resolve({ done: true });
    this.#readStarted = sameClock();
    if (this.#decoder.deadline(this.#readStarted) < this.#timerAt) {
      this.#readStarted = clock();
      this.#setTimer(this.#readStarted);
    }
    try {
      if (!this.#isWoken) return this.#reader.read();
      this.#pending ??= Promise.resolve(this.#reader.read());
      const pending = this.#pending;
      return new Promise((resolve, reject) => {
        this.#awaken = resolve;
        pending.then(resolve, reject);
      });
    } catch (thrown) {
      return Promise.reject(thrown); // no standard stream does this
    }
  }

  /** Takes the result of a read. Look at the decoder's outcome afterwards: once it is there, nothing more comes. */
  taken(read: Read): PushOutput {
    const started = this.#readStarted;
    this.#readStarted = IDLE;
    if (this.#outcome) return this.#after("");
    if (read === WOKEN) return this.takeUnread();
    this.#pending = undefined;
    this.#hasJumped = false;
    let value: unknown;
    try {
      if (read.done) return this.#after(this.#decoder.end(CLOSED, sameClock()));
      value = read.value;
    } catch (thrown) {
      return this.lost(thrown); // no standard result does this
    }
    const bytes = asBytes(value);
    if (!bytes) return this.lost(`The body gave ${typeof value} in place of bytes.`);
    const pushed = this.#after(this.#decoder.take(bytes, started));
    const { outcome } = this.#decoder;
    if (outcome?.status === "complete") this.#linger();
    return pushed;
  }

  /** The connection broke. */
  lost(cause: unknown): PushOutput {
    if (this.#outcome) return this.#after("");
    const why = reasonOf(cause);
    const pushed = this.#after(this.#decoder.end(LOST, clock(), why));
    // The host's own, which has the code of what happened. Not asked for its class: a revoked proxy has none.
    const error = this.#decoder.outcome?.error;
    if (error) define(error, "cause", cause);
    // The connection may be open still: the error can come from a reader whose body goes on.
    this.#cancel();
    return pushed;
  }

  /** Ends the reading because the caller has left; without effect once it has ended. */
  readonly abort = (): void => {
    if (this.#isSettled) return;
    this.#unread = this.#after(this.#decoder.end(ABORTED, clock()));
    this.#awaken?.(WOKEN);
  };

  /** The output of a timeout or an abort, for a reader that had no read pending. */
  takeUnread(): PushOutput {
    const unread = this.#unread;
    this.#unread = "";
    return unread;
  }

  #after(pushed: PushOutput): PushOutput {
    const outcome = this.#outcome;
    if (outcome && !this.#isSettled) {
      this.#isSettled = true;
      clearTimeout(this.#timer);
      if (outcome.status !== "complete") this.#cancel();
      if (this.#ended(outcome)) {
        this.#unread = "";
        return "";
      }
    }
    return this.#unread.length > 0 ? joined(this.takeUnread(), pushed) : pushed;
  }

  #cancel(): void {
    cancelBody(this.#reader ?? this.#body);
  }

  /**
   * The last event has come, and no read is pending any more. A body that ends with it leaves its connection to the next request,
   * one that the server keeps open is closed.
   */
  async #linger(): Promise<void> {
    this.#timer = setTimeout(() => this.#cancel(), LINGER);
    try {
      const last = await this.#reader?.read();
      if (!last?.done) this.#cancel();
    } catch {
      this.#cancel(); // the body broke after the answer was over
    }
    clearTimeout(this.#timer);
  }

  #setTimer(now: number): void {
    const due = this.#decoder.deadline(this.#readStarted);
    if (due === NEVER) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    this.#timer = setTimeout(this.#wake, Math.min(Math.max(Math.ceil(due - now), 1), LONGEST_MS));
  }

  // Reads begin and end without touching the timer; when it fires, it checks how long the read is pending.
  readonly #wake = (): void => {
    const now = clock();
    const isLate = now - this.#timerAt > JUMP;
    this.#timerAt = NEVER;
    if (this.#outcome || this.#readStarted === IDLE) return; // nobody waits: a slow consumer is not a stall
    if (isLate && !this.#hasJumped) {
      // The process was suspended and could not read: the read gets its time once more.
      this.#hasJumped = true;
      this.#readStarted = now;
    }
    const started = this.#readStarted;
    if (this.#decoder.deadline(started) <= now) {
      this.#unread = this.#after(this.#decoder.tick(started, now));
      if (this.#outcome) this.#cancel();
      if (this.#outcome || this.#unread.length > 0) this.#awaken?.(WOKEN);
    }
    this.#setTimer(now);
  };
}
