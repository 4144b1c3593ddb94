/**
 * Markdown that grows, as safe elements.
 *
 * Only blocks whose source has changed are rendered again: a finished paragraph stays the same element, so that a
 * selection in it survives the rest of the stream. What a model writes is never trusted: it passes a sanitiser, and
 * it cannot load anything.
 */
import DOMPurify, { type Config } from "dompurify";
import { Marked } from "marked";

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    // A remote image would tell its server that, and what, somebody reads here. A link waits for a click.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    // HTML in an answer is text about HTML.
    html: ({ text }) => escapeHtml(text),
  },
});

const SANITISER: Config & { RETURN_DOM_FRAGMENT: true } = {
  RETURN_DOM_FRAGMENT: true,
  ALLOWED_TAGS: [
    ..."p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del a".split(" "),
    ..."table thead tbody tr th td input".split(" "),
  ],
  ALLOWED_ATTR: ["href", "align", "start", "type", "checked", "disabled", "class"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
};

/** An element whose content follows a growing Markdown text. */
export class Markdown {
  readonly element = document.createElement("div");
  #sources: string[] = [];
  #definitions = 0;

  constructor() {
    this.element.className = "markdown";
  }

  /** Shows `text`, all of it, not what was added. */
  update(text: string): void {
    const tokens = marked.lexer(text);
    // A link definition can change any block above it.
    const definitions = Object.keys(tokens.links).length;
    if (definitions !== this.#definitions) this.#sources = [];
    this.#definitions = definitions;

    const blocks = tokens.filter((token) => token.type !== "space");
    for (const [i, block] of blocks.entries()) {
      if (this.#sources[i] === block.raw) continue;
      this.#sources[i] = block.raw;
      const holder = document.createElement("div");
      holder.dir = block.type === "code" ? "ltr" : "auto";
      holder.append(sanitise(marked.parser([block])));
      const old = this.element.children[i];
      if (old) old.replaceWith(holder);
      else this.element.append(holder);
    }
    while (this.element.children.length > blocks.length) this.element.lastElementChild?.remove();
    this.#sources.length = blocks.length;
  }
}

function sanitise(html: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(html, SANITISER);
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const table of fragment.querySelectorAll("table")) {
    const frame = document.createElement("div");
    frame.className = "table";
    table.replaceWith(frame);
    frame.append(table);
  }
  return fragment;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
