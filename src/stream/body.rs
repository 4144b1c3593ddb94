//! The kind of a body, decided by its first byte or its first line, and the values of a body that is a JSON document.

use super::ending::{Ending, Taken};
use super::event;
use super::repairs::Repair;
use super::scan::{Choice, Chunk};
use crate::json::Reader;
use crate::server_error::html_title;
use crate::text::{cut, joined, lossy};

#[derive(Debug)]
pub(super) enum Body {
    /// Only white space so far.
    Unknown,
    EventStream,
    /// JSON, kept until it is whole.
    Document(Vec<u8>),
    /// JSON lines, each of them an event: the line that has not ended. A body is taken for a document once its first line is no
    /// chunk of several.
    Lines(Vec<u8>),
    /// The start of a page.
    Html(Vec<u8>),
}

/// Enough to find a page's title in.
const KEPT_PAGE_BYTES: usize = 8192;

impl Body {
    /// The kind of a body that begins like this, and the offset of its first byte that is not blank. A line of an event stream
    /// cannot start like a JSON document or a page.
    pub(super) fn sniff(bytes: &[u8]) -> (Self, usize) {
        let blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0xEF | 0xBB | 0xBF);
        let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
        let body = match bytes.get(start) {
            None => Body::Unknown,
            Some(b'{' | b'[') => Body::Document(Vec::new()),
            Some(b'<') => Body::Html(Vec::new()),
            Some(_) => Body::EventStream,
        };
        (body, start)
    }

    /// The document, where the body is one.
    pub(super) fn document(&self) -> Option<&[u8]> {
        match self {
            Body::Document(document) => Some(document),
            _ => None,
        }
    }
}

/// Whether a first line of JSON is a chunk that others follow, not a whole completion or a part of one. Where a document is expected
/// (`is_document`), a chunk without choices is none.
pub(super) fn is_first_of_lines(line: &[u8], is_document: bool) -> bool {
    let mut reader = Reader::new(line);
    let Ok(chunk) = Chunk::read(&mut reader, 1) else {
        return event::respelled(line.trim_ascii()).is_some_and(|(plain, _)| is_first_of_lines(&plain, is_document));
    };
    // An end without a delta may have a message beside it.
    let is_whole = |choice: &Choice<'_>| (choice.whole || choice.is_end()) && chunk.extra("done") != Some(b"false");
    let may_go_on = chunk.first.as_ref().map_or(!is_document, |choice| !is_whole(choice));
    chunk.has_choices && may_go_on && reader.finish().is_ok()
}

/// The same document as JSON, by [`event::respelled`]; `None` where it is JSON as it is, or other things are wrong too.
pub(super) fn respelled(document: &[u8]) -> Option<(Vec<u8>, Repair)> {
    let is_malformed = |value| matches!(value, Value::Malformed { .. });
    values(document).any(is_malformed).then(|| event::respelled(document))?
}

/// Adds bytes to a document.
pub(super) fn grow_document(document: &mut Vec<u8>, bytes: &[u8], limit: usize) -> Taken {
    if document.len() + bytes.len() > limit {
        return Err(Ending::event_too_large());
    }
    document.extend_from_slice(bytes);
    Ok(())
}

/// Adds bytes to a page, of which only the start is kept.
pub(super) fn grow_page(page: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT_PAGE_BYTES.saturating_sub(page.len()).min(bytes.len());
    page.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

/// The end of a body that is a page.
pub(super) fn html(page: &[u8]) -> Box<Ending> {
    const MESSAGE: &str = "The server answered an HTML page, not a chat completion. Check the base URL.";
    let title = html_title(&lossy(page));
    let message = match title.is_empty() {
        true => MESSAGE.to_owned(),
        false => joined(&[MESSAGE, " The page's title: ", cut(&title, 240)]),
    };
    Ending::refused("body.html", &message)
}

/// A value of a document, or why there are no more.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Object(&'a [u8]),
    /// A list, or a value that cannot be an answer.
    Other(&'a [u8]),
    /// `[DONE]`, as a line after chunks.
    Done,
    /// The document ends within a value.
    CutShort,
    /// The next bytes are not well-formed, or (`is_value`: false) not the start of a value.
    Malformed {
        is_value: bool,
    },
}

/// The values of a document, one after another. [`Value::CutShort`] and [`Value::Malformed`] come the last.
pub(super) fn values(document: &[u8]) -> impl Iterator<Item = Value<'_>> {
    let mut reader = Reader::new(document);
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over || reader.finish().is_ok() {
            return None;
        }
        if document
            .get(reader.at()..)
            .is_some_and(|rest| rest.starts_with(b"[DONE]"))
        {
            is_over = true;
            return Some(Value::Done);
        }
        Some(match (reader.kind(), reader.value()) {
            (Ok(_), Ok(value)) if value.first() == Some(&b'{') => Value::Object(value),
            (Ok(_), Ok(value)) => Value::Other(value),
            (kind, _) => {
                is_over = true;
                // Bytes that are valid up to their end only stop too early.
                match kind.is_ok() && reader.at() >= document.len() {
                    true => Value::CutShort,
                    false => Value::Malformed { is_value: kind.is_ok() },
                }
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_told_by_its_first_byte_that_is_not_blank() {
        let name = |bytes: &[u8]| match Body::sniff(bytes) {
            (Body::Unknown, at) => ("unknown", at),
            (Body::EventStream, at) => ("event stream", at),
            (Body::Document(_) | Body::Lines(_), at) => ("document", at),
            (Body::Html(_), at) => ("page", at),
        };
        assert_eq!(name(b" \r\n\xEF\xBB\xBF"), ("unknown", 6));
        assert_eq!(name(b"data: {}"), ("event stream", 0));
        assert_eq!(name(b": {"), ("event stream", 0));
        assert_eq!(name(b"\n\n {}"), ("document", 3));
        assert_eq!(name(b"[{}]"), ("document", 0));
        assert_eq!(name(b"<!doctype html>"), ("page", 0));
    }

    #[test]
    fn a_document_is_a_row_of_values_and_says_how_it_stops() {
        use Value::{CutShort, Done, Malformed, Object, Other};
        let all = |text| values(text).collect::<Vec<_>>();
        assert_eq!(all(b" {} \n"), [Object(b"{}")]);
        assert_eq!(
            all(b"{}\n{\"a\":1}[1]"),
            [Object(b"{}"), Object(b"{\"a\":1}"), Other(b"[1]")]
        );
        assert_eq!(all(b"{}\n[DONE]\n"), [Object(b"{}"), Done]);
        assert_eq!(all(b"{\"a\":"), [CutShort]);
        assert_eq!(all(b"{}{\"a\":tr"), [Object(b"{}"), CutShort]);
        assert_eq!(all(b"{}{\"a\":x}{}"), [Object(b"{}"), Malformed { is_value: true }]);
        assert_eq!(all(b"{}:"), [Object(b"{}"), Malformed { is_value: false }]);
    }

    #[test]
    fn of_a_page_only_the_start_is_kept() {
        let mut page = Vec::new();
        for _ in 0..10 {
            grow_page(&mut page, &[b'x'; 1000]);
        }
        assert_eq!(page.len(), KEPT_PAGE_BYTES);
    }
}
