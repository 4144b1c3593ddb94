/**
 * JSON whose numbers survive: a schema may hold integers that JavaScript's numbers cannot.
 *
 * `JSON.parse` makes 9223372036854775807 into 9223372036854775808. Such numbers are set aside as strings before parsing
 * and put back after printing. Text without them, nearly all there is, is parsed once and printed as usual.
 */

/** A number in JSON text outside of strings. */
const NUMBER = /-?\d[\d.eE+-]*/g;
/** Text without these needs no second parse: 16 digits in a row, or an exponent. */
const SUSPICIOUS = /\d{16}|\d[eE][-+]?\d/;
/**
 * Marks a string that stands for a number: a private-use character and a random part, so that callers cannot write such a mark.
 */
const mark = () => `\ue000${crypto.randomUUID()}:`;

/** A parsed JSON text that can be printed again, with some of its top-level members changed. */
export interface ExactJSON {
  /** As `JSON.parse` gives it. */
  value: unknown;
  /**
   * The text of `changed`, a copy of the parsed object with other members: those that were not changed print with the
   * numbers they came with. `undefined` where `JSON.stringify` does as well.
   */
  print(changed: Readonly<Record<string, unknown>>): string | undefined;
}

/** @throws {SyntaxError} the text is not JSON */
export function parseExactly(text: string): ExactJSON {
  const value: unknown = JSON.parse(text);
  const sign = SUSPICIOUS.test(text) ? mark() : "";
  const set = sign && withNumbersSetAside(text, sign);
  if (!set || set === text || typeof value !== "object" || value === null) {
    return { value, print: () => undefined };
  }
  const original = value as Record<string, unknown>;
  const exact = JSON.parse(set) as Record<string, unknown>;
  return {
    value,
    print(changed) {
      const printed = Object.fromEntries(
        Object.entries(changed).map(([name, own]) => [name, own === original[name] ? exact[name] : own]),
      );
      return JSON.stringify(printed).replace(new RegExp(`"${sign}([^"]*)"`, "g"), "$1");
    },
  };
}

/** Numbers that would change become strings that begin with `sign`. */
function withNumbersSetAside(text: string, sign: string): string {
  let result = "";
  let from = 0;
  while (from < text.length) {
    const quote = text.indexOf('"', from);
    const end = quote < 0 ? text.length : quote;
    result += text.slice(from, end).replace(NUMBER, (token) => (isKept(token) ? token : JSON.stringify(sign + token)));
    if (quote < 0) break;
    from = endOfString(text, quote);
    result += text.slice(quote, from);
  }
  return result;
}

/** Whether printing gives the number back, or one that is written differently and equal. */
function isKept(token: string): boolean {
  const number = Number(token);
  return Number.isFinite(number) && digits(String(number)) === digits(token);
}

/** The value of a number, however it is written: its digits without zeros around them, and where the point is. */
function digits(token: string): string {
  const [, sign = "", whole = "", part = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(token) ?? [];
  const all = whole + part;
  const trimmed = all.replace(/0+$/, "");
  const point = Number(exponent) - part.length + (all.length - trimmed.length);
  const significant = trimmed.replace(/^0+/, "");
  return significant === "" ? `${sign}0` : `${sign}${significant}e${point}`;
}

/** After the closing quote of the string that begins at `quote`. */
function endOfString(text: string, quote: number): number {
  for (let at = text.indexOf('"', quote + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}
