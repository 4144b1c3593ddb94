/** Dictation, where the browser recognises speech. Talking interrupts an answer that is being read aloud. */

interface Recognition {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  onspeechstart: (() => void) | null;
  onresult: ((event: { results: ArrayLike<ArrayLike<{ transcript: string }> & { isFinal: boolean }> }) => void) | null;
  onend: (() => void) | null;
  onerror: (() => void) | null;
  start(): void;
  stop(): void;
}

type Constructor = new () => Recognition;

function recognitionOf(): Constructor | undefined {
  const host = globalThis as { SpeechRecognition?: Constructor; webkitSpeechRecognition?: Constructor };
  return host.SpeechRecognition ?? host.webkitSpeechRecognition;
}

/** Makes the button listen. The button stays hidden where nothing is recognised. */
export function offerListening(
  control: HTMLButtonElement,
  { heard, spoke }: { heard(text: string, isFinal: boolean): void; spoke(): void },
): void {
  const Recognised = recognitionOf();
  if (!Recognised) return;
  control.hidden = false;
  let running: Recognition | undefined;
  control.addEventListener("click", () => {
    if (running) {
      running.stop();
      return;
    }
    const recognition = new Recognised();
    recognition.lang = navigator.language;
    recognition.interimResults = true;
    recognition.onspeechstart = spoke;
    recognition.onresult = ({ results }) => {
      const last = results[results.length - 1];
      if (last?.[0]) heard(last[0].transcript, last.isFinal);
    };
    recognition.onend = () => {
      running = undefined;
      control.ariaPressed = "false";
    };
    recognition.onerror = recognition.onend;
    running = recognition;
    control.ariaPressed = "true";
    recognition.start();
  });
}
