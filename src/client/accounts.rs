//! What all clients of one key at one server share: the plan's limits and the cooldown.
//!
//! Plain data in a table: no waiter is woken by another request, since some hosts forbid that. Each looks again on a timer
//! of its own.

use std::cell::RefCell;

use web_sys::AbortSignal;

use super::host;
use crate::error::{Error, ErrorKind};
use crate::policy::breaker::{Breaker, Gate};
use crate::policy::limits::{Limiter, Turn};
use crate::provider::Limits;

/// So many accounts are remembered; a gateway may see a new key with every request.
const MAX_ACCOUNTS: usize = 1024;

/// Lists, for they are short almost everywhere, and a hash table is more code than all that is done with them.
struct Accounts {
    breakers: Vec<(u64, Breaker)>,
    limiters: Vec<(LimiterKey, Limiter)>,
    last_id: u64,
}

thread_local! {
    static ACCOUNTS: RefCell<Accounts> =
        const { RefCell::new(Accounts { breakers: Vec::new(), limiters: Vec::new(), last_id: 0 }) };
}

type LimiterKey = (u64, Limits);

/// A request's place within the limits of a plan. Given back when dropped.
pub(crate) struct Place {
    limiter: LimiterKey,
    id: u64,
}

impl Place {
    /// The response headers are there.
    pub(crate) fn answered(&self) {
        self.with(|limiter| limiter.answered(self.id, host::wall_clock()));
    }

    fn with<T>(&self, run: impl FnOnce(&mut Limiter) -> T) -> Option<T> {
        ACCOUNTS.with_borrow_mut(|accounts| {
            let known = accounts.limiters.iter_mut().find(|(key, _)| *key == self.limiter);
            known.map(|(_, limiter)| run(limiter))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.with(|limiter| {
            limiter.leave(self.id);
            limiter.release(self.id, host::wall_clock());
        });
    }
}

/// The server takes nothing from this account before `until`.
pub(crate) fn cool_down(account: u64, until: f64) {
    ACCOUNTS.with_borrow_mut(|accounts| {
        if accounts.breakers.len() >= MAX_ACCOUNTS {
            let now = host::wall_clock();
            accounts
                .breakers
                .retain(|(_, breaker)| breaker.gate(now, 0.0) != Gate::Open);
        }
        match accounts.breakers.iter_mut().find(|(key, _)| *key == account) {
            Some((_, breaker)) => breaker.open_until(until),
            None => {
                let mut breaker = Breaker::default();
                breaker.open_until(until);
                accounts.breakers.push((account, breaker));
            }
        }
    });
}

/// Waits for a cooldown to pass and for a place within the limits, as far as the caller's budget in milliseconds goes.
pub(crate) async fn enter(
    account: u64,
    limits: Option<Limits>,
    budget: f64,
    signal: Option<&AbortSignal>,
) -> Result<Option<Place>, Error> {
    let given_up = host::wall_clock() + budget;
    cooled_down(account, given_up, signal).await?;
    let Some(limits) = limits else { return Ok(None) };
    let place = ACCOUNTS.with_borrow_mut(|accounts| {
        let limiter = (account, limits);
        if !accounts.limiters.iter().any(|(key, _)| *key == limiter) {
            if accounts.limiters.len() >= MAX_ACCOUNTS {
                let now = host::wall_clock();
                accounts.limiters.retain_mut(|(_, limiter)| !limiter.is_idle(now));
            }
            accounts.limiters.push((limiter, Limiter::new(limits)));
        }
        accounts.last_id += 1;
        Place {
            limiter,
            id: accounts.last_id,
        }
    });
    loop {
        let now = host::wall_clock();
        match place.with(|limiter| limiter.acquire(place.id, now)) {
            Some(Turn::WaitUntil(at)) if at > given_up => {
                let message = "No place within the plan's limits would be free within `timeout.total`.";
                let mut error = Error::new(ErrorKind::RateLimit { retry_at: Some(at) }, message);
                error.code = Some("limits".to_owned());
                return Err(error);
            }
            Some(Turn::WaitUntil(at)) => sleep_until(at, signal).await?,
            _ => break,
        }
    }
    // A cooldown may have begun while this request waited for its turn.
    cooled_down(account, given_up, signal).await?;
    Ok(Some(place))
}

/// Waits for a cooldown to pass, if that is before the caller gives up.
async fn cooled_down(account: u64, given_up: f64, signal: Option<&AbortSignal>) -> Result<(), Error> {
    let breaker = ACCOUNTS.with_borrow(|accounts| {
        let known = accounts.breakers.iter().find(|(key, _)| *key == account);
        known.map(|(_, breaker)| *breaker).unwrap_or_default()
    });
    let now = host::wall_clock();
    match breaker.gate(now, given_up - now) {
        Gate::Open => Ok(()),
        Gate::Wait { until } => sleep_until(until, signal).await,
        Gate::Closed { retry_at } => {
            let message = "The server has asked to wait, and nothing is sent before `retryAt`.";
            let mut error = Error::new(
                ErrorKind::RateLimit {
                    retry_at: Some(retry_at),
                },
                message,
            );
            error.code = Some("cooldown".to_owned());
            Err(error)
        }
    }
}

async fn sleep_until(time: f64, signal: Option<&AbortSignal>) -> Result<(), Error> {
    host::sleep((time - host::wall_clock()).max(1.0), signal)
        .await
        .map_err(|_| Error::aborted())
}
