/**
 * A simple, honest tokenizer: its vocabulary is no real model's.
 *
 * Latin words of up to eight letters cost one token, longer ones one per five letters; with spaces and punctuation that
 * is about four characters a token. Cyrillic, Greek, Arabic and Hebrew cost one per three letters, Indic scripts one per
 * two syllables, Chinese, Japanese, Korean and Thai one per character, emoji one each, digits one per three. Tokens are
 * cut between characters: never inside a surrogate pair, nor between a letter and its vowel sign. Joining the tokens
 * gives the text back.
 */

const TOKEN = new RegExp(
  `(?:${[
    " ?\\p{Extended_Pictographic}[\\uFE0F\\u200D\\u{1F3FB}-\\u{1F3FF}]*",
    " ?\\p{Regional_Indicator}{1,2}",
    "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\u30FC]",
    " ?(?:[\\p{Script=Cyrillic}\\p{Script=Greek}\\p{Script=Arabic}\\p{Script=Hebrew}]\\p{M}*){1,3}",
    " ?(?:\\p{Script=Latin}\\p{M}*){1,8}(?![\\p{Script=Latin}\\p{M}])",
    " ?(?:\\p{Script=Latin}\\p{M}*){5}",
    " ?(?:\\p{L}[\\p{M}\\u200C\\u200D]*){1,2}",
    " ?\\p{Nd}{1,3}",
    "\\n+",
    " ?(?:(?!\\p{Extended_Pictographic}|\\p{Regional_Indicator})[\\p{P}\\p{S}]){1,3}",
    "[^\\S\\n]{1,8}(?=\\S)",
    "[\\s\\S]",
  ].join("|")})\\p{M}*`,
  "gu",
);

/**
 * Cuts text into tokens; joining them gives the text back.
 *
 * @example
 * tokenize("Hello, world"); // ["Hello", ",", " world"]
 */
export function tokenize(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/**
 * How many tokens a text costs.
 *
 * @example
 * countTokens("नमस्ते"); // 2
 */
export function countTokens(text: string): number {
  return tokenize(text).length;
}
