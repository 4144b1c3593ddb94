//! Bare event-stream framing for JavaScript.

use super::descriptor::describe;
use super::memory;
use crate::error::{Error, ErrorKind};
use crate::json::Writer;
use crate::sse::{Decoder, Event, Overflow};

/// One event stream.
pub(super) struct EventStream(Decoder);

impl EventStream {
    /// A decoder that refuses an event of more than `max_event_bytes`.
    pub(super) fn new(max_event_bytes: usize) -> EventStream {
        EventStream(Decoder::with_limit(max_event_bytes))
    }

    /// Takes bytes from the input buffer. The output is a JSON object: `events` that are complete, `lastEventId`, and
    /// `reconnectionTime` or `error` where there is one.
    pub(super) fn feed(&mut self, length: usize) {
        memory::write(|out| {
            out.raw(b"{\"events\":[");
            let ended = memory::input(length, |bytes| {
                let mut events = self.0.feed(bytes);
                while let Some(event) = events.next() {
                    write(&event?, out);
                }
                Ok::<(), Overflow>(())
            });
            self.close(out, ended.is_err());
        });
    }

    /// Ends the stream; an event it left unfinished is in the output, which is as that of `feed`.
    pub(super) fn end(&mut self) {
        memory::write(|out| {
            out.raw(b"{\"events\":[");
            if let Some(event) = self.0.end() {
                write(&event, out);
            }
            self.close(out, false);
        });
    }

    fn close(&self, out: &mut Writer, overflow: bool) {
        out.raw(b"]").member("lastEventId", self.0.last_event_id());
        if let Some(ms) = self.0.reconnection_time() {
            out.key("reconnectionTime").integer(ms);
        }
        if overflow {
            let mut error = Error::new(ErrorKind::Protocol, "One event grew past `maxEventBytes`.");
            error.code = Some("limit.event_bytes".to_owned());
            out.key("error");
            describe(&error, out);
        }
        out.raw(b"}");
    }
}

fn write(event: &Event<'_>, out: &mut Writer) {
    out.comma()
        .raw(b"{")
        .member("event", event.event)
        .member("data", &event.text())
        .member("id", event.id);
    if event.unfinished {
        out.key("unfinished").bool(true);
    }
    out.raw(b"}");
}
