/**
 * Words for those who do not see the page, each said once.
 *
 * The conversation itself is no live region: it changes with every frame, and would be read out in pieces.
 */
import { at, create } from "./dom.ts";

/** How many remarks stay for a reader who is slower than the answer. */
const KEPT = 30;

/** Says something after what was said before. */
export function announce(text: string): void {
  const said = at("said");
  said.append(create("p", "", text));
  while (said.childElementCount > KEPT) said.firstElementChild?.remove();
}
