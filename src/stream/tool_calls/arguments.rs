//! The arguments of one tool call as they grow: JSON text that a tool can use, however a server spells and repeats it.
//!
//! A piece is put right while it is added, so that what was handed out need not be taken back: raw control characters in
//! strings and backslashes that start no escape. Arguments that are no object yet are held back until their end is known.
//! Text after whole JSON is the same JSON again, or belongs to another call ([`Arguments::push`] says which).
//!
//! Long because a quarter of it are its tests: arguments in every form in which servers were seen to send them.

use super::equal::are_equal;
use super::shape::{Mend, Shape, State};
use crate::json::{Reader, Str, Text, is_json, with_plain_literals};
use crate::text::{as_text, find};

/// The findings about a piece of arguments.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// All or part of it had been sent before.
    pub(super) repeated: bool,
    /// Something in it was put right.
    pub(super) mended: bool,
    /// Whole JSON was there before: this is of another call.
    pub(super) other: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// Plain text of a custom tool, not JSON.
    is_plain: bool,
    text: String,
    /// A half of a surrogate pair that waits for the other.
    inbox: Text,
    shape: Shape,
    /// The text that came after they were whole, while it may still be the same again.
    again: String,
    again_shape: Shape,
    /// The piece before, as long as each piece has started with the one before it.
    last: Option<String>,
    /// Each piece has all that came before it.
    is_cumulative: bool,
    /// Each piece may have all that came before it; only the end decides.
    is_doubtful: bool,
    has_ended: bool,
    /// The arguments came whole, in one piece: the next piece may be the same object with more in it.
    is_one_piece: bool,
    /// The server sends objects in place of text.
    is_object: bool,
    /// The arguments that were handed out were a whole value, and the server has since sent more: no delta can add to them.
    is_outdated: bool,
    /// How long the text was before a word that JSON does not know.
    plain: usize,
}

impl Arguments {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Sets that the arguments are plain text, not JSON.
    pub(super) fn set_plain(&mut self) {
        self.is_plain = true;
    }

    /// Sets that the arguments come as objects, each of which may be the one before with more in it, if they do from the first on.
    pub(super) fn set_object(&mut self) {
        self.is_object |= self.text.is_empty();
    }

    /// Whether the arguments are a whole JSON value.
    pub(super) fn is_closed(&self) -> bool {
        !self.is_plain
            && (self.shape.is_closed() || self.is_doubtful && self.last.as_ref().is_some_and(|last| is_whole(last)))
    }

    /// Whether a value may begin where the arguments end.
    pub(super) fn wants_value(&self) -> bool {
        self.shape.wants_value || self.is_plain
    }

    /// Whether the arguments are an object without members, which some servers send ahead of the real arguments, or the list that
    /// PHP makes of it.
    fn is_empty_object(&self) -> bool {
        let rest = self.text.strip_prefix(['{', '[']);
        rest.is_some_and(|rest| matches!(rest.trim_ascii(), "}" | "]"))
    }

    /// Whether a tool can use the arguments as they are, or once they have ended.
    pub(super) fn is_usable(&self) -> bool {
        self.is_plain || self.is_closed() || is_json(self.text.as_bytes()) || better(&self.text).is_some()
    }

    /// Whether the arguments end in the middle of a string.
    pub(super) fn is_in_string(&self) -> bool {
        matches!(self.shape.state, State::InString | State::Escape | State::Hex(_))
    }

    /// Whether the arguments are whole, and this text is the same JSON again.
    pub(super) fn are(&self, text: &str) -> bool {
        self.is_closed() && is_same(&self.text, text.trim_ascii())
    }

    /// Whether the arguments equal this text.
    pub(super) fn is(&self, text: Str<'_>) -> bool {
        self.text == text.to_text()
    }

    /// Puts an empty object in the place of nothing.
    pub(super) fn fill(&mut self) {
        self.clear();
        self.text.push_str("{}");
        self.shape.state = State::Closed;
        self.has_ended = true;
    }

    /// The length of the arguments in bytes, with text that may yet turn out to be more of them.
    pub(super) fn length(&self) -> usize {
        self.text.len() + self.again.len()
    }

    /// How many bytes are held.
    pub(super) fn size(&self) -> usize {
        self.length() + self.last.as_ref().map_or(0, String::len)
    }

