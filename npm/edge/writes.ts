/**
 * The writes to one caller: how long the caller may take to accept bytes, and a comment whenever nothing was sent for a while.
 */
import type { Outlet } from "./ends.ts";

/** Milliseconds of silence after which a comment is sent: proxies and phones lose a connection that says nothing. */
export const HEARTBEAT = 15_000;
/** A comment, which is no event. */
export const COMMENT = new TextEncoder().encode(": keep-alive\n\n");

type Timer = ReturnType<typeof setTimeout>;

/** In Node, an answer that is not read is no reason to keep the program running. */
export function quietly(timer: Timer): Timer {
  (timer as { unref?: () => void }).unref?.();
  return timer;
}

export class Writes {
  readonly #outlet: Outlet;
  readonly #writeTimeout: number;
  readonly #leave: () => void;
  #lastPassed = performance.now();
  /** How many writes are pending: two where a comment and bytes come together. */
  #count = 0;
  /** When the caller last took bytes while others waited, or the first of them began to wait; and the one timer of all writes. */
  #since = 0;
  #timer: Timer | undefined;
  #heartbeat: Timer | undefined;
  #isOver = false;
  /** Resolves the write that is pending. */
  #giveUp: () => void = () => {};

  /**
   * @param writeTimeout milliseconds that the caller may take to accept bytes
   * @param leave called when the caller has not accepted bytes in time
   */
  constructor(outlet: Outlet, writeTimeout: number, leave: () => void) {
    this.#outlet = outlet;
    this.#writeTimeout = writeTimeout;
    this.#leave = leave;
  }

  /** Hands bytes to the caller. Resolves when they have been taken, or after `giveUp`. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#count++ === 0) this.#since = performance.now();
    if (!this.#timer) this.#watch();
    return new Promise((resolve) => {
      const written = () => {
        this.#count--;
        this.#since = performance.now();
        this.#lastPassed = this.#since;
        resolve();
      };
      this.#giveUp = resolve;
      void this.#outlet.pass(bytes).then(written);
    });
  }

  /** Resolves pending writes, and waits for none from here on. */
  giveUp(): void {
    this.#giveUp();
  }

  /** No more comments, and no more timers. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#heartbeat);
  }

  /** Sends a comment whenever nothing else was sent for a while. For streams of events, each write of which ends with one. */
  beat(): void {
    const wait = this.#lastPassed + HEARTBEAT - performance.now();
    const next = () => {
      if (this.#isOver) return;
      const isQuiet = performance.now() - this.#lastPassed >= HEARTBEAT - 1;
      if (isQuiet && this.#count === 0) {
        this.#lastPassed = performance.now();
        void this.write(COMMENT);
      }
      this.beat();
    };
    this.#heartbeat = quietly(setTimeout(next, Math.max(1000, wait)));
  }

  /** Writes begin and end without touching the timer; when it fires, it checks how long the caller has taken. */
  #watch(): void {
    this.#timer = undefined;
    if (this.#count === 0 || this.#isOver) return;
    const wait = this.#since + this.#writeTimeout - performance.now();
    if (wait > 0) this.#timer = quietly(setTimeout(() => this.#watch(), wait));
    else this.#leave();
  }
}
