//! The engine as JavaScript holds it: parts by their numbers, as a host has files by theirs, and one function for all that
//! they do.
//!
//! A class, or a function of its own, costs what ten lines of code do, here and in the glue. `operations.rs` has the numbers.

use std::cell::UnsafeCell;

use wasm_bindgen::prelude::*;

use super::connection::{Connection, Opening, Refused};
use super::decoder::Decoder;
use super::descriptor::describe;
use super::event_stream::EventStream;
use super::memory::{self, Unshared};
use super::operations;
use crate::stream;

enum Part {
    Connection(Connection),
    Opening(Box<Opening>),
    Decoder(Box<Decoder>),
    EventStream(Box<EventStream>),
}

/// All parts there are, by their numbers less one. 0 is the number of none.
static PARTS: Unshared<UnsafeCell<Vec<Option<Part>>>> = Unshared(UnsafeCell::new(Vec::new()));

/// Does something with the list of parts. The list stays where it is meanwhile: after a trap the other parts go on, and the
/// content of the one that failed can still be read.
fn with_parts<T>(work: impl FnOnce(&mut Vec<Option<Part>>) -> T) -> T {
    // SAFETY: there is one thread, no part calls JavaScript or this function, and a call that trapped never goes on.
    work(unsafe { &mut *PARTS.0.get() })
}

/// Keeps a part under a number.
fn keep(part: Part) -> usize {
    with_parts(|parts| {
        let free = parts.iter().position(Option::is_none).unwrap_or(parts.len());
        if free == parts.len() {
            parts.push(None);
        }
        parts[free] = Some(part);
        free + 1
    })
}

/// Makes a part, by the JSON text of its options in the input; an event stream, by the most bytes an event may have. Gives its
/// number, or 0 where nothing is made. Then the output says why: `{"error": …}`, or `{"variable": …}` where the value of that
/// environment variable is wanted as the option `env`.
#[wasm_bindgen]
pub fn make(part: u32, length: usize) -> usize {
    let made = match part {
        operations::CONNECTION => memory::input(length, Connection::make).map(Part::Connection),
        operations::DECODER => memory::input(length, Decoder::make)
            .map(Part::Decoder)
            .map_err(Refused::Error),
        operations::EVENT_STREAM => Ok(Part::EventStream(Box::new(EventStream::new(length)))),
        _ => return 0,
    };
    match made {
        Ok(part) => keep(part),
        Err(refused) => {
            memory::write(|out| {
                out.raw(b"{");
                match refused {
                    Refused::Error(error) => describe(&error, out.key("error")),
                    Refused::Wants(variable) => drop(out.member("variable", &variable)),
                }
                out.raw(b"}");
            });
            0
        }
    }
}

/// Makes a part of another one; 0 where that has none to give. Of a connection: begins to open a response, by the JSON text of
/// the call, and of the request's body if it has one. Of an opening: the decoder of its response.
#[wasm_bindgen]
pub fn open(part: usize, length: usize) -> usize {
    let made = with_parts(|parts| match parts.get_mut(part.wrapping_sub(1)) {
        Some(Some(Part::Connection(connection))) => Some(Part::Opening(Box::new(connection.open(length)))),
        Some(Some(Part::Opening(opening))) => opening.decoder.take().map(Part::Decoder),
        _ => None,
    });
    made.map_or(0, keep)
}

/// Does an operation of a part, with `length` bytes of input. The result is in the report. An operation of another part,
/// or of none, does nothing.
#[wasm_bindgen]
#[cfg_attr(chatwire_speed, optimize(speed))]
pub fn call(part: usize, operation: u32, length: usize, a: f64, b: f64, c: f64) {
    with_parts(|parts| match parts.get_mut(part.wrapping_sub(1)) {
        Some(Some(Part::Decoder(decoder))) if operation == operations::PUSH => decoder.push(length, a, b),
        Some(Some(part)) => part.call(operation, length, a, b, c),
        _ => {}
    });
}

impl Part {
    /// All operations but the one that comes with each network chunk, which has no need of this function's stack.
    #[inline(never)]
    fn call(&mut self, operation: u32, length: usize, a: f64, b: f64, c: f64) {
        match (self, operation) {
            (Part::Decoder(decoder), operations::SET_OUTPUT) => decoder.set_output(length),
            (Part::Decoder(decoder), operations::LACKS_USAGE) => memory::say(decoder.lacks_usage()),
            (Part::Decoder(decoder), operations::OUTCOME) => decoder.outcome(length, a > 0.0, b),
            (Part::Opening(opening), operations::STEP) => opening.step(length, a, b, c),
            (Part::Connection(connection), operations::ACCOUNT) => connection.account(length, a as usize, b),
            (part, _) => part.call_rare(operation, length, a, b),
        }
    }

    /// Those of them that a plain answer has no need of.
    #[inline(never)] // a plain answer has no need of it
    fn call_rare(&mut self, operation: u32, length: usize, a: f64, b: f64) {
        match (self, operation) {
            (Part::Decoder(decoder), operations::END) => decoder.end(length, a, b),
            (Part::Decoder(decoder), operations::TICK) => decoder.tick(a, b),
            (Part::Decoder(decoder), operations::COMPLETION) => decoder.completion(),
            (Part::EventStream(stream), operations::FEED) => stream.feed(length, a > 0.0),
            (Part::EventStream(stream), operations::FINISH) => stream.end(),
            (Part::Connection(connection), operations::USAGE) => connection.usage(),
            (Part::Connection(connection), operations::PROVIDER) => connection.provider(),
            _ => {}
        }
    }
}

/// Frees a part; its number can then be given to another.
#[wasm_bindgen]
pub fn free(part: usize) {
    let part = with_parts(|parts| parts.get_mut(part.wrapping_sub(1)).and_then(Option::take));
    drop(part);
}

/// How many UTF-16 units of the text in the input were heard whole, when so many were spoken.
#[wasm_bindgen]
pub fn heard(length: usize, units: f64) -> usize {
    memory::input(length, |text| {
        let text = str::from_utf8(text).unwrap_or_default();
        stream::heard(text, units as u64).chars().map(char::len_utf16).sum()
    })
}
