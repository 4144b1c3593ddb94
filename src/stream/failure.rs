//! The error that ended a stream, as the descriptor that crosses the boundary.

use crate::error::{HOST_LIMIT, is_host_limit};
use crate::json::{Reader, Writer};
use crate::server_error::{Said, name_for_status};
use crate::text::{bounded, joined, lossy};
use crate::waits;

/// An error by its class name, with what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    pub(super) name: &'static str,
    pub(super) message: String,
    pub(super) code: String,
    status: Option<u64>,
    param: String,
    error_type: String,
    /// JSON text, as is the server's own error, whole.
    details: String,
    error: Vec<u8>,
}

impl Failure {
    pub(super) fn new(name: &'static str, code: &str, message: &str) -> Self {
        Failure {
            name,
            message: message.to_owned(),
            code: code.to_owned(),
            ..Failure::default()
        }
    }

    /// Adds the host's message.
    pub(super) fn add_reason(&mut self, reason: &str) {
        if is_host_limit(reason) {
            "host_limit".clone_into(&mut self.code);
            self.message.push(' ');
            self.message.push_str(HOST_LIMIT);
        }
        if !reason.is_empty() {
            self.message.push_str(" The host says: ");
            self.message.push_str(&bounded(reason.to_owned()));
        }
    }

    /// From an error that a server put into its stream: an object, a string, or something else. `around` is the chunk that
    /// it came in, which may know more of it.
    pub(super) fn in_band(raw: &[u8], around: &[u8]) -> Self {
        let mut said = Said::default();
        for json in [raw, around] {
            // Both were read once already. Where they are the same, the second adds nothing.
            let _ = said.read(&mut Reader::new(json), 0);
        }
        let own = matches!(raw.first(), Some(b'{' | b'[' | b'"'));
        let mut failure = Failure {
            name: said.status.map_or("APIError", name_for_status),
            message: bounded(said.message),
            code: bounded(said.code),
            status: said.status,
            param: said.param,
            error_type: said.error_type,
            details: said.details,
            error: if own { raw } else { around }.to_vec(),
        };
        if failure.message.is_empty() {
            failure
                .message
                .push_str("The server reported an error in the stream and did not say which.");
        }
        failure
    }

    /// When to come back, where the server named a time for it and is not at odds with the request. `now` is the time since 1970.
    fn retry_at(&self, now: f64) -> Option<f64> {
        if self.error.is_empty() || matches!(self.status, Some(400 | 401 | 403 | 404 | 422)) {
            return None;
        }
        let wait = waits::in_text_at(&joined(&[&lossy(&self.error), "\n", &self.message]), now)?;
        Some(now + wait.min(waits::LONGEST_NAMED_MS))
    }

    /// Writes the descriptor. `now` is the time since 1970 when the stream ended, if that is known.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn write(&self, now: Option<f64>, out: &mut Writer) {
        out.raw(b"{").member("name", self.name).member("message", &self.message);
        for (name, text) in [("code", &self.code), ("param", &self.param), ("type", &self.error_type)] {
            if !text.is_empty() {
                out.member(name, text);
            }
        }
        if let Some(status) = self.status {
            out.key("status").integer(status);
        }
        if let Some(at) = now.and_then(|now| self.retry_at(now)) {
            out.key("retryAt").milliseconds(Some(at));
        }
        for (name, json) in [("details", self.details.as_bytes()), ("error", &self.error)] {
            if !json.is_empty() {
                out.raw_member(name, json);
            }
        }
        out.raw(b"}");
    }
}
