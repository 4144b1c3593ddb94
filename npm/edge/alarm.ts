/**
 * One timer of the host for all times that an answer has to keep. To set and to clear one costs the host more than to look at the
 * clock, and nearly all of them are taken back before they are due.
 */

type Timer = ReturnType<typeof setTimeout>;

/** In Node, an answer that is not read is no reason to keep the program running. */
export function quietly(timer: Timer): Timer {
  (timer as { unref?: () => void }).unref?.();
  return timer;
}

/** The longest that a host's timer takes, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

export class Alarm {
  /** When to call each function, on the clock of `performance.now()`. */
  readonly #calls = new Map<() => void, number>();
  #timer: Timer | undefined;
  /** When the timer is due. */
  #due = Number.POSITIVE_INFINITY;

  /** Calls a function once after so many milliseconds, and no longer when it was to be called before. */
  set(call: () => void, wait: number): void {
    const at = performance.now() + wait;
    this.#calls.set(call, at);
    this.#wake(at);
  }

  /** Calls a function no more. */
  clear(call: () => void): void {
    this.#calls.delete(call);
  }

  /** Calls nothing any more. */
  stop(): void {
    this.#calls.clear();
    clearTimeout(this.#timer);
    this.#due = Number.NEGATIVE_INFINITY;
  }

  /** A timer that is due sooner stays: when it finds nothing to call, it is set anew. */
  #wake(at: number): void {
    if (at >= this.#due) return;
    this.#due = at;
    clearTimeout(this.#timer);
    const wait = Math.min(Math.max(0, at - performance.now()), LONGEST);
    this.#timer = quietly(setTimeout(() => this.#ring(), wait));
  }

  #ring(): void {
    this.#due = Number.POSITIVE_INFINITY;
    const [first] = [...this.#calls].sort(([, a], [, b]) => a - b);
    try {
      // Timers may come a little early.
      if (first && first[1] <= performance.now() + 1) {
        const [call] = first;
        this.#calls.delete(call);
        // Of calls that are due together, the first may take back the others.
        call();
      }
    } finally {
      // The times of others are kept also where a call fails.
      this.#wake(Math.min(...this.#calls.values()));
    }
  }
}
