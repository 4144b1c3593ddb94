//! The request to send, when to send it again, and what it costs: every decision that needs no I/O.
//!
//! Time is milliseconds on one clock of the caller's choice, and a random number is a number in 0..1; both are arguments.

#[cfg(all(target_arch = "wasm32", any(feature = "client", feature = "npm")))]
pub(crate) mod accounts;
pub mod breaker;
pub mod hedge;
pub mod keys;
pub mod limits;
#[cfg(all(target_arch = "wasm32", any(feature = "client", feature = "npm")))]
pub(crate) mod opening;
pub mod quota;
pub mod retry;
#[cfg(all(target_arch = "wasm32", any(feature = "client", feature = "npm")))]
pub(crate) mod sending;
pub mod timeouts;
pub mod validate;

pub use crate::problem::{Problem, Severity};
pub use validate::{Validation, validate};
