//! Reads one event: a pure function from its type and data to a value. This file decides only how the bytes are read.

use super::repairs::Repair;
use super::scan::Chunk;
use super::tool_calls::mended;
use crate::json::{
    Kind, Malformed, Reader, Writer, is_json, match_bytes, members, with_finite_numbers, with_plain_literals,
    with_plain_names,
};
use crate::sse;
use crate::text::{as_text, is, lossy};

/// The meaning of an event, and the repairs that reading it needed.
#[derive(Debug)]
pub(super) struct Event<'a> {
    /// How often the field name stood before the data once more.
    pub(super) doubled: usize,
    pub(super) repair: Option<Repair>,
    pub(super) says: Says<'a>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a chunk: a box would be an allocation for each"
)]
pub(super) enum Says<'a> {
    /// Nothing, or nothing that could be read.
    Nothing,
    /// Words, and no JSON.
    Words(&'a [u8]),
    /// `[DONE]`.
    Done,
    /// An error, by the event's type: JSON text.
    Error(Vec<u8>),
    /// A chunk, and the bytes it was read from.
    Chunk(&'a [u8], Chunk<'a>),
    /// An object with another spelling, to be read with [`object`].
    Respelled(Vec<u8>),
    /// Several values, to be read with [`lines`].
    Lines(&'a [u8]),
    /// A list, to be read with [`objects`].
    List(&'a [u8]),
}

impl<'a> Event<'a> {
    fn of(repair: Option<Repair>, says: Says<'a>) -> Self {
        Event {
            doubled: 0,
            repair,
            says,
        }
    }

    fn useless(repair: Repair) -> Self {
        Self::of(Some(repair), Says::Nothing)
    }
}

/// Reads an event of this type.
#[inline]
pub(super) fn read<'a>(event_type: &str, data: &'a [u8], max_choices: usize) -> Event<'a> {
    match data.first() {
        Some(b'{') if event_type == "message" => object(data, max_choices),
        Some(b'[') if event_type == "message" && is(data, b"[DONE]") => Event::of(None, Says::Done),
        _ => other(event_type, data, max_choices),
    }
}

/// Reads an object, which should be a chunk of so many choices at the most.
pub(super) fn object(data: &[u8], max_choices: usize) -> Event<'_> {
    let mut reader = Reader::new(data);
    let Ok(chunk) = Chunk::read(&mut reader, max_choices) else {
        // Perhaps only the first of several values is damaged: the blank lines between events may be missing.
        return match respelled(data) {
            Some((plain, repair)) if repair == Repair::NotFinite || !has_lines(data) => {
                Event::of(Some(repair), Says::Respelled(plain))
            }
            _ if has_lines(data) => Event::of(None, Says::Lines(data)),
            _ => Event::useless(Repair::Malformed),
        };
    };
    if reader.finish().is_err() {
        return Event::of(None, Says::Lines(data));
    }
    if as_text(data).is_none() {
        return Event::of(Some(Repair::InvalidUtf8), Says::Respelled(lossy(data).into_bytes()));
    }
    if reader.has_escaped_names()
        && let Some(plain) = with_plain_names(data)
    {
        return Event::of(None, Says::Respelled(plain));
    }
    Event::of(None, Says::Chunk(data, chunk))
}

/// Whether a line that is not the first starts as an object or a list does.
pub(super) fn has_lines(data: &[u8]) -> bool {
    data.windows(2).any(|pair| matches!(pair, b"\n{" | b"\n["))
}

/// Text that would be JSON but for `NaN` and its like, for what its strings should escape, or for the spelling of Python, as JSON.
#[cold]
pub(super) fn respelled(data: &[u8]) -> Option<(Vec<u8>, Repair)> {
    let finite = with_finite_numbers(data).map(|finite| (finite, Repair::NotFinite));
    finite.or_else(|| {
        let text = lossy(data);
        // Brackets in a string of Python end no value: only text in which something was put right is one.
        let mended = mended(&text).filter(|plain| !text.starts_with(plain.as_str()));
        let mut plain = mended.unwrap_or(text).into_bytes();
        if !is_json(&plain) {
            plain = with_plain_literals(&plain)?;
        }
        // JSON as it is would be read, and respelled, for ever.
        (plain != data && is_json(&plain)).then_some((plain, Repair::Malformed))
    })
}

