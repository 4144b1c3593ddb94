//! JSON that arrives in pieces, as edits of one live value: at most one list of edits a network chunk.
//!
//! Time is linear in the text, and so is the size of all edits together. The edits are cut so that the host's JSON parser
//! does nearly all the work: what is new in a container crosses as JSON of the same shape.
//!
//! # The edits
//!
//! An event is `{"type":"partial","choice":0,"edits":[…],"open":[…]}`, with an `index` for the arguments of a tool call. The code that applies the edits keeps a stack of *places* that are
//! still open. At the start it holds one place, a list that is to receive the value as its only element: the live value is
//! that element.
//!
//! 1. The first edit belongs to the top of the stack. Before each further one the top is popped: it is closed.
//! 2. An edit of a list is a list of elements to append. An edit of an object is an object of members to set, in order,
//!    over members of the same name. An edit of a string is a string to append to it. Each may be empty.
//! 3. Then `open` leads from the top to what this event has opened and not closed: for each entry the child of the top goes
//!    onto the stack. A string names a member of an object; `0` stands for the last element of a list.
//!
//! So `{"a":[1,"x` arrives as `{"edits":[[{"a":[1,"x"]}]],"open":[0,"a",0]}`, and `y"],"b":2}` after it as
//! `{"edits":["y",[],{"b":2},[]],"open":[]}`.
//!
//! # What the live value is
//!
//! On every prefix of valid JSON it is what is certain: containers and strings from their first character on, with all that
//! they have so far; a member from the first character of such a value; a number or a literal as soon as it is whole, which
//! for a number is when something follows it, or when the text ends after a number that is all of it. Keys, escapes and
//! surrogate pairs that are cut short wait for the rest. Text that turns out not to be JSON gets no more edits; what the
//! value was until then stands.

use super::options::PartialValues;
use super::output::Output;
use crate::json::{MAX_DEPTH, Reader, Writer, plain_length};

/// How deeply the value may nest: with the event around its edits it stays within what readers of JSON take.
const MAX_OPEN: usize = MAX_DEPTH as usize - 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Before a value.
    #[default]
    Value,
    /// After `[`: a value or `]`.
    FirstElement,
    /// After `{`: a key or `}`.
    FirstKey,
    /// After a comma in an object.
    Key,
    InKey,
    Colon,
    InString,
    /// In an escape of a string, or before the second half of a surrogate pair.
    InEscape,
    InNumber,
    InLiteral,
    /// After a value: a comma, or the end of what it is in.
    After,
    /// After the whole value.
    Done,
    /// The text is not JSON.
    Dead,
}

/// A place that is open: a container, or a string.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// `[`, `{` or `"`.
    kind: u8,
    /// Where its key is spelled among the edits of this chunk; empty where it is an element.
    key: (usize, usize),
}

/// Reads one text and writes its edits.
#[derive(Debug, Default)]
pub(super) struct PartialJson {
    state: State,
    /// A text that does not start with an object or a list is not JSON.
    containers_only: bool,
    /// The places that are open, outermost first. The list that receives the value is not among them.
    open: Vec<Open>,
    /// How many of them were open before this chunk.
    old: usize,
    /// The key that waits for its value, as it is spelled, and whether there is one.
    key: Vec<u8>,
    has_key: bool,
    /// A number, literal or escape that is not whole yet.
    token: Vec<u8>,
    /// The most bytes that key and token have had.
    most_held: usize,
    /// There have been edits.
    touched: bool,
    /// The edits of this chunk; empty while there are none.
    edits: Writer,
}

impl PartialJson {
    /// A reader of the values that are wanted, if any are.
    pub(super) fn new(wanted: PartialValues) -> Option<Box<Self>> {
        (wanted != PartialValues::Off).then(|| {
            Box::new(PartialJson {
                containers_only: wanted == PartialValues::Containers,
                ..PartialJson::default()
            })
        })
    }

    /// Whether the text is not JSON.
    pub(super) fn is_dead(&self) -> bool {
        self.state == State::Dead
    }

    /// Takes the next piece of the text. Gives the most bytes that were held of it until now, and
    /// are held with it.
    pub(super) fn feed(&mut self, text: &str) -> (usize, usize) {
        self.read(text);
        let before = self.most_held;
        self.most_held = before.max(self.key.len() + self.token.len());
        (before, self.most_held)
    }

