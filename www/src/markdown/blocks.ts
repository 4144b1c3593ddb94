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
  /** The links that were defined when it was parsed, as JSON: a reference to one of them is a link only then. */
  links?: string;
  /** The block is a piece of a long paragraph, list or table, which the next block goes on with. */
  goesOn?: true;
}

/** How deep lists and quotations may nest. The marks of deeper ones are shown as text. */
export const MAX_DEPTH = 12;
/** The longest block that is parsed, in UTF-16 units: for some texts the parser takes more than linear time. */
const MAX_BLOCK = 20_000;
/** A paragraph, list or table at the end that is longer is closed piece by piece, in UTF-16 units: its end alone is parsed again. */
const LONG = 1200;
/** The least length of a piece, in UTF-16 units. */
const PIECE = 600;
/** A paragraph with a mark that has found no partner within so many UTF-16 units is closed in pieces all the same, until it is over. */
const HOPELESS = 4 * LONG;
/**
 * The end of a piece: before a word, which begins no list, no heading and no other block. Some scripts have no spaces between words,
 * but marks after a sentence that mean nothing to Markdown.
 */
const WORD = / (?=\p{L})|[。、，！？；：．](?=\p{L})/gu;
/** How many ends are tried for a piece: a word within bold text, code or a link is none. */
const TRIES = 12;
/** Marks of which a later one could make something, save those that stand where they mean nothing. */
const MARKS = /[*_~`[\]<\\|]/;
const MEANINGLESS = /(?<=\w)_+(?=\w)|(?<=\s)[*<|~](?=\s)|\[[^[\]]*\](?=[\s.,;!?)])/g;

const OPTIONS: MarkedOptions = { gfm: true, breaks: true };

/** The blocks of a text that grows at its end. */
export class Blocks {
  #text = "";
  /** They do not change any more. */
  #closed: Block[] = [];
  #closedLength = 0;
  /** The links that are defined by what was parsed last. */
  #links: Lexer["tokens"]["links"] = {};
  /** Those of them that do not change any more: the address of one at the end may go on. */
  #closedLinks: Lexer["tokens"]["links"] = {};
  /** The first lines of a table of which pieces are closed: with them, its further rows are a table, too. */
  #tableHead = "";
  /** Whether a piece was closed in which a mark had no partner yet. */
  #isGuessed = false;

  /**
   * The blocks of `text`, which is all of it and not what was added.
   * @param isLive whether more is expected: what is open at the end is then closed for show
   */
  update(text: string, isLive: boolean): Block[] {
    const clean = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    if (!clean.startsWith(this.#text)) this.#reset();
    this.#text = clean;
    const open = this.#parse(clean.slice(this.#closedLength), isLive);
    // A link that is defined at the end can be used in any block above it.
    const isOld = this.#isGuessed || this.#closed.some(({ links }) => links !== this.#linkText);
    if (!isLive && isOld) {
      const links = this.#links;
      this.#reset();
      this.#links = links;
      return this.update(text, false);
    }
    if (isLive) this.#links = { ...this.#closedLinks };
    return [...this.#closed, ...open];
  }

  #reset(): void {
    this.#closed = [];
    this.#closedLength = 0;
    this.#text = "";
    this.#links = {};
    this.#closedLinks = {};
    this.#tableHead = "";
    this.#isGuessed = false;
  }

  get #linkText(): string {
    return JSON.stringify(this.#links);
  }

  #close(block: Block): void {
    this.#closed.push({ ...block, links: this.#linkText });
  }

  /** The beginning of a text as a piece of the long paragraph, list or table that it begins with, if it does. */
  #piece(text: string, isLive: boolean): Block | undefined {
    if (text.length <= LONG) return undefined;
    const head = text.slice(0, LONG);
    if (this.#tableHead || TABLE.test(head)) return this.#pieceOfTable(head);
    if (/^ {0,3}(?:[-+*]|\d{1,9}[.)])[ \t]/.test(head)) return this.#pieceOfList(head);
    return this.#pieceOfParagraph(head, isLive && text.length > HOPELESS);
  }

  #pieceOfParagraph(head: string, mayGuess: boolean): Block | undefined {
    if (/\n[ \t]*\n/.test(head)) return undefined;
    const words = [...head.slice(PIECE).matchAll(WORD)];
    const step = Math.ceil(words.length / TRIES) || 1;
    for (const { index } of words.filter((_, i) => i % step === 0)) {
      const raw = head.slice(0, PIECE + index + 1);
      const [token, ...more] = this.#lex(raw) ?? [];
      const isWhole = token?.type === "paragraph" && more.length === 0 && token.raw.length === raw.length;
      if (!isWhole) return undefined;
      // A mark that has no partner yet may find one in what comes.
      const isOpen = token.tokens?.some(
        (text) => text.type === "text" && MARKS.test(text.raw.replace(MEANINGLESS, "")),
      );
      if (isOpen && !mayGuess) continue;
      if (isOpen) this.#isGuessed = true;
      return { token, raw, goesOn: true };
    }
    return undefined;
  }

  /** The first items of a list. An item that another one follows is whole. */
  #pieceOfList(head: string): Block | undefined {
    const [list] = this.#lex(head) ?? [];
    if (list?.type !== "list") return undefined;
    let raw = "";
    for (const item of list.items.slice(0, -1)) {
      raw += item.raw;
      if (raw.length >= PIECE) break;
    }
    if (raw.length < PIECE || !head.startsWith(raw)) return undefined;
    const [token, ...more] = this.#lex(raw) ?? [];
    return token?.type === "list" && more.every(({ type }) => type === "space")
      ? { token, raw, goesOn: true }
      : undefined;
  }

  /** The first rows of a table. A row that another one follows is whole. */
  #pieceOfTable(head: string): Block | undefined {
    const rows = head.split(/(?<=\n)/);
    let raw = "";
    for (const row of rows.slice(0, -1)) {
      raw += row;
      if (raw.length >= PIECE) break;
    }
    const [token, ...more] = this.#lexOn(raw) ?? [];
    if (raw.length < PIECE || token?.type !== "table" || more.length > 0 || token.raw.length !== raw.length)
      return undefined;
    this.#tableHead ||= rows.slice(0, 2).join("");
    return { token, raw, goesOn: true };
  }

  /** The tokens of a text that may go on with a table. */
  #lexOn(text: string): Token[] | undefined {
    const head = this.#tableHead;
    const tokens = this.#lex(head + text);
    const [table, ...more] = tokens ?? [];
    if (!head || table?.type !== "table") return tokens;
    const rest = { ...table, raw: table.raw.slice(head.length) };
    return rest.raw ? [rest, ...more] : more;
  }

  #parse(text: string, isLive: boolean): Block[] {
    let tail = text;
    for (let piece = this.#piece(tail, isLive); piece; piece = this.#piece(tail, isLive)) {
      this.#close(piece);
      this.#closedLength += piece.raw.length;
      tail = tail.slice(piece.raw.length);
    }
    const tokens = this.#lexOn(tail);
    if (!tokens) {
      this.#tableHead = "";
      return this.#around(tail, isLive);
    }
    const last = tokens.findLastIndex(isShown);
    const lengths = tokens.map(({ raw }) => raw.length);
    // Where the parser left something out, nothing can be told of what is closed.
    const isWhole = lengths.reduce((sum, length) => sum + length, 0) === tail.length;
    const closing = isWhole ? tokens.slice(0, Math.max(last, 0)) : [];
    for (const token of closing) {
      this.#closedLength += token.raw.length;
      if (isShown(token)) this.#close({ token, raw: token.raw });
      const link = token.type === "def" && this.#links[token.tag];
      if (link) this.#closedLinks[token.tag] = link;
    }
    if (closing.length > 0) this.#tableHead = "";
    const open = tokens.slice(closing.length);
    if (isLive && last >= 0) {
      const raw = open.map((token) => token.raw).join("");
      const shown = completed(raw, this.#tableHead !== "");
      if (shown !== raw) return blocksOf(this.#lexOn(shown) ?? []);
    }
    return blocksOf(open);
  }

  /** The blocks of a text of which a part is too long to be parsed. */
  #around(text: string, isLive: boolean): Block[] {
    const [start, end] = longBlock(text) ?? [0, text.length];
    if (start > 0) {
      for (const block of blocksOf(this.#lex(text.slice(0, start)) ?? [])) this.#close(block);
      this.#closedLinks = { ...this.#links };
    } else if (end < text.length) this.#close({ raw: text.slice(0, end) });
    else return text ? [{ raw: text }] : [];
    this.#closedLength += start || end;
    return this.#parse(text.slice(start || end), isLive);
  }

  #lex(text: string): Token[] | undefined {
    if (longBlock(text)) return undefined;
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

/**
 * Where the first block begins and ends that is too long. An upper bound: blocks may end without an empty line between them, but none
 * goes on over one, save code and lists.
 */
function longBlock(text: string): [start: number, end: number] | undefined {
  if (text.length <= MAX_BLOCK) return undefined;
  let start = 0;
  for (const { index, 0: lines } of [...text.matchAll(/\n{2,}/g), { index: text.length, 0: "" }]) {
    if (index - start > MAX_BLOCK) return [start, index + lines.length];
    start = index + lines.length;
  }
  return undefined;
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

/** A row with a bar, and the line below it that makes it the head of a table. */
const TABLE = /^[^\n]*\|[^\n]*\n[ \t|:-]*-[ \t|:-]*\n/;

/** A last line of marks alone: the next word says what they are. */
const MARKS_ALONE = /(^|\n)[ \t]*(?:#{1,6}|[-*+>|]|\d{1,9}[.)]|`{1,2}|[*_=-]{1,3}|[-*+] \[.?\]?)[ \t]*$/;
/** A table of which there is no more than its first row. */
const TABLE_HEAD = /^(\|[^\n]*?)\s*(?:\n[|:\s-]*)?$/;

/** An open block as it will look once it is closed, so that no marks flash up; `isRows` where it goes on with a table. */
function completed(raw: string, isRows: boolean): string {
  if (/^ {0,3}(?:```|~~~)/.test(raw)) return raw;
  const head = isRows ? undefined : TABLE_HEAD.exec(raw)?.[1];
  if (head && head.length > 1) {
    const columns = head.replace(/^\||\|$/g, "").split("|").length;
    return `${head}\n|${"---|".repeat(columns)}`;
  }
  return remend(raw.replace(MARKS_ALONE, "$1"), { linkMode: "text-only", images: false, htmlTags: false });
}
