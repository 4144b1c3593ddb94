/**
 * Keeps the end of a growing text in view, unless its reader has scrolled up: then nothing moves until they come back.
 */

/** How near the end counts as being there, in CSS pixels. */
const NEAR = 8;

export class Follower {
  readonly #box: HTMLElement;
  readonly #button: HTMLElement;
  #following = true;
  #last = 0;

  /** `button` is shown while the reader is away from the end, and takes them back. */
  constructor(box: HTMLElement, button: HTMLElement) {
    this.#box = box;
    this.#button = button;
    // The log can be scrolled by key.
    box.tabIndex = 0;
    box.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    button.addEventListener("click", () => this.toEnd());
  }

  /** Call after the content has changed. */
  grown(): void {
    // A reader may have moved up since the last frame, and a busy page hears of it later.
    if (this.#following && this.#box.scrollTop < this.#last && this.#distance() > NEAR) this.#following = false;
    if (this.#following) {
      this.#box.scrollTop = this.#box.scrollHeight;
      this.#last = this.#box.scrollTop;
    }
    this.#show();
  }

  /** Goes to the end and follows it again. */
  toEnd(): void {
    this.#following = true;
    this.#last = 0;
    this.grown();
  }

  #onScroll(): void {
    const top = this.#box.scrollTop;
    // Only a move upwards is a wish to leave: text that grew under a resting reader is not.
    if (this.#distance() <= NEAR) this.#following = true;
    else if (top < this.#last) this.#following = false;
    this.#last = top;
    this.#show();
  }

  #distance(): number {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  #show(): void {
    const isHidden = this.#following || this.#distance() <= NEAR;
    if (this.#button.hidden !== isHidden) this.#button.hidden = isHidden;
  }
}
