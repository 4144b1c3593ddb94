//! Bare event-stream framing for JavaScript.

use wasm_bindgen::prelude::*;

use super::descriptor::describe;
use super::memory;
use crate::error::{Error, ErrorKind};
use crate::json::Writer;
use crate::sse::{Decoder, Event, Overflow};

/// One event stream.
#[wasm_bindgen]
pub struct EventStream(Decoder);

#[wasm_bindgen]
impl EventStream {
    /// A decoder that refuses an event of more than `max_event_bytes`.
    #[wasm_bindgen(constructor)]
    pub fn new(max_event_bytes: f64) -> EventStream {
        EventStream(Decoder::with_limit(max_event_bytes as usize))
    }

    /// Takes bytes from the input buffer; the events they complete are in the output, as a JSON array.
    pub fn feed(&mut self, length: usize) -> Result<usize, JsValue> {
        let mut out = Writer::default();
        out.raw(b"[");
        memory::input(length, |bytes| {
            let mut events = self.0.feed(bytes);
            while let Some(event) = events.next() {
                write(&event.map_err(overflow)?, &mut out);
            }
            Ok::<(), JsValue>(())
        })?;
        out.raw(b"]");
        Ok(memory::set_output(out.bytes))
    }

    /// Ends the stream; an event it left unfinished is in the output, as a JSON array.
    pub fn end(&mut self) -> usize {
        let mut out = Writer::default();
        out.raw(b"[");
        if let Some(event) = self.0.end() {
            write(&event, &mut out);
        }
        out.raw(b"]");
        memory::set_output(out.bytes)
    }

    /// The last event ID.
    #[wasm_bindgen(getter, js_name = lastEventId)]
    pub fn last_event_id(&self) -> String {
        self.0.last_event_id().to_owned()
    }

    /// The reconnection time in milliseconds.
    #[wasm_bindgen(getter, js_name = reconnectionTime)]
    pub fn reconnection_time(&self) -> Option<f64> {
        self.0.reconnection_time().map(|ms| ms as f64)
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

fn overflow(Overflow { .. }: Overflow) -> JsValue {
    let mut error = Error::new(ErrorKind::Protocol, "One event grew past `maxEventBytes`.");
    error.code = Some("limit.event_bytes".to_owned());
    describe(&error)
}
