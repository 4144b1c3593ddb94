//! JSON as the hot path needs it, after RFC 8259: a reader that walks bytes in place, and a writer onto a byte buffer.
//!
//! This is not a document model: for that Rust callers have serde_json and JavaScript has its own.

mod reader;
mod text;
mod typed;
mod writer;

pub use reader::{Kind, MAX_DEPTH, Malformed, Reader, count, integer, is_json};
pub(crate) use reader::{
    MAX_MEMBERS, members, string_body, with_finite_numbers, with_plain_literals, with_plain_names,
};
pub(crate) use text::plain_length;
pub use text::{Str, Text, with_whole_surrogates};
#[cfg(all(target_arch = "wasm32", feature = "client"))]
pub(crate) use typed::elements;
pub(crate) use typed::typed;
pub use writer::Writer;

/// A `match` of bytes with words, one comparison a word. The code that `match` itself makes compares byte by byte, which is ten
/// bytes of code for each.
macro_rules! match_bytes {
    ($bytes:expr, { $($($word:literal)|+ $(if $guard:expr)? => $then:expr,)+ _ => $other:expr $(,)? }) => {
        $(if ($($crate::text::is($bytes, $word))||+) $(&& $guard)? { $then } else)+ { $other }
    };
}
pub(crate) use match_bytes;
