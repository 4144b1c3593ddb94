//! Text joined, cut and decoded from bytes, without the standard formatter: its part for numbers alone would be the
//! largest of the module that pages load.

/// The most that is kept of a server's message, in bytes.
const MAX_MESSAGE_BYTES: usize = 2048;

/// Where tests cut a text: between any two characters, and at both ends. Under Miri, which is a thousand times slower, at four
/// places.
#[cfg(test)]
pub(crate) fn cuts(text: &str) -> Vec<usize> {
    let all: Vec<usize> = (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)).collect();
    let step = if cfg!(miri) { all.len().div_ceil(4) } else { 1 };
    all.into_iter().step_by(step).collect()
}

/// Whether bytes are a word. The operator of the standard library does the same by three calls, one in the other.
#[inline(never)] // a call costs fewer bytes of code than this, in some hundred places
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(crate) fn is(bytes: &[u8], word: &[u8]) -> bool {
    bytes.len() == word.len() && bytes.iter().zip(word).all(|(a, b)| a == b)
}

/// Where a mark begins in a text. `str::find` can do more, and is 1.5 KB of the npm module.
pub(crate) fn find(text: &str, mark: &str) -> Option<usize> {
    let windows = &mut text.as_bytes().windows(mark.len().max(1));
    // The first byte alone rules out nearly all places, without a call.
    windows.position(|window| window.first() == mark.as_bytes().first() && window == mark.as_bytes())
}

/// The text before a mark, and after it.
pub(crate) fn split_at_mark<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let at = find(text, mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// The text after the last of an ASCII character; all of it where there is none. The standard searcher from the end is 700 bytes more.
pub(crate) fn after_last(text: &str, byte: u8) -> &str {
    let at = text.bytes().rposition(|own| own == byte).map_or(0, |at| at + 1);
    text.get(at..).unwrap_or_default()
}

/// One text of several. `concat` does the same, but costs a kilobyte of code for each type that it is called with.
pub(crate) fn joined(parts: &[&str]) -> String {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        text.push_str(part);
    }
    text
}

/// Appends a number for people to read: whole, or with up to six decimals. The standard formatter of floats would be the
/// largest part of the module this ends up in.
pub(crate) fn push_number(text: &mut String, value: f64) {
    if value < 0.0 {
        text.push('-');
    }
    let value = value.abs();
    if value > 1e12 || value.is_nan() {
        text.push_str(if value.is_nan() { "NaN" } else { "a very large number" });
        return;
    }
    let millionths = (value * 1e6 + 0.5) as u64;
    push_integer(text, millionths / 1_000_000);
    let mut fraction = millionths % 1_000_000;
    let mut place = 100_000;
    if fraction > 0 {
        text.push('.');
    }
    while fraction > 0 {
        text.push(char::from(b'0' + (fraction / place) as u8));
        fraction %= place;
        place /= 10;
    }
}

/// Appends a whole number.
pub(crate) fn push_integer(text: &mut String, number: u64) {
    if number >= 10 {
        push_integer(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// A whole number as text: an index in a path.
pub(crate) fn integer(number: usize) -> String {
    let mut text = String::new();
    push_integer(&mut text, number as u64);
    text
}

pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A text of a server or a host, cut to what is worth keeping.
pub(crate) fn bounded(text: String) -> String {
    if text.len() <= MAX_MESSAGE_BYTES {
        return text;
    }
    let mut short = cut(&text, MAX_MESSAGE_BYTES).to_owned();
    short.push('…');
    short
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
