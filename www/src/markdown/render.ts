/** What makes elements of Markdown. Fetched when the page is idle. */
import { create } from "../page/dom.ts";
import type { Block } from "./blocks.ts";
import { colour, frame } from "./code.ts";
import { morph } from "./morph.ts";
import { elementsOf } from "./safe.ts";

export { Blocks } from "./blocks.ts";

/** Shows a block in its holder. Code that is finished gets its colours. */
export function show(block: Block, holder: HTMLElement, isOpen: boolean): void {
  holder.dir = block.token?.type === "code" ? "ltr" : "auto";
  morph(holder, render(block));
  if (!isOpen && block.token?.type !== "paragraph") void colour(holder).catch(() => {});
}

/** A block that cannot be rendered is shown as it was written. */
function render({ token, raw }: Block): DocumentFragment {
  try {
    if (token) {
      const elements = elementsOf(token);
      frame(elements);
      return elements;
    }
  } catch {
    // Too deep for the renderer.
  }
  const fragment = document.createDocumentFragment();
  fragment.append(create("p", "words", raw.trim()));
  return fragment;
}
