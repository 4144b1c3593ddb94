//! A named reason not to send a request, or not to take an option.
//!
//! Its shape is that of `error.details` in Electron's answers, so that what is found before sending reads like what the
//! server would have said. It never quotes a value: messages and keys must not reach an error text.

use std::fmt;

#[cfg(target_arch = "wasm32")]
use crate::json::Writer;

/// Whether a problem stops a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The service documents that it rejects this, or an option cannot be meant.
    Refused,
    /// Legal, and probably not what the caller wants. Refused only when asked to be strict.
    Suspicious,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A word for programs: `out_of_range`, `wrong_type`, `required`, …
    pub code: &'static str,
    /// A sentence for people: what is wrong and what to do.
    pub message: String,
    /// The place, from the outside in: `["messages", "0", "content"]`.
    pub path: Vec<String>,
    /// Whether it stops the request.
    pub severity: Severity,
}

impl Problem {
    /// A problem that stops the request.
    #[must_use]
    pub fn refused(code: &'static str, path: &[&str], message: impl Into<String>) -> Self {
        let mut problem = Self {
            code,
            message: message.into(),
            path: Vec::new(),
            severity: Severity::Refused,
        };
        for part in path {
            problem.path.push((*part).to_owned());
        }
        problem
    }

    /// A problem worth a warning.
    #[must_use]
    pub fn suspicious(code: &'static str, path: &[&str], message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Suspicious,
            ..Self::refused(code, path, message)
        }
    }

    /// Path and message in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = String::new();
        for (level, part) in self.path.iter().enumerate() {
            text.push_str(if level > 0 { "." } else { "" });
            text.push_str(part);
        }
        text.push_str(if text.is_empty() { "" } else { ": " });
        text.push_str(&self.message);
        text
    }
}

#[cfg(target_arch = "wasm32")]
/// JSON text of problems, in the shape of a server's `details`.
pub(crate) fn write_problems(problems: &[Problem], out: &mut Writer) {
    out.raw(b"[");
    for problem in problems {
        out.comma()
            .raw(b"{")
            .member("code", problem.code)
            .member("message", &problem.message)
            .key("path")
            .raw(b"[");
        for part in &problem.path {
            out.comma().string(part);
        }
        out.raw(b"]}");
    }
    out.raw(b"]");
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence())
    }
}

/// One text of several. `concat` is the same, and a kilobyte for each way it is called.
pub(crate) fn joined(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(part);
    }
    text
}

/// Appends a number for people to read: whole, or with up to six decimals. The standard formatter of floats would be the
/// largest part of the module this ends up in.
pub(crate) fn push_number(text: &mut String, value: f64) {
    if value < 0.0 {
        text.push('-');
    }
    let value = value.abs();
    if value > 1e12 || value.is_nan() {
        text.push_str(if value.is_nan() { "NaN" } else { "a very large number" });
        return;
    }
    let millionths = (value * 1e6 + 0.5) as u64;
    push_integer(text, millionths / 1_000_000);
    let mut fraction = millionths % 1_000_000;
    let mut place = 100_000;
    if fraction > 0 {
        text.push('.');
    }
    while fraction > 0 {
        text.push(char::from(b'0' + (fraction / place) as u8));
        fraction %= place;
        place /= 10;
    }
}

/// Appends a whole number.
pub(crate) fn push_integer(text: &mut String, number: u64) {
    if number >= 10 {
        push_integer(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// A whole number as text: an index in a path.
pub(crate) fn integer(number: usize) -> String {
    let mut text = String::new();
    push_integer(&mut text, number as u64);
    text
}
