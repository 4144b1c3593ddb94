//! The JavaScript boundary of the npm package: converts and awaits, and decides nothing.
//!
//! Streams cross it as bytes in one shared buffer and JSON text in another; requests, options and errors as plain objects.

mod connection;
mod decoder;
mod descriptor;
mod event_stream;
mod memory;
mod options;
