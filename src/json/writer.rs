//! Writes JSON onto a byte buffer.

use super::text::plain_length;
use crate::text::lossy;

/// Writes JSON onto a byte buffer. The caller puts the punctuation of objects and arrays; [`member`](Self::member) and
/// [`comma`](Self::comma) put what goes between.
#[derive(Debug, Default)]
pub struct Writer {
    /// The bytes written so far.
    pub bytes: Vec<u8>,
    window: Option<Box<Window>>,
}

/// A part of more bytes than this gets all of its room at once.
const SMALL: usize = 65_536;

/// Of all that is written, the part to keep, for a text too long to be kept at once.
#[derive(Debug)]
struct Window {
    from: usize,
    to: usize,
    /// How much has been written.
    at: usize,
    last: u8,
}

impl Window {
    #[cold]
    fn take(&mut self, bytes: &[u8], kept: &mut Vec<u8>) {
        let from = self.from.saturating_sub(self.at).min(bytes.len());
        let to = self.to.saturating_sub(self.at).min(bytes.len());
        let bytes_within = bytes.get(from..to).unwrap_or_default();
        if kept.len() > SMALL && kept.capacity() - kept.len() < bytes_within.len() {
            // Room for all of the part, and no more than that.
            kept.reserve_exact(self.to - self.from - kept.len());
        }
        kept.extend_from_slice(bytes_within);
        self.at += bytes.len();
        self.last = bytes.last().copied().unwrap_or(self.last);
    }
}

