//! The state of a JSON text that is still growing, followed byte by byte; no byte is read twice.

use crate::json::plain_length;

/// Where in a JSON text the last byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// Nothing but white space so far.
    #[default]
    Start,
    /// Neither an object nor a list nor a string.
    Loose,
    /// Between the strings of an object or a list.
    Structure,
    InString,
    /// After a backslash.
    Escape,
    /// After `\u` and so many digits.
    Hex(u8),
    /// The value that was begun is whole.
    Closed,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    pub(super) state: State,
    depth: u32,
    /// A value follows the last character between strings: `[`, `,` or `:`.
    pub(super) wants_value: bool,
    /// A word or a string that JSON does not know has begun: `NaN`, `Infinity`, `None`, `'text'`.
    pub(super) has_odd_word: bool,
}

impl Shape {
    /// Goes along `bytes`, up to the end of the value; gives how many belong to it. `mend` gets each place where a character
    /// has to be put in, as a number of bytes before it.
    pub(super) fn walk(&mut self, bytes: &[u8], mut mend: impl FnMut(usize, Mend)) -> usize {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Closed => return at,
                State::Loose => return bytes.len(),
                State::Start => {
                    self.state = match byte {
                        b' ' | b'\n' | b'\r' | b'\t' => State::Start,
                        b'"' => State::InString,
                        b'{' | b'[' => {
                            self.depth = 1;
                            self.wants_value = byte == b'[';
                            State::Structure
                        }
                        _ => State::Loose,
                    };
                    at += 1;
                }
                State::Structure => {
                    match byte {
                        b'"' => self.state = State::InString,
                        b'{' | b'[' => self.depth += 1,
                        b'A'..=b'Z' => self.has_odd_word |= self.wants_value,
                        b'\'' => self.has_odd_word = true,
                        b'}' | b']' => {
                            self.depth -= 1;
                            if self.depth == 0 {
                                self.state = State::Closed;
                            }
                        }
                        _ => {}
                    }
                    if !byte.is_ascii_whitespace() {
                        self.wants_value = matches!(byte, b'[' | b',' | b':');
                    }
                    at += 1;
                }
                State::InString => {
                    at += plain_length(bytes.get(at..).unwrap_or_default());
                    match bytes.get(at) {
                        None => break,
                        Some(b'"') if self.depth == 0 => self.state = State::Closed,
                        Some(b'"') => {
                            self.state = State::Structure;
                            self.wants_value = false;
                        }
                        Some(b'\\') => self.state = State::Escape,
                        Some(_) => mend(at, Mend::Control),
                    }
                    at += 1;
                }
                State::Escape => match byte {
                    b'u' => {
                        self.state = State::Hex(0);
                        at += 1;
                    }
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                        self.state = State::InString;
                        at += 1;
                    }
                    _ => {
                        self.state = State::InString;
                        mend(at, Mend::Backslash(0));
                    }
                },
                State::Hex(digits) => {
                    if byte.is_ascii_hexdigit() {
                        self.state = if digits == 3 {
                            State::InString
                        } else {
                            State::Hex(digits + 1)
                        };
                        at += 1;
                    } else {
                        self.state = State::InString;
                        mend(at, Mend::Backslash(usize::from(digits) + 1));
                    }
                }
            }
        }
        at
    }

    /// Whether it is in the middle of an object or a list.
    pub(super) fn is_nested(&self) -> bool {
        self.depth > 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}

/// A fault at some place in a string.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mend {
    /// A control character that JSON wants escaped.
    Control,
    /// A backslash so many bytes back starts no escape: it stands for itself.
    Backslash(usize),
}
