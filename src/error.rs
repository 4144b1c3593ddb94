//! Errors, by name.
//!
//! The names are those of the JavaScript classes, so that one table in the documentation serves both languages. No error
//! carries a key or the content of a message; what a server says passes through `redact` on its way here.

use std::fmt;

use crate::attempt::Attempt;
use crate::problem::Problem;
use crate::redact::{is_spelled_in, scrub, scrub_cut};
pub use crate::server_error::name_for_status;
use crate::server_error::{Said, advice};
use crate::text::{bounded, cut, find, joined, push_integer, push_number};
use crate::trouble::{Refusal, Trouble};
use crate::waits;

/// The most of an error body that is worth reading, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The advice for a host whose `fetch` has limits of its own.
pub(crate) const HOST_LIMIT: &str = "The host's own fetch gave up before the time that `timeout` allows: Node waits 300 s for \
    headers and between two pieces of a body, Bun 300 s in all. Ask for a stream, or pass as `fetch` one without that limit: \
    in Node undici's, with a dispatcher `new Agent({ headersTimeout: 0, bodyTimeout: 0 })`, in Bun `(url, init) => fetch(url, { ...init, timeout: false })`.";

/// Whether a host's words for a failure say that a time limit of its own ran out.
pub(crate) fn is_host_limit(reason: &str) -> bool {
    [
        "Headers Timeout Error",
        "Body Timeout Error",
        "UND_ERR_HEADERS_TIMEOUT",
        "UND_ERR_BODY_TIMEOUT",
        "The operation timed out",
    ]
    .iter()
    .any(|words| find(reason, words).is_some())
}

/// Why a call failed.
///
/// ```
/// use chatwire::error::{Error, ErrorKind};
///
/// let body = r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#;
/// let error = Error::from_response(429, Vec::new(), body, None);
/// assert_eq!(error.name(), "RateLimitError");
/// assert_eq!(error.to_string(), "429 Rate limit reached");
/// assert_eq!((&error.kind, error.retry_at()), (&ErrorKind::RateLimit, None));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// A sentence: the cause, and how to fix it.
    pub message: String,
    /// A word for programs: the server's `error.code`, or the decoder's.
    pub code: Option<String>,
    /// The response of the server, where there was one.
    pub response: Option<Box<ErrorResponse>>,
    /// The attempts made, and the result of each.
    pub attempts: Vec<Attempt>,
    /// The trouble that the error stands for: whether to retry, here or elsewhere.
    pub trouble: Trouble,
    /// When to come back; infinity where that is not known. A number alone, so that results stay small.
    retry_at: f64,
}

/// The kind of a failure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A client that cannot work as it was set up.
    Configuration,
    /// Found before sending: the request or an option is invalid.
    InvalidRequest {
        /// Every problem there is.
        details: Vec<Problem>,
    },
    /// A refusal with a status that has no kind of its own.
    Api,
    /// 400: the request is malformed, asks for something unsupported, or is longer than the context.
    BadRequest,
    /// 401: the key is missing or wrong.
    Authentication,
    /// 403: the key is good, but not for this.
    PermissionDenied,
    /// 404: no such model or path.
    NotFound,
    /// 409.
    Conflict,
    /// 422.
    UnprocessableEntity,
    /// 429: too much at once.
    RateLimit,
    /// 500 and above: the server failed.
    InternalServer,
    /// No answer: no network, no such host, CORS, a connection cut.
    Connection,
    /// No answer within the time given.
    ConnectionTimeout,
    /// The caller gave up.
    UserAbort,
    /// The stream ended before the answer did.
    Truncated,
    /// The stream fell silent.
    Stalled,
    /// The answer is not a completion, or larger than is allowed.
    Protocol,
}

/// A server's refusal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub status: u16,
    /// The response headers, keys scrubbed.
    pub headers: Vec<(String, String)>,
    /// The body's `error`, or the whole body where it has none, as JSON text; `None` when it is not JSON.
    pub error: Option<String>,
    /// The parameter at fault (OpenAI).
    pub param: Option<String>,
    /// The server's word for the sort of error.
    pub error_type: Option<String>,
    /// The details of the error, as JSON text (Electron: a list of `{code, message, path}`).
    pub details: Option<String>,
    /// Names the request for the service's support: from the body, else from `X-Request-Id`.
    pub request_id: Option<String>,
}

