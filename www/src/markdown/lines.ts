/**
 * The finished lines of a paragraph that grows. A paragraph is laid out as a whole whenever a word is added to it, so that a long one
 * takes longer with each word. An empty block at the beginning of a line parts it in two, which changes nothing that is seen: what
 * stands above is not laid out again.
 *
 * Lines end elsewhere in another width, and a text that is copied would have a line break there: the parts are temporary.
 */
import { create } from "../page/dom.ts";

const PART = "part-of-paragraph";

/**
 * Parts a paragraph at the beginning of the last line that begins within a piece of it. The layout must be up to date.
 * @param nodes the piece, in its order
 */
export function part(nodes: readonly Node[]): void {
  for (const node of nodes.toReversed()) {
    const at = node instanceof Text ? lineStart(node) : 0;
    if (at === 0) continue;
    (node as Text).splitText(at).before(create("span", PART));
    return;
  }
}

/** Makes parted paragraphs whole again. */
export function join(element: Element): void {
  for (const block of element.querySelectorAll(`.${PART}`)) {
    const { parentNode } = block;
    block.remove();
    parentNode?.normalize();
  }
}

/** Where in a text its last line begins; 0 where that begins before the text. */
function lineStart(text: Text): number {
  const range = document.createRange();
  const topOf = (from: number, to: number) => {
    range.setStart(text, from);
    range.setEnd(text, to);
    return [...range.getClientRects()].at(-1)?.top;
  };
  const last = topOf(0, text.length);
  if (last === undefined) return 0;
  let [before, after] = [-1, text.length];
  while (after - before > 1) {
    const middle = (before + after) >> 1;
    // White space at the end of a line has no place of its own.
    const top = topOf(middle, middle + 1);
    if (top === undefined || top < last - 1) before = middle;
    else after = middle;
  }
  return after === text.length ? 0 : Math.max(after, 0);
}
