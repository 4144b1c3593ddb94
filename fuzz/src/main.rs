//! The fuzzer: one program for all targets; `CHATWIRE_FUZZ` names the one to run. `scripts/fuzz.mjs` builds and starts it.

#![no_main]

mod addresses;
mod properties;

use std::sync::LazyLock;

/// The target that was asked for.
static TARGET: LazyLock<properties::Target> = LazyLock::new(|| {
    let name = std::env::var("CHATWIRE_FUZZ").unwrap_or_default();
    match properties::TARGETS.iter().find(|(known, _)| *known == name) {
        // The same, and what only the fuzzer's own dependencies can tell.
        Some(("base-url", _)) => addresses::base_url,
        Some((_, target)) => *target,
        None => panic!("CHATWIRE_FUZZ names no target: {name:?}"),
    }
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
