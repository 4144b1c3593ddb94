/** The language of a sentence, for the synthesiser to choose a voice by: its script tells it, or its commonest words. */

/** Languages by their script. Where several share one, that of the most speakers. */
const SCRIPTS: readonly (readonly [string, RegExp])[] = [
  ["ja", /[\p{Script=Hiragana}\p{Script=Katakana}]/u],
  ["zh", /\p{Script=Han}/u],
  ["ko", /\p{Script=Hangul}/u],
  ["hi", /\p{Script=Devanagari}/u],
  ["bn", /\p{Script=Bengali}/u],
  ["pa", /\p{Script=Gurmukhi}/u],
  ["gu", /\p{Script=Gujarati}/u],
  ["or", /\p{Script=Oriya}/u],
  ["ta", /\p{Script=Tamil}/u],
  ["te", /\p{Script=Telugu}/u],
  ["kn", /\p{Script=Kannada}/u],
  ["ml", /\p{Script=Malayalam}/u],
  ["si", /\p{Script=Sinhala}/u],
  ["th", /\p{Script=Thai}/u],
  ["ur", /[ٹڈڑںےہ]/u],
  ["fa", /[پچژگ]/u],
  ["ar", /\p{Script=Arabic}/u],
  ["he", /\p{Script=Hebrew}/u],
  ["el", /\p{Script=Greek}/u],
  ["uk", /[іїєґ]/iu],
  ["ru", /\p{Script=Cyrillic}/u],
];

/** Words that are common in a language of Latin letters, and in no other of these. */
const WORDS: Readonly<Record<string, string>> = {
  en: "the and of is it you that are with this have not what from",
  de: "der und die das ist nicht ein eine ich sie mit auf sich auch",
  fr: "le les et est des une pas vous dans qui nous avec sur je",
  es: "el los y es las por del que una muy pero está con su",
  pt: "os não uma você são mais mas também está ao foi ele com",
  it: "il gli di che non sono è una per della questo anche più",
  nl: "het een van niet ik je dat zijn voor maar ook met op",
};

/**
 * The language of a text as a BCP 47 tag.
 * @param fallback that of a text which tells nothing
 */
export function languageOf(text: string, fallback: string): string {
  const byScript = SCRIPTS.find(([, letters]) => letters.test(text))?.[0];
  if (byScript) return byScript;
  const words = new Set(text.toLowerCase().match(/\p{L}+/gu));
  let [best, most] = [fallback, 0];
  for (const [language, common] of Object.entries(WORDS)) {
    const count = common.split(" ").filter((word) => words.has(word)).length;
    if (count > most) [best, most] = [language, count];
  }
  return best;
}
