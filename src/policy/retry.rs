//! Whether to send a request again, and when. Pure: the shell waits, this decides.
//!
//! A response that has begun is never repeated: no decision is asked for once the first token was handed out.

use crate::error::header;
use crate::problem::Problem;
use crate::text::after_last;
use crate::trouble::Trouble;
use crate::waits;

/// How many attempts may follow the first unless the caller says otherwise.
pub const DEFAULT_RETRIES: u32 = 2;
/// The most attempts that may follow the first.
pub const MOST_RETRIES: u32 = 100;
/// First back-off, in milliseconds; it doubles with each attempt.
pub const BACKOFF_BASE_MS: f64 = 500.0;
/// Longest back-off, in milliseconds.
pub const BACKOFF_CAP_MS: f64 = 8_000.0;
/// A longer wait than this, in milliseconds, is not waited for: the call fails at once and says when to come back.
pub const LONGEST_WAIT_MS: f64 = 60_000.0;
pub use crate::waits::LONGEST_NAMED_MS;

/// The option `maxRetries`: how many attempts may follow the first. A fraction is cut off.
///
/// # Errors
/// A [`Problem`] at `maxRetries` for less than 0 or more than [`MOST_RETRIES`].
pub fn retries(number: f64) -> Result<u32, Problem> {
    match (0.0..=f64::from(MOST_RETRIES)).contains(&number) {
        true => Ok(number as u32),
        false => Err(Problem::refused(
            "invalid_option",
            &["maxRetries"],
            "maxRetries must be from 0 to 100",
        )),
    }
}

/// The hints of a response's headers about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hints {
    /// `x-should-retry`.
    pub should_retry: Option<bool>,
    /// How long the server asks to wait, in milliseconds, at most [`LONGEST_NAMED_MS`]. 0 for a time that has passed.
    pub wait_ms: Option<f64>,
}

impl Hints {
    /// Reads `x-should-retry`, `retry-after-ms` and `Retry-After`: seconds or a date (RFC 9110 §10.2.3), or what else
    /// [`until_reset`](waits::until_reset) reads. Any other value is as if it were not there.
    ///
    /// `epoch_ms` is the time since 1970 in milliseconds, for dates.
    ///
    /// ```
    /// use chatwire::policy::retry::Hints;
    ///
    /// let headers = [("Retry-After".to_owned(), "2".to_owned())];
    /// assert_eq!(Hints::read(&headers, 0.0).wait_ms, Some(2_000.0));
    /// ```
    #[must_use]
    pub fn read(headers: &[(String, String)], epoch_ms: f64) -> Self {
        let should_retry = match header(headers, "x-should-retry").map(str::trim_ascii) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        let exact = header(headers, "retry-after-ms").and_then(waits::decimal);
        let wait = exact.or_else(|| {
            /// 2017: a number below is no time since 1970 that a server of today names.
            const FIRST_TIME: f64 = 1.5e9;
            let after = header(headers, "retry-after")?;
            let seconds = waits::decimal(after).filter(|seconds| *seconds < FIRST_TIME);
            seconds
                .map(|seconds| seconds * 1e3)
                .or_else(|| waits::until_reset(after, epoch_ms))
        });
        Self {
            should_retry,
            wait_ms: bounded(wait),
        }
    }

