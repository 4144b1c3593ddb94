//! The sort of trouble that a call is in, by all that a server says of it: whether a retry may help, and whether another server
//! may.
//!
//! The status alone is not enough: a 429 may say that the money is gone, a 400 that the server failed, a 413 that the minute is
//! used up. So the server's own code and kind count first, then its words, then the status.

use crate::text::find;

/// The sort of trouble that a call is in.
///
/// ```
/// use chatwire::trouble::{Refusal, Trouble};
///
/// let refusal = Refusal { status: Some(429), code: "insufficient_quota", ..Refusal::default() };
/// assert_eq!(Trouble::of(refusal), Trouble::Quota);
/// assert!(!Trouble::Quota.is_passing() && Trouble::Quota.fallback() == Some("quota"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The server was not reached, or the connection broke before there was an answer.
    Connection,
    /// No response headers came in time.
    Timeout,
    /// The host's own `fetch` gave up by a limit of its own.
    HostLimit,
    /// The server failed, or has too much to do.
    Server,
    /// Too much was asked for in too short a time.
    Limit,
    /// The money or the allowance is gone.
    Quota,
    /// There is no such model, or not for this key.
    Model,
    /// The server does not serve this place.
    Region,
    /// A good status, and then an error, an end or silence before the first token.
    Broken,
    /// A good status, and something that is no answer: an HTML page, other JSON.
    Unreadable,
    /// The request or its key is at fault: it will be refused again.
    Request,
}

/// The words of a server about its refusal, in a body or within a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refusal<'a> {
    /// The HTTP status, or the one that an error within a stream names.
    pub status: Option<u16>,
    /// The server's word for programs.
    pub code: &'a str,
    /// The server's word for the sort of error.
    pub error_type: &'a str,
    /// The message, for people.
    pub message: &'a str,
}

/// Codes and kinds by which servers say that the money is gone.
const QUOTA: &str = "insufficient_quota|insufficient_user_quota|insufficient_fund|insufficient_b|insufficientb|current_quota|billing|budget_|freetier|arrear|payment_|credits_|_credit|trial_";
/// The same in words. They count only where the server does not say when to come back.
const QUOTA_SAID: &str = "insufficient balance|insufficient quota|insufficient fund|insufficient account|balance is|credit|free trial|billing hard|billing details|spend limit|spending limit|余额不足|欠费|额度";
/// A limit of a day and longer is as good as gone, where the server does not say when to come back.
const LONG: &str = "daily|weekly|monthly|per day|per month|usage limit|usage_limit";
const MODEL: &str = "model_not_|modelnot|invalid_model|unknown_model|model_depre|model_decom|deploymentnot";
const PLACES: &str = "countr|region|territor|location|jurisdiction|geogr|geo_|地区";
/// Words of sentences about the request's fields.
const FIELDS: &str = "field|parameter|propert|'region'|`region`|_location";
const LIMIT: &str = "rate_limit|ratelimit|too_many_requests|toomanyrequests|throttl|resource_exhausted";
const SERVER: &str =
    "server_error|internal|overloaded|unavailable|upstream|bad_gateway|timeout|timed_out|deadline|busy|capacity";
/// In an error within a stream that names no status: the request is at fault.
const REQUEST: &str = "invalid|content_filter|content_policy|moderation|context_length|authentication|permission|unsupported|unauthorized|forbidden";
const REQUEST_SAID: &str = "context length|context window|api key|unauthorized|invalid request";

impl Trouble {
    /// The words of [`fallback`](Self::fallback), each between a space and a comma.
    pub const FALLBACKS: &'static str = " connection, server, limit, quota, model, region, broken,";

    /// The sort of trouble that a refusal stands for.
    #[must_use]
    pub fn of(refusal: Refusal<'_>) -> Self {
        Self::told(refusal, false)
    }

    /// As [`of`](Self::of), where it is known whether the server says when to come back.
    #[must_use]
    pub fn told(refusal: Refusal<'_>, names_wait: bool) -> Self {
        let [code, kind, message] = [refusal.code, refusal.error_type, refusal.message].map(str::to_ascii_lowercase);
        let any = |text: &str, words: &str| words.split('|').any(|word| find(text, word).is_some());
        let named = |words: &str| any(&code, words) || any(&kind, words);
        let says = |words: &str| any(&message, words);
        let status = refusal.status;
        let is = |statuses: &[u16]| status.is_none_or(|status| statuses.contains(&status));

        let is_spent = || matches!(status, None | Some(403 | 429)) && (named(LONG) || says(LONG));
        if status == Some(402) || named(QUOTA) || (says(QUOTA_SAID) || is_spent()) && !names_wait {
            return Self::Quota;
        }
        let is_elsewhere = || {
            let refused = "not support|unsupported|not available|unavailable|not allowed|restricted|blocked";
            // An allocation is no location.
            let is_place = |text: &str| any(text, PLACES) && find(text, "allocation").is_none();
            // Nor is a field of the request that is called so.
            is_place(&code)
                || is_place(&kind)
                || is_place(&message) && (status == Some(403) || says(refused)) && !says(FIELDS)
        };
        if status == Some(451) || is(&[400, 403]) && is_elsewhere() {
            return Self::Region;
        }
        let is_gone = || {
            let gone = "not exist|not found|not a valid model|unknown model|decommissioned|deprecated|retired|not available|not have access|no longer";
            named(MODEL)
                || says("model|deployment") && says(gone)
                || says("invalid model|no endpoints found|模型不存在")
        };
        let names_model = || named("model|deployment") || says("model|deployment|endpoints found|模型");
        if matches!(status, Some(404 | 410)) && names_model() || is(&[400, 403, 422]) && is_gone() {
            return Self::Model;
        }
        // Gateways with many servers behind them say both with a status of their own.
        if any(&code, "model_not_found") {
            return Self::Model;
        }
        if matches!(status, Some(500..)) && (named("content_|context_length") || says("context length|context window"))
        {
            return Self::Request;
        }
        match status {
            Some(429 | 498) => Self::Limit,
            Some(408 | 409 | 425 | 499..) => Self::Server,
            Some(400..) if named(LIMIT) => Self::Limit,
            Some(401 | 403) => Self::Request,
            Some(400..) if named(SERVER) => Self::Server,
            Some(_) => Self::Request,
            None if named(LIMIT) || says("rate limit|too many requests") => Self::Limit,
            None if named(SERVER) => Self::Server,
            None if named(REQUEST) || says(REQUEST_SAID) => Self::Request,
            None => Self::Broken,
        }
    }

    /// Whether the trouble may pass, so that a retry at the same server makes sense.
    #[must_use]
    pub fn is_passing(self) -> bool {
        use Trouble::{Broken, Connection, Limit, Server, Timeout};
        matches!(self, Connection | Timeout | Server | Limit | Broken)
    }

    /// The word of `fallback[].on` for this trouble: `connection`, `server`, `limit`, `quota`, `model`, `region` or `broken`. `None`
    /// where no other server can help.
    #[must_use]
    pub fn fallback(self) -> Option<&'static str> {
        Some(match self {
            Self::Connection | Self::Timeout | Self::HostLimit => "connection",
            Self::Server => "server",
            Self::Limit => "limit",
            Self::Quota => "quota",
            Self::Model => "model",
            Self::Region => "region",
            Self::Broken | Self::Unreadable => "broken",
            Self::Request => return None,
        })
    }
}
