//! The kinds of single words and marks that their letters alone decide: numbers of lists, quotation marks, first words.

use super::letters::{is_lower, is_word};
use super::words;
use crate::text::after_last;

/// Signs that an item of a list begins with.
pub(super) const BULLETS: &str = "•⁃‣◦";
/// The letter `a` of a list's item, apart from the numbers.
pub(super) const FIRST_LETTER: u32 = 1001;

pub(super) fn among_bytes(text: &str, bytes: &[u8]) -> bool {
    text.as_bytes()
        .iter()
        .any(|byte| bytes.iter().any(|other| other == byte))
}

/// Whether it is small letters and one full stop.
pub(super) fn is_small(word: &str) -> bool {
    word.chars().all(|c| is_lower(c) || c == '.') && word.matches('.').count() == 1
}

/// The number that a list's item may begin with.
pub(super) fn item_number(word: &str) -> Option<u32> {
    let is_number = word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| word.parse().ok()).flatten()
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

/// Whether a quotation mark between spaces behind this closes a quotation: one is open, or none was opened in this sentence.
pub(super) fn ends_quotation(sentence: &str) -> bool {
    let tokens = sentence.split_ascii_whitespace();
    let marks = tokens.filter(|token| token.chars().all(is_quote)).count();
    marks % 2 == 1 || marks == 0
}

/// Whether what is said since the last colon is nothing but a time.
pub(super) fn has_but_begun(text: &str) -> bool {
    let clause = after_last(text, b':');
    words::begins_with_time(first_word(clause), clause.split_ascii_whitespace().count())
}

/// Whether `word` is the number after that of the item which the text before it is: "1. Milk 2. Eggs".
pub(super) fn is_next_on_line(lead: &str, item: u32, word: &str) -> bool {
    let begun = first_word(after_last(lead, b':'));
    let number = |word| item_number(word).or_else(|| item_letter(word));
    number(begun) == Some(item) && number(word) == Some(item + 1) && !lead.trim_end().ends_with('.')
}

/// The letter that a list's item may begin with, as a number: `a)`.
pub(super) fn item_letter(word: &str) -> Option<u32> {
    match word.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(FIRST_LETTER + u32::from(letter - b'a')),
        _ => None,
    }
}

/// The first word of a sentence, without marks before it.
pub(super) fn first_word(sentence: &str) -> &str {
    let word = sentence.trim_start_matches(|c| !is_word(c));
    word.split(|c| !is_word(c)).next().unwrap_or_default()
}
