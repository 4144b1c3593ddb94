//! How a stream ends. An ending is a value: the part that finds it returns it, and only the face of the decoder acts on it.

use serde::Deserialize;

use super::failure::Failure;
use super::repairs::Repair;
use crate::text::{cut, joined};

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// `[DONE]`, or the body ended after every choice had its finish reason.
    Complete,
    /// The body ended, or the connection was lost, before that.
    Truncated,
    /// A timeout for the first token, for silence or for the whole ran out.
    Stalled,
    /// The caller left.
    Aborted,
    /// The server reported an error within the stream, or the decoder refused what came.
    Error,
}

impl Status {
    /// The word in the outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Truncated => "truncated",
            Status::Stalled => "stalled",
            Status::Aborted => "aborted",
            Status::Error => "error",
        }
    }
}

/// The status of an ended stream, and what ended it unless the stream is complete.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: Status,
    pub(super) failure: Option<Failure>,
    /// The decoder refuses the stream; no server said so and no connection ended.
    pub(super) is_refusal: bool,
}

/// The result of taking something in: a value, or the end of the stream. Boxed, so that the usual result is one word.
pub(super) type Taken<T = ()> = Result<T, Box<Ending>>;

impl Ending {
    fn of(status: Status, name: &'static str, code: &str, message: &str) -> Box<Self> {
        Box::new(Ending {
            status,
            failure: Some(Failure::new(name, code, message)),
            is_refusal: false,
        })
    }

    pub(super) fn complete() -> Box<Self> {
        Box::new(Ending {
            status: Status::Complete,
            failure: None,
            is_refusal: false,
        })
    }

    /// The body ended before the answer did.
    pub(super) fn truncated() -> Box<Self> {
        let message = "The stream ended before the answer did: no finish reason and no [DONE] arrived.";
        Self::of(Status::Truncated, "TruncatedError", "truncated", message)
    }

    /// The connection was lost before the answer was complete.
    pub(super) fn lost() -> Box<Self> {
        let message = "The connection was lost before the answer was complete.";
        Self::of(Status::Truncated, "TruncatedError", "truncated", message)
    }

    /// The body is over and answered nothing but these words.
    pub(super) fn empty(words: &str) -> Box<Self> {
        let message = "The server's answer has nothing in it: no text, no tool call, no finish reason. Ask again, or check the \
                       base URL and the model.";
        let mut ending = Self::of(Status::Truncated, "TruncatedError", "empty_answer", message);
        ending.quote(words);
        ending
    }

    /// The body is none that this reader knows.
    pub(super) fn unknown(words: &str) -> Box<Self> {
        let message = "The server answered something that is neither an event stream nor JSON. Check the base URL.";
        let mut ending = Self::refused("body.not_an_event_stream", message);
        ending.quote(words);
        ending
    }

    /// Adds what the server said in place of an answer.
    fn quote(&mut self, words: &str) {
        if let Some(failure) = self.failure.as_mut().filter(|_| !words.is_empty()) {
            failure.message = joined(&[&failure.message, " The server says: ", cut(words, 240)]);
        }
    }

    /// The server gave a finish reason that stands for a failure.
    pub(super) fn failed(reason: &str) -> Box<Self> {
        let reason = cut(reason, 120);
        let message = joined(&[
            "The server ended its answer with the finish reason `",
            reason,
            "`, which says that it failed. Ask again.",
        ]);
        Self::of(Status::Error, "APIError", reason, &message)
    }

    pub(super) fn stalled(code: &str, message: &str) -> Box<Self> {
        Self::of(Status::Stalled, "StalledError", code, message)
    }

    pub(super) fn aborted() -> Box<Self> {
        let message = "The request was aborted by its caller.";
        Self::of(Status::Aborted, "APIUserAbortError", "aborted", message)
    }

    /// An error that the server reported: `raw`, found in the chunk or event `around`.
    pub(super) fn in_band(raw: &[u8], around: &[u8]) -> Box<Self> {
        Box::new(Ending {
            status: Status::Error,
            failure: Some(Failure::in_band(raw, around)),
            is_refusal: false,
        })
    }

    /// The decoder does not go on with this stream.
    pub(super) fn refused(code: &str, message: &str) -> Box<Self> {
        let mut ending = Self::of(Status::Error, "ProtocolError", code, message);
        ending.is_refusal = true;
        ending
    }

    /// Strict decoding refuses a stream that would need this repair.
    #[cold]
    pub(super) fn strict(repair: Repair) -> Box<Self> {
        let message = joined(&[
            "The stream would need the repair ",
            repair.code(),
            ", which strict decoding refuses.",
        ]);
        Self::refused(repair.code(), &message)
    }

    pub(super) fn event_too_large() -> Box<Self> {
        Self::refused("limit.event_bytes", "One event grew past `limits.maxEventBytes`.")
    }
}
