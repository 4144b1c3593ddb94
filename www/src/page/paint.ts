/**
 * One update of the page per animation frame, however many events arrive in between.
 *
 * A hidden page gets no frames; it is then painted by a timer, so that its answer is there when the reader returns.
 */

const HIDDEN_INTERVAL = 250;
/** How long an update of a page in view may wait for its frame, in milliseconds. */
const LATEST = 1000;

/** Those whose turn is the next frame. Each frame has one, so that no frame has the work of all. */
const waiting = new Set<Painter>();
let isFrameAsked = false;

function paintOne(): void {
  const [next] = waiting;
  if (next) waiting.delete(next);
  isFrameAsked = waiting.size > 0;
  if (isFrameAsked) requestAnimationFrame(paintOne);
  next?.flush();
}

/** Calls `paint` soon after `request`, at most once a frame. */
export class Painter {
  readonly #paint: () => void;
  readonly #interval: number;
  #last = 0;
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
    // The work waits for its turn even so: a frame would have this work and that of another.
    if (rest > 0) this.#timer = setTimeout(() => this.#queue(), rest);
    else this.#queue();
  }

  #queue(): void {
    this.#timer = setTimeout(() => this.flush(), document.hidden ? HIDDEN_INTERVAL : LATEST);
    waiting.add(this);
    if (isFrameAsked) return;
    isFrameAsked = true;
    requestAnimationFrame(paintOne);
  }

  /** Updates now, when an update was asked for. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    waiting.delete(this);
    this.#timer = undefined;
    this.#last = performance.now();
    this.#paint();
  }
}
