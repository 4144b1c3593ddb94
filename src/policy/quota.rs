//! How often a client may retry, all its calls together: a bucket of tokens, as the AWS SDKs keep one.
//!
//! While a server is well, failed requests are few and the bucket is full. In an outage every call fails, and with two retries
//! each the server would be asked three times as often as before. The bucket then runs dry, and calls fail at once. A limit is no
//! outage: a retry after the wait that it names is free.

use crate::trouble::Trouble;

/// How many tokens there are at first, and at the most.
pub const CAPACITY: f64 = 500.0;
/// Cost of a retry.
pub const RETRY_COST: f64 = 5.0;
/// Cost of a retry after a timeout, which has kept the server busy for longer.
pub const TIMEOUT_COST: f64 = 10.0;
/// Gained by each call that needs no second attempt.
pub const GAIN: f64 = 1.0;

/// A bucket.
///
/// ```
/// use chatwire::policy::quota::Quota;
/// use chatwire::trouble::Trouble;
///
/// let mut quota = Quota::default();
/// let granted = (0..1000).filter(|_| quota.take(Trouble::Server).is_some()).count();
/// assert_eq!(granted, 100);
/// quota.give_back(5.0);
/// assert_eq!(quota.take(Trouble::Server), Some(5.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    left: f64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { left: CAPACITY }
    }
}

impl Quota {
    /// Takes the cost of a retry, and gives it; `None` where too little is left.
    pub fn take(&mut self, trouble: Trouble) -> Option<f64> {
        let cost = match trouble {
            Trouble::Timeout => TIMEOUT_COST,
            _ => RETRY_COST,
        };
        if self.left < cost {
            return None;
        }
        self.left -= cost;
        Some(cost)
    }

    /// A call was answered: gives back the cost of its last retry, or [`GAIN`] where it needed none.
    pub fn give_back(&mut self, tokens: f64) {
        self.left = (self.left + tokens).min(CAPACITY);
    }
}
