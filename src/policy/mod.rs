//! What to send, when to send it again, and what it costs: every decision that needs no I/O.
//!
//! Time is milliseconds on one clock of the caller's choice, and a random number is a number in 0..1; both are arguments.

#[cfg(target_arch = "wasm32")]
pub(crate) mod accounts;
pub mod breaker;
pub mod cost;
pub mod estimate;
pub mod limits;
#[cfg(target_arch = "wasm32")]
pub(crate) mod opening;
mod problem;
pub mod redact;
pub mod retry;
pub mod timeouts;
pub mod validate;

#[cfg(target_arch = "wasm32")]
pub(crate) use problem::write_problems;
pub use problem::{Problem, Severity};
pub(crate) use problem::{integer, joined, push_integer, push_number};
pub use validate::{Validation, validate};
