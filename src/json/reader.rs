//! Reads JSON in place, after RFC 8259: strict (every `JSON.parse` accepts what it accepts), without an allocation. Values
//! are handed out as the slices they lie in.

use super::text::{Str, calm_length, hex4, plain_length};

/// How deeply arrays and objects may nest.
pub const MAX_DEPTH: u32 = 128;

/// The bytes are not JSON; [`Reader::at`] is the offset of the first byte that cannot be. The error itself carries nothing, so that
/// a result is one word, returned in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The kind of the next value, decided by its first byte.
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
        Ok(Str {
            raw,
            escaped,
            is_calm: false,
        })
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

    /// [`value`](Self::value) of a text that was put together here, whose values may nest as deeply as those of a server, and
    /// are themselves nested.
    pub(super) fn own_value(&mut self) -> Read<&'a [u8]> {
        self.next_byte();
        let start = self.at;
        self.skip(2 * MAX_DEPTH)?;
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
                // The text is cut short, not wrong: the first byte that is not JSON would be past the end.
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
                // One comparison is enough for nearly all bytes.
                Some(byte) if *byte <= b' ' && matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    #[cold]
    fn malformed<T>(&self) -> Read<T> {
        Err(Malformed)
    }
}

/// The body of the string whose opening quote is just before `bytes`, up to its closing quote; `None` where there is none,
/// or the body is not well-formed.
#[inline(never)] // so that the walk along a template stays short
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(crate) fn string_body(bytes: &[u8]) -> Option<Str<'_>> {
    let (mut at, mut is_calm) = calm_length(bytes);
    let mut escaped = false;
    while bytes.get(at)? != &b'"' {
        // The reader starts at the opening quote, which is not among these bytes.
        let mut reader = Reader::new(bytes);
        reader.at = at;
        if bytes.get(at)? != &b'\\' || reader.escape().is_err() {
            return None;
        }
        let (length, is_rest_calm) = calm_length(bytes.get(reader.at..)?);
        // An escape of six characters can spell any, `<` included.
        is_calm &= is_rest_calm && reader.at == at + 2;
        escaped = true;
        at = reader.at + length;
    }
    Some(Str {
        raw: bytes.get(..at)?,
        escaped,
        is_calm,
    })
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

/// No more members than this are looked at in one object.
pub(crate) const MAX_MEMBERS: usize = 256;

/// The names and values of an object's members, as they are spelled; none of anything else. Of JSON that breaks off, those before
/// the break. Not inlined: its copies cost more bytes than calls.
#[inline(never)]
pub(crate) fn members(object: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut reader = Reader::new(object);
    // Room for as many as most objects have.
    let mut members = Vec::with_capacity(8);
    let mut first = true;
    if reader.kind() == Ok(Kind::Object) && reader.object().is_ok() {
        while let Ok(Some(name)) = reader.member(&mut first)
            && let Ok(value) = reader.value()
            && members.len() < MAX_MEMBERS
        {
            members.push((name, value));
        }
    }
    members
}

/// Whether these bytes are one JSON value and nothing else.
pub fn is_json(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    reader.value().is_ok() && reader.finish().is_ok()
}

/// A word between the strings of a text that is no JSON, and the JSON that it stands for.
type Word = (&'static [u8], &'static [u8]);

/// Numbers that are none, as Python, JavaScript and C write them: in upper or lower case, with a sign or without.
const NUMBERS: [Word; 4] = [
    (b"nan(ind)", b"null"),
    (b"nan", b"null"),
    (b"infinity", b"null"),
    (b"inf", b"null"),
];

/// Words of Python, and a comma too many.
const LITERALS: [Word; 5] = [
    (b"None", b"null"),
    (b"True", b"true"),
    (b"False", b"false"),
    (b",}", b"}"),
    (b",]", b"]"),
];

/// The same JSON text with `null` for each number that is none: `NaN`, `Infinity`, `-Infinity`. `None` where there is none of
/// them, or something else is wrong.
#[cold]
pub(crate) fn with_finite_numbers(json: &[u8]) -> Option<Vec<u8>> {
    respelled(json, &[&NUMBERS])
}