    fn read(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        while let Some(&byte) = bytes.first() {
            match self.state {
                State::Done | State::Dead => return,
                State::InString => {
                    let plain = plain_length(bytes);
                    if plain > 0 {
                        self.begin();
                        self.edits.raw(&bytes[..plain]);
                        bytes = &bytes[plain..];
                        continue;
                    }
                    match byte {
                        b'"' => self.close(b'"'),
                        b'\\' => {
                            self.token.push(byte);
                            self.state = State::InEscape;
                        }
                        _ => self.state = State::Dead,
                    }
                }
                State::InEscape => {
                    if !self.take_escape(byte) {
                        continue;
                    }
                }
                State::InKey => {
                    let plain = plain_length(bytes);
                    self.key.extend_from_slice(&bytes[..plain]);
                    bytes = &bytes[plain..];
                    let Some(&byte) = bytes.first() else { return };
                    match byte {
                        // Of escaped characters only the quote matters.
                        b'"' if !ends_in_escape(&self.key) => {
                            self.has_key = is_string(&self.key);
                            self.state = if self.has_key { State::Colon } else { State::Dead };
                        }
                        b'"' | b'\\' => self.key.push(byte),
                        _ => self.state = State::Dead,
                    }
                }
                State::InNumber if matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') => {
                    self.token.push(byte)
                }
                State::InNumber => {
                    if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
                        self.take_token();
                        continue;
                    }
                    self.state = State::Dead;
                }
                State::InLiteral => {
                    self.token.push(byte);
                    let word: &[u8] = match self.token.first() {
                        Some(b't') => b"true",
                        Some(b'f') => b"false",
                        _ => b"null",
                    };
                    if self.token == word {
                        self.take_token();
                    } else if !word.starts_with(&self.token) {
                        self.state = State::Dead;
                    }
                }
                _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => {}
                _ => self.take_mark(byte),
            }
            bytes = &bytes[1..];
        }
    }

    /// The text is over: a number that is all of it is whole now.
    pub(super) fn end(&mut self) {
        if self.state == State::InNumber && self.open.is_empty() {
            self.take_token();
        }
    }

    /// All text so far was none of it: starts again, unless edits of it are out already.
    pub(super) fn restart(&mut self) {
        let state = if self.touched { State::Dead } else { State::Value };
        *self = PartialJson {
            state,
            containers_only: self.containers_only,
            touched: self.touched,
            most_held: self.most_held,
            ..PartialJson::default()
        };
    }

    /// Hands out the edits since the last time, if there are any: of a choice's content, or of the arguments of its call `index`.
    pub(super) fn hand_out(&mut self, choice: u64, index: Option<u64>, output: &mut Output) {
        if self.edits.bytes.is_empty() {
            return;
        }
        let out = output.event("partial", choice);
        if let Some(index) = index {
            out.key("index").integer(index);
        }
        self.write(out);
        out.raw(b"}");
    }

    /// Writes the edits since the last call, `"edits":[…],"open":[…]`.
    fn write(&mut self, out: &mut Writer) {
        let fresh = self.open.get(self.old..).unwrap_or_default();
        for place in fresh.iter().rev() {
            self.edits.raw(closer(place.kind));
        }
        let segment = self.segment();
        self.edits.raw(closer(segment));
        out.key("edits")
            .raw(b"[")
            .raw(&self.edits.bytes)
            .raw(b"]")
            .key("open")
            .raw(b"[");
        for place in fresh {
            out.comma();
            match self.edits.bytes.get(place.key.0..place.key.1) {
                Some(key) if !key.is_empty() => out.raw(key),
                _ => out.raw(b"0"),
            };
        }
        out.raw(b"]");
        self.old = self.open.len();
        self.edits.bytes.clear();
    }

    /// A byte between values, which is not white space.
    fn take_mark(&mut self, byte: u8) {
        match (self.state, byte) {
            (State::Value | State::FirstElement, b'{' | b'[') => self.enter(byte),
            (State::Value, _) if self.containers_only && self.open.is_empty() => self.state = State::Dead,
            (State::Value | State::FirstElement, b'"') => self.enter(byte),
            (State::Value | State::FirstElement, b'-' | b'0'..=b'9') => self.start_token(byte, State::InNumber),
            (State::Value | State::FirstElement, b't' | b'f' | b'n') => self.start_token(byte, State::InLiteral),
            (State::FirstElement, b']') => self.close(b'['),
            (State::FirstKey | State::Key, b'"') => {
                self.key.clear();
                self.state = State::InKey;
            }
            (State::FirstKey, b'}') => self.close(b'{'),
            (State::Colon, b':') => self.state = State::Value,
            (State::After, b',') => {
                self.state = if self.kind() == b'{' { State::Key } else { State::Value };
            }
            (State::After, b'}') => self.close(b'{'),
            (State::After, b']') => self.close(b'['),
            _ => self.state = State::Dead,
        }
    }

    fn start_token(&mut self, byte: u8, state: State) {
        self.token.push(byte);
        self.state = state;
    }

    /// A number or a literal is whole.
    fn take_token(&mut self) {
        let mut reader = Reader::new(&self.token);
        if reader.value().is_err() || reader.finish().is_err() {
            self.state = State::Dead;
            return;
        }
        self.begin();
        self.write_key();
        let token = std::mem::take(&mut self.token);
        self.edits.raw(&token);
        self.token = token;
        self.token.clear();
        self.after();
    }

    /// A byte of an escape; false where it is not part of it.
    fn take_escape(&mut self, byte: u8) -> bool {
        let length = self.token.len();
        // The escape of a surrogate pair is two escapes, so places repeat after six bytes.
        let fits = match length % 6 {
            0 => byte == b'\\',
            1 => matches!(byte, b'u' | b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'),
            _ => byte.is_ascii_hexdigit(),
        };
        if !fits {
            // Only the first half of a pair may be followed by something else.
            if length == 6 {
                self.take_escapes();
                return false;
            }
            self.state = State::Dead;
            return true;
        }
        self.token.push(byte);
        match length {
            1 | 7 if byte != b'u' => self.take_escapes(),
            5 if !is_first_half(&self.token[2..]) => self.take_escapes(),
            11 if is_first_half(&self.token[8..]) => {
                // The first half again: the one before stands alone.
                let second = self.token.split_off(6);
                self.take_escapes();
                self.token = second;
                self.state = State::InEscape;
            }
            11 => self.take_escapes(),
            _ => {}
        }
        true
    }

    fn take_escapes(&mut self) {
        self.begin();
        let token = std::mem::take(&mut self.token);
        self.edits.raw(&token);
        self.token = token;
        self.token.clear();
        self.state = State::InString;
    }

    fn enter(&mut self, byte: u8) {
        if self.open.len() >= MAX_OPEN {
            self.state = State::Dead;
            return;
        }
        self.begin();
        let key = self.write_key();
        self.edits.raw(&[byte]);
        self.open.push(Open { kind: byte, key });
        self.state = match byte {
            b'{' => State::FirstKey,
            b'[' => State::FirstElement,
            _ => State::InString,
        };
    }

    fn close(&mut self, kind: u8) {
        if self.kind() != kind {
            self.state = State::Dead;
            return;
        }
        self.begin();
        self.edits.raw(closer(kind));
        self.open.pop();
        if self.open.len() < self.old {
            // The value was open before this chunk: what follows is an edit of its container.
            self.old = self.open.len();
            let segment = self.segment();
            self.edits.raw(b",").raw(&[segment]);
        }
        self.after();
    }

    fn after(&mut self) {
        self.state = if self.open.is_empty() {
            State::Done
        } else {
            State::After
        };
    }

    /// Starts the edits of this chunk.
    fn begin(&mut self) {
        if self.edits.bytes.is_empty() {
            let segment = self.segment();
            self.edits.raw(&[segment]);
            self.touched = true;
        }
    }

    /// Puts what goes before a value: a comma, a key. Gives the place of the key.
    fn write_key(&mut self) -> (usize, usize) {
        self.edits.comma();
        let from = self.edits.bytes.len();
        if !std::mem::take(&mut self.has_key) {
            return (from, from);
        }
        self.edits.raw(b"\"").raw(&self.key).raw(b"\"");
        let to = self.edits.bytes.len();
        self.edits.raw(b":");
        (from, to)
    }

    /// The kind of the innermost place.
    fn kind(&self) -> u8 {
        self.open.last().map_or(b'[', |place| place.kind)
    }

    /// The kind of the place that the current edit is of: the innermost of those that were open before this chunk.
    fn segment(&self) -> u8 {
        self.old
            .checked_sub(1)
            .and_then(|at| self.open.get(at))
            .map_or(b'[', |place| place.kind)
    }
}

fn closer(kind: u8) -> &'static [u8] {
    match kind {
        b'{' => b"}",
        b'[' => b"]",
        _ => b"\"",
    }
}

/// Whether the digits of an escape are the first half of a surrogate pair.
fn is_first_half(digits: &[u8]) -> bool {
    matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..])
}

/// Whether a byte after these would be escaped.
fn ends_in_escape(key: &[u8]) -> bool {
    key.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Whether these are the bytes of a well-formed string between its quotes.
fn is_string(body: &[u8]) -> bool {
    let mut quoted = Writer::default();
    quoted.raw(b"\"").raw(body).raw(b"\"");
    crate::json::is_json(&quoted.bytes)
}
