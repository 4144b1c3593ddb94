//! Errors as JSON text, which the facade makes instances of its classes from.

use crate::attempt::write_attempts;
use crate::error::{Error, ErrorKind};
use crate::json::Writer;
use crate::problem::write_problems;

/// The descriptor of an error.
pub(super) fn describe(error: &Error, out: &mut Writer) {
    out.raw(b"{")
        .member("name", error.name())
        .member("message", &error.message);
    if let Some(code) = &error.code {
        out.member("code", code);
    }
    if let ErrorKind::InvalidRequest { details } = &error.kind {
        write_problems(details, out.key("details"));
    }
    if let Some(response) = &error.response {
        out.key("status").integer(u64::from(response.status));
        for (name, value) in [
            ("param", &response.param),
            ("type", &response.error_type),
            ("requestID", &response.request_id),
        ] {
            if let Some(value) = value {
                out.member(name, value);
            }
        }
        for (name, value) in [("error", &response.error), ("details", &response.details)] {
            if let Some(value) = value {
                out.raw_member(name, value.as_bytes());
            }
        }
        out.key("headers").raw(b"[");
        for (name, value) in &response.headers {
            out.comma().raw(b"[").string(name).raw(b",").string(value).raw(b"]");
        }
        out.raw(b"]");
    }
    if let Some(at) = error.retry_at() {
        out.key("retryAt").milliseconds(Some(at));
    }
    if let Some(word) = error.trouble.fallback() {
        out.member("fallback", word);
    }
    if !error.attempts.is_empty() {
        out.key("attempts");
        write_attempts(&error.attempts, out);
    }
    out.raw(b"}");
}
