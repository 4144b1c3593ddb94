//! A named reason not to send a request, or not to take an option.
//!
//! Its shape is that of `error.details` in Electron's answers, so that what is found before sending reads like what the
//! server would have said. A problem never quotes a value: messages and keys must not reach an error text.

use std::fmt;

#[cfg(all(target_arch = "wasm32", any(feature = "client", feature = "npm")))]
use crate::json::Writer;

/// Whether a problem stops a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The service documents that it rejects this, or an option is invalid.
    Refused,
    /// Legal, and probably not what the caller wants. Refused only when asked to be strict.
    Suspicious,
}

/// A named problem and its place.
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

/// JSON text of problems, in the shape of a server's `details`.
#[cfg(all(target_arch = "wasm32", any(feature = "client", feature = "npm")))]
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
