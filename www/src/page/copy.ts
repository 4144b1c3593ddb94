/** Copying, with a word on the button that it was done, or that the browser does not allow it. */
import { announce } from "./announce.ts";
import { button, icon } from "./dom.ts";

export const COPY_ICON = "M9 9h11v11H9zM5 15H4V4h11v1";

/** How long the word stays on the button, in milliseconds. */
const SHOWN = 1500;

/** Copies a text for the visitor who has pressed this button. */
export async function copy(text: string, control: HTMLElement): Promise<void> {
  const isDone = await write(text);
  announce(isDone ? "Copied." : "The browser does not allow this page to copy.");
  control.dataset.copied = isDone ? "Copied" : "Not allowed";
  setTimeout(() => {
    delete control.dataset.copied;
  }, SHOWN);
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A button that copies what `text` gives at that time. */
export function copyButton(text: () => string, label: string, words = "Copy"): HTMLButtonElement {
  const element = button(words, "chip", () => void copy(text(), element));
  element.prepend(icon(COPY_ICON));
  element.ariaLabel = label;
  return element;
}