    /// How many bytes stay as they are, whatever comes.
    pub(super) fn settled(&self) -> usize {
        if self.is_outdated {
            return 0;
        }
        if self.is_plain || self.has_ended {
            return self.text.len();
        }
        let is_open = self.shape.is_nested();
        if self.is_doubtful || !is_open && (self.is_empty_object() || !starts_container(&self.text)) {
            return 0;
        }
        // A list may be an empty one, in whose place an object comes.
        if is_open && self.text.trim_ascii() == "[" {
            return 0;
        }
        if self.shape.has_odd_word {
            return self.plain;
        }
        match self.shape.state {
            State::Escape => self.text.len().saturating_sub(1),
            State::Hex(digits) => self.text.len().saturating_sub(usize::from(digits) + 2),
            _ if self.is_one_piece && self.is_object => stem(&self.text).len(),
            _ => self.text.len(),
        }
    }

    /// Forgets the arguments.
    pub(super) fn clear(&mut self) {
        *self = Arguments {
            is_plain: self.is_plain,
            ..Arguments::default()
        };
    }

    /// Adds a calm piece, if the arguments end within a string and are not doubtful; true if they were.
    pub(super) fn push_in_string(&mut self, piece: Str<'_>) -> bool {
        let is_within = piece.is_calm && !piece.escaped && self.shape.state == State::InString && !self.is_plain;
        if !is_within || self.last.is_some() || self.inbox.is_cut() {
            return false;
        }
        self.has_ended = false;
        self.text.push_str(as_text(piece.raw).unwrap_or_default());
        true
    }

    /// Adds a piece. `of_call`: it came without a name, or with the id of the call, so that it is hardly another call.
    pub(super) fn push(&mut self, piece: Str<'_>, of_call: bool) -> Taken {
        self.inbox.push(piece);
        let mut inbox = std::mem::take(&mut self.inbox);
        let taken = self.push_text(inbox.as_str(), of_call);
        inbox.truncate(0);
        self.inbox = inbox;
        taken
    }

    /// The same for a piece that is text already.
    pub(super) fn push_text(&mut self, piece: &str, of_call: bool) -> Taken {
        let mut taken = Taken::default();
        self.has_ended = false;
        if piece.is_empty() {
            return taken;
        }
        if self.is_plain {
            self.text.push_str(piece);
            return taken;
        }
        if self.grows(piece, &mut taken) {
            return taken;
        }
        if self.shape.state == State::Loose && piece.trim_ascii_start().starts_with('{') && is_nothing(&self.text) {
            self.clear();
            taken.mended = true;
        }
        let is_first = self.text.is_empty();
        let rest = self.append(piece, &mut taken);
        if self.shape.is_closed() {
            self.is_one_piece |= is_first;
            self.last = None;
        }
        self.follow(rest, of_call, &mut taken);
        taken
    }

    /// Whether a piece is all that came before it and more: then it is taken, and nothing of it twice.
    fn grows(&mut self, piece: &str, taken: &mut Taken) -> bool {
        let Some(last) = &mut self.last else {
            if self.text.is_empty() && self.shape.state == State::Start {
                self.last = Some(piece.to_owned());
            }
            return false;
        };
        let more = piece.strip_prefix(last.as_str()).filter(|_| {
            // A quote alone begins and ends a string.
            let start = last.trim_ascii_start();
            starts_container(start) || start.starts_with('"') && start.len() > 1
        });
        if self.is_cumulative {
            taken.repeated = true;
            match more {
                Some(more) => {
                    piece.clone_into(last);
                    let rest = self.append(more, taken);
                    self.follow(rest, false, taken);
                    return true;
                }
                // The start of the piece before, once more.
                None if last.starts_with(piece) => return true,
                None => taken.repeated = false,
            }
            self.last = None;
            return false;
        }
        // Whole JSON that comes again is handled by `follow`.
        if more.is_none() || self.shape.is_closed() {
            self.last = None;
            self.is_doubtful = false;
            return false;
        }
        let is_certain = self.is_doubtful || !self.shape.wants_value;
        if is_certain {
            let text = piece.to_owned();
            self.restart();
            self.is_cumulative = true;
            self.last = Some(text);
            taken.repeated = true;
            let rest = self.append(piece, taken);
            self.follow(rest, false, taken);
            return true;
        }
        piece.clone_into(last);
        self.is_doubtful = true;
        false
    }

    /// Forgets the text, to take it anew.
    fn restart(&mut self) {
        self.text.clear();
        self.shape = Shape::default();
        self.is_doubtful = false;
    }