impl ErrorKind {
    /// The name of the JavaScript class.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Configuration => "ChatwireError",
            Self::InvalidRequest { .. } => "InvalidRequestError",
            Self::Api => "APIError",
            Self::BadRequest => "BadRequestError",
            Self::Authentication => "AuthenticationError",
            Self::PermissionDenied => "PermissionDeniedError",
            Self::NotFound => "NotFoundError",
            Self::Conflict => "ConflictError",
            Self::UnprocessableEntity => "UnprocessableEntityError",
            Self::RateLimit => "RateLimitError",
            Self::InternalServer => "InternalServerError",
            Self::Connection => "APIConnectionError",
            Self::ConnectionTimeout => "APIConnectionTimeoutError",
            Self::UserAbort => "APIUserAbortError",
            Self::Truncated => "TruncatedError",
            Self::Stalled => "StalledError",
            Self::Protocol => "ProtocolError",
        }
    }

    /// The kind with this class name; [`Configuration`](Self::Configuration) for a name that is none of them.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        const KINDS: [ErrorKind; 16] = [
            ErrorKind::Api,
            ErrorKind::BadRequest,
            ErrorKind::Authentication,
            ErrorKind::PermissionDenied,
            ErrorKind::NotFound,
            ErrorKind::Conflict,
            ErrorKind::UnprocessableEntity,
            ErrorKind::RateLimit,
            ErrorKind::InternalServer,
            ErrorKind::Connection,
            ErrorKind::ConnectionTimeout,
            ErrorKind::UserAbort,
            ErrorKind::Truncated,
            ErrorKind::Stalled,
            ErrorKind::Protocol,
            ErrorKind::InvalidRequest { details: Vec::new() },
        ];
        KINDS
            .into_iter()
            .find(|kind| kind.name() == name)
            .unwrap_or(Self::Configuration)
    }

    /// The trouble it stands for, where no more is known.
    fn trouble(&self) -> Trouble {
        match self {
            Self::Connection => Trouble::Connection,
            Self::ConnectionTimeout => Trouble::Timeout,
            Self::RateLimit => Trouble::Limit,
            Self::InternalServer => Trouble::Server,
            Self::Truncated | Self::Stalled => Trouble::Broken,
            Self::Protocol => Trouble::Unreadable,
            _ => Trouble::Request,
        }
    }
}

