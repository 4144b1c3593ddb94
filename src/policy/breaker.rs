//! Nothing is sent into a cooldown that a server has named.
//!
//! One breaker per key and host, shared by every client of both as plain data. The breaker opens only when a server says how
//! long, or is known to: failures alone do not open it.

use super::retry::LONGEST_WAIT_MS;

/// A breaker: closed, or open until a time.
///
/// ```
/// use chatwire::policy::breaker::{Breaker, Gate};
///
/// let mut breaker = Breaker::default();
/// breaker.open_until(180_000.0);
/// assert_eq!(breaker.gate(1_000.0, f64::INFINITY), Gate::Closed { retry_at: 180_000.0 });
/// assert_eq!(breaker.gate(150_000.0, f64::INFINITY), Gate::Wait { until: 180_000.0 });
/// assert_eq!(breaker.gate(180_000.0, f64::INFINITY), Gate::Open);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Breaker {
    until: f64,
}

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gate {
    /// Yes.
    Open,
    /// At this time, which is near enough to wait for.
    Wait {
        /// When.
        until: f64,
    },
    /// No: it would be refused, and prolong the cooldown. Fail now and say when to come back.
    Closed {
        /// When.
        retry_at: f64,
    },
}

impl Breaker {
    /// The server will take nothing before this time. A later time already known stays.
    pub fn open_until(&mut self, time: f64) {
        if time > self.until {
            self.until = time;
        }
    }

    /// Whether a request may be sent now by a caller who waits for `budget_ms` more.
    #[must_use]
    pub fn gate(&self, now: f64, budget_ms: f64) -> Gate {
        let wait = self.until - now;
        if wait <= 0.0 || wait.is_nan() {
            Gate::Open
        } else if wait <= LONGEST_WAIT_MS && wait <= budget_ms {
            Gate::Wait { until: self.until }
        } else {
            Gate::Closed { retry_at: self.until }
        }
    }
}

/// A number for a key at a host, to share limiter and breaker by without keeping the key (FNV-1a, 64 bits).
#[must_use]
pub fn account(host: &str, api_key: Option<&str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for part in [host, "\0", api_key.unwrap_or_default()] {
        for byte in part.as_bytes() {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
