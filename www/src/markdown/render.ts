/** Markdown as elements. Fetched when the page is idle. */
import { create } from "../page/dom.ts";
import type { Block } from "./blocks.ts";
import { colour, frame } from "./code.ts";
import { morph } from "./morph.ts";
import { elementsOf } from "./safe.ts";

export { Blocks } from "./blocks.ts";

/** Shows a block in its holder. Code that is finished gets its colours. */
export function show(block: Block, holder: HTMLElement, isOpen: boolean): void {
  holder.dir = block.token?.type === "code" ? "ltr" : "auto";
  morph(holder, render(block, levelAbove(holder)));
  if (!isOpen && block.token?.type !== "paragraph") void colour(holder).catch(() => {});
}

/** A block that cannot be rendered is shown as it was written. */
function render({ token, raw }: Block, above: number): DocumentFragment {
  try {
    if (token) {
      const elements = elementsOf(token, above);
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

/** The level of the last heading before a block of the same text; that of the page's name where there is none. */
function levelAbove(holder: Element): number {
  for (let before = holder.previousElementSibling; before; before = before.previousElementSibling) {
    const last = [...before.querySelectorAll("h2, h3, h4, h5, h6")].at(-1);
    if (last) return Number(last.tagName[1]);
  }
  return 1;
}
