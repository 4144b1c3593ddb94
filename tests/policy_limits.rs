//! Plan limits on the client: the clock is a number, and every waiter asks by itself.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::policy::limits::{Admission, LOST_MS, Limiter, WINDOW_MS, limits};
use chatwire::provider::{PlanLimits, Provider};
use proptest::prelude::*;

fn limiter(requests_per_minute: Option<u32>, concurrent: Option<u32>) -> Limiter {
    Limiter::new(PlanLimits {
        requests_per_minute,
        concurrent,
    })
}

fn is_ready(turn: Admission) -> bool {
    turn == Admission::Ready
}

#[test]
fn the_eleventh_request_of_a_minute_waits_for_the_first_to_free() {
    let mut limiter = limiter(Some(10), None);
    for id in 0..10 {
        assert!(is_ready(limiter.acquire(id, 0.0)));
        limiter.answered(id, 100.0 * id as f64);
        limiter.release(id, 100.0 * id as f64);
    }
    assert_eq!(limiter.acquire(10, 1_000.0), Admission::WaitUntil(WINDOW_MS));
    assert!(!is_ready(limiter.acquire(10, WINDOW_MS - 1.0)));
    assert!(is_ready(limiter.acquire(10, WINDOW_MS)));
}

#[test]
fn the_minute_runs_from_the_response_headers_and_not_from_the_end_of_the_answer() {
    let mut limiter = limiter(Some(1), None);
    assert!(is_ready(limiter.acquire(1, 0.0)));
    assert!(
        matches!(limiter.acquire(2, 0.0), Admission::WaitUntil(_)),
        "unanswered: no time is known"
    );
    limiter.answered(1, 5_000.0);
    limiter.release(1, 30_000.0);
    assert_eq!(limiter.acquire(2, 31_000.0), Admission::WaitUntil(65_000.0));
}

#[test]
fn a_request_that_failed_still_counts() {
    let mut limiter = limiter(Some(1), None);
    assert!(is_ready(limiter.acquire(1, 0.0)));
    limiter.release(1, 2_000.0);
    assert_eq!(limiter.acquire(2, 2_000.0), Admission::WaitUntil(62_000.0));
}

#[test]
fn an_answer_longer_than_its_minute_counts_only_against_the_number_at_once() {
    let mut limiter = limiter(Some(1), Some(2));
    assert!(is_ready(limiter.acquire(1, 0.0)));
    limiter.answered(1, 0.0);
    assert!(is_ready(limiter.acquire(2, 61_000.0)));
    limiter.answered(2, 61_000.0);
    assert!(!is_ready(limiter.acquire(3, 200_000.0)), "two are still running");
    limiter.release(1, 200_000.0);
    assert!(is_ready(limiter.acquire(3, 200_001.0)));
}

#[test]
fn waiters_are_served_in_the_order_they_came() {
    let mut limiter = limiter(None, Some(1));
    assert!(is_ready(limiter.acquire(1, 0.0)));
    assert!(!is_ready(limiter.acquire(2, 1.0)));
    assert!(!is_ready(limiter.acquire(3, 2.0)));
    limiter.release(1, 50.0);
    assert!(
        !is_ready(limiter.acquire(3, 51.0)),
        "the third must not overtake the second"
    );
    assert!(!is_ready(limiter.acquire(4, 51.0)), "nor may one who just came");
    assert!(is_ready(limiter.acquire(2, 101.0)));
    limiter.release(2, 102.0);
    assert!(is_ready(limiter.acquire(3, 103.0)));
}

#[test]
fn one_who_leaves_the_queue_makes_room() {
    let mut limiter = limiter(None, Some(1));
    assert!(is_ready(limiter.acquire(1, 0.0)));
    assert!(!is_ready(limiter.acquire(2, 1.0)));
    assert!(!is_ready(limiter.acquire(3, 2.0)));
    limiter.leave(2);
    limiter.release(1, 3.0);
    assert!(is_ready(limiter.acquire(3, 4.0)));
    assert_eq!(limiter.waiting(), 0);
}

#[test]
fn a_waiter_that_stopped_asking_is_passed_but_keeps_its_place() {
    let mut limiter = limiter(None, Some(1));
    assert!(is_ready(limiter.acquire(1, 0.0)));
    assert!(!is_ready(limiter.acquire(2, 0.0)));
    assert!(!is_ready(limiter.acquire(3, 0.0)));
    limiter.release(1, 10_000.0);
    assert!(is_ready(limiter.acquire(3, 10_000.0)), "the second is ten seconds late");
    limiter.release(3, 10_001.0);
    assert!(is_ready(limiter.acquire(2, 10_002.0)));
}