    /// Adds to the text what belongs to its value, put right; gives the rest.
    fn append<'p>(&mut self, piece: &'p str, taken: &mut Taken) -> &'p str {
        let mut mends: Vec<(usize, Mend)> = Vec::new();
        if !self.shape.has_odd_word {
            self.plain = self.text.len();
        }
        let length = self.shape.walk(piece.as_bytes(), |at, mend| mends.push((at, mend)));
        let mut from = 0;
        for (at, mend) in mends {
            taken.mended = true;
            self.text.push_str(piece.get(from..at).unwrap_or_default());
            from = at;
            match mend {
                Mend::Control => {
                    push_escape(&mut self.text, piece.as_bytes().get(at).copied().unwrap_or_default());
                    from += 1;
                }
                Mend::Backslash(back) => self.text.insert(self.text.len().saturating_sub(back), '\\'),
            }
        }
        let rest = piece.get(length..).unwrap_or_default();
        let end = if rest.trim_ascii().is_empty() {
            piece.len()
        } else {
            length
        };
        self.text.push_str(piece.get(from..end).unwrap_or_default());
        rest
    }

    /// Takes what comes after whole JSON: the same again, marks of a template, or the arguments of another call.
    fn follow(&mut self, piece: &str, of_call: bool, taken: &mut Taken) {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.again.is_empty() {
                rest = rest.trim_ascii_start();
                let is_json = starts_container(rest) || rest.starts_with('"');
                if !is_json && !rest.is_empty() {
                    // Text that cannot continue JSON.
                    taken.mended = true;
                    rest = find(rest, "{").and_then(|next| rest.get(next..)).unwrap_or_default();
                }
            }
            let from = self.again.len();
            let length = self.again_shape.walk(rest.as_bytes(), |_, _| {});
            let (more, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
            self.again.push_str(more);
            rest = behind;
            if !self.again_shape.is_closed() {
                let before = self.text.trim_ascii_start().as_bytes();
                let same = before.get(from..self.again.len()) == Some(more.as_bytes());
                if !same && of_call && self.is_empty_object() && self.again.starts_with('{') {
                    self.replace_empty(taken);
                } else if !same && !self.again.starts_with('"') {
                    taken.other = Some(std::mem::take(&mut self.again));
                    self.again_shape = Shape::default();
                }
                return;
            }
            self.again_shape = Shape::default();
            if is_same(&self.text, &self.again) {
                taken.repeated = true;
                self.again.clear();
            } else if of_call && self.is_empty_object() && self.again.starts_with('{') {
                self.replace_empty(taken);
            } else if of_call && self.is_one_piece && self.again.starts_with(stem(&self.text)) {
                // The server sends all so far each time, closed.
                let value = std::mem::take(&mut self.again);
                self.restart();
                self.append(&value, taken);
                self.is_outdated |= !self.is_object;
                taken.repeated = true;
            } else {
                taken.other = Some(std::mem::take(&mut self.again) + rest);
                return;
            }
        }
    }

    /// Takes what came after an empty object, which was sent ahead, in its place.
    fn replace_empty(&mut self, taken: &mut Taken) {
        let value = std::mem::take(&mut self.again);
        self.again_shape = Shape::default();
        self.restart();
        self.append(&value, taken);
        taken.mended = true;
    }

    /// Nothing more comes, for now: what is still open is decided.
    pub(super) fn end(&mut self) -> Taken {
        let mut taken = Taken::default();
        self.inbox.end();
        if !self.inbox.as_str().is_empty() {
            self.text.push_str(self.inbox.as_str());
            self.inbox = Text::default();
        }
        if self.is_plain {
            return taken;
        }
        self.has_ended = true;
        // All of it is handed out.
        self.is_object = false;
        if let Some(last) = self.last.take_if(|last| self.is_doubtful && is_whole(last))
            && !is_json(self.text.as_bytes())
        {
            self.restart();
            self.append(&last, &mut taken);
            taken.repeated = true;
        }
        self.is_doubtful = false;
        if !self.again.is_empty() {
            // The start of the arguments once more, cut short.
            self.again.clear();
            taken.repeated = true;
        }
        if let Some(better) = better(&self.text) {
            self.text = better;
            self.shape.state = State::Closed;
            taken.mended = true;
        }
        taken
    }
}

/// A whole value without the quotation mark and the brackets that close it: the start of the same value with more in it.
fn stem(text: &str) -> &str {
    let end = text.bytes().rposition(|byte| !b"}]\" \n".contains(&byte));
    text.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}