/// The same for a text that a model wrote: also with the words and the strings of Python as JSON has them, and without a comma
/// too many.
#[cold]
pub(crate) fn with_plain_literals(json: &[u8]) -> Option<Vec<u8>> {
    respelled(json, &[&NUMBERS, &LITERALS])
}

fn respelled(json: &[u8], words: &[&[Word]]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let (mut from, mut at) = (0, 0);
    // Within a string in single quotes.
    let mut is_quoted = false;
    while let Some(&byte) = json.get(at) {
        let rest = json.get(at..)?;
        if byte == b'"' && !is_quoted {
            at += string_body(rest.get(1..)?)?.raw.len() + 2;
            continue;
        }
        // How long a word is, with the white space within it.
        let length = |word: &[u8]| match word {
            [b',', close] => {
                let behind = rest.get(1..)?.trim_ascii_start();
                (byte == b',' && behind.first() == Some(close)).then(|| rest.len() - behind.len() + 1)
            }
            _ => {
                let unsigned = rest.strip_prefix(b"-").or(rest.strip_prefix(b"+")).unwrap_or(rest);
                let length = rest.len() - unsigned.len() + word.len();
                unsigned.get(..word.len())?.eq_ignore_ascii_case(word).then_some(length)
            }
        };
        let mut known = words.iter().copied().flatten();
        let (length, word): (usize, &[u8]) = match (rest, is_quoted) {
            // Of what is in single quotes nothing is a number.
            ([b'\'', ..], _) if words.len() == 1 => return None,
            ([b'\'', ..], _) => {
                is_quoted = !is_quoted;
                (1, b"\"")
            }
            ([b'\\', b'\'', ..], true) => (2, b"'"),
            ([b'\\', b'x', ..], true) => (2, b"\\u00"),
            ([b'"', ..], true) => (1, b"\\\""),
            (_, true) => (0, b""),
            (_, false) => known
                .find_map(|(word, json)| Some((length(word)?, *json)))
                .unwrap_or_default(),
        };
        if length > 0 {
            plain.extend_from_slice(json.get(from..at)?);
            plain.extend_from_slice(word);
            at += length;
            from = at;
        } else {
            at += 1 + usize::from(is_quoted && byte == b'\\');
        }
    }
    plain.extend_from_slice(json.get(from..)?);
    (from > 0).then_some(plain)
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

/// A count as servers write it: a whole number, one with a fraction, which is cut off, or either of them in quotes. `None` for
/// anything else, and for what is negative or too large.
pub fn count(raw: &[u8]) -> Option<u64> {
    let text = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
    let text = text.unwrap_or(raw);
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix(b".") {
        Some(rest) => rest.split_at(digits(rest)),
        None => (&rest[..0], rest),
    };
    let exponent = match rest.split_first() {
        None => 0,
        Some((b'e' | b'E', rest)) => {
            integer(rest.strip_prefix(b"+").unwrap_or(rest)).filter(|exponent| *exponent < 20)?
        }
        Some(_) => return None,
    };
    let mut number = integer(whole)?;
    for place in 0..exponent as usize {
        let digit = fraction.get(place).map_or(0, |digit| digit - b'0');
        number = (number <= u64::MAX / 10)
            .then(|| number * 10)?
            .checked_add(u64::from(digit))?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_however_it_is_written() {
        for (raw, expected) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("\"12\"", Some(12)),
            ("12.0", Some(12)),
            ("12.9", Some(12)),
            ("\"12.0\"", Some(12)),
            ("1.25e1", Some(12)),
            ("12e2", Some(1200)),
            ("1E+3", Some(1000)),
            ("-1", None),
            ("1e-1", None),
            ("1e999", None),
            ("99999999999999999999", None),
            ("null", None),
            ("true", None),
            ("\"\"", None),
            ("\"many\"", None),
            ("\"12 \"", None),
            ("{}", None),
        ] {
            assert_eq!(count(raw.as_bytes()), expected, "{raw}");
        }
    }
}