/// Reads anything but a chunk and the plain `[DONE]`: other spellings of it, errors by event type, keep-alives sent as data,
/// malformed data. Not inlined: nearly every event is a chunk, whose way stays short.
#[inline(never)]
fn other<'a>(event_type: &str, data: &'a [u8], max_choices: usize) -> Event<'a> {
    let mut rest = data.trim_ascii();
    let is_padded = rest.len() != data.len();
    let mut doubled = 0;
    while let Some(after) = rest.strip_prefix(b"data:") {
        doubled += 1;
        rest = after.trim_ascii_start();
    }
    let event = if event_type == sse::BARE {
        match is_done(rest) {
            true => Event::of(Some(Repair::NoFieldName), Says::Done),
            false if is_json(rest) => Event::of(Some(Repair::NoFieldName), Says::Respelled(rest.to_vec())),
            false => Event::useless(Repair::Malformed),
        }
    } else if is_done(rest) {
        let repair = (is_padded || rest != b"[DONE]").then_some(Repair::PaddedDone);
        Event::of(repair, Says::Done)
    } else if event_type == "error" || is_word_of_error(rest) {
        Event::of(None, Says::Error(as_json(rest)))
    } else {
        let is_message = event_type == "message";
        match rest.first() {
            None => Event::useless(Repair::EmptyData),
            Some(b'{') if is_message || is_chunk(rest) => object(rest, max_choices),
            Some(b':') => Event::useless(Repair::KeepAliveData),
            // An event of another kind, such as a named ping, is not for this reader.
            Some(_) if !is_message => Event::useless(Repair::KeepAliveData),
            Some(_) if is_json(rest) => Event::of(Some(Repair::NotAnObject), Says::List(rest)),
            // No list that breaks off: the text of an answer may be in it.
            Some(b'A'..=b'Z' | b'a'..=b'z' | 0x80..) => Event::of(Some(Repair::Malformed), Says::Words(rest)),
            Some(_) => Event::useless(Repair::Malformed),
        }
    };
    Event { doubled, ..event }
}

/// The objects of a list, as they are spelled; none of anything else.
pub(super) fn objects(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(data);
    let mut is_list = reader.kind() == Ok(Kind::Array) && reader.array().is_ok();
    let mut first = true;
    std::iter::from_fn(move || {
        is_list = is_list && reader.element(&mut first) == Ok(true);
        let value = if is_list { reader.value().ok() } else { None };
        is_list = value.is_some();
        value
    })
    .filter(|value| value.first() == Some(&b'{'))
}

/// One value of an event that has several: the blank lines between the server's events are missing.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// An object. `is_first`: nothing stood before it.
    Object { data: &'a [u8], is_first: bool },
    /// `[DONE]`.
    Done,
    /// A line that is neither, to be read like an event of its own.
    Other(&'a [u8]),
}

/// The values of an event that has several.
pub(super) fn lines(data: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let is_first = rest.len() == data.len();
        let mut reader = Reader::new(rest);
        let object = reader.value().ok().filter(|value| value.first() == Some(&b'{'));
        let length = match object {
            Some(_) => reader.at(),
            None => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
        };
        let (line, after) = rest.split_at(length);
        rest = after.trim_ascii_start();
        if let Some(data) = object {
            return Some(Line::Object { data, is_first });
        }
        Some(match is_done(line.trim_ascii()) {
            true => Line::Done,
            false => Line::Other(line),
        })
    })
}

/// `[DONE]`, as generously as servers spell it.
pub(super) fn is_done(data: &[u8]) -> bool {
    data.strip_prefix(b"\"")
        .and_then(|data| data.strip_suffix(b"\""))
        .unwrap_or(data)
        .eq_ignore_ascii_case(b"[DONE]")
}

/// Text in place of JSON that begins with the word error: `[ERROR] …`, `error: …`.
fn is_word_of_error(data: &[u8]) -> bool {
    let word = data.strip_prefix(b"[").unwrap_or(data);
    matches!(word.split_at_checked(5), Some((word, [b']' | b':', ..])) if word.eq_ignore_ascii_case(b"error"))
}

/// The error that a chunk is or has in it.
pub(super) fn error_in<'a>(data: &'a [u8], chunk: &Chunk<'a>) -> Option<&'a [u8]> {
    chunk.error.or_else(|| is_bare_error(chunk).then_some(data))
}

