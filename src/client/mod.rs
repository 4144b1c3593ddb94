//! The client for Rust on wasm32: the core, and the host's `fetch`.

pub(crate) mod accounts;
pub(crate) mod connection;
pub(crate) mod host;
