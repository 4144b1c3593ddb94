//! Whether all of the engine is there.
//!
//! A page loads the engine in two halves: at first what a plain stream needs, the rest when something is not plain.
//! `scripts/split.mjs` lists the functions in which the rest begins. While it [`is_away`] nothing may call them. So whoever
//! reads what is not plain looks here first, and asks the shell to load the rest; what is only made of such things, a place
//! within limits or a tool call, needs no look.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use wasm_bindgen::prelude::*;

static IS_AWAY: AtomicBool = AtomicBool::new(false);

/// Whether only the first half is there.
pub(super) fn is_away() -> bool {
    IS_AWAY.load(Relaxed)
}

/// Tells which half is there: `true` when there is no rest yet.
#[wasm_bindgen(js_name = setAway)]
pub fn set_away(is_away: bool) {
    IS_AWAY.store(is_away, Relaxed);
}