/// The error in an object of any name: marked as one, or words and a code, where nothing else has come (`is_first`); and words
/// under a name that stands for a failure.
#[cold]
pub(super) fn error_within<'a>(chunk: &Chunk<'a>, is_first: bool) -> Option<&'a [u8]> {
    let mut objects = chunk.extras.iter().filter(|(_, value)| value.first() == Some(&b'{'));
    objects.find_map(|(name, value)| {
        let inner = Chunk::read(&mut Reader::new(value), 1).ok()?;
        let signs = Signs::of(&inner);
        let name = name.to_ascii_lowercase();
        let is_bad = name.ends_with(b"exception") || name.ends_with(b"error") || is_first && signs.has_bad_code;
        let words = Some(*value).filter(|_| is_bad && signs.has_words && !signs.has_good_code);
        inner.error.filter(|_| is_first).or(words)
    })
}

/// Whether an object has what makes it a chunk.
fn is_chunk(data: &[u8]) -> bool {
    match Chunk::read(&mut Reader::new(data), 1) {
        Ok(chunk) => chunk.has_choices || chunk.usage.is_some() || chunk.error.is_some() || is_bare_error(&chunk),
        Err(Malformed) => true,
    }
}

/// An error without an `error` key: marked as one, or words and a code in place of an answer.
fn is_bare_error(chunk: &Chunk<'_>) -> bool {
    if chunk.is_error || !chunk.extras.is_empty() && chunk.extra("base_resp").is_some_and(is_bad_status) {
        return true;
    }
    if chunk.first.is_some() || chunk.usage.is_some() {
        return false;
    }
    let signs = Signs::of(chunk);
    signs.has_bad_code || signs.has_words && !signs.has_good_code
}

/// The signs of an error, or of none, among the members of an object.
#[derive(Default, PartialEq)]
struct Signs {
    has_words: bool,
    has_bad_code: bool,
    has_good_code: bool,
}

impl Signs {
    fn of(chunk: &Chunk<'_>) -> Self {
        let mut signs = Signs::default();
        for (name, value) in &chunk.extras {
            // The name of an exception, as AWS has it.
            signs.has_bad_code |= *name == b"__type";
            // Names count in any spelling: `error_code`, `errorCode`, `ErrorCode`.
            let mut plain = name.to_ascii_lowercase();
            plain.retain(|byte| *byte != b'_');
            let name = plain.as_slice();
            match_bytes!(name, {
                b"message" | b"msg" | b"err" | b"detail" | b"errors" | b"fault" | b"errormsg" | b"errormessage" | b"errmsg" | b"errordescription" => {
                    let starts: &[u8] = match_bytes!(name, { b"detail" | b"fault" => b"\"[{", b"errors" => b"[{", _ => b"\"" });
                    signs.has_words |= value.first().is_some_and(|first| starts.contains(first)) && !is_blank(value);
                },
                b"code" | b"errorcode" | b"errcode" | b"statuscode" | b"errno" | b"retcode" | b"resultcode" => {
                    signs.has_good_code |= is_good_code(value);
                    signs.has_bad_code |= !is_good_code(value);
                },
                b"success" | b"ok" => signs.has_bad_code |= *value == b"false",
                b"status" | b"result" => signs.has_bad_code |= is_word(value, &[b"error", b"failed", b"fail", b"failure"]),
                _ => {}
            })
        }
        signs
    }
}

/// Whether a value is empty.
fn is_blank(value: &[u8]) -> bool {
    matches!(value, b"\"\"" | b"[]" | b"{}")
}

/// Whether a code stands for success.
fn is_good_code(value: &[u8]) -> bool {
    is_word(value, &[b"", b"0", b"200", b"null", b"ok", b"success"])
}

/// Whether a value is one of these words, in quotes or not.
fn is_word(value: &[u8], words: &[&[u8]]) -> bool {
    let word = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value);
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether a status object names a code that is not 0.
#[inline(never)] // a plain answer has no need of it
fn is_bad_status(object: &[u8]) -> bool {
    let code = members(object)
        .into_iter()
        .find(|(name, _)| matches!(*name, b"status_code" | b"code"));
    code.is_some_and(|(_, code)| !is_good_code(code))
}

