/**
 * The writes to one caller: how long the caller may take to accept bytes, and a comment whenever nothing was sent for a while.
 */
import type { Alarm } from "./alarm.ts";
import type { Sink } from "./ends.ts";

/** Milliseconds of silence after which a comment is sent: proxies and phones lose a connection that says nothing. */
export const HEARTBEAT = 15_000;
/** A comment, which is no event. */
export const COMMENT = new TextEncoder().encode(": keep-alive\n\n");

export class Writes {
  readonly #outlet: Sink;
  readonly #alarm: Alarm;
  readonly #writeTimeout: number;
  readonly #leave: () => void;
  #lastPassed = performance.now();
  /** How many writes are pending: two where a comment and bytes come together. */
  #count = 0;
  /** When the caller last took bytes while others waited, or the first of them began to wait. */
  #since = 0;
  /** The alarm is set to look how long the caller has taken. */
  #isWatched = false;
  /** Resolves the write that is pending. */
  #giveUp: () => void = () => {};

  /**
   * @param alarm the answer's
   * @param writeTimeout milliseconds that the caller may take to accept bytes
   * @param leave called when the caller has not accepted bytes in time
   */
  constructor(outlet: Sink, alarm: Alarm, writeTimeout: number, leave: () => void) {
    this.#outlet = outlet;
    this.#alarm = alarm;
    this.#writeTimeout = writeTimeout;
    this.#leave = leave;
  }

  /** Hands bytes to the caller. Resolves when they have been taken, or after `giveUp`. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#count++ === 0) this.#since = performance.now();
    if (!this.#isWatched) this.#watch();
    return new Promise((resolve) => {
      const written = () => {
        this.#count--;
        this.#since = performance.now();
        this.#lastPassed = this.#since;
        resolve();
      };
      this.#giveUp = resolve;
      this.#outlet.pass(bytes, written);
    });
  }

  /** Resolves pending writes, and waits for none from here on. */
  giveUp(): void {
    this.#giveUp();
  }

  /** No more comments, and the caller may take any time. */
  stop(): void {
    this.#alarm.clear(this.#beat);
    this.#alarm.clear(this.#watch);
  }

  /** Sends a comment whenever nothing else was sent for a while. For streams of events, each write of which ends with one. */
  beat(): void {
    this.#alarm.set(this.#beat, Math.max(1000, this.#lastPassed + HEARTBEAT - performance.now()));
  }

  readonly #beat = () => {
    const isQuiet = performance.now() - this.#lastPassed >= HEARTBEAT - 1;
    if (isQuiet && this.#count === 0) {
      this.#lastPassed = performance.now();
      void this.write(COMMENT);
    }
    this.beat();
  };

  /** Writes begin and end without touching the alarm; when it rings, it checks how long the caller has taken. */
  readonly #watch = () => {
    this.#isWatched = false;
    if (this.#count === 0) return;
    const wait = this.#since + this.#writeTimeout - performance.now();
    if (wait <= 0) return this.#leave();
    this.#isWatched = true;
    this.#alarm.set(this.#watch, wait);
  };
}
