//! Attempts to get an answer, as outcomes and errors list them.

use serde::Deserialize;

use crate::json::Writer;

/// One attempt to get an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Attempt {
    /// The provider that was asked.
    pub provider: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// `ok`, or the name of the error; `cooldown` or `limits` where nothing was sent.
    pub reason: String,
}

/// A list of attempts, as outcomes and errors have it.
pub(crate) fn write_attempts(attempts: &[Attempt], out: &mut Writer) {
    out.raw(b"[");
    for attempt in attempts {
        out.comma()
            .raw(b"{")
            .member("provider", &attempt.provider)
            .key("status");
        match attempt.status {
            Some(status) => out.integer(u64::from(status)),
            None => out.raw(b"null"),
        };
        out.member("reason", &attempt.reason).raw(b"}");
    }
    out.raw(b"]");
}
