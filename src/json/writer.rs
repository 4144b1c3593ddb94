//! Writes JSON onto a byte buffer.

use super::text::plain_length;
use crate::text::lossy;

/// Writes JSON onto a byte buffer. The caller puts the punctuation of objects and arrays; [`member`](Self::member) and
/// [`comma`](Self::comma) put what goes between.
#[derive(Debug, Default)]
pub struct Writer {
    /// What has been written.
    pub bytes: Vec<u8>,
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

    #[inline(never)]
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    #[inline(never)]
    fn slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A comma, unless a container has just been opened.
    #[inline]
    pub fn comma(&mut self) -> &mut Self {
        if !matches!(self.bytes.last(), None | Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
        self
    }

    /// The key of a member, comma and colon around it; its value is to follow.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.comma();
        self.string(key);
        self.bytes.push(b':');
        self
    }

    /// [`key`](Self::key), by what is between its quotes in another JSON text.
    pub fn spelled_key(&mut self, key: &[u8]) -> &mut Self {
        self.comma().raw(b"\"").raw(key).raw(b"\":")
    }

    /// A member whose value is text.
    pub fn member(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key).string(value)
    }

    /// A member whose value is JSON already.
    pub fn raw_member(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key).raw(value)
    }

    /// A string with its quotes.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.bytes.push(b'"');
        let mut rest = text.as_bytes();
        loop {
            let plain = plain_length(rest);
            self.bytes.extend_from_slice(&rest[..plain]);
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
        self.bytes.push(b'"');
        self
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

    /// What was written, as text; the writer is empty after it.
    pub fn take_string(&mut self) -> String {
        Writer {
            bytes: std::mem::take(&mut self.bytes),
        }
        .into_string()
    }

    /// What was written, as text. U+FFFD for anything that is not UTF-8.
    pub fn into_string(self) -> String {
        match String::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(error) => lossy(error.as_bytes()),
        }
    }
}
