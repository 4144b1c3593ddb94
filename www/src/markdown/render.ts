/** Markdown as elements. Fetched when the page is idle. */
import { create } from "../page/dom.ts";
import type { Block } from "./blocks.ts";
import { colour, frame } from "./code.ts";
import { morph } from "./morph.ts";
import { elementsOf } from "./safe.ts";

export { type Block, Blocks } from "./blocks.ts";

/**
 * Shows a block in its holder. Code that is finished gets its colours. Gives the level of the last heading up to its end; `above` is
 * that before it, or 1, the level of the page's name. The holder of a further piece of a paragraph or table is a part of it.
 */
export function show(block: Block, holder: HTMLElement, isOpen: boolean, above: number): number {
  const part = { span: "p", tbody: "tbody" }[holder.localName];
  if (part) {
    morph(holder, render(block, above).querySelector(part) ?? document.createDocumentFragment());
    return above;
  }
  holder.dir = block.token?.type === "code" ? "ltr" : "auto";
  morph(holder, render(block, above));
  if (block.token?.type === "paragraph") return above;
  if (!isOpen) void colour(holder).catch(() => {});
  const last = [...holder.querySelectorAll("h2, h3, h4, h5, h6")].at(-1);
  return last ? Number(last.tagName[1]) : above;
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
