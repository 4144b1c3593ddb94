/**
 * Markdown that grows, as blocks. Only the open tail is parsed again: a block that is followed by another one is closed,
 * and stays as it is.
 *
 * Nothing here touches the page. A text that the parser cannot take becomes plain text, never an exception.
 */
import { Lexer, type MarkedOptions, type Token } from "marked";
import remend from "remend";

/** One block of a text. */
export interface Block {
  /** Its token; nothing where it is plain text. */
  token?: Token;
  raw: string;
}

/** How deep lists and quotations may nest. The marks of deeper ones are shown as text. */
export const MAX_DEPTH = 12;
/** The longest block that is parsed, in UTF-16 units: for some texts the parser takes more than linear time. */
const MAX_BLOCK = 20_000;

const OPTIONS: MarkedOptions = { gfm: true, breaks: true };

/** The blocks of a text that grows at its end. */
export class Blocks {
  #text = "";
  /** They do not change any more. */
  #closed: Block[] = [];
  #closedLength = 0;
  #links: Lexer["tokens"]["links"] = {};

  /**
   * The blocks of `text`, which is all of it and not what was added.
   * @param isLive whether more is expected: what is open at the end is then closed for show
   */
  update(text: string, isLive: boolean): Block[] {
    const clean = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    if (!clean.startsWith(this.#text)) this.#reset();
    this.#text = clean;
    const before = Object.keys(this.#links).length;
    const open = this.#parse(clean.slice(this.#closedLength), isLive);
    // A link that is defined at the end can be used in any block above it.
    if (!isLive && Object.keys(this.#links).length > before && this.#closed.length > 0) {
      const links = this.#links;
      this.#reset();
      this.#links = links;
      return this.update(text, false);
    }
    return [...this.#closed, ...open];
  }

  #reset(): void {
    this.#closed = [];
    this.#closedLength = 0;
    this.#text = "";
    this.#links = {};
  }

  #parse(tail: string, isLive: boolean): Block[] {
    const tokens = this.#lex(tail);
    if (!tokens) return tail ? [{ raw: tail }] : [];
    const last = tokens.findLastIndex(isShown);
    const lengths = tokens.map(({ raw }) => raw.length);
    // Where the parser left something out, nothing can be told of what is closed.
    const isWhole = lengths.reduce((sum, length) => sum + length, 0) === tail.length;
    const closing = isWhole ? tokens.slice(0, Math.max(last, 0)) : [];
    for (const token of closing) {
      this.#closedLength += token.raw.length;
      if (isShown(token)) this.#closed.push({ token, raw: token.raw });
    }
    const open = tokens.slice(closing.length);
    if (isLive && last >= 0) {
      const raw = open.map((token) => token.raw).join("");
      const shown = completed(raw);
      if (shown !== raw) return blocksOf(this.#lex(shown) ?? []);
    }
    return blocksOf(open);
  }

  #lex(text: string): Token[] | undefined {
    if (text.length > MAX_BLOCK && longestBlock(text) > MAX_BLOCK) return undefined;
    try {
      const lexer = new Lexer(OPTIONS);
      Object.assign(lexer.tokens.links, this.#links);
      const tokens = lexer.lex(tamed(text));
      this.#links = { ...tokens.links };
      return tokens;
    } catch {
      // Its depth was too much for the parser.
      return undefined;
    }
  }
}

const isShown = ({ type }: Token): boolean => type !== "space" && type !== "def";

function blocksOf(tokens: readonly Token[]): Block[] {
  return tokens.filter(isShown).map((token) => ({ token, raw: token.raw }));
}

/** An upper bound: blocks may end without an empty line between them, but none goes on over one, save code and lists. */
function longestBlock(text: string): number {
  return Math.max(...text.split(/\n{2,}/).map(({ length }) => length));
}

const LOOKALIKES: Readonly<Record<string, string>> = {
  ">": "›",
  "-": "–",
  "+": "＋",
  "*": "∗",
  "[": "［",
  _: "＿",
  "~": "∼",
  "`": "ˋ",
  "(": "（",
};
const DEEP = new RegExp(`^((?:[ \\t]{0,3}(?:>|[-+*][ \\t]|\\d{1,9}[.)][ \\t])){${MAX_DEPTH}})([-+*>\\d.) \\t]+)`, "gm");
const INDENTED = new RegExp(`^([ \\t]{${MAX_DEPTH * 4},})([-+*>])`, "gm");
/** Brackets and stars in a number that nobody means, which parsers nest or go back over. */
const RUN = /([[*_~`(!])(?:\1|\[){40,}/g;

/** The text with what would nest too deep in look-alikes, unit for unit. */
function tamed(text: string): string {
  const replaced = (marks: string) => marks.replace(/[->+*[_~`(]/g, (mark) => LOOKALIKES[mark] ?? mark);
  return text
    .replace(DEEP, (_, kept: string, rest: string) => kept + replaced(rest))
    .replace(INDENTED, (_, space: string, mark: string) => space + replaced(mark))
    .replace(RUN, replaced);
}

/** A last line of marks alone: the next word says what they are. */
const MARKS_ALONE = /(^|\n)[ \t]*(?:#{1,6}|[-*+>|]|\d{1,9}[.)]|`{1,2}|[*_=-]{1,3}|[-*+] \[.?\]?)[ \t]*$/;
/** A table of which there is no more than its first row. */
const TABLE_HEAD = /^(\|[^\n]*?)\s*(?:\n[|:\s-]*)?$/;

/** An open block as it will look once it is closed, so that no marks flash up. */
function completed(raw: string): string {
  if (/^ {0,3}(?:```|~~~)/.test(raw)) return raw;
  const head = TABLE_HEAD.exec(raw)?.[1];
  if (head && head.length > 1) {
    const columns = head.replace(/^\||\|$/g, "").split("|").length;
    return `${head}\n|${"---|".repeat(columns)}`;
  }
  return remend(raw.replace(MARKS_ALONE, "$1"), { linkMode: "text-only", images: false, htmlTags: false });
}
