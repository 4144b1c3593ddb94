//! A client for OpenAI-compatible chat completions: one engine for browser pages, edge workers and Rust web apps.
//!
//! The core ([`sse`], [`stream`], [`chat`], [`provider`], [`policy`] and what they stand on) does no I/O, reads no clock and knows no JavaScript;
//! it runs natively. On `wasm32` the `client` module (feature `client`, on by default) sends the requests through the host's
//! `fetch`.

// The npm build is compiled for size; with this, the functions that run for each event are compiled for speed. Only a nightly
// feature allows that.
#![cfg_attr(chatwire_speed, feature(optimize_attribute))]
// A panic in WebAssembly leaves promises pending for ever: nothing from outside may cause one.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod attempt;
pub mod chat;
#[cfg(all(target_arch = "wasm32", feature = "client"))]
pub mod client;
pub mod error;
pub mod json;
pub mod policy;
pub mod problem;
pub mod provider;
pub mod redact;
mod server_error;
pub mod sse;
pub mod stream;
mod text;
pub mod trouble;
pub mod usage;
pub mod waits;

#[cfg(all(target_arch = "wasm32", feature = "npm"))]
mod bindings;

#[cfg(all(target_arch = "wasm32", feature = "client"))]
pub use client::{CallOptions, ChatStream, Client, ClientBuilder, js};
pub use error::Error;
pub use provider::Provider;