/// Data as JSON text: as it is, or as a string.
fn as_json(data: &[u8]) -> Vec<u8> {
    if is_json(data) {
        return data.to_vec();
    }
    let mut quoted = Writer::default();
    quoted.string(&lossy(data));
    quoted.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The meaning of an event, in a few words.
    fn told(event_type: &str, data: &[u8]) -> String {
        let event = read(event_type, data, 128);
        let mut words = Vec::new();
        if event.doubled > 0 {
            words.push(format!("doubled {}", event.doubled));
        }
        words.extend(event.repair.map(|repair| repair.code().to_owned()));
        words.push(match event.says {
            Says::Nothing => "nothing".to_owned(),
            Says::Words(words) => format!("words {}", lossy(words)),
            Says::Done => "done".to_owned(),
            Says::Error(json) => format!("error {}", lossy(&json)),
            Says::Chunk(data, _) => format!("chunk {}", lossy(data)),
            Says::Respelled(text) => format!("respelled {}", lossy(&text)),
            Says::Lines(data) => {
                let line = |line| match line {
                    Line::Object { data, is_first } => format!("{}{}", if is_first { "" } else { "+" }, lossy(data)),
                    Line::Done => "done".to_owned(),
                    Line::Other(data) => format!("other {}", lossy(data)),
                };
                format!("lines {}", lines(data).map(line).collect::<Vec<_>>().join(" "))
            }
            Says::List(data) => format!("list {}", objects(data).map(lossy).collect::<Vec<_>>().join(" ")),
        });
        words.join(", ")
    }

    #[test]
    fn every_sort_of_event_says_one_thing() {
        const TABLE: &[(&str, &[u8], &str)] = &[
            ("message", b"{\"choices\":[]}", "chunk {\"choices\":[]}"),
            ("message", b" {}", "chunk {}"),
            ("message", b"[DONE]", "done"),
            ("ping", b"[DONE]", "done"),
            ("message", b"[done] ", "end.padded_done, done"),
            ("message", b"\"[DONE]\"", "end.padded_done, done"),
            ("message", b"data: [DONE]", "doubled 1, done"),
            (
                "message",
                b"data:data: {\"id\":\"a\"}",
                "doubled 2, chunk {\"id\":\"a\"}",
            ),
            ("message", b"", "framing.empty_data, nothing"),
            ("ping", b"", "framing.empty_data, nothing"),
            ("message", b": keep-alive", "framing.keep_alive_data, nothing"),
            ("ping", b"{\"time\":1}", "framing.keep_alive_data, nothing"),
            ("ping", b"1", "framing.keep_alive_data, nothing"),
            ("completion", b"{\"choices\":[]}", "chunk {\"choices\":[]}"),
            ("message", b"{\"choices\":[", "chunk.malformed, nothing"),
            ("message", b"nonsense", "chunk.malformed, words nonsense"),
            ("message", b"5", "chunk.not_an_object, list "),
            (
                "message",
                b"[{\"id\":\"a\"},1,{}]",
                "chunk.not_an_object, list {\"id\":\"a\"} {}",
            ),
            ("error", b"{\"message\":\"no\"}", "error {\"message\":\"no\"}"),
            ("error", b"out of \"luck\"", "error \"out of \\\"luck\\\"\""),
            (
                "message",
                b"{\"id\":\"\xFF\"}",
                "framing.invalid_utf8, respelled {\"id\":\"\u{FFFD}\"}",
            ),
            ("message", b"{\"\\u0069d\":\"a\"}", "respelled {\"id\":\"a\"}"),
            (
                "message",
                b"{}\n{\"id\":\"a\"}\n[DONE]",
                "lines {} +{\"id\":\"a\"} done",
            ),
            ("message", b"{}\n,{}", "lines {} other ,{}"),
            (
                "message",
                b"{}\n{\"id\":\n{\"id\":\"a\"}",
                "lines {} other {\"id\": +{\"id\":\"a\"}",
            ),
            ("message", b"{\"id\":\n{}", "lines other {\"id\": +{}"),
            ("message", b"{\n  \"id\": \"a\",\n", "chunk.malformed, nothing"),
        ];
        for (event_type, data, expected) in TABLE {
            assert_eq!(told(event_type, data), *expected, "{event_type}: {}", lossy(data));
        }
    }
}
