//! Event-stream framing, after WHATWG HTML §9.2.6.
//!
//! Bytes go in, in any pieces; whole events come out. Nothing here waits, reads a clock or knows what a chat is.
//!
//! ```
//! use chatwire::sse::Decoder;
//!
//! let mut decoder = Decoder::new();
//! let mut seen = Vec::new();
//! for piece in [b"data: hel".as_slice(), b"lo\r", b"\n\r\n"] {
//!     let mut events = decoder.feed(piece);
//!     while let Some(event) = events.next() {
//!         seen.push(event.unwrap().text().into_owned());
//!     }
//! }
//! assert_eq!(seen, ["hello"]);
//! ```

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2};

use crate::json::{integer, match_bytes};
use crate::text::lossy;

/// The limit in bytes on one event unless another is set: 16 MiB.
pub const DEFAULT_MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];
/// Buffers that grew past this for one large event are given back after it.
const KEPT_CAPACITY: usize = 4096;

/// The type of an event whose lines are JSON without a field name, from a [lenient](Decoder::set_lenient) decoder.
pub(crate) const BARE: &str = "{";

/// One event grew past the limit in bytes; its decoder takes no more input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow {
    /// The limit in bytes that was passed.
    pub limit: usize,
}

impl std::fmt::Display for Overflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "one event is larger than the limit of {} bytes", self.limit)
    }
}

impl std::error::Error for Overflow {}

/// One event, borrowed from the decoder or from the bytes just fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event type; `"message"` where the stream names none.
    pub event: &'a str,
    /// The data lines joined by LF, as the bytes that were sent. [`text`](Self::text) decodes them.
    pub data: &'a [u8],
    /// The last event ID at this event; empty where none was sent.
    pub id: &'a str,
    /// The stream ended before the blank line that closes this event. The standard discards such an event.
    pub unfinished: bool,
}

impl<'a> Event<'a> {
    /// The data as text, U+FFFD in place of what is not UTF-8.
    pub fn text(&self) -> Cow<'a, str> {
        match str::from_utf8(self.data) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(lossy(self.data)),
        }
    }
}

/// An incremental decoder of one event stream. Time and memory are linear in the bytes fed, however they are split.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// How many bytes of a leading BOM have matched; 3 once past the start of the stream.
    bom: u8,
    /// The last byte was a CR: an LF that follows belongs to the same line break.
    after_cr: bool,
    /// The start of a line whose end has not arrived.
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The event handed out last lies in `data` and is to be cleared before going on.
    dispatched: bool,
    event_type: String,
    id_buffer: String,
    last_event_id: String,
    reconnection_time: Option<u64>,
    overflow: bool,
    /// Nothing of the next event has come.
    is_fresh: bool,
    unknown_line: Option<String>,
    is_lenient: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a stream, with [`DEFAULT_MAX_EVENT_BYTES`].
    pub fn new() -> Self {
        Self::with_limit(DEFAULT_MAX_EVENT_BYTES)
    }

    /// A decoder that refuses an event of more than `limit` bytes: the data so far and the line at hand together.
    pub fn with_limit(limit: usize) -> Self {
        Decoder {
            limit,
            bom: 0,
            after_cr: false,
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            dispatched: false,
            event_type: String::new(),
            id_buffer: String::new(),
            last_event_id: String::new(),
            reconnection_time: None,
            overflow: false,
            is_fresh: false,
            unknown_line: None,
            is_lenient: false,
        }
    }

    /// From here on a field named `error` is an event of that type, and lines of JSON without a field name are one of type
    /// [`BARE`]. The standard passes them over.
    pub(crate) fn set_lenient(&mut self) {
        self.is_lenient = true;
    }

    /// Takes the next bytes of the stream and gives the events they complete. Take events until there are none:
    /// what is not taken is not kept.
    pub fn feed<'d, 'i>(&'d mut self, input: &'i [u8]) -> Events<'d, 'i> {
        Events {
            decoder: self,
            input,
            at: 0,
            held: None,
            start: None,
            whole: 0,
            lines: 0..0,
        }
    }

    /// Ends the stream. An event that its blank line had not closed comes out marked `unfinished`.
    pub fn end(&mut self) -> Option<Event<'_>> {
        self.settle();
        if self.overflow {
            return None;
        }
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_field(&line);
        }
        if !self.has_data {
            return None;
        }
        self.has_data = false;
        self.dispatched = true;
        // A reconnecting client asks for the events after the last whole one, so the ID of that one stays the last.
        Some(Event {
            event: type_of(&self.event_type),
            data: &self.data,
            id: &self.id_buffer,
            unfinished: true,
        })
    }

    /// The data of an event that its blank line has not closed yet, where that is one line.
    #[inline]
    pub(crate) fn pending(&self) -> Option<&[u8]> {
        if self.has_data && !self.dispatched {
            return Some(&*self.data).filter(|_| self.line.is_empty());
        }
        if self.line.is_empty() {
            return None;
        }
        match split_field(&self.line) {
            (b"data", value) => Some(value),
            _ => None,
        }
    }

    /// The ID of the last event that was dispatched, as a reconnecting reader would send it.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time in milliseconds, where the stream named one.
    pub fn reconnection_time(&self) -> Option<u64> {
        self.reconnection_time
    }

    /// The line that has no field that the standard knows: perhaps the body is no event stream at all. Empty where there were several.
    pub(crate) fn unknown_line(&self) -> Option<&str> {
        self.unknown_line.as_deref()
    }

    /// Clears the event that was handed out last.
    fn settle(&mut self) {
        if self.dispatched {
            self.dispatched = false;
            self.event_type.clear();
            self.data.clear();
            if self.data.capacity() > KEPT_CAPACITY {
                self.data = Vec::new();
            }
        }
    }

    fn take_field(&mut self, line: &[u8]) {
        let (field, value) = split_field(line);
        match_bytes!(field, {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            },
            _ => self.take_other_field(field, value, line),
        })
    }

    #[cold]
    fn take_other_field(&mut self, field: &[u8], value: &[u8], line: &[u8]) {
        match_bytes!(field, {
            b"event" => self.event_type = lossy(value),
            b"id" if memchr(0, value).is_none() => self.id_buffer = lossy(value),
            b"retry" => self.reconnection_time = integer(value).or(self.reconnection_time),
            b"" | b"id" => {},
            _ => match self.is_lenient && !value.is_empty() && field.eq_ignore_ascii_case(b"error") {
                true => {
                    self.event_type = "error".to_owned();
                    self.take_bare(value);
                }
                false => self.take_no_field(line),
            },
        })
    }

    /// Takes a line without a field of the standard.
    fn take_no_field(&mut self, line: &[u8]) {
        if !self.is_lenient || !self.is_bare(line) {
            let line = line.trim_ascii();
            if !line.is_empty() {
                self.unknown_line = Some(
                    self.unknown_line
                        .as_ref()
                        .map_or_else(|| lossy(line), |_| String::new()),
                );
            }
            return;
        }
        if !self.has_data {
            self.event_type = BARE.to_owned();
        }
        self.take_bare(line);
    }

    /// Whether a line without a field name is JSON, or continues the JSON of the line before.
    fn is_bare(&self, line: &[u8]) -> bool {
        matches!(line.first(), Some(b'{')) || line == b"[DONE]" || self.has_data && self.event_type == BARE
    }

    fn take_bare(&mut self, line: &[u8]) {
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(line);
    }
}

