//! What JavaScript holds of the engine: one class for all of it, and one call for all that it does.
//!
//! A class or a method of its own costs what ten lines of code do, here and in the glue. `npm/engine/boundary.ts` has the numbers.

use wasm_bindgen::prelude::*;

use super::connection::{Connection, Opening, Refused};
use super::decoder::Decoder;
use super::descriptor::describe;
use super::event_stream::EventStream;
use super::memory;
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
    /// Makes a part by its number: 0 a connection, 1 a decoder, by the JSON text of its options in the input; 2 an event
    /// stream, by the most bytes an event may have. Where nothing is made, the output says why.
    pub fn make(kind: u32, length: usize) -> Option<Engine> {
        let made = match kind {
            0 => memory::input(length, Connection::make).map(Part::Connection),
            1 => memory::input(length, Decoder::make)
                .map(|decoder| Part::Decoder(Box::new(decoder)))
                .map_err(Refused::Error),
            _ => Ok(Part::EventStream(Box::new(EventStream::new(length)))),
        };
        made.map(Engine)
            .map_err(|refused| {
                memory::write(|out| match refused {
                    Refused::Error(error) => describe(&error, out),
                    Refused::Wants(variable) => drop(out.raw(b"{").member("variable", &variable).raw(b"}")),
                })
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

    /// Does something, by its number.
    pub fn call(&mut self, what: u32, length: usize, a: f64, b: f64, c: f64) -> f64 {
        let put_out = match (&mut self.0, what) {
            (Part::Decoder(decoder), 0) => return decoder.push(length, a, b),
            (Part::Decoder(decoder), 1) => return decoder.end(length, a, b),
            (Part::Decoder(decoder), 2) => return decoder.tick(a, b),
            (Part::Decoder(decoder), 3) => decoder.outcome(length, a > 0.0),
            (Part::Decoder(decoder), 4) => decoder.completion(),
            (Part::Decoder(decoder), 5) => {
                decoder.set_output(length);
                0
            }
            (Part::EventStream(stream), 0) => stream.feed(length),
            (Part::EventStream(stream), 1) => stream.end(),
            (Part::Opening(opening), 0) => opening.step(length, a, b, c),
            (Part::Connection(connection), 0) => {
                connection.account(length, a as usize);
                0
            }
            (Part::Connection(connection), 1) => usize::from(connection.json_schema()),
            _ => 0,
        };
        put_out as f64
    }

    /// What all calls of a connection have used so far.
    pub fn usage(&self) -> JsValue {
        match &self.0 {
            Part::Connection(connection) => connection.usage(),
            _ => JsValue::NULL,
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
