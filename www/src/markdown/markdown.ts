/** An element whose content follows a growing Markdown text. Notices can stand between its blocks. */
import { create } from "../page/dom.ts";
import { idle, nextTask, whenIdle } from "../page/idle.ts";
import { number } from "../page/numbers.ts";
import { Painter } from "../page/paint.ts";
import { join, part } from "./lines.ts";
import type { Block, Blocks } from "./render.ts";

/** How much of a text is rendered, in UTF-16 units, until its reader asks for all of it. */
const MAX_LENGTH = 60_000;

const SAMPLES = [
  "A word.",
  "A **word**, `code`.",
  "- [a](https://chatwire.invalid/)",
  "```\ncode\n```",
  "| a |\n|---|\n| 1 |",
];

/** How long one update may take, in milliseconds, before what is left waits for the next frame. */
const SLICE = 8;

export class Markdown {
  readonly element = create("div", "markdown");
  readonly #onGrown: () => void;
  /** Shows what the last update had no time for. */
  readonly #rest = new Painter(() => {
    this.update(this.#text, this.#isLive);
    this.#onGrown();
  });
  #isBehind = false;
  #caughtUp: () => void = () => {};
  #blocks: Blocks | undefined;
  /** The words as they were written, until the renderer is there. */
  readonly #plain = create("p", "words");
  #holders: HTMLElement[] = [];
  /** The blocks that the holders show, and whether the last was still open. */
  #shown: { block: Block; isOpen: boolean; level: number }[] = [];
  #more: HTMLButtonElement | undefined;
  #showsAll = false;
  #text = "";
  #isLive = false;
  /** The last piece of a paragraph that was closed, until its lines are laid out. */
  #toPart: HTMLElement | undefined;
  /** Joins the parts of paragraphs once they have another width. */
  #width: ResizeObserver | undefined;

  /** `onGrown` is told of each update that was not asked for. */
  constructor(onGrown: () => void = () => {}) {
    this.#onGrown = onGrown;
  }

  /** Resolves once all of the text is shown. */
  async whole(): Promise<void> {
    while (this.#isBehind) {
      await new Promise<void>((resolve) => {
        this.#caughtUp = resolve;
      });
    }
  }

  /** Shows `text`, which is all of it and not what was added: as much as there is time for now, and the rest soon after. */
  update(text: string, isLive: boolean): void {
    this.#text = text;
    this.#isLive = isLive;
    const shown = this.#showsAll ? text : text.slice(0, MAX_LENGTH);
    if (renderer) this.#render(renderer, shown, isLive && shown.length === text.length);
    else {
      if (!this.#plain.isConnected && shown) this.element.prepend(this.#plain);
      this.#plain.textContent = shown;
      void loadRenderer().then(() => {
        if (!this.#blocks) this.update(this.#text, this.#isLive);
      });
    }
    this.#offerMore(text.length - shown.length);
  }

  #render({ Blocks, show }: Renderer, text: string, isLive: boolean): void {
    if (!this.#blocks) {
      this.#blocks = new Blocks();
      this.#plain.remove();
    }
    if (isLive) this.#part();
    // All of a long paragraph is laid out then: no other work shares that task.
    else if (this.#width) whenIdle(() => this.#join());
    const blocks = this.#blocks.update(text, isLive);
    const until = performance.now() + SLICE;
    this.#isBehind = false;
    // A block that was open may have been cut in two: its second half has to be there in the same frame.
    let isCut = false;
    for (const [i, block] of blocks.entries()) {
      const isOpen = isLive && i === blocks.length - 1;
      const before = this.#shown[i];
      const isThere = this.#holders[i]?.parentNode;
      if (before && isThere && before.isOpen === isOpen && isSame(before.block, block)) continue;
      if (performance.now() > until && !isCut) {
        this.#isBehind = true;
        this.#rest.request();
        return;
      }
      const above = this.#shown[i - 1]?.level ?? 1;
      const holder = this.#holderOf(blocks, i);
      const level = show(block, holder, isOpen, above);
      if (block.goesOn && block.token?.type === "paragraph") this.#toPart = holder;
      this.#shown[i] = { block, isOpen, level };
      isCut = before?.isOpen === true && block.goesOn === true;
    }
    for (const holder of this.#holders.splice(blocks.length)) holder.remove();
    this.#shown.length = blocks.length;
    this.#caughtUp();
  }

  /**
   * The element of a block. A further piece of a paragraph has its own within that paragraph, one of a table is a further body of that
   * table, and one of a list is a list of its own close below.
   */
  #holderOf(blocks: readonly Block[], i: number): HTMLElement {
    const type = blocks[i]?.token?.type;
    const goesOn = blocks[i - 1]?.goesOn === true && blocks[i - 1]?.token?.type === type ? type : undefined;
    const [name, className] = HOLDERS[goesOn ?? ""] ?? HOLDERS[""];
    const known = this.#holders[i];
    if (known?.parentNode && known.localName === name && known.className === className) return known;
    for (const other of this.#holders.splice(i)) other.remove();
    this.#shown.length = i;
    const holder = create(name, className);
    if (name === "div") this.element.append(holder);
    else {
      const before = this.#partBefore(i);
      before.append(...(name === "span" && blocks[i - 1]?.raw.endsWith(" ") ? [" ", holder] : [holder]));
    }
    this.#holders.push(holder);
    return holder;
  }

  /** The paragraph or table that a piece goes on with. */
  #partBefore(i: number): Element {
    const before = this.#holders[i - 1];
    const part = before?.localName === "div" ? before.querySelector("p, table") : before?.parentElement;
    return part ?? this.element;
  }

  /** Parts a long paragraph after its finished lines. */
  #part(): void {
    const piece = this.#toPart;
    this.#toPart = undefined;
    const paragraph = piece?.localName === "div" ? piece.querySelector("p") : piece;
    if (!paragraph?.isConnected) return;
    const nodes = [...paragraph.childNodes];
    const next = nodes.findIndex((node) => node instanceof Element && node.matches(".piece"));
    part(next < 0 ? nodes : nodes.slice(0, next));
    if (this.#width) return;
    const { clientWidth } = this.element;
    this.#width = new ResizeObserver(() => this.element.clientWidth !== clientWidth && this.#join());
    this.#width.observe(this.element);
  }

  #join(): void {
    this.#toPart = undefined;
    this.#width?.disconnect();
    this.#width = undefined;
    join(this.element);
  }

  #offerMore(hidden: number): void {
    if (hidden <= 0) {
      this.#more?.remove();
      return;
    }
    if (!this.#more) {
      const button = create("button", "chip more");
      button.type = "button";
      button.addEventListener("click", () => {
        this.#showsAll = true;
        // The button goes, but not its visitor.
        this.element.tabIndex = -1;
        this.element.focus({ preventScroll: true });
        this.update(this.#text, false);
      });
      this.#more = button;
    }
    this.#more.textContent = `Show all (${number(hidden)} more characters)`;
    this.element.append(this.#more);
  }
}

function isSame(one: Block, other: Block): boolean {
  return one === other || (one.raw === other.raw && one.links === other.links && one.goesOn === other.goesOn);
}

/** The elements of further pieces, by the block that they go on with; without one, that of a block. */
const HOLDERS: Readonly<Record<string, readonly [name: "div" | "span" | "tbody", className: string]>> & {
  readonly "": readonly ["div", string];
} = {
  "": ["div", "block"],
  paragraph: ["span", "piece"],
  table: ["tbody", ""],
  list: ["div", "block goes-on"],
};

type Renderer = typeof import("./render.ts");

let renderer: Renderer | undefined;
let loading: Promise<Renderer> | undefined;

/** Fetches what renders. The page does so when it is idle; an answer that comes before is shown as it was written. */
async function loadRenderer(): Promise<Renderer> {
  loading ??= fetched();
  renderer = await loading;
  return renderer;
}

/** The parser is what takes longest to start: it has a task of its own. */
async function fetched(): Promise<Renderer> {
  await import("marked");
  await nextTask();
  return import("./render.ts");
}

/** Code that has run once is compiled: the first words of an answer need not wait for that. Each block has its own task. */
export async function warmUpRenderer(): Promise<void> {
  const { Blocks, show } = await loadRenderer();
  for (const sample of SAMPLES) {
    await idle();
    const blocks = new Blocks().update(sample, true);
    await idle();
    for (const block of blocks) show(block, create("div"), true, 1);
  }
}
