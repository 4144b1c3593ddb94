/** Copying, with a word on the button that it was done, or that the browser does not allow it. */
import { announce } from "./announce.ts";

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
