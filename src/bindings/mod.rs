//! The JavaScript boundary of the npm package: converts, and decides nothing.
//!
//! Everything crosses as numbers and as bytes in two shared buffers: what a stream brings, and JSON text for the rest.

mod allocator;
mod connection;
mod decoder;
mod descriptor;
mod engine;
mod event_stream;
mod memory;
mod operations;
mod options;
mod settings;
