//! Bare event-stream framing for JavaScript.

use super::descriptor::describe;
use super::memory;
use crate::error::{Error, ErrorKind};
use crate::json::Writer;
use crate::sse::{Decoder, Event, Overflow};

/// One event stream.
pub(super) struct EventStream {
    decoder: Decoder,
    /// The last ID and the reconnection time that the host has.
    told: (String, Option<u64>),
}

impl EventStream {
    /// A decoder that refuses an event of more than `max_event_bytes`.
    pub(super) fn new(max_event_bytes: usize) -> EventStream {
        EventStream {
            decoder: Decoder::with_limit(max_event_bytes),
            told: (String::new(), None),
        }
    }

    /// Takes bytes from the input buffer. The output is a JSON object: `events` that are complete, `lastEventId`, and
    /// `reconnectionTime` or `error` where there is one; nothing where nothing of it is new, as with most of many short reads.
    /// `whole` is where the last blank line ends in the input, if there is one. With `locates`, an event is where it lies there:
    /// `[start,end]`.
    pub(super) fn feed(&mut self, length: usize, locates: bool) {
        memory::write(|out| {
            out.raw(b"{\"events\":[");
            let before = out.bytes.len();
            let fed = memory::input(length, |bytes| {
                let mut events = self.decoder.feed(bytes);
                while let Some(event) = events.next() {
                    let event = event?;
                    if locates {
                        let lies = events.position();
                        out.comma().raw(b"[").integer(lies.start as u64);
                        out.comma().integer(lies.end as u64).raw(b"]");
                    } else {
                        write(&event, out);
                    }
                }
                Ok::<usize, Overflow>(events.whole())
            });
            let (id, time) = (self.decoder.last_event_id(), self.decoder.reconnection_time());
            if fed == Ok(0) && out.bytes.len() == before && self.told.0 == id && self.told.1 == time {
                out.bytes.clear();
            } else {
                self.close(out, fed.unwrap_or(0), fed.is_err());
            }
        });
    }

    /// Ends the stream; an event it left unfinished is in the output, which is as that of `feed`.
    pub(super) fn end(&mut self) {
        memory::write(|out| {
            out.raw(b"{\"events\":[");
            if let Some(event) = self.decoder.end() {
                write(&event, out);
            }
            self.close(out, 0, false);
        });
    }

    fn close(&mut self, out: &mut Writer, whole: usize, overflow: bool) {
        self.told = (
            self.decoder.last_event_id().to_owned(),
            self.decoder.reconnection_time(),
        );
        out.raw(b"]").member("lastEventId", &self.told.0);
        if whole > 0 {
            out.key("whole").integer(whole as u64);
        }
        if let Some(ms) = self.told.1 {
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
