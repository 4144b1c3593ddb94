/** Buttons that copy. */
import { copy } from "./copy.ts";
import { button } from "./dom.ts";
import { icon } from "./draw.ts";

export const COPY_ICON = "M9 9h11v11H9zM5 15H4V4h11v1";

/** A button that copies what `text` gives at that time. */
export function copyButton(text: () => string, label: string, words = "Copy"): HTMLButtonElement {
  const element = button(words, "chip", () => void copy(text(), element));
  element.prepend(icon(COPY_ICON));
  element.ariaLabel = label;
  return element;
}