/// The events in the bytes just fed; see [`Decoder::feed`].
#[derive(Debug)]
pub struct Events<'d, 'i> {
    decoder: &'d mut Decoder,
    input: &'i [u8],
    at: usize,
    /// The one data line of the current event, while it still lies in `input`.
    held: Option<Range<usize>>,
    /// Where the event handed out last begins in `input`, if all of it lies there.
    start: Option<usize>,
    /// Where the last blank line ends in `input`; 0 before the first.
    whole: usize,
    /// The lines in `input` from one blank line to the end of the next: those of the event handed out last.
    lines: Range<usize>,
}

impl<'i> Events<'_, 'i> {
    /// The next whole event, or `None` until more bytes are fed.
    ///
    /// # Errors
    /// [`Overflow`] once one event grows past the limit in bytes; the decoder is then spent.
    #[expect(clippy::should_implement_trait, reason = "the event borrows from the iterator")]
    pub fn next(&mut self) -> Option<Result<Event<'_>, Overflow>> {
        self.start = self.at_event_start().map(|_| self.at);
        self.decoder.is_fresh = false;
        if self.decoder.bom < 3 {
            self.skip_bom();
        }
        loop {
            if self.decoder.overflow {
                return Some(Err(Overflow {
                    limit: self.decoder.limit,
                }));
            }
            if self.decoder.after_cr && self.at < self.input.len() {
                self.decoder.after_cr = false;
                self.at += usize::from(self.input[self.at] == b'\n');
            }
            let Some(length) = memchr2(b'\n', b'\r', &self.input[self.at..]) else {
                self.keep_rest();
                if self.decoder.overflow {
                    continue;
                }
                return None;
            };
            let line = self.at..self.at + length;
            self.decoder.after_cr = self.input[line.end] == b'\r';
            self.at = line.end + 1;
            if line.is_empty() && self.decoder.line.is_empty() {
                self.end_lines();
            }
            if self.take_line(line) {
                return Some(Ok(self.dispatch()));
            }
        }
    }

    /// Where the event handed out last lies in the bytes just fed: its lines, and the blank line that ends it. An event that
    /// began in bytes fed before begins at 0 here. An LF that is fed later than its CR lies before the next lines.
    pub fn position(&self) -> Range<usize> {
        self.lines.clone()
    }

    /// Where the last blank line so far ends in the bytes just fed: later bytes change nothing before it. 0 if there is none.
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// A blank line has been read.
    fn end_lines(&mut self) {
        let ends_with_lf = self.decoder.after_cr && self.input.get(self.at) == Some(&b'\n');
        let end = self.at + usize::from(ends_with_lf);
        self.lines = self.whole..end;
        self.whole = end;
    }

    /// The bytes not looked at yet, if the next of them starts an event. For a reader that knows what to expect there.
    #[inline]
    pub(crate) fn at_event_start(&mut self) -> Option<&'i [u8]> {
        let decoder = &mut *self.decoder;
        if !decoder.is_fresh {
            decoder.settle();
            decoder.is_fresh = decoder.bom == 3
                && decoder.line.is_empty()
                && !decoder.has_data
                && !decoder.overflow
                && decoder.event_type.is_empty()
                && decoder.id_buffer == decoder.last_event_id;
            if !decoder.is_fresh {
                return None;
            }
        }
        self.at += usize::from(decoder.after_cr && self.input.get(self.at) == Some(&b'\n'));
        self.input.get(self.at..)
    }

    /// Goes past a whole event that the caller recognised in [`at_event_start`](Self::at_event_start); gives the same for what
    /// follows it.
    #[inline]
    pub(crate) fn advance(&mut self, length: usize) -> Option<&'i [u8]> {
        self.at += length;
        self.decoder.after_cr = self.input.get(self.at.wrapping_sub(1)) == Some(&b'\r');
        if self.decoder.after_cr {
            return self.at_event_start();
        }
        self.input.get(self.at..)
    }

    /// The event handed out last, its line breaks included, if all of it lies in the input.
    pub(crate) fn last_event(&self) -> Option<&'i [u8]> {
        self.input.get(self.start?..self.at)
    }

    fn skip_bom(&mut self) {
        while self.decoder.bom < 3 && self.at < self.input.len() {
            let matched = usize::from(self.decoder.bom);
            if self.input[self.at] == BOM[matched] {
                self.at += 1;
                self.decoder.bom += 1;
            } else {
                self.decoder.line.extend_from_slice(&BOM[..matched]);
                self.decoder.bom = 3;
            }
        }
    }

    /// Takes one line; true when it is the blank one that dispatches an event.
    fn take_line(&mut self, line: Range<usize>) -> bool {
        let decoder = &mut *self.decoder;
        if !decoder.line.is_empty() {
            let mut whole = std::mem::take(&mut decoder.line);
            whole.extend_from_slice(&self.input[line]);
            self.unhold();
            if self.fits(whole.len()) {
                self.decoder.take_field(&whole);
            }
            if whole.capacity() <= KEPT_CAPACITY {
                whole.clear();
                self.decoder.line = whole;
            }
            return false;
        }
        let bytes = &self.input[line.clone()];
        if bytes.is_empty() {
            if !decoder.has_data {
                decoder.event_type.clear();
                decoder.last_event_id.clone_from(&decoder.id_buffer);
            }
            return decoder.has_data;
        }
        if !decoder.has_data && bytes.starts_with(b"data:") {
            // The common case: the only data line of its event, used where it lies.
            let space = usize::from(bytes.get(5) == Some(&b' '));
            decoder.has_data = true;
            decoder.overflow = bytes.len() > decoder.limit;
            self.held = Some(line.start + 5 + space..line.end);
        } else {
            self.unhold();
            if self.fits(bytes.len()) {
                self.decoder.take_field(bytes);
            }
        }
        false
    }

    fn dispatch(&mut self) -> Event<'_> {
        let decoder = &mut *self.decoder;
        decoder.has_data = false;
        decoder.dispatched = true;
        if decoder.last_event_id != decoder.id_buffer {
            decoder.last_event_id.clone_from(&decoder.id_buffer);
        }
        let data = match self.held.take() {
            Some(held) => &self.input[held],
            None => &decoder.data,
        };
        Event {
            event: type_of(&decoder.event_type),
            data,
            id: &decoder.last_event_id,
            unfinished: false,
        }
    }

    /// Keeps what a later feed needs: the unfinished line, and the data line held in this input.
    fn keep_rest(&mut self) {
        self.unhold();
        self.decoder.line.extend_from_slice(&self.input[self.at..]);
        self.at = self.input.len();
        self.fits(self.decoder.line.len());
    }

    fn unhold(&mut self) {
        if let Some(held) = self.held.take() {
            self.decoder.data.extend_from_slice(&self.input[held]);
        }
    }

    /// Whether a line of so many bytes is within the limit, the data before it counted in. A line that does not fit ends the stream.
    fn fits(&mut self, line: usize) -> bool {
        let decoder = &mut *self.decoder;
        if decoder.data.len() + line > decoder.limit {
            decoder.overflow = true;
            decoder.data = Vec::new();
            decoder.line = Vec::new();
        }
        !decoder.overflow
    }
}

fn type_of(event_type: &str) -> &str {
    if event_type.is_empty() { "message" } else { event_type }
}

/// Field name and value of a line; a comment's name is empty.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b':', line) {
        None => (line, &[]),
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}
