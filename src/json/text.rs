//! Strings of a JSON text: how they are spelled, and the text they stand for.

use std::borrow::Cow;

use crate::text::{as_text, lossy};

/// A string of a JSON text, as the bytes between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Str<'a> {
    /// The bytes between the quotes, escapes and all.
    pub raw: &'a [u8],
    /// Whether there is an escape among them.
    pub escaped: bool,
    /// Whether they are known to be ASCII without a character that text of a model may mean something by: `<`, `[` and what comes
    /// after it up to the backtick.
    pub(crate) is_calm: bool,
}

impl<'a> Str<'a> {
    /// A string by what is between its quotes.
    pub fn spelled(raw: &'a [u8]) -> Self {
        Str {
            raw,
            escaped: memchr::memchr(b'\\', raw).is_some(),
            is_calm: false,
        }
    }

    /// Whether this is the empty string.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The string as text of its own, U+FFFD for a surrogate without its other half.
    pub fn to_text(&self) -> String {
        let mut text = Text::default();
        text.push(*self);
        text.end();
        text.string
    }
}

/// Text put together from strings, where a surrogate pair may be cut between two of them.
#[derive(Debug, Default, Clone)]
pub struct Text {
    string: String,
    high: Option<u16>,
}

impl Text {
    /// The text so far, without a high surrogate whose other half may still come.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.string
    }

    /// Adds a string.
    #[inline]
    pub fn push(&mut self, piece: Str<'_>) {
        if piece.escaped || self.high.is_some() {
            self.push_escaped(piece.raw);
        } else {
            self.push_bytes(piece.raw);
        }
    }

    /// Adds text as it is.
    #[inline]
    pub fn push_str(&mut self, piece: &str) {
        self.end();
        self.append(piece);
    }

    /// Room is made in powers of two: the blocks of the npm build's allocator are of such sizes.
    #[inline]
    fn append(&mut self, piece: &str) {
        let length = self.string.len() + piece.len();
        if length > self.string.capacity() {
            let room = length.next_power_of_two() - self.string.len();
            self.string.reserve_exact(room);
        }
        self.string.push_str(piece);
    }

    /// Nothing more comes: a lone high surrogate becomes U+FFFD.
    pub fn end(&mut self) {
        if self.high.take().is_some() {
            self.string.push('\u{FFFD}');
        }
    }

    /// Cuts the text to its first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.string.truncate(length);
    }

    /// Whether a high surrogate waits for its other half.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.high.is_some()
    }

    /// Hands a high surrogate that waits for its other half over to another text.
    pub(crate) fn move_half_to(&mut self, other: &mut Text) {
        if let Some(high) = self.high.take() {
            other.high = Some(high);
        }
    }

    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn push_bytes(&mut self, bytes: &[u8]) {
        match as_text(bytes) {
            Some(text) => self.append(text),
            None => self.append(&lossy(bytes)),
        }
    }

    #[cold]
    fn push_escaped(&mut self, raw: &[u8]) {
        let mut at = 0;
        while at < raw.len() {
            let plain = memchr::memchr(b'\\', &raw[at..]).unwrap_or(raw.len() - at);
            if plain > 0 {
                self.end();
                self.push_bytes(&raw[at..at + plain]);
                at += plain;
                continue;
            }
            at += 2;
            match raw.get(at - 1) {
                Some(b'u') => {
                    self.push_unit(hex4(raw, at).unwrap_or(0xFFFD));
                    at += 4;
                }
                Some(byte) => {
                    self.end();
                    self.string.push(match byte {
                        b'b' => '\u{8}',
                        b'f' => '\u{C}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        other => *other as char,
                    });
                }
                None => {}
            }
        }
    }

    fn push_unit(&mut self, unit: u16) {
        if let (Some(high), 0xDC00..=0xDFFF) = (self.high, unit) {
            self.high = None;
            let point = 0x10000 + (u32::from(high - 0xD800) << 10) + u32::from(unit - 0xDC00);
            self.string.push(char::from_u32(point).unwrap_or('\u{FFFD}'));
            return;
        }
        self.end();
        match unit {
            0xD800..=0xDBFF => self.high = Some(unit),
            _ => self.string.push(char::from_u32(u32::from(unit)).unwrap_or('\u{FFFD}')),
        }
    }
}

