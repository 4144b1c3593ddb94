/** Copying, with a word that it was done. */
import { announce } from "./announce.ts";
import { button, icon } from "./dom.ts";

const COPY = "M9 9h11v11H9zM5 15H4V4h11v1";

/** Copies a text. Gives whether the browser let it. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied.");
    return true;
  } catch {
    announce("The browser does not allow this page to copy.");
    return false;
  }
}

/** A button that copies what `text` gives at that time. */
export function copyButton(text: () => string, label: string, words = "Copy"): HTMLButtonElement {
  const element = button("", "chip copy", async () => {
    const done = await copy(text());
    name.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => {
      name.textContent = words;
    }, 1500);
  });
  const name = document.createElement("span");
  name.textContent = words;
  element.append(icon(COPY), name);
  element.ariaLabel = label;
  return element;
}