impl Error {
    /// An error of some kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            trouble: kind.trouble(),
            kind,
            message: message.into(),
            code: None,
            response: None,
            attempts: Vec::new(),
            retry_at: f64::INFINITY,
        }
    }

    /// An invalid request or option. The message names the first problem and counts the others.
    #[must_use]
    pub fn invalid(details: Vec<Problem>) -> Self {
        let mut message = details.first().map(Problem::sentence).unwrap_or_default();
        if details.len() > 1 {
            message.push_str(" (and ");
            push_integer(&mut message, details.len() as u64 - 1);
            message.push_str(" more: see details)");
        }
        Self::new(ErrorKind::InvalidRequest { details }, message)
    }

    /// No answer came. `reason` is the host's message, which in a browser names no cause (`Failed to fetch`).
    #[must_use]
    pub fn connection(reason: &str, key: Option<&str>) -> Self {
        let mut message = String::from("Connection error: ");
        message.push_str(match reason.is_empty() {
            true => "the request could not be sent or was not answered",
            false => reason,
        });
        message.push_str(". Check the base URL and the network; in a page, also CORS.");
        Self::new(ErrorKind::Connection, bounded(scrub(message, key)))
    }

    /// The time for an answer ran out: the setting of `timeout` that says how long, and its milliseconds.
    #[must_use]
    pub fn timeout(setting: &str, ms: f64) -> Self {
        let mut message = String::from("The server did not answer within ");
        push_number(&mut message, ms.max(0.0));
        message.push_str(&joined(&[" ms (timeout.", setting, ")."]));
        let mut error = Self::new(ErrorKind::ConnectionTimeout, message);
        if setting == "total" {
            // No time is left for another try.
            error.trouble = Trouble::Request;
        }
        error
    }

    /// The host's own `fetch` gave up by a limit of its own, which `reason` names.
    #[must_use]
    pub fn host_limit(reason: &str) -> Self {
        let mut error = Self::new(
            ErrorKind::ConnectionTimeout,
            joined(&[HOST_LIMIT, " The host says: ", reason, "."]),
        );
        error.code = Some("host_limit".to_owned());
        error.trouble = Trouble::HostLimit;
        error
    }

    /// The caller gave up.
    #[must_use]
    pub fn aborted() -> Self {
        Self::new(ErrorKind::UserAbort, "Request was aborted.")
    }

    /// The error of a response with an error status, from a body of any kind: JSON of any shape, HTML, text, nothing.
    ///
    /// `body` may be cut off at [`MAX_BODY_BYTES`]; what lies beyond is not looked at. `key` is scrubbed from all of it.
    #[must_use]
    pub fn from_response(status: u16, headers: Vec<(String, String)>, body: &str, key: Option<&str>) -> Self {
        // However much was read, it may end in the middle of a key.
        let body = scrub_cut(cut(body, MAX_BODY_BYTES).to_owned(), key);
        let mut headers = headers;
        for (name, value) in &mut headers {
            name.make_ascii_lowercase();
            *value = scrub(std::mem::take(value), key);
        }
        let said = Said::of_body(body.trim_ascii());
        let refusal = Refusal {
            status: Some(status),
            code: &said.code,
            error_type: &said.error_type,
            message: &said.message,
        };
        let all = joined(&[&body, "\n", &said.message]);
        let trouble = Trouble::told(refusal, waits::in_text(&all).is_some());
        let tidy = |said: String| Some(bounded(scrub(said, key))).filter(|said| !said.is_empty());
        let json = |said: String| Some(said).filter(|said| !said.is_empty() && !is_spelled_in(said, key));

        let mut message = String::new();
        push_integer(&mut message, u64::from(status));
        message.push(' ');
        match tidy(said.message) {
            Some(text) => message.push_str(&text),
            None => message.push_str(advice(status)),
        }
        let response = ErrorResponse {
            status,
            error: json(said.error),
            param: tidy(said.param),
            error_type: tidy(said.error_type),
            details: json(said.details),
            request_id: tidy(said.request_id).or_else(|| header(&headers, "x-request-id").map(ToOwned::to_owned)),
            headers,
        };
        let kind = match trouble {
            // A limit counts as one whatever status a server gives it.
            Trouble::Limit => ErrorKind::RateLimit,
            _ => ErrorKind::from_name(name_for_status(u64::from(status))),
        };
        Self {
            trouble,
            kind,
            message,
            code: tidy(said.code),
            response: Some(Box::new(response)),
            attempts: Vec::new(),
            retry_at: f64::INFINITY,
        }
    }

    /// The same error with the time to come back, in milliseconds on the clock of the caller.
    #[must_use]
    pub fn with_retry_at(mut self, at: Option<f64>) -> Self {
        self.retry_at = at.unwrap_or(f64::INFINITY);
        self
    }

    /// The name of the JavaScript class: `RateLimitError`, `TruncatedError`, …
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether another server may answer where this one did not.
    #[must_use]
    pub fn may_fall_back(&self) -> bool {
        self.trouble.fallback().is_some()
    }

    /// The HTTP status, where there was a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.response.as_ref().map(|response| response.status)
    }

    /// Names the request for the service's support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.response.as_ref()?.request_id.as_deref()
    }

    /// When to come back, in milliseconds on the clock of the caller: of any refusal, or error in a stream's first event, in which
    /// the server writes a wait, and of a call that was held back. `None` where that is not known.
    ///
    /// ```
    /// use chatwire::error::Error;
    ///
    /// let error = Error::from_response(503, Vec::new(), "", None).with_retry_at(Some(1_795_262_430_000.0));
    /// assert_eq!((error.name(), error.retry_at()), ("InternalServerError", Some(1_795_262_430_000.0)));
    /// ```
    #[must_use]
    pub fn retry_at(&self) -> Option<f64> {
        Some(self.retry_at).filter(|at| at.is_finite())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::invalid(vec![problem])
    }
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Self {
        Self::invalid(problems)
    }
}

/// A header's value, whatever the case of its name.
#[must_use]
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