    /// The same with the other places where a refusal names a wait: its body, and the headers that count limits down. The first
    /// of these that names one counts: `Retry-After`, a field or a sentence of the error, the headers it quotes, its own, and of a
    /// limit the last line of `body` where all of its numbers are times ([`only_times`](waits::only_times)).
    ///
    /// ```
    /// use chatwire::policy::retry::Hints;
    /// use chatwire::trouble::Trouble;
    ///
    /// let body = r#"{"error":{"message":"Rate limit reached. Please try again in 350ms."}}"#;
    /// assert_eq!(Hints::read_all(&[], body, Trouble::Limit, 0.0).wait_ms, Some(350.0));
    /// ```
    #[must_use]
    pub fn read_all(headers: &[(String, String)], body: &str, trouble: Trouble, epoch_ms: f64) -> Self {
        let mut hints = Self::read(headers, epoch_ms);
        // A message to people beside a plain `false` is ignored.
        let is_told = hints.wait_ms.is_some() || hints.should_retry == Some(false);
        let may_name = matches!(
            trouble,
            Trouble::Limit | Trouble::Server | Trouble::Quota | Trouble::Broken
        );
        if is_told || !may_name {
            return hints;
        }
        let mut wait = waits::in_text_at(body, epoch_ms);
        if wait.is_none() && matches!(trouble, Trouble::Limit | Trouble::Quota) {
            let quoted = waits::quoted_headers(body);
            wait = Self::read(&quoted, epoch_ms)
                .wait_ms
                .or_else(|| waits::of_limits(&quoted, epoch_ms))
                .or_else(|| waits::of_limits(headers, epoch_ms));
        }
        if wait.is_none() && trouble == Trouble::Limit {
            wait = waits::only_times(after_last(body, b'\n'));
        }
        hints.wait_ms = bounded(wait);
        hints
    }
}

fn bounded(wait: Option<f64>) -> Option<f64> {
    wait.filter(|wait| wait.is_finite())
        .map(|wait| wait.min(LONGEST_NAMED_MS))
}

/// An attempt that failed, and what may still be spent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailedAttempt {
    /// Which attempt this was, from 1.
    pub number: u32,
    /// How many may follow the first.
    pub max_retries: u32,
    /// The trouble that made the attempt fail.
    pub trouble: Trouble,
    /// The server's hints about trying again.
    pub hints: Hints,
    /// The time, on the clock that `retry_at` shall be on.
    pub now_ms: f64,
    /// A random number in 0..1.
    pub random: f64,
    /// How much longer the caller waits, in milliseconds; infinity for no limit.
    pub remaining_budget_ms: f64,
    /// How long this provider refuses everything after a 429 that names no time, in milliseconds.
    pub cooldown_ms: Option<f64>,
}

/// The decision about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// Send it again after so many milliseconds.
    Retry {
        /// How long to wait.
        after_ms: f64,
    },
    /// Give up.
    Fail {
        /// When the server will take it, where it said so or is known for it.
        retry_at: Option<f64>,
    },
}

/// Decides.
///
/// A request is retried where the trouble may pass ([`Trouble::is_passing`]), or where `x-should-retry` says so. A wait beyond
/// the caller's budget, or beyond a minute, fails at once: calls into a cooldown prolong it.
#[must_use]
pub fn decide(attempt: &FailedAttempt) -> Decision {
    let named = named_wait(attempt);
    let fail = Decision::Fail {
        retry_at: named.map(|wait| attempt.now_ms + wait),
    };
    let may_pass = attempt.hints.should_retry.unwrap_or(attempt.trouble.is_passing());
    if attempt.number > attempt.max_retries || !may_pass {
        return fail;
    }
    // A time that has passed asks for no wait; backing off then keeps a stopped clock from becoming a flood.
    let after_ms = named
        .filter(|wait| *wait > 0.0)
        .unwrap_or_else(|| backoff(attempt.number, attempt.random));
    if after_ms > LONGEST_WAIT_MS || after_ms > attempt.remaining_budget_ms || attempt.remaining_budget_ms.is_nan() {
        return fail;
    }
    Decision::Retry { after_ms }
}

/// How long the server asked to wait, or is known to refuse everything; `None` when neither is known.
#[must_use]
pub fn named_wait(attempt: &FailedAttempt) -> Option<f64> {
    let cooldown = attempt.cooldown_ms.filter(|_| attempt.trouble == Trouble::Limit);
    attempt.hints.wait_ms.or(cooldown)
}

/// Full jitter: anything from nothing to the doubled base, so that clients that failed together do not return together.
#[must_use]
pub fn backoff(number: u32, random: f64) -> f64 {
    let doubled = (1..number.min(16)).fold(BACKOFF_BASE_MS, |wait, _| wait * 2.0);
    let random = if random >= 0.0 { random.min(1.0) } else { 0.0 };
    random * doubled.min(BACKOFF_CAP_MS)
}
