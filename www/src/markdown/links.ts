/**
 * Links that may be clicked: a link shows the host it leads to, and characters that turn text around are shown.
 */

/** Where a link leads, or why it leads nowhere. */
export type Target = { url: URL } | { refused: string };

/** Looks at an address that a model wrote. */
export function targetOf(href: string): Target {
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    return { refused: "this is no whole address" };
  }
  if (!["http:", "https:", "mailto:"].includes(url.protocol)) {
    return { refused: `addresses that begin with ${url.protocol} are not opened` };
  }
  if (url.username || url.password) return { refused: "the address has a name or a password in it" };
  return { url };
}

/** The words behind a link's text: its host, unless the text is that address. */
export function hostBehind(url: URL, text: string): string | null {
  const said = text.trim();
  const where = url.protocol === "mailto:" ? url.pathname : url.host;
  const isSame = [
    url.href,
    url.href.replace(/\/$/, ""),
    where,
    url.href.replace(/^(https?:\/\/|mailto:)/, ""),
  ].includes(said);
  return isSame ? null : where;
}

/** Characters that change the direction of what follows, whatever it is. */
const OVERRIDES = /[\u202a-\u202e]/g;
/** The same, with those that only mark or isolate: in code and in addresses none of them has a good reason. */
const INVISIBLE = /[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Text with its overrides shown as what they are. */
export function withoutOverrides(text: string): string {
  return text.replace(OVERRIDES, named);
}

/** Code, or the text of a link, with its invisible characters shown as what they are. */
export function withoutInvisible(text: string): string {
  return text.replace(INVISIBLE, named);
}

function named(character: string): string {
  return `[U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`;
}
