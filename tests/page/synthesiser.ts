/** A synthesiser for pages under test: it speaks only when it is told to, and makes no sound. */

/** The actions and observations of a test in its place. */
export interface Synthesiser {
  /** The texts that the page asked to be spoken, in order. */
  spoken: string[];
  /** How often it was silenced. */
  cancelled: number;
  /** Speaks the next utterance, up to a character of it or to its end. */
  speak(upTo?: number): void;
}

declare global {
  interface Window {
    synthesiser: Synthesiser;
  }
}

/** Runs in the page, before its own scripts. */
export function replaceSynthesiser(): void {
  class Utterance extends EventTarget {
    lang = "";
    onboundary: ((event: object) => void) | undefined;
    onend: ((event: object) => void) | undefined;
    readonly text: string;
    constructor(text: string) {
      super();
      this.text = text;
      this.addEventListener("boundary", (event) => this.onboundary?.(event));
      this.addEventListener("end", (event) => this.onend?.(event));
    }
  }
  let queue: Utterance[] = [];
  const spoken: string[] = [];
  const emit = (utterance: Utterance | undefined, type: string, more = {}) =>
    utterance?.dispatchEvent(Object.assign(new Event(type), more));
  const synthesiser: Synthesiser = {
    spoken,
    cancelled: 0,
    speak(upTo) {
      if (upTo !== undefined) emit(queue[0], "boundary", { charIndex: upTo });
      else emit(queue.shift(), "end");
    },
  };
  const speechSynthesis = {
    speak(utterance: Utterance) {
      queue.push(utterance);
      spoken.push(utterance.text);
    },
    cancel() {
      synthesiser.cancelled++;
      // As browsers do: what was not spoken ends in an error, and some end what they were speaking as if it had been.
      const [current, ...rest] = queue;
      queue = [];
      emit(current, "end");
      for (const utterance of rest) emit(utterance, "error");
    },
  };
  Object.defineProperty(window, "speechSynthesis", { value: speechSynthesis });
  Object.assign(window, { SpeechSynthesisUtterance: Utterance, synthesiser });
}
