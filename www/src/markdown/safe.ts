/**
 * A block as elements. The text of a model is never trusted: it passes a sanitiser, it cannot load anything, and a
 * link says where it leads.
 */
import DOMPurify, { type Config } from "dompurify";
import { Marked, type Token } from "marked";
import { create } from "../page/dom.ts";
import { hostBehind, targetOf, withoutInvisible, withoutOverrides } from "./links.ts";

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    // A remote image would tell its server that, and what, somebody reads here. A link waits for a click.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    // HTML in an answer is text about HTML.
    html: ({ text }) => escapeHtml(text),
    checkbox: ({ checked }) =>
      `<span role="img" aria-label="${checked ? "done" : "to do"}">${checked ? "☑" : "☐"}</span> `,
    // A refused address would be taken out without a word: it is looked at below.
    link({ href, tokens }) {
      return `<a title="${escapeHtml(href)}">${this.parser.parseInline(tokens)}</a>`;
    },
  },
});

const SANITISER: Config & { RETURN_DOM_FRAGMENT: true } = {
  RETURN_DOM_FRAGMENT: true,
  ALLOWED_TAGS: [
    ..."p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del a span".split(" "),
    ..."table thead tbody tr th td".split(" "),
  ],
  ALLOWED_ATTR: ["title", "align", "start", "class", "role", "aria-label"],
  // Values of attributes that are no addresses would have to look like one otherwise.
  ADD_URI_SAFE_ATTR: ["align", "start", "class", "role", "aria-label", "title"],
};

/**
 * The elements of a block.
 * @param levelAbove the level of the heading before: a heading is at most one below it, whatever the model wrote
 */
export function elementsOf(token: Token, levelAbove: number): DocumentFragment {
  let above = levelAbove;
  const fragment = DOMPurify.sanitize(marked.parser([token]), SANITISER);
  for (const link of fragment.querySelectorAll("a")) settle(link);
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    above = Math.min(Number(heading.tagName[1]) + 1, above + 1, 6);
    lower(heading, above);
  }
  for (const code of fragment.querySelectorAll("code")) code.textContent = withoutInvisible(code.textContent ?? "");
  for (const pre of fragment.querySelectorAll("pre")) {
    pre.tabIndex = 0;
    pre.ariaLabel = "Code";
    pre.setAttribute("role", "region");
  }
  for (const table of fragment.querySelectorAll("table")) {
    const frame = create("div", "table");
    // An element that can be scrolled sideways can be reached by key.
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.ariaLabel = "Table";
    table.replaceWith(frame);
    frame.append(table);
  }
  const texts = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const { data } = text as Text;
    const shown = withoutOverrides(data);
    if (shown !== data) (text as Text).data = shown;
  }
  return fragment;
}

/** A link that says where it leads; text and address where it leads nowhere. */
function settle(link: HTMLAnchorElement): void {
  const href = link.title;
  const text = link.textContent ?? "";
  const target = targetOf(href);
  if ("refused" in target) {
    const words = create("span", "refused");
    words.append(...link.childNodes);
    if (text !== href) words.append(create("code", "", ` ${withoutInvisible(href).slice(0, 200)}`));
    words.title = `No link: ${target.refused}.`;
    link.replaceWith(words);
    return;
  }
  const { url } = target;
  for (const child of link.querySelectorAll("a")) child.replaceWith(...child.childNodes);
  const clean = withoutInvisible(text);
  if (clean !== text) link.textContent = clean;
  const bdi = create("bdi");
  bdi.append(...link.childNodes);
  link.append(bdi);
  link.href = url.href;
  link.title = url.href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  const host = hostBehind(url, text);
  if (host) link.append(" ", create("bdi", "host", host));
}

/** Gives a heading its level in the page. Its looks are those of the level it was written with. */
function lower(heading: Element, level: number): void {
  const lowered = document.createElement(`h${level}`);
  lowered.className = `size-${heading.tagName[1]}`;
  lowered.append(...heading.childNodes);
  heading.replaceWith(lowered);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
