//! What JavaScript holds of the engine: one class for all of it, and one call for all that it does.
//!
//! A class or a method of its own costs what ten lines of code do, here and in the glue. `operations.rs` has the numbers.

use wasm_bindgen::prelude::*;

use super::connection::{Connection, Opening, Refused};
use super::decoder::Decoder;
use super::descriptor::describe;
use super::event_stream::EventStream;
use super::{memory, operations};
use crate::stream;

/// One part of the engine.
#[wasm_bindgen]
pub struct Engine(Part);

enum Part {
    Connection(Connection),
    Opening(Box<Opening>),
    Decoder(Box<Decoder>),
    EventStream(Box<EventStream>),
}

#[wasm_bindgen]
impl Engine {
    /// Makes a part, by the JSON text of its options in the input; an event stream, by the most bytes an event may have. Where
    /// nothing is made, the output says why: `{"error": …}`, or `{"variable": …}` where the value of that environment variable
    /// is wanted as the option `env`.
    pub fn make(part: u32, length: usize) -> Option<Engine> {
        let made = match part {
            operations::CONNECTION => memory::input(length, Connection::make).map(Part::Connection),
            operations::DECODER => memory::input(length, Decoder::make)
                .map(|decoder| Part::Decoder(Box::new(decoder)))
                .map_err(Refused::Error),
            operations::EVENT_STREAM => Ok(Part::EventStream(Box::new(EventStream::new(length)))),
            _ => return None,
        };
        made.map(Engine)
            .map_err(|refused| {
                memory::write(|out| {
                    out.raw(b"{");
                    match refused {
                        Refused::Error(error) => describe(&error, out.key("error")),
                        Refused::Wants(variable) => drop(out.member("variable", &variable)),
                    }
                    out.raw(b"}");
                });
            })
            .ok()
    }

    /// Begins to open a response. In the input are the JSON text of the call, and of the request's body if it has one.
    pub fn open(&self, length: usize) -> Option<Engine> {
        match &self.0 {
            Part::Connection(connection) => Some(Engine(Part::Opening(Box::new(connection.open(length))))),
            _ => None,
        }
    }

    /// Does an operation, with `length` bytes of input. What comes of it is in the report. An operation of another part does
    /// nothing.
    pub fn call(&mut self, operation: u32, length: usize, a: f64, b: f64, c: f64) {
        match (&mut self.0, operation) {
            (Part::Decoder(decoder), operations::PUSH) => decoder.push(length, a, b),
            (Part::Decoder(decoder), operations::END) => decoder.end(length, a, b),
            (Part::Decoder(decoder), operations::TICK) => decoder.tick(a, b),
            (Part::Decoder(decoder), operations::SET_OUTPUT) => decoder.set_output(length),
            (Part::Decoder(decoder), operations::LACKS_USAGE) => memory::say(decoder.lacks_usage()),
            (Part::Decoder(decoder), operations::OUTCOME) => decoder.outcome(length),
            (Part::Decoder(decoder), operations::COMPLETION) => decoder.completion(),
            (Part::EventStream(stream), operations::FEED) => stream.feed(length),
            (Part::EventStream(stream), operations::FINISH) => stream.end(),
            (Part::Opening(opening), operations::STEP) => opening.step(length, a, b, c),
            (Part::Connection(connection), operations::ACCOUNT) => connection.account(length, a as usize),
            (Part::Connection(connection), operations::USAGE) => connection.usage(),
            (Part::Connection(connection), operations::KNOWS_SCHEMAS) => memory::say(connection.knows_schemas()),
            _ => {}
        }
    }
}

/// How many UTF-16 units of the text in the input were heard whole, when so many were spoken.
#[wasm_bindgen]
pub fn heard(length: usize, units: f64) -> usize {
    memory::input(length, |text| {
        let text = str::from_utf8(text).unwrap_or_default();
        stream::heard(text, units as u64).chars().map(char::len_utf16).sum()
    })
}
