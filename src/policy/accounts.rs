//! The state that all clients of one key at one server share: the plan's limits and the cooldown.
//!
//! Plain data in a table: no waiter is woken by another request, since some hosts forbid that. Each waiter polls on a timer of
//! its own.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;

use super::breaker::{Breaker, Gate};
use super::limits::{Admission, Limiter};
use crate::provider::PlanLimits;

/// How many accounts are remembered; a gateway may see a new key with every request. Where all of them are busy, twice as many:
/// beyond that, cooldowns are forgotten, and only accounts that hold slots are kept.
const MAX_ACCOUNTS: usize = 1024;

/// The state of one key at one server.
struct Account {
    id: u64,
    breaker: Breaker,
    plans: Vec<(PlanLimits, Limiter)>,
}

/// A list, for it is short almost everywhere, and a hash table is more code than all that is done with it.
type Accounts = Vec<Account>;

thread_local! {
    /// Lives as long as its thread, and has nothing to give back but memory.
    static ACCOUNTS: RefCell<ManuallyDrop<Accounts>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
    static LAST_SLOT: Cell<u64> = const { Cell::new(0) };
    /// The last time that was given, and how far clocks have been put back since the first.
    static CLOCK: Cell<(f64, f64)> = const { Cell::new((f64::NEG_INFINITY, 0.0)) };
}

/// How far the host's clock was put back, given what it shows now. Times in the table are steady, the host's and this: a
/// clock that is put back a day makes no cooldown of a day.
fn put_back(now: f64) -> f64 {
    let (last, mut back) = CLOCK.get();
    if now < last {
        back += last - now;
    }
    CLOCK.set((now, back));
    back
}

/// Does something with an account, if it is known; where `now` is given, it becomes known.
fn with(id: u64, now: Option<f64>, run: &mut dyn FnMut(&mut Account)) {
    ACCOUNTS.with_borrow_mut(|accounts| {
        let mut at = accounts.iter().position(|account| account.id == id);
        if let (None, Some(now)) = (at, now) {
            if accounts.len() >= MAX_ACCOUNTS {
                let has_room = accounts.len() < 2 * MAX_ACCOUNTS;
                accounts.retain_mut(|account| {
                    let busy = |(_, limiter): &mut (PlanLimits, Limiter)| !limiter.is_idle(now);
                    has_room && account.breaker.gate(now, 0.0) != Gate::Open || account.plans.iter_mut().any(busy)
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

/// A request's slot within the limits of a plan, or in the queue for one. Given back when dropped.
pub(crate) struct Slot {
    account: u64,
    limits: PlanLimits,
    id: u64,
    /// The time of the last poll, in milliseconds since 1970.
    pub(crate) seen: f64,
}

impl Slot {
    /// A slot at the end of the queue.
    pub(crate) fn new(account: u64, limits: PlanLimits, now: f64) -> Self {
        with(account, Some(now + put_back(now)), &mut |account| {
            if !account.plans.iter().any(|(plan, _)| *plan == limits) {
                account.plans.push((limits, Limiter::new(limits)));
            }
        });
        LAST_SLOT.set(LAST_SLOT.get() + 1);
        Slot {
            account,
            limits,
            id: LAST_SLOT.get(),
            seen: now,
        }
    }

    /// When to poll again; `None` when it is this request's turn.
    pub(crate) fn admission(&self) -> Option<f64> {
        let back = put_back(self.seen);
        let mut due = None;
        self.with(&mut |limiter| {
            if let Admission::WaitUntil(at) = limiter.acquire(self.id, self.seen + back) {
                due = Some(at - back);
            }
        });
        due
    }

    /// The response headers are there.
    pub(crate) fn answered(&self) {
        let now = self.seen + put_back(self.seen);
        self.with(&mut |limiter| limiter.answered(self.id, now));
    }

    fn with(&self, run: &mut dyn FnMut(&mut Limiter)) {
        with(self.account, None, &mut |account| {
            if let Some((_, limiter)) = account.plans.iter_mut().find(|(plan, _)| *plan == self.limits) {
                run(limiter);
            }
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // The time of the last poll, which may be long ago: no clock is read here.
        let now = self.seen + CLOCK.get().1;
        self.with(&mut |limiter| {
            limiter.leave(self.id);
            limiter.release(self.id, now);
        });
    }
}

/// The server takes nothing from this account before `until`.
pub(crate) fn cool_down(account: u64, until: f64, now: f64) {
    let back = put_back(now);
    with(account, Some(now + back), &mut |account| {
        account.breaker.open_until(until + back);
    });
}

/// Whether the server takes anything from this account now, or soon enough for a caller who waits for `budget` more.
pub(crate) fn gate(account: u64, now: f64, budget: f64) -> Gate {
    let back = put_back(now);
    let mut gate = Gate::Open;
    with(account, None, &mut |account| {
        gate = account.breaker.gate(now + back, budget)
    });
    match gate {
        Gate::Open => Gate::Open,
        Gate::Wait { until } => Gate::Wait { until: until - back },
        Gate::Closed { retry_at } => Gate::Closed {
            retry_at: retry_at - back,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cooldown_for_each_of_any_number_of_keys_keeps_no_more_than_so_many_accounts() {
        let limits = PlanLimits {
            requests_per_minute: Some(1),
            concurrent: Some(1),
        };
        let held = Slot::new(0, limits, 0.0);
        assert_eq!(held.admission(), None);
        for id in 1..5 * MAX_ACCOUNTS as u64 {
            cool_down(id, 86_400_000.0, 0.0);
            ACCOUNTS.with_borrow(|accounts| assert!(accounts.len() <= 2 * MAX_ACCOUNTS));
        }
        assert_ne!(
            gate(5 * MAX_ACCOUNTS as u64 - 1, 0.0, 0.0),
            Gate::Open,
            "the newest is known"
        );
        assert!(
            Slot::new(0, limits, 1.0).admission().is_some(),
            "a slot that is held counts"
        );
    }
}
