/**
 * One update of the page per animation frame, however many events arrive in between.
 *
 * A hidden page gets no frames; it is then painted by a timer, so that its answer is there when the reader returns.
 */

const HIDDEN_INTERVAL = 100;

/** Calls `paint` soon after `request`, at most once a frame. */
export class Painter {
  readonly #paint: () => void;
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(paint: () => void) {
    this.#paint = paint;
  }

  /** Asks for an update; more requests before it happens change nothing. */
  request(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), HIDDEN_INTERVAL);
    this.#frame = requestAnimationFrame(() => this.flush());
  }

  /** Updates now, when an update was asked for. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#timer = undefined;
    this.#paint();
  }
}
