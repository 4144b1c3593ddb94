//! How much of a text was heard, for a turn that was interrupted.

use super::letters::{is_cut, is_space, is_word};

/// The part of a text that was heard, when `units` UTF-16 units of it were spoken: it ends with the last word that was heard whole.
/// Scripts without spaces end with the last whole character.
///
/// ```
/// use chatwire::stream::heard;
///
/// assert_eq!(heard("One two three", 9), "One two");
/// assert_eq!(heard("One two three", 7), "One two");
/// assert_eq!(heard("今日は", 2), "今日");
/// assert_eq!(heard("One", 100), "One");
/// ```
pub fn heard(text: &str, units: u64) -> &str {
    let is_spelled = |c| matches!(c, '\'' | '’' | '\u{AC00}'..='\u{D7A3}') || c < '\u{2E80}' && is_word(c);
    let (mut spoken, mut end) = (0, 0);
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        let is_joined = is_spelled(last) && is_spelled(c);
        if !is_joined && (is_cut(last, c) || is_space(c)) {
            end = at;
        }
        spoken += c.len_utf16() as u64;
        if spoken > units {
            return text.get(..end).unwrap_or_default().trim_ascii_end();
        }
        last = c;
    }
    text
}
