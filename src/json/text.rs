//! Strings of a JSON text: how they are spelled, and the text they stand for.

use std::borrow::Cow;

use crate::text::{as_text, is, lossy};

/// The first byte of `◁`, which begins tags.
const LEFT_TRIANGLE: u8 = 0xE2;

/// A string of a JSON text, as the bytes between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Str<'a> {
    /// The bytes between the quotes, escapes and all.
    pub raw: &'a [u8],
    /// Whether there is an escape among them.
    pub escaped: bool,
    /// Whether they are known to be without a character that text of a model may mean something by: `<`, `[`, the backtick and
    /// `◁`. An escape that may spell one is none of calm bytes.
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

    /// Whether it stands for this text.
    pub(crate) fn is(&self, text: &str) -> bool {
        match self.escaped {
            true => self.to_text() == text,
            false => is(self.raw, text.as_bytes()),
        }
    }

    /// The string as text of its own, U+FFFD for a surrogate without its other half.
    pub fn to_text(&self) -> String {
        match as_text(self.raw).filter(|_| !self.escaped) {
            Some(text) => text.to_owned(),
            None => self.unescaped(),
        }
    }

    #[cold]
    fn unescaped(&self) -> String {
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

    /// Adds text as it is, where no high surrogate waits for its other half.
    #[inline]
    pub(crate) fn append(&mut self, piece: &str) {
        let length = self.string.len() + piece.len();
        if length > self.string.capacity() {
            self.make_room(length);
        }
        self.string.push_str(piece);
    }

    /// Room is made in powers of two: the blocks of the npm build's allocator are of such sizes.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, length: usize) {
        let room = length.next_power_of_two() - self.string.len();
        self.string.reserve_exact(room);
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
            let rest = &raw[at..];
            let plain = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
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

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// The high bit of each byte of a word that is this one; above the first, perhaps those of others.
#[inline(always)]
fn find(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * u64::from(byte));
    difference.wrapping_sub(ONES) & !difference
}

/// The same for what ends a plain stretch of a string: a quote, a backslash or a control character.
#[inline(always)]
fn find_end(word: u64) -> u64 {
    // The subtraction borrows into the high bit of each byte that is below the bound.
    (find(word, b'"') | find(word, b'\\') | word.wrapping_sub(ONES * u64::from(b' ')) & !word) & HIGHS
}

/// How many bytes from the start need no attention in a string: none of them is `"`, `\` or a control character.
#[inline]
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(Ok(word)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let end = find_end(u64::from_le_bytes(word));
        if end != 0 {
            return at + end.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while matches!(bytes.get(at), Some(&byte) if byte != b'"' && byte != b'\\' && byte >= 0x20) {
        at += 1;
    }
    at
}

/// The same length; and whether so many bytes are known to be calm.
#[inline]
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(super) fn calm_length(bytes: &[u8]) -> (usize, bool) {
    let mut stirs = 0;
    let mut at = 0;
    while let Some(Ok(word)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(word);
        let end = find_end(word);
        // Only what lies before the end counts.
        let before = (end & end.wrapping_neg()).wrapping_sub(1);
        let found = find(word, b'<') | find(word, b'[') | find(word, b'`') | find(word, LEFT_TRIANGLE);
        stirs |= found & HIGHS & before;
        if end != 0 {
            return (at + end.trailing_zeros() as usize / 8, stirs == 0);
        }
        at += 8;
    }
    (at + plain_length(bytes.get(at..).unwrap_or_default()), false)
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
    fn a_body_is_calm_where_no_byte_before_its_end_may_mean_something() {
        let stirs = |byte: &u8| matches!(byte, b'<' | b'[' | b'`' | 0xE2);
        for (letter, behind) in [
            (b'a', b'}'),
            (b' ', b'"'),
            (0x7f, 0xff),
            (b'!', 0),
            (b'#', b'<'),
            (b';', b'`'),
            (0xE0, 0xE2),
            (0x80, b'['),
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
                        let end = plain_length(&bytes);
                        let expected = (end, !bytes[..end].iter().any(stirs));
                        assert_eq!(calm_length(&bytes), expected, "{bytes:?}");
                    }
                }
            }
        }
        assert_eq!(calm_length(b"seven b"), (7, false));
    }
}
