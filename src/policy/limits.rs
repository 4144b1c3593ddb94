//! A plan's limits, kept on the client: requests per minute and requests at once, with waiters served in order.
//!
//! The limiter is plain data and wakes no waiter, because in workerd one request must not touch another's timers: each waiter
//! polls on its own timer, and a waiter that stops polling is passed over.

use crate::problem::Problem;
use crate::provider::PlanLimits;

/// How long a request counts against the limit per minute once its response headers are there, in milliseconds.
pub const WINDOW_MS: f64 = 60_000.0;

/// How often the first waiter polls where the exact time is unknown, in milliseconds. The waiters behind it poll less often, the
/// more there are before them: ten thousand waiters that all polled so often would take all CPU.
pub const LOOK_AGAIN_MS: f64 = 100.0;

/// How often the last of many waiters polls, in milliseconds: those before it may all leave.
pub const LOOK_AT_LEAST_MS: f64 = 5_000.0;

/// How late a waiter may be before others pass it: its timer may be throttled in a hidden tab, in milliseconds.
pub const LATE_MS: f64 = 2_000.0;

/// How long a slot is held for a request or a waiter that neither polls nor ends any more (its worker was killed), in
/// milliseconds.
pub const LOST_MS: f64 = 900_000.0;

/// A plan's limits and who is using them.
///
/// ```
/// use chatwire::{policy::limits::{Limiter, Admission}, provider::PlanLimits};
///
/// let mut limiter = Limiter::new(PlanLimits { requests_per_minute: Some(1), concurrent: None });
/// assert_eq!(limiter.acquire(1, 0.0), Admission::Ready);
/// limiter.answered(1, 500.0);
/// limiter.release(1, 900.0);
/// assert_eq!(limiter.acquire(2, 1_000.0), Admission::WaitUntil(60_500.0));
/// assert_eq!(limiter.acquire(2, 60_500.0), Admission::Ready);
/// ```
#[derive(Debug, Clone)]
pub struct Limiter {
    limits: PlanLimits,
    /// Requests that count against the number at once.
    running: Vec<Request>,
    /// Requests that count against the minute until their headers are there, and a minute more.
    unanswered: Vec<Request>,
    /// When the slots of answered requests free, in order.
    frees: Vec<Request>,
    /// Waiters in the order they came, each with the time of its next poll.
    waiting: Vec<Request>,
}

/// A request and the time of its last call to the limiter, or of its next one.
#[derive(Debug, Clone, Copy)]
struct Request {
    id: u64,
    time: f64,
}

/// Removes the requests that `goes` selects; whether there were any.
fn remove(requests: &mut Vec<Request>, goes: &dyn Fn(&Request) -> bool) -> bool {
    let before = requests.len();
    requests.retain(|request| !goes(request));
    requests.len() < before
}

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Admission {
    /// Now.
    Ready,
    /// Not yet: poll at this time.
    WaitUntil(f64),
}

impl Limiter {
    /// A limiter that no request has used yet.
    #[must_use]
    pub fn new(limits: PlanLimits) -> Self {
        Self {
            limits,
            running: Vec::new(),
            unanswered: Vec::new(),
            frees: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Asks for a slot for the request `id`, which waits its turn until it gets one or [leaves](Self::leave).
    pub fn acquire(&mut self, id: u64, now: f64) -> Admission {
        self.forget(now);
        let position = self.waiting.iter().position(|waiter| waiter.id == id);
        let before = position.unwrap_or(self.waiting.len());
        let ahead = self
            .waiting
            .iter()
            .take(before)
            .filter(|waiter| now <= waiter.time + LATE_MS)
            .count();
        let free_at = self.free_at(ahead, now);
        if free_at == Some(now) {
            remove(&mut self.waiting, &|request| request.id == id);
            self.running.push(Request { id, time: now });
            self.unanswered.push(Request { id, time: now });
            return Admission::Ready;
        }
        let at_once = f64::from(self.limits.concurrent.unwrap_or(10));
        let look = (LOOK_AGAIN_MS * (1.0 + ahead as f64 / at_once)).min(LOOK_AT_LEAST_MS);
        let due = match free_at {
            // A waiter behind others polls now and then, for they may leave.
            Some(time) if ahead > 0 => time.min(now + look.max(1_000.0)),
            Some(time) => time,
            None => now + look,
        };
        match position.and_then(|position| self.waiting.get_mut(position)) {
            Some(waiter) => waiter.time = due,
            None => self.waiting.push(Request { id, time: due }),
        }
        Admission::WaitUntil(due)
    }

    /// The waiter `id` gave up.
    pub fn leave(&mut self, id: u64) {
        remove(&mut self.waiting, &|request| request.id == id);
    }

    /// The response headers of request `id` arrived: its slot in the minute frees 60 seconds from now.
    pub fn answered(&mut self, id: u64, now: f64) {
        if remove(&mut self.unanswered, &|request| request.id == id) {
            let last = self.frees.last().map_or(now, |last| last.time);
            let time = last.max(now + WINDOW_MS);
            self.frees.push(Request { id, time });
        }
    }

    /// Request `id` is over, however it ended. One that was never answered counts for a minute from now: the server may
    /// have counted it.
    pub fn release(&mut self, id: u64, now: f64) {
        self.answered(id, now);
        remove(&mut self.running, &|request| request.id == id);
    }

    /// Whether nothing it knows matters any more: no request runs, waits or counts against the minute.
    #[must_use]
    pub fn is_idle(&mut self, now: f64) -> bool {
        self.forget(now);
        self.running.is_empty() && self.unanswered.is_empty() && self.frees.is_empty() && self.waiting.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When there is room for one more after `ahead` others: now, later, or unknown.
    fn free_at(&self, ahead: usize, now: f64) -> Option<f64> {
        if self
            .limits
            .concurrent
            .is_some_and(|limit| self.running.len() + ahead >= limit as usize)
        {
            return None;
        }
        let Some(limit) = self.limits.requests_per_minute else {
            return Some(now);
        };
        let over = (self.unanswered.len() + self.frees.len() + ahead + 1).saturating_sub(limit as usize);
        match over.checked_sub(1) {
            Some(place) => self.frees.get(place).map(|free| free.time),
            None => Some(now),
        }
    }

    fn forget(&mut self, now: f64) {
        remove(&mut self.frees, &|free| free.time <= now);
        for requests in [&mut self.running, &mut self.unanswered, &mut self.waiting] {
            remove(requests, &|request| now - request.time >= LOST_MS);
        }
    }
}

/// Checked limits of the client's own option.
///
/// # Errors
/// A [`Problem`] for each that is no whole number from 1 to 1,000,000.
pub fn limits(requests_per_minute: Option<f64>, concurrent: Option<f64>) -> Result<PlanLimits, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut whole = |name: &str, number: Option<f64>| {
        let number = number?;
        if number.trunc() == number && (1.0..=1e6).contains(&number) {
            return Some(number as u32);
        }
        let message = "must be a whole number from 1 to 1000000; leave it out for no limit";
        problems.push(Problem::refused("invalid_limit", &["limits", name], message));
        None
    };
    let limits = PlanLimits {
        requests_per_minute: whole("requestsPerMinute", requests_per_minute),
        concurrent: whole("concurrent", concurrent),
    };
    if problems.is_empty() { Ok(limits) } else { Err(problems) }
}
