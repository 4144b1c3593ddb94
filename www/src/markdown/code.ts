/** Blocks of code: their language, a button that copies, and colours. */
import { copy } from "../page/copy.ts";
import { button, create } from "../page/dom.ts";
import { colours } from "./colours.ts";

/** Longer code stays in one colour: colouring takes time. */
const MAX_COLOURED = 30_000;

/** Gives each block of code its bar. */
export function frame(fragment: DocumentFragment): void {
  for (const pre of fragment.querySelectorAll("pre")) {
    const box = create("div", "code");
    const bar = create("div", "bar");
    // The button may outlive this element's text: it looks for what stands below it then.
    const copying = button(
      "Copy",
      "chip",
      () => void copy(copying.closest(".code")?.querySelector("code")?.textContent ?? "", copying),
    );
    copying.ariaLabel = "Copy code";
    bar.append(create("span", "", languageOf(pre.querySelector("code")) || "text"), copying);
    pre.replaceWith(box);
    box.append(bar, pre);
  }
}

/** Colours the finished code in an element, where its language is known. */
export async function colour(element: HTMLElement): Promise<void> {
  for (const code of element.querySelectorAll("pre > code")) {
    const text = code.textContent ?? "";
    const language = languageOf(code);
    if (!language || text.length > MAX_COLOURED) continue;
    const pieces = await colours(text, language);
    if (pieces && code.textContent === text) code.replaceChildren(...pieces);
  }
}

function languageOf(code: Element | null): string {
  return /^language-([\w+#-]+)/.exec(code?.className ?? "")?.[1] ?? "";
}
