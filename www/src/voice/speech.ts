/**
 * Reads an answer aloud with the browser's own voice, sentence by sentence as they come, and knows how far it was
 * heard.
 */
import type { ChatEvent } from "chatwire";
import { languageOf } from "./language.ts";

type Sentence = Extract<ChatEvent, { type: "sentence" }>;

/** Whether this browser can speak at all. */
export const canSpeak = "speechSynthesis" in globalThis;

/** Speaks one answer. An abort of the signal silences it; so does `mute`, which does not end the answer. */
export class Speech {
  /** How much of the answer's text was heard, in UTF-16 units. */
  heard = 0;
  /** The visitor turned it off: what was not heard was read, or will be. */
  isMuted = false;
  /**
   * The sentences that are still to be spoken. Held here, for a browser may forget an utterance that nobody holds,
   * and its events.
   */
  readonly #waiting = new Set<SpeechSynthesisUtterance>();
  #settle: () => void = () => {};
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#silence());
  }

  /** Speaks this after what was given before. */
  say({ text, start, end }: Sentence): void {
    if (this.#isSilent || !text.trim()) return;
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.lang = languageOf(text, document.documentElement.lang);
    // Where marks were stripped, places in what is spoken are none in the text.
    const isText = text.length === end - start;
    utterance.addEventListener("boundary", ({ charIndex }) => this.#hear(start + (isText ? charIndex : 0)));
    utterance.addEventListener("end", () => {
      this.#hear(end);
      this.#done(utterance);
    });
    utterance.addEventListener("error", () => this.#done(utterance));
    this.#waiting.add(utterance);
    speechSynthesis.speak(utterance);
  }

  /** Says nothing more of this answer, and lets it go on. */
  mute(): void {
    this.isMuted = true;
    this.#silence();
  }

  /** Whether anything is still to be spoken. */
  get isSpeaking(): boolean {
    return this.#waiting.size > 0 && !this.#isSilent;
  }

  /** Resolves once everything has been spoken, or silenced. */
  async spoken(): Promise<void> {
    while (this.#waiting.size > 0 && !this.#isSilent) {
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
      });
    }
  }

  get #isSilent(): boolean {
    return this.isMuted || this.#signal.aborted;
  }

  #silence(): void {
    speechSynthesis.cancel();
    this.#settle();
  }

  // An utterance that ends because it was silenced was not heard to its end.
  #hear(units: number): void {
    if (!this.#isSilent) this.heard = Math.max(this.heard, units);
  }

  #done(utterance: SpeechSynthesisUtterance): void {
    this.#waiting.delete(utterance);
    this.#settle();
  }
}