/// Whether the text of arguments is a word for nothing.
fn is_nothing(text: &str) -> bool {
    const WORDS: [&str; 6] = ["null", "none", "undefined", "nil", "\"\"", "\"null\""];
    let text = text.trim_ascii();
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a text starts like an object or a list.
fn starts_container(text: &str) -> bool {
    matches!(text.trim_ascii_start().as_bytes().first(), Some(b'{' | b'['))
}

fn is_whole(text: &str) -> bool {
    starts_container(text) && is_json(text.as_bytes())
}

/// JSON that a tool can use in place of text that is none, or a string that holds it.
fn better(text: &str) -> Option<String> {
    /// No server encodes JSON more often than this.
    const MOST: u8 = 4;
    if is_whole(text) {
        return None;
    }
    let mut text = text.trim_start_matches('\u{feff}').trim_ascii().to_owned();
    for _ in 0..MOST {
        if is_nothing(&text) {
            return Some("{}".to_owned());
        }
        let mut reader = Reader::new(text.as_bytes());
        let Ok(inner) = reader.string() else { break };
        if reader.finish().is_err() {
            break;
        }
        text = inner.to_text();
        text = mended(&text).unwrap_or(text);
        if is_whole(&text) {
            return Some(text);
        }
    }
    // An object among marks of a template, or in a fence.
    let start = find(&text, "{")?;
    let is_marked = |outside: &str| {
        outside.is_empty() || outside.bytes().any(|byte| b"<`{}".contains(&byte)) || outside.trim_ascii() == "json"
    };
    let text = mended(text.get(start..)?).filter(|_| is_marked(text.get(..start).unwrap_or_default().trim_ascii()))?;
    if is_whole(&text) {
        return Some(text);
    }
    String::from_utf8(with_plain_literals(text.as_bytes())?)
        .ok()
        .filter(|text| is_whole(text))
}

/// The first value of a text, with its strings put right; `None` where it is not whole.
pub(crate) fn mended(text: &str) -> Option<String> {
    let mut arguments = Arguments::default();
    arguments.append(text, &mut Taken::default());
    arguments.shape.is_closed().then_some(arguments.text)
}

fn push_escape(text: &mut String, byte: u8) {
    match byte {
        b'\n' => text.push_str("\\n"),
        b'\r' => text.push_str("\\r"),
        b'\t' => text.push_str("\\t"),
        _ => {
            text.push_str("\\u00");
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
    }
}

/// Whether a value that came after `json` is the same: spelled with other white space or escapes perhaps, or once more encoded
/// as a string.
fn is_same(json: &str, value: &str) -> bool {
    if json.trim_ascii() == value {
        return true;
    }
    if value.starts_with('"') != json.starts_with('"') {
        let (string, plain) = if json.starts_with('"') {
            (json, value)
        } else {
            (value, json)
        };
        let inner = Reader::new(string.as_bytes()).string().map(|inner| inner.to_text());
        return inner.is_ok_and(|inner| is_same(plain, inner.trim_ascii()));
    }
    let value = mended(value).unwrap_or_default();
    are_equal(json, &value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::cuts;

    /// The text that pieces become, and whether something in them was repeated or put right.
    fn taken(pieces: &[&str]) -> (String, bool, bool) {
        let mut arguments = Arguments::default();
        let (mut repeated, mut mended) = (false, false);
        let mut add = |taken: Taken| {
            repeated |= taken.repeated;
            mended |= taken.mended;
            assert!(taken.other.is_none(), "{taken:?}");
        };
        let mut told = String::new();
        for piece in pieces {
            add(arguments.push_text(piece, true));
            let settled = arguments.as_str().get(..arguments.settled()).unwrap();
            if settled.len() > told.len() {
                assert!(settled.starts_with(&told), "{told} was handed out, and is {settled}");
                told = settled.to_owned();
            }
        }
        add(arguments.end());
        assert!(arguments.as_str().starts_with(&told), "{told} was handed out");
        (arguments.as_str().to_owned(), repeated, mended)
    }

    #[test]
    fn arguments_become_json_at_every_cut() {
        let cases = [
            ("{\"a\": 1}", "{\"a\": 1}", false),
            ("{\"a\":\"x\ny\t\u{1}\"}", "{\"a\":\"x\\ny\\t\\u0001\"}", true),
            (
                "{\"a\":\"C:\\dir\\user\\new\"}",
                "{\"a\":\"C:\\\\dir\\\\user\\new\"}",
                true,
            ),
            (
                "{\"a\":\"\\u00e9 \\u12 \\uD83D\"}",
                "{\"a\":\"\\u00e9 \\\\u12 \\uD83D\"}",
                true,
            ),
            ("{\"a\":\"it\\'s\"}", "{\"a\":\"it\\\\'s\"}", true),
            (" {\"a\":[{}]}\n", " {\"a\":[{}]}\n", false),
            ("\"{\\\"a\\\":1}\"", "{\"a\":1}", true),
            ("\"\\\"{\\\\\\\"a\\\\\\\":1}\\\"\"", "{\"a\":1}", true),
            ("\"{\\\"a\\\":\\\"x\\ny\\\"}\"", "{\"a\":\"x\\ny\"}", true),
            ("null", "{}", true),
            (" None ", "{}", true),
            ("\"null\"", "{}", true),
            ("\"\"", "{}", true),
            ("\"words\"", "\"words\"", false),
            ("17", "17", false),
            ("words", "words", false),
            ("{\"a\":", "{\"a\":", false),
            ("{\"a\":1}</tool_call>", "{\"a\":1}", true),
            ("{\"a\":1}}", "{\"a\":1}", true),
            ("{\"a\":1}<|call|>", "{\"a\":1}", true),
            ("```json\n{\"a\":1}\n```", "{\"a\":1}", true),
            (
                "{'a': 'it\\'s', 'b': [None, \"x'\", 'say \"y\"\\n']}",
                "{\"a\": \"it's\", \"b\": [null, \"x'\", \"say \\\"y\\\"\\n\"]}",
                true,
            ),
            ("{'a': 'x}", "{'a': 'x}", false),
            (
                "{\"a\":NaN,\"b\":[None, true]}",
                "{\"a\":null,\"b\":[null, true]}",
                true,
            ),
        ];
        for (sent, expected, mended) in cases {
            let expected = (expected.to_owned(), false, mended);
            assert_eq!(taken(&[sent]), expected, "{sent}");
            for cut in cuts(sent) {
                assert_eq!(taken(&[&sent[..cut], &sent[cut..]]), expected, "{sent} at {cut}");
            }
            let characters: Vec<String> = sent.chars().map(String::from).collect();
            let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
            assert_eq!(taken(&characters), expected, "{sent} by character");
        }
    }

    #[test]
    fn a_number_that_is_none_is_null() {
        let mut arguments = Arguments::default();
        arguments.push_text("{\"a\":NaN,\"b\":-Infinity,\"c\":\"NaN\"}", true);
        assert!(arguments.end().mended);
        assert_eq!(arguments.as_str(), "{\"a\":null,\"b\":null,\"c\":\"NaN\"}");
    }

    #[test]
    fn what_is_sent_again_is_taken_once() {
        let cases: [(&[&str], &str); 13] = [
            (&["{\"a\":", "1}", "{\"a\":1}"], "{\"a\":1}"),
            (&["{\"a\":", "1}", "{\"a\": 1}"], "{\"a\":1}"),
            (&["{\"a\":\"é\"}", "{\"a\":\"\\u00e9\"}"], "{\"a\":\"é\"}"),
            (&["{\"a\":1}", "\"{\\\"a\\\":1}\""], "{\"a\":1}"),
            (&["{\"a\":1}", "{\"a\":1}", "{\"a\":1}"], "{\"a\":1}"),
            (&["{\"a\":1}{\"a\":1}"], "{\"a\":1}"),
            (&["{\"a\":1}", "{\"a\"", ":1}"], "{\"a\":1}"),
            (&["{\"a\":1}", "{\"a\""], "{\"a\":1}"),
            (&["{\"a\"", "{\"a\":1", "{\"a\":1}"], "{\"a\":1}"),
            (&["{", "{\"a", "{\"a\":1", "{\"a\":1}", "{\"a\":1}"], "{\"a\":1}"),
            (&["{\"a\":", "{\"a\":{\"b\":1}}"], "{\"a\":{\"b\":1}}"),
            (&["{\"a\":", "{\"a\":{\"b\"", "{\"a\":{\"b\":1}}"], "{\"a\":{\"b\":1}}"),
            (&["{\"a\":\"x", "{\"a\":\"x\n", "{\"a\":\"x\ny\"}"], "{\"a\":\"x\\ny\"}"),
        ];
        for (pieces, expected) in cases {
            let (text, repeated, _) = taken(pieces);
            assert_eq!((text.as_str(), repeated), (expected, true), "{pieces:?}");
        }
        let ahead = ("{\"a\":1}".to_owned(), false, true);
        assert_eq!(taken(&["{}", "{\"a\":", "1}"]), ahead, "an empty object sent ahead");
    }

    #[test]
    fn what_only_looks_like_it_is_kept() {
        let cases: [(&[&str], &str); 3] = [
            (&["{\"a\":", "{\"a\":1}", "}"], "{\"a\":{\"a\":1}}"),
            (&["{\"a\":", "{\"a\":", "1}}"], "{\"a\":{\"a\":1}}"),
            (&["{\"a\":\"", "ha", "ha", "haha", "\"}"], "{\"a\":\"hahahaha\"}"),
        ];
        for (pieces, expected) in cases {
            assert_eq!(taken(pieces), (expected.to_owned(), false, false), "{pieces:?}");
        }
    }
}
