//! What all clients of one key at one server share: the plan's limits and the cooldown.
//!
//! Plain data in a table: no waiter is woken by another request, since some hosts forbid that. Each looks again on a timer
//! of its own.

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use super::breaker::{Breaker, Gate};
use super::limits::{Limiter, Turn};
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
    /// Lives as long as its thread, and has nothing to give back but memory.
    static ACCOUNTS: RefCell<ManuallyDrop<Accounts>> = const {
        RefCell::new(ManuallyDrop::new(Accounts { breakers: Vec::new(), limiters: Vec::new(), last_id: 0 }))
    };
}

type LimiterKey = (u64, Limits);

/// A request's place within the limits of a plan, or in the queue for one. Given back when dropped.
pub(crate) struct Place {
    limiter: LimiterKey,
    id: u64,
    /// The time it was last looked at, in milliseconds since 1970.
    pub(crate) seen: f64,
}

impl Place {
    /// A place at the end of the queue.
    pub(crate) fn new(account: u64, limits: Limits, now: f64) -> Self {
        ACCOUNTS.with_borrow_mut(|accounts| {
            let limiter = (account, limits);
            if !accounts.limiters.iter().any(|(key, _)| *key == limiter) {
                if accounts.limiters.len() >= MAX_ACCOUNTS {
                    accounts.limiters.retain_mut(|(_, limiter)| !limiter.is_idle(now));
                }
                accounts.limiters.push((limiter, Limiter::new(limits)));
            }
            accounts.last_id += 1;
            Place {
                limiter,
                id: accounts.last_id,
                seen: now,
            }
        })
    }

    /// When to look again; `None` when it is this request's turn.
    pub(crate) fn turn(&self) -> Option<f64> {
        let mut due = None;
        self.with(&mut |limiter| {
            if let Turn::WaitUntil(at) = limiter.acquire(self.id, self.seen) {
                due = Some(at);
            }
        });
        due
    }

    /// The response headers are there.
    pub(crate) fn answered(&self) {
        self.with(&mut |limiter| limiter.answered(self.id, self.seen));
    }

    fn with(&self, run: &mut dyn FnMut(&mut Limiter)) {
        ACCOUNTS.with_borrow_mut(|accounts| {
            if let Some((_, limiter)) = accounts.limiters.iter_mut().find(|(key, _)| *key == self.limiter) {
                run(limiter);
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.with(&mut |limiter| {
            limiter.leave(self.id);
            limiter.release(self.id, self.seen);
        });
    }
}

/// The server takes nothing from this account before `until`.
pub(crate) fn cool_down(account: u64, until: f64, now: f64) {
    ACCOUNTS.with_borrow_mut(|accounts| {
        let breakers = &mut accounts.breakers;
        if breakers.len() >= MAX_ACCOUNTS {
            breakers.retain(|(_, breaker)| breaker.gate(now, 0.0) != Gate::Open);
        }
        let known = breakers.iter().position(|(key, _)| *key == account);
        let at = known.unwrap_or(breakers.len());
        if known.is_none() {
            breakers.push((account, Breaker::default()));
        }
        if let Some((_, breaker)) = breakers.get_mut(at) {
            breaker.open_until(until);
        }
    });
}

/// Whether the server takes anything from this account now, or soon enough for a caller who waits for `budget` more.
pub(crate) fn gate(account: u64, now: f64, budget: f64) -> Gate {
    ACCOUNTS.with_borrow(|accounts| {
        let known = accounts.breakers.iter().find(|(key, _)| *key == account);
        known.map_or(Gate::Open, |(_, breaker)| breaker.gate(now, budget))
    })
}