/// How many bytes from the start need no attention in a string: none of them is `"`, `\` or a control character.
#[inline]
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let mut at = 0;
    // Eight bytes at a time: the subtraction borrows into the high bit of each byte that is below the bound.
    while let Some(Ok(word)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let special = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hit = special & HIGHS;
        if hit != 0 {
            return at + hit.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while matches!(bytes.get(at), Some(&byte) if byte != b'"' && byte != b'\\' && byte >= 0x20) {
        at += 1;
    }
    at
}

/// The length of the string whose opening quote is just before `bytes`, where it is calm: ASCII without escapes, without `<`, and
/// without what lies from `[` to the backtick. With one of these begins all that text of a model may hold besides text.
#[inline]
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(super) fn calm_length(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let mut at = 0;
    loop {
        let word = u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
        let quote = word ^ (ONES * b'"' as u64);
        let quotes = quote.wrapping_sub(ONES) & !quote & HIGHS;
        // The high bits of the bytes that are not below a bound. In what lies behind a byte that is no ASCII they may be wrong.
        let reaches = |bound: u8| word.wrapping_add(ONES * (0x80 - bound) as u64);
        let is_marked = (word ^ (ONES * b'<' as u64)).wrapping_add(HIGHS - ONES);
        let calm = reaches(b' ') & is_marked & !(reaches(b'[') ^ reaches(b'`' + 1)) & !word;
        // Only what lies before the quote counts.
        let before = (quotes & quotes.wrapping_neg()).wrapping_sub(1);
        if !calm & HIGHS & before != 0 {
            return None;
        }
        if quotes != 0 {
            return Some(at + quotes.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
}

pub(super) fn hex4(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 4)?.iter().try_fold(0u16, |unit, byte| {
        Some(unit << 4 | (*byte as char).to_digit(16)? as u16)
    })
}

/// The same JSON text with `\ufffd` for each surrogate without its other half: JavaScript strings hold such a half, Rust's and
/// therefore serde_json do not.
pub fn with_whole_surrogates(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut whole = String::new();
    let mut from = 0;
    let mut at = 0;
    while let Some(offset) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        at += offset;
        let unit = |at: usize| hex4(bytes, at + 2).filter(|_| bytes.get(at + 1) == Some(&b'u'));
        let is_low = |unit: u16| (0xDC00..0xE000).contains(&unit);
        at += match unit(at) {
            Some(0xD800..=0xDBFF) if bytes.get(at + 6) == Some(&b'\\') && unit(at + 6).is_some_and(is_low) => 12,
            Some(0xD800..=0xDFFF) => {
                whole.push_str(json.get(from..at).unwrap_or_default());
                whole.push_str("\\ufffd");
                from = at + 6;
                6
            }
            _ => 2,
        };
    }
    if from == 0 {
        return Cow::Borrowed(json);
    }
    whole.push_str(json.get(from..).unwrap_or_default());
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_calm_exactly_where_no_byte_before_its_quote_needs_attention() {
        let needs_attention = |byte: &u8| !matches!(byte, b' '..=b'~' | 0x7f) || matches!(byte, b'<' | b'['..=b'`');
        for (letter, behind) in [
            (b'a', b'}'),
            (b' ', b'"'),
            (0x7f, 0xff),
            (b'!', 0),
            (b'#', b'<'),
            (b';', b'`'),
        ] {
            for length in 0..20 {
                for at in 0..length.max(1) {
                    for byte in (0..=u8::MAX).step_by(if cfg!(miri) { 51 } else { 1 }) {
                        let mut bytes = vec![letter; length];
                        if let Some(changed) = bytes.get_mut(at) {
                            *changed = byte;
                        }
                        bytes.push(b'"');
                        bytes.extend([behind; 8]);
                        let end = bytes.iter().position(|byte| *byte == b'"').unwrap_or_default();
                        let expected = (!bytes[..end].iter().any(needs_attention)).then_some(end);
                        assert_eq!(calm_length(&bytes), expected, "{bytes:?}");
                    }
                }
            }
        }
        assert_eq!(calm_length(b"no quote, though there are enough bytes"), None);
    }
}
