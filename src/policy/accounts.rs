//! What all clients of one key at one server share: the plan's limits and the cooldown.
//!
//! Plain data in a table: no waiter is woken by another request, since some hosts forbid that. Each looks again on a timer
//! of its own.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;

use super::breaker::{Breaker, Gate};
use super::limits::{Limiter, Turn};
use crate::provider::Limits;

/// So many accounts are remembered; a gateway may see a new key with every request.
const MAX_ACCOUNTS: usize = 1024;

/// What is known of one key at one server.
struct Account {
    id: u64,
    breaker: Breaker,
    plans: Vec<(Limits, Limiter)>,
}

/// A list, for it is short almost everywhere, and a hash table is more code than all that is done with it.
type Accounts = Vec<Account>;

thread_local! {
    /// Lives as long as its thread, and has nothing to give back but memory.
    static ACCOUNTS: RefCell<ManuallyDrop<Accounts>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
    static LAST_PLACE: Cell<u64> = const { Cell::new(0) };
}

/// Does something with an account, if it is known; where `now` is given, it becomes known.
fn with(id: u64, now: Option<f64>, run: &mut dyn FnMut(&mut Account)) {
    ACCOUNTS.with_borrow_mut(|accounts| {
        let mut at = accounts.iter().position(|account| account.id == id);
        if let (None, Some(now)) = (at, now) {
            if accounts.len() >= MAX_ACCOUNTS {
                accounts.retain_mut(|account| {
                    let busy = |(_, limiter): &mut (Limits, Limiter)| !limiter.is_idle(now);
                    account.breaker.gate(now, 0.0) != Gate::Open || account.plans.iter_mut().any(busy)
                });
            }
            at = Some(accounts.len());
            accounts.push(Account {
                id,
                breaker: Breaker::default(),
                plans: Vec::new(),
            });
        }
        if let Some(account) = at.and_then(|at| accounts.get_mut(at)) {
            run(account);
        }
    });
}

/// A request's place within the limits of a plan, or in the queue for one. Given back when dropped.
pub(crate) struct Place {
    account: u64,
    limits: Limits,
    id: u64,
    /// The time it was last looked at, in milliseconds since 1970.
    pub(crate) seen: f64,
}

impl Place {
    /// A place at the end of the queue.
    pub(crate) fn new(account: u64, limits: Limits, now: f64) -> Self {
        with(account, Some(now), &mut |account| {
            if !account.plans.iter().any(|(plan, _)| *plan == limits) {
                account.plans.push((limits, Limiter::new(limits)));
            }
        });
        LAST_PLACE.set(LAST_PLACE.get() + 1);
        Place {
            account,
            limits,
            id: LAST_PLACE.get(),
            seen: now,
        }
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
        with(self.account, None, &mut |account| {
            if let Some((_, limiter)) = account.plans.iter_mut().find(|(plan, _)| *plan == self.limits) {
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
    with(account, Some(now), &mut |account| account.breaker.open_until(until));
}

/// Whether the server takes anything from this account now, or soon enough for a caller who waits for `budget` more.
pub(crate) fn gate(account: u64, now: f64, budget: f64) -> Gate {
    let mut gate = Gate::Open;
    with(account, None, &mut |account| gate = account.breaker.gate(now, budget));
    gate
}
