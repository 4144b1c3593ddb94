/**
 * One update of the page per animation frame, however many events arrive in between.
 *
 * A hidden page gets no frames; it is then painted by a timer, so that its answer is there when the reader returns.
 */

const HIDDEN_INTERVAL = 100;

/** Calls `paint` soon after `request`, at most once a frame. */
export class Painter {
  readonly #paint: () => void;
  readonly #interval: number;
  #last = 0;
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param interval milliseconds from one update to the next at least, where a frame is more than is needed */
  constructor(paint: () => void, interval = 0) {
    this.#paint = paint;
    this.#interval = interval;
  }

  /** Asks for an update; more requests before it happens change nothing. */
  request(): void {
    if (this.#timer !== undefined) return;
    const rest = this.#last + this.#interval - performance.now();
    this.#timer = setTimeout(() => this.flush(), Math.max(HIDDEN_INTERVAL, rest));
    if (rest <= 0) this.#frame = requestAnimationFrame(() => this.flush());
  }

  /** Updates now, when an update was asked for. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#timer = undefined;
    this.#last = performance.now();
    this.#paint();
  }
}