impl Writer {
    /// `[`, `{`, `]`, `}` or a literal, as it is. Inlined, so that a mark alone is a byte in the code, and not an address.
    #[inline(always)]
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        match bytes {
            [byte] => self.byte(*byte),
            _ => self.slice(bytes),
        }
        self
    }

    /// Not inlined: a call costs fewer bytes of code than this, in some hundred places.
    #[inline(never)]
    fn byte(&mut self, byte: u8) {
        match &mut self.window {
            None => self.bytes.push(byte),
            Some(window) => window.take(&[byte], &mut self.bytes),
        }
    }

    /// Not inlined, as [`byte`](Self::byte).
    #[inline(never)]
    fn slice(&mut self, bytes: &[u8]) {
        match &mut self.window {
            None => self.bytes.extend_from_slice(bytes),
            Some(window) => window.take(bytes, &mut self.bytes),
        }
    }

    /// A writer with room for so many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Writer {
            bytes: Vec::with_capacity(bytes),
            window: None,
        }
    }

    /// A writer that keeps, of all that is written to it, `length` bytes from `from` on.
    pub(crate) fn of_part(from: usize, length: usize) -> Self {
        Writer {
            bytes: Vec::new(),
            window: Some(Box::new(Window {
                from,
                to: from + length,
                at: 0,
                last: 0,
            })),
        }
    }

    /// The part that was kept, cut so that it ends with a whole character, and whether more comes after it.
    pub(crate) fn into_part(mut self) -> (Vec<u8>, bool) {
        let has_more = self.window.is_some_and(|window| window.at > window.to);
        if has_more {
            let behind = self.bytes.iter().rev().take(4).take_while(|byte| **byte & 0xC0 == 0x80);
            let start = self.bytes.len().saturating_sub(behind.count() + 1);
            let length = match self.bytes.get(start) {
                Some(0xF0..) => 4,
                Some(0xE0..) => 3,
                Some(0xC0..) => 2,
                _ => 1,
            };
            if start + length > self.bytes.len() {
                self.bytes.truncate(start);
            }
        }
        (self.bytes, has_more)
    }

    fn last(&self) -> Option<u8> {
        match &self.window {
            None => self.bytes.last().copied(),
            Some(window) => Some(window.last).filter(|_| window.at > 0),
        }
    }

    /// A comma, unless a container has just been opened.
    #[inline]
    pub fn comma(&mut self) -> &mut Self {
        if !matches!(self.last(), None | Some(b'{' | b'[')) {
            self.raw(b",");
        }
        self
    }

    /// The key of a member, a plain name that needs no escapes, comma and colon around it; its value is to follow.
    pub fn key(&mut self, key: &str) -> &mut Self {
        debug_assert_eq!(
            plain_length(key.as_bytes()),
            key.len(),
            "the key needs escapes: {key:?}"
        );
        self.spelled_key(key.as_bytes())
    }

    /// [`key`](Self::key), by what is between its quotes in another JSON text.
    pub fn spelled_key(&mut self, key: &[u8]) -> &mut Self {
        self.comma().raw(b"\"").raw(key).raw(b"\":")
    }

    /// A member whose value is text; its key as for [`key`](Self::key).
    pub fn member(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key).string(value)
    }

    /// A member whose value is JSON already; its key as for [`key`](Self::key).
    pub fn raw_member(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key).raw(value)
    }

    /// A string with its quotes.
    pub fn string(&mut self, text: &str) -> &mut Self {
        match text.is_empty() {
            true => self.raw(b"\"\""),
            false => self.raw(b"\"").escaped(text).raw(b"\""),
        }
    }

    /// A further element of a list, which is JSON already. Of a writer of all, not of a part.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(crate) fn element(&mut self, value: &[u8]) {
        if self.bytes.last() != Some(&b'[') {
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(value);
    }

    /// The content of a string, without its quotes.
    fn escaped(&mut self, text: &str) -> &mut Self {
        let mut rest = text.as_bytes();
        loop {
            let plain = plain_length(rest);
            self.slice(&rest[..plain]);
            let Some(byte) = rest.get(plain) else { break };
            match byte {
                b'"' => self.raw(b"\\\""),
                b'\\' => self.raw(b"\\\\"),
                b'\n' => self.raw(b"\\n"),
                b'\r' => self.raw(b"\\r"),
                b'\t' => self.raw(b"\\t"),
                control => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    self.raw(b"\\u00")
                        .raw(&[HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]])
                }
            };
            rest = &rest[plain + 1..];
        }
        self
    }

    /// Texts as one string with its quotes.
    pub(crate) fn strings(&mut self, texts: &[&str]) -> &mut Self {
        self.raw(b"\"");
        for text in texts {
            self.escaped(text);
        }
        self.raw(b"\"")
    }

    /// A whole number.
    pub fn integer(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.raw(&digits[at..])
    }

    /// `number` × 10^-`places`, exactly: no float is formatted on the way.
    pub fn decimal(&mut self, number: u64, places: u64) -> &mut Self {
        self.integer(number);
        if places > 0 && number > 0 {
            self.raw(b"e-").integer(places);
        }
        self
    }

    /// A number of milliseconds, to the microsecond; `null` where there is none.
    pub fn milliseconds(&mut self, ms: Option<f64>) -> &mut Self {
        match ms {
            Some(ms) if (0.0..1e15).contains(&ms) => self.decimal((ms * 1e3 + 0.5) as u64, 3),
            _ => self.raw(b"null"),
        }
    }

    /// A string, or `null` where there is none.
    pub fn text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.raw(b"null"),
        }
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(if value { b"true" } else { b"false" })
    }

    /// The text written; the writer is empty after it.
    pub fn take_string(&mut self) -> String {
        Writer {
            bytes: std::mem::take(&mut self.bytes),
            ..Writer::default()
        }
        .into_string()
    }

    /// The text written. U+FFFD for anything that is not UTF-8.
    pub fn into_string(self) -> String {
        match String::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(error) => lossy(error.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_parts_is_the_text() {
        let write = |out: &mut Writer| {
            out.raw(b"{").member("a", "\u{20AC}uro \"\n\u{1}\u{1F600}");
            out.key("b").raw(b"[").comma().integer(1).comma().integer(23).raw(b"]");
            out.key("c").raw(b"{").raw(b"}").raw(b"}");
        };
        let mut whole = Writer::default();
        write(&mut whole);
        let whole = whole.into_string();
        for length in 4..whole.len() + 2 {
            let mut parts = String::new();
            loop {
                let mut out = Writer::of_part(parts.len(), length);
                write(&mut out);
                let (part, has_more) = out.into_part();
                parts.push_str(std::str::from_utf8(&part).expect("a part is text"));
                if !has_more {
                    break;
                }
            }
            assert_eq!(parts, whole, "parts of {length}");
        }
    }
}
