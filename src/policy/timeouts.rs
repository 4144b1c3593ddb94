//! How long to wait for what: the option `timeout`, checked and filled in.

use crate::problem::Problem;
use crate::provider::Provider;
use crate::text::push_number;

/// How long a stream may be silent by default, in milliseconds. While keep-alives arrive it is five times as long.
pub const IDLE_MS: f64 = 120_000.0;

/// How long to wait for the headers of an answer that is not streamed, in milliseconds, whatever the provider promises
/// for its first token: they come when the whole answer is there.
pub const WHOLE_ANSWER_MS: f64 = 300_000.0;

/// Longest time a host's timer takes: above 2^31 - 1 milliseconds it would fire at once.
pub const LONGEST_MS: f64 = 2_147_483_647.0;

/// One setting of the option.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Setting {
    /// Not given.
    #[default]
    Default,
    /// `false`: wait for ever.
    Off,
    /// So many milliseconds.
    Ms(f64),
}

/// The option as it was given: a number is `headers`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TimeoutOption {
    /// From sending to the response headers.
    pub headers: Setting,
    /// From the response headers to the first text, reasoning or tool call of a stream.
    pub first_token: Setting,
    /// Between two of them, while nothing at all arrives.
    pub idle: Setting,
    /// For `first_token` and `idle` while keep-alives arrive.
    pub keep_alive: Setting,
    /// From sending to the end.
    pub total: Setting,
}

impl TimeoutOption {
    /// `timeout: 30_000`: for the response headers of each attempt.
    #[must_use]
    pub fn headers(ms: f64) -> Self {
        Self {
            headers: Setting::Ms(ms),
            ..Self::default()
        }
    }

    /// `timeout: { total: 30_000 }`: for the whole call, with all its attempts.
    #[must_use]
    pub fn total(ms: f64) -> Self {
        Self {
            total: Setting::Ms(ms),
            ..Self::default()
        }
    }

    /// `timeout: false`.
    pub const OFF: Self = Self {
        headers: Setting::Off,
        first_token: Setting::Off,
        idle: Setting::Off,
        keep_alive: Setting::Off,
        total: Setting::Off,
    };

    /// A call's settings over a client's.
    #[must_use]
    pub fn over(self, client: Self) -> Self {
        let over = |call, client| if call == Setting::Default { client } else { call };
        Self {
            headers: over(self.headers, client.headers),
            first_token: over(self.first_token, client.first_token),
            idle: over(self.idle, client.idle),
            keep_alive: over(self.keep_alive, client.keep_alive),
            total: over(self.total, client.total),
        }
    }
}

/// How long to wait, in milliseconds; `None` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timeouts {
    /// From sending to the response headers.
    pub headers: Option<f64>,
    /// From the response headers to the first text, reasoning or tool call of a stream.
    pub first_token: Option<f64>,
    /// Between two of them, while nothing at all arrives.
    pub idle: Option<f64>,
    /// For `first_token` and `idle` while keep-alives arrive; `None` for five times as long as without.
    pub keep_alive: Option<f64>,
    /// From sending to the end, retries included.
    pub total: Option<f64>,
}

impl Timeouts {
    /// Checks the option and fills in the provider's defaults. None is longer than `total`.
    ///
    /// # Errors
    /// A [`Problem`] for each setting that is negative, zero, `NaN` or longer than a timer can wait.
    ///
    /// ```
    /// use chatwire::{policy::timeouts::{TimeoutOption, Timeouts}, provider::Provider};
    ///
    /// let timeouts = Timeouts::new(TimeoutOption::total(5_000.0), &Provider::electron("key"), true).unwrap();
    /// assert_eq!((timeouts.headers, timeouts.total), (Some(5_000.0), Some(5_000.0)));
    /// ```
    pub fn new(option: TimeoutOption, provider: &Provider, stream: bool) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut check = |name: &str, setting: Setting, default: Option<f64>| match setting {
            Setting::Default => default,
            Setting::Off => None,
            Setting::Ms(ms) if ms > 0.0 && ms <= LONGEST_MS => Some(ms),
            Setting::Ms(_) => {
                let mut message = String::from("must be more than 0 and at most ");
                push_number(&mut message, LONGEST_MS);
                message.push_str(" milliseconds; false waits for ever");
                problems.push(Problem::refused("invalid_timeout", &["timeout", name], message));
                None
            }
        };
        let headers = if stream {
            provider.first_token_ms
        } else {
            provider.first_token_ms.max(WHOLE_ANSWER_MS)
        };
        let total = check("total", option.total, None);
        let headers = check("headers", option.headers, Some(headers));
        let first_token = check("firstToken", option.first_token, Some(provider.first_token_ms));
        let idle = check("idle", option.idle, Some(IDLE_MS));
        let keep_alive = match option.keep_alive {
            Setting::Off => Some(LONGEST_MS),
            setting => check("keepAlive", setting, None),
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let within = |part: Option<f64>| match (part, total) {
            (Some(part), Some(total)) => Some(part.min(total)),
            (part, total) => part.or(total),
        };
        Ok(Self {
            headers: within(headers),
            first_token: within(first_token),
            idle: within(idle),
            keep_alive,
            total,
        })
    }
}
