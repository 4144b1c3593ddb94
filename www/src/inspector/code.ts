/** The tab of code: the lines that would do what was done last. */
import { colours } from "../markdown/colours.ts";
import { copyButton } from "../page/copy-button.ts";
import { create } from "../page/dom.ts";

export class CodeTab {
  readonly element = create("div", "code-tab");
  readonly #code = create("code");

  constructor() {
    const pre = create("pre", "program");
    pre.tabIndex = 0;
    pre.setAttribute("role", "region");
    pre.ariaLabel = "Program";
    pre.append(this.#code);
    this.element.append(
      create("p", "intro", "The lines that do what was just done."),
      copyButton(() => this.#code.textContent ?? "", "Copy the program"),
      pre,
    );
  }

  update(program: string): void {
    this.#code.textContent = program;
    void colours(program, "typescript").then((pieces) => {
      if (pieces && this.#code.textContent === program) this.#code.replaceChildren(...pieces);
    });
  }
}
