//! JSON as the hot path needs it, after RFC 8259: a reader that walks bytes in place, and a writer onto a byte buffer.
//!
//! The reader is strict (what it accepts, every `JSON.parse` accepts), allocates nothing, and hands out values as the
//! slices they lie in. It is not a document model: for that Rust callers have serde_json and JavaScript has its own.

use std::borrow::Cow;

/// How deeply arrays and objects may nest.
pub const MAX_DEPTH: u32 = 128;

/// The bytes are not JSON; [`Reader::at`] is the offset of the first byte that cannot be. It carries nothing itself, so that
/// a result is one word, returned in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What kind of value comes next, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// `-` or a digit
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// A reader at some place in a JSON text.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    escaped_names: bool,
}

type Read<T> = Result<T, Malformed>;

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            bytes,
            at: 0,
            escaped_names: false,
        }
    }

    /// The offset of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The kind of the next value.
    ///
    /// # Errors
    /// Where no value starts.
    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn kind(&mut self) -> Read<Kind> {
        match self.next_byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => self.malformed(),
        }
    }

    /// Enters an object; then call [`member`](Self::member) until it gives `None`.
    ///
    /// # Errors
    /// Where no object starts.
    #[inline]
    pub fn object(&mut self) -> Read<()> {
        self.eat(b'{')
    }

    /// Enters an array; then call [`element`](Self::element) until it is false.
    ///
    /// # Errors
    /// Where no array starts.
    #[inline]
    pub fn array(&mut self) -> Read<()> {
        self.eat(b'[')
    }

    /// The key of the next member as it is spelled between its quotes, or `None` past the last. `first` says whether it is
    /// the object's first, and is cleared.
    ///
    /// # Errors
    /// Where neither a member nor the end of the object follows.
    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn member(&mut self, first: &mut bool) -> Read<Option<&'a [u8]>> {
        if !self.more(first, b'}')? {
            return Ok(None);
        }
        self.name().map(|name| Some(name.raw))
    }

    /// Whether a name among what was read so far has an escape in it.
    pub(crate) fn has_escaped_names(&self) -> bool {
        self.escaped_names
    }

    /// Whether another element follows. `first` as in [`member`](Self::member).
    ///
    /// # Errors
    /// Where neither an element nor the end of the array follows.
    #[inline]
    pub fn element(&mut self, first: &mut bool) -> Read<bool> {
        self.more(first, b']')
    }

    /// The next value, which has to be a string.
    ///
    /// # Errors
    /// Where no string starts, or it is not well-formed.
    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn string(&mut self) -> Read<Str<'a>> {
        self.eat(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_length(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.malformed(),
            }
        }
        let raw = &self.bytes[start..self.at];
        self.at += 1;
        Ok(Str { raw, escaped })
    }

    /// Goes past the next value and gives the bytes it lies in, without white space around.
    ///
    /// # Errors
    /// Where no well-formed value follows.
    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn value(&mut self) -> Read<&'a [u8]> {
        self.next_byte();
        let start = self.at;
        self.skip(MAX_DEPTH)?;
        Ok(&self.bytes[start..self.at])
    }

    /// Nothing but white space may follow.
    ///
    /// # Errors
    /// Where something does.
    pub fn finish(&mut self) -> Read<()> {
        match self.next_byte() {
            None => Ok(()),
            Some(_) => self.malformed(),
        }
    }

    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn skip(&mut self, depth: u32) -> Read<()> {
        if depth == 0 {
            return self.malformed();
        }
        match self.kind()? {
            Kind::String => self.string().map(drop),
            Kind::Number => self.number(),
            Kind::Bool if self.bytes[self.at] == b't' => self.literal(b"true"),
            Kind::Bool => self.literal(b"false"),
            Kind::Null => self.literal(b"null"),
            Kind::Object => {
                self.at += 1;
                let mut first = true;
                while self.more(&mut first, b'}')? {
                    self.name()?;
                    self.skip(depth - 1)?;
                }
                Ok(())
            }
            Kind::Array => {
                self.at += 1;
                let mut first = true;
                while self.more(&mut first, b']')? {
                    self.skip(depth - 1)?;
                }
                Ok(())
            }
        }
    }

    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn name(&mut self) -> Read<Str<'a>> {
        let name = self.string()?;
        self.escaped_names |= name.escaped;
        self.eat(b':')?;
        Ok(name)
    }

    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn more(&mut self, first: &mut bool, close: u8) -> Read<bool> {
        let byte = self.next_byte();
        if byte == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            if byte != Some(b',') {
                return self.malformed();
            }
            self.at += 1;
            if self.next_byte() == Some(close) {
                return self.malformed();
            }
        }
        Ok(true)
    }

    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn number(&mut self) -> Read<()> {
        self.at += usize::from(self.bytes.get(self.at) == Some(&b'-'));
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.malformed() } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Read<()> {
        let rest = &self.bytes[self.at..];
        if !rest.starts_with(word) {
            if word.starts_with(rest) {
                // Cut short, not wrong: the first byte that cannot be is past the end.
                self.at = self.bytes.len();
            }
            return self.malformed();
        }
        self.at += word.len();
        Ok(())
    }

    #[cold]
    fn escape(&mut self) -> Read<()> {
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') if hex4(self.bytes, self.at + 1).is_some() => self.at += 5,
            Some(b'u')
                if self.bytes.len() < self.at + 5 && self.bytes[self.at + 1..].iter().all(u8::is_ascii_hexdigit) =>
            {
                self.at = self.bytes.len();
                return self.malformed();
            }
            _ => return self.malformed(),
        }
        Ok(())
    }

    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn eat(&mut self, byte: u8) -> Read<()> {
        if self.next_byte() != Some(byte) {
            return self.malformed();
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn next_byte(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    #[cold]
    fn malformed<T>(&self) -> Read<T> {
        Err(Malformed)
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

/// The body of the string whose opening quote is just before `bytes`, up to its closing quote; `None` where there is none,
/// or the body is not well-formed.
#[inline]
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(crate) fn string_body(bytes: &[u8]) -> Option<Str<'_>> {
    let plain = plain_length(bytes);
    if bytes.get(plain) == Some(&b'"') {
        return Some(Str {
            raw: bytes.get(..plain)?,
            escaped: false,
        });
    }
    // The reader starts at the opening quote, which is not among these bytes.
    let mut reader = Reader::new(bytes);
    reader.at = plain;
    loop {
        match bytes.get(reader.at)? {
            b'"' => {
                return Some(Str {
                    raw: bytes.get(..reader.at)?,
                    escaped: true,
                });
            }
            b'\\' => reader.escape().ok()?,
            _ => return None,
        }
        reader.at += plain_length(bytes.get(reader.at..)?);
    }
}

/// Bytes as text, if they are UTF-8. Most of what comes is ASCII and short, which this knows at a glance.
#[inline]
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(crate) fn as_text(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

/// `String::from_utf8_lossy`, at a third of its code.
#[cold]
pub(crate) fn lossy(bytes: &[u8]) -> String {
    let (mut text, mut rest) = (String::new(), bytes);
    loop {
        let error = match str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return text;
            }
            Err(error) => error,
        };
        let valid = rest
            .get(..error.valid_up_to())
            .and_then(|valid| str::from_utf8(valid).ok());
        text.push_str(valid.unwrap_or_default());
        text.push('\u{FFFD}');
        let length = error.error_len().unwrap_or(rest.len());
        rest = rest.get(error.valid_up_to() + length..).unwrap_or_default();
    }
}

/// The same JSON text with the names of members spelled as they are read; `None` where that changes nothing. A name that needs
/// an escape, or is not ASCII, is none that anybody looks for, and stays as it is.
#[cold]
pub(crate) fn with_plain_names(json: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(quote) = memchr::memchr(b'"', json.get(at..)?) {
        let start = at + quote + 1;
        let string = string_body(json.get(start..)?)?;
        let end = start + string.raw.len();
        at = end + 1;
        if !string.escaped || json.get(at..)?.trim_ascii_start().first() != Some(&b':') {
            continue;
        }
        let name = string.to_text();
        if name.is_ascii() && plain_length(name.as_bytes()) == name.len() {
            plain.extend_from_slice(json.get(from..start)?);
            plain.extend_from_slice(name.as_bytes());
            from = end;
        }
    }
    plain.extend_from_slice(json.get(from..)?);
    (from > 0).then_some(plain)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u16> {
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

/// A string of a JSON text, as the bytes between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Str<'a> {
    /// The bytes between the quotes, escapes and all.
    pub raw: &'a [u8],
    /// Whether there is an escape among them.
    pub escaped: bool,
}

impl<'a> Str<'a> {
    /// A string by what is between its quotes.
    pub fn spelled(raw: &'a [u8]) -> Self {
        Str {
            raw,
            escaped: memchr::memchr(b'\\', raw).is_some(),
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
    /// What is there so far, without a high surrogate whose other half may still come.
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
    pub fn push_str(&mut self, piece: &str) {
        self.end();
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
            Some(text) => self.string.push_str(text),
            None => self.string.push_str(&lossy(bytes)),
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

/// Writes JSON onto a byte buffer. The caller puts the punctuation of objects and arrays; [`member`](Self::member) and
/// [`comma`](Self::comma) put what goes between.
#[derive(Debug, Default)]
pub struct Writer {
    /// What has been written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// `[`, `{`, `]`, `}` or a literal, as it is.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
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

/// A `match` of bytes with words, one comparison a word. What `match` itself makes of it compares byte by byte, which is ten
/// bytes of code for each.
macro_rules! match_bytes {
    ($bytes:expr, { $($($word:literal)|+ $(if $guard:expr)? => $then:expr,)+ _ => $other:expr $(,)? }) => {
        $(if ($($bytes == $word)||+) $(&& $guard)? { $then } else)+ { $other }
    };
}
pub(crate) use match_bytes;

/// Whether these bytes are one JSON value and nothing else.
pub fn is_json(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    reader.value().is_ok() && reader.finish().is_ok()
}

/// A non-negative whole number, if these bytes are one.
pub fn integer(raw: &[u8]) -> Option<u64> {
    if raw.is_empty() {
        return None;
    }
    raw.iter().try_fold(0u64, |number, byte| match byte {
        // Not `checked_mul`, which multiplies 128 bits.
        b'0'..=b'9' if number <= u64::MAX / 10 => (number * 10).checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}
