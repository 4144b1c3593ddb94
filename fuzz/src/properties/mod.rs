//! Properties that have to hold for any bytes: a function for each target of the fuzzer, which panics where it does not
//! hold.
//!
//! `tests/fuzz.rs` runs the same functions over the corpus in `cargo test`. The first bytes of an input are the
//! settings of its run, so that the fuzzer finds those too.

mod answers;
mod framing;
mod json;
pub mod requests;
#[path = "../../../tests/same/mod.rs"]
mod same;
mod sentences;

/// The function of a target, called with an input.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("framing", framing::framing),
    ("decoder", answers::decoder),
    ("differential", answers::differential),
    ("json", json::json_scanner),
    ("partial-json", json::partial_json),
    ("error-body", requests::error_body),
    ("validation", requests::validation),
    ("base-url", requests::base_url),
    ("redaction", requests::redaction),
    ("retry", requests::retry),
    ("sentences", sentences::sentences),
];

/// The settings at the start of an input, and the rest of it.
fn settings<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let mut settings = [0; N];
    let (own, rest) = bytes.split_at(N.min(bytes.len()));
    for (setting, byte) in settings.iter_mut().zip(own) {
        *setting = *byte;
    }
    (settings, rest)
}

/// Pieces of the bytes, of lengths that a number decides.
fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    match seed {
        0 => vec![bytes],
        1..=64 => bytes.chunks(usize::from(seed)).collect(),
        _ => {
            let mut pieces = Vec::new();
            let (mut rest, mut state) = (bytes, u32::from(seed));
            while !rest.is_empty() {
                state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                let (piece, after) = rest.split_at(((state >> 16) as usize % 97).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces
        }
    }
}