#[test]
fn a_request_that_never_ended_gives_its_place_back_in_time() {
    let mut limiter = limiter(Some(1), Some(1));
    assert!(is_ready(limiter.acquire(1, 0.0)));
    assert!(!is_ready(limiter.acquire(2, LOST_MS - 1.0)));
    assert!(is_ready(limiter.acquire(2, LOST_MS)));
}

#[test]
fn without_limits_nobody_waits() {
    let mut limiter = limiter(None, None);
    assert!((0..if cfg!(miri) { 50 } else { 1_000 }).all(|id| is_ready(limiter.acquire(id, 0.0))));
}

#[test]
fn absurd_limits_are_named() {
    for number in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 1e9] {
        let problems = limits(Some(number), Some(number)).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.join(".")).collect();
        assert_eq!(paths, ["limits.requestsPerMinute", "limits.concurrent"], "{number}");
    }
    assert_eq!(
        limits(Some(10.0), Some(3.0)).unwrap(),
        Provider::named("electron").unwrap().plan("standard").unwrap()
    );
}

/// Answers take so long, and so many are asked for at most; fewer under Miri, where each waiter's look takes long.
const LONGEST_MS: f64 = if cfg!(miri) { 1_000.0 } else { 70_000.0 };
const MOST: usize = if cfg!(miri) { 5 } else { 14 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 24 }))]

    /// For any order of callers' actions, the server never sees more than the plan allows, and everybody is served in
    /// the end.
    #[test]
    fn the_plan_is_never_exceeded_and_nobody_starves(
        per_minute in 1u32..6, concurrent in 1u32..4, durations in prop::collection::vec((0.0..LONGEST_MS, 0.0..3_000.0f64), 1..MOST)
    ) {
        let mut limiter = limiter(Some(per_minute), Some(concurrent));
        let mut looks: Vec<Option<f64>> = durations.iter().enumerate().map(|(id, _)| Some(id as f64)).collect();
        let mut events: Vec<(f64, u64, bool)> = Vec::new();
        let mut starts: Vec<f64> = Vec::new();
        let mut running = 0u32;
        for _ in 0..200_000 {
            let look = looks.iter().enumerate().filter_map(|(id, at)| at.map(|at| (at, id))).min_by(|a, b| a.0.total_cmp(&b.0));
            events.sort_by(|a, b| a.0.total_cmp(&b.0));
            match (look, events.first().copied()) {
                (None, None) => break,
                (look, Some((now, id, ended))) if look.is_none_or(|(at, _)| now <= at) => {
                    events.remove(0);
                    if ended { limiter.release(id, now); running -= 1 } else { limiter.answered(id, now) }
                }
                (Some((now, id)), _) => match limiter.acquire(id as u64, now) {
                    Admission::Ready => {
                        looks[id] = None;
                        running += 1;
                        prop_assert!(running <= concurrent);
                        starts.push(now);
                        prop_assert!(starts.iter().filter(|start| now - **start < WINDOW_MS).count() as u32 <= per_minute);
                        let (length, until_headers) = durations[id];
                        events.push((now + until_headers, id as u64, false));
                        events.push((now + until_headers + length, id as u64, true));
                    }
                    Admission::WaitUntil(at) => {
                        prop_assert!(at > now, "a waiter must not spin");
                        looks[id] = Some(at);
                    }
                },
                (None, Some(_)) => unreachable!("an event without a look was handled above"),
            }
        }
        prop_assert_eq!(starts.len(), durations.len());
    }
}

#[test]
fn a_limiter_is_idle_once_nothing_it_knows_matters() {
    let mut limiter = limiter(Some(1), Some(1));
    assert!(limiter.is_idle(0.0));
    assert!(is_ready(limiter.acquire(1, 0.0)));
    assert!(!limiter.is_idle(1.0), "one is running");
    assert!(!is_ready(limiter.acquire(2, 1.0)));
    limiter.answered(1, 500.0);
    limiter.release(1, 900.0);
    assert!(!limiter.is_idle(1_000.0), "one waits");
    limiter.leave(2);
    assert!(!limiter.is_idle(60_499.0), "the first still counts against the minute");
    assert!(limiter.is_idle(60_500.0));
}
