//! Retries, back-off, the breaker and timeouts: tables of what happened and what is to be done. Nothing here waits.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::policy::breaker::{Breaker, Gate, account};
use chatwire::policy::retry::*;
use chatwire::policy::timeouts::{Setting, TimeoutOption, Timeouts};
use chatwire::provider::Provider;
use chatwire::trouble::Trouble;
use chatwire::waits::http_date;
use proptest::prelude::*;

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOW: f64 = 784_111_777_000.0;

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn attempt((trouble, hints): (Trouble, Hints)) -> FailedAttempt {
    FailedAttempt {
        number: 1,
        max_retries: 2,
        trouble,
        hints,
        now_ms: NOW,
        random: 0.5,
        remaining_budget_ms: f64::INFINITY,
        cooldown_ms: None,
    }
}

fn status(status: u16, pairs: &[(&str, &str)]) -> (Trouble, Hints) {
    refused(status, pairs, "")
}

/// The trouble of a refusal with this body.
fn refused(status: u16, pairs: &[(&str, &str)], body: &str) -> (Trouble, Hints) {
    let headers = headers(pairs);
    let trouble = chatwire::Error::from_response(status, headers.clone(), body, None).trouble;
    (trouble, Hints::read_all(&headers, body, trouble, NOW))
}

const CONNECTION: (Trouble, Hints) = (
    Trouble::Connection,
    Hints {
        should_retry: None,
        wait_ms: None,
    },
);
const TIMEOUT: (Trouble, Hints) = (
    Trouble::Timeout,
    Hints {
        should_retry: None,
        wait_ms: None,
    },
);

#[test]
fn transient_failures_are_retried_and_others_are_not() {
    for code in [408, 409, 429, 500, 502, 503, 504, 529] {
        assert_eq!(
            decide(&attempt(status(code, &[]))),
            Decision::Retry { after_ms: 250.0 },
            "{code}"
        );
    }
    for code in [300, 400, 401, 402, 403, 404, 413, 418, 422] {
        assert_eq!(
            decide(&attempt(status(code, &[]))),
            Decision::Fail { retry_at: None },
            "{code}"
        );
    }
    for failure in [CONNECTION, TIMEOUT] {
        assert_eq!(decide(&attempt(failure)), Decision::Retry { after_ms: 250.0 });
    }
}

#[test]
fn the_server_may_overrule_the_status() {
    assert!(matches!(
        decide(&attempt(status(400, &[("X-Should-Retry", "true")]))),
        Decision::Retry { .. }
    ));
    assert!(matches!(
        decide(&attempt(status(503, &[("x-should-retry", "false")]))),
        Decision::Fail { .. }
    ));
    assert!(matches!(
        decide(&attempt(status(503, &[("x-should-retry", "maybe")]))),
        Decision::Retry { .. }
    ));
}

#[test]
fn no_more_than_the_retries_allowed() {
    for (number, max_retries, retried) in [(1, 0, false), (1, 1, true), (2, 1, false), (2, 2, true), (3, 2, false)] {
        let decision = decide(&FailedAttempt {
            number,
            max_retries,
            ..attempt(CONNECTION)
        });
        assert_eq!(
            matches!(decision, Decision::Retry { .. }),
            retried,
            "attempt {number} of 1 + {max_retries}"
        );
    }
}

#[test]
fn the_wait_a_server_names_is_kept_exactly() {
    for (name, value, wait) in [
        ("retry-after-ms", "1500", 1_500.0),
        ("Retry-After", "2", 2_000.0),
        ("retry-after", " 2.5 ", 2_500.0),
        ("retry-after", "60", 60_000.0),
        ("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT", 3_000.0),
    ] {
        assert_eq!(
            decide(&attempt(status(429, &[(name, value)]))),
            Decision::Retry { after_ms: wait },
            "{name}: {value}"
        );
    }
    let both = status(429, &[("retry-after", "9"), ("retry-after-ms", "10")]);
    assert_eq!(
        decide(&attempt(both)),
        Decision::Retry { after_ms: 10.0 },
        "the finer one wins"
    );
}

#[test]
fn waits_that_are_none_fall_back_to_the_backoff() {
    for value in [
        "-1",
        "1e9",
        "soon",
        "",
        "0x10",
        "Infinity",
        "NaN",
        "1.2.3",
        "0",
        "Sun, 06 Nov 1994 08:49:36 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 99 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(
            decide(&attempt(status(429, &[("retry-after", value)]))),
            Decision::Retry { after_ms: 250.0 },
            "{value}"
        );
    }
}

#[test]
fn a_wait_beyond_a_minute_or_the_budget_fails_at_once_and_says_when() {
    let long = attempt(status(429, &[("retry-after", "180")]));
    assert_eq!(
        decide(&long),
        Decision::Fail {
            retry_at: Some(NOW + 180_000.0)
        }
    );
    let short = FailedAttempt {
        remaining_budget_ms: 1_999.0,
        ..attempt(status(429, &[("retry-after", "2")]))
    };
    assert_eq!(
        decide(&short),
        Decision::Fail {
            retry_at: Some(NOW + 2_000.0)
        }
    );
    assert!(matches!(
        decide(&FailedAttempt {
            remaining_budget_ms: 2_000.0,
            ..short
        }),
        Decision::Retry { .. }
    ));
    let backoff = FailedAttempt {
        remaining_budget_ms: 249.0,
        ..attempt(CONNECTION)
    };
    assert_eq!(
        decide(&backoff),
        Decision::Fail { retry_at: None },
        "our own back-off is no promise of the server"
    );
    let last = FailedAttempt {
        number: 3,
        ..attempt(status(429, &[("retry-after", "2")]))
    };
    assert_eq!(
        decide(&last),
        Decision::Fail {
            retry_at: Some(NOW + 2_000.0)
        }
    );
}

#[test]
fn an_absurd_wait_is_taken_for_a_day() {
    for value in [
        "1000000000",
        "99999999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        let decision = decide(&attempt(status(429, &[("retry-after", value)])));
        assert_eq!(
            decision,
            Decision::Fail {
                retry_at: Some(NOW + 86_400_000.0)
            },
            "{value}"
        );
    }
    let huge = "9".repeat(400);
    assert_eq!(
        Hints::read(&headers(&[("retry-after", &huge)]), NOW).wait_ms,
        None,
        "not even a number"
    );
}

#[test]
fn a_known_cooldown_stands_in_for_a_wait_that_a_429_does_not_name() {
    let cooldown_ms = Provider::named("electronhub").unwrap().cooldown_ms;
    let decide = |failure| {
        decide(&FailedAttempt {
            cooldown_ms,
            ..attempt(failure)
        })
    };
    assert_eq!(
        decide(status(429, &[])),
        Decision::Fail {
            retry_at: Some(NOW + 180_000.0)
        }
    );
    assert_eq!(
        decide(status(429, &[("retry-after", "1")])),
        Decision::Retry { after_ms: 1_000.0 }
    );
    assert!(
        matches!(decide(status(503, &[])), Decision::Retry { .. }),
        "only after the limit"
    );
}

#[test]
fn dates_are_read_as_http_writes_them() {
    for (text, time) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799_000.0),
        ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800_000.0),
        ("Sat, 21 Nov 2026 12:00:00 GMT", 1_795_262_400_000.0),
        ("Saturday, 21-Nov-26 12:00:00 GMT", 1_795_262_400_000.0),
        ("Sat Nov 21 12:00:00 2026", 1_795_262_400_000.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777_000.0),
        ("Sun Nov  6 08:49:37 1994", 784_111_777_000.0),
        ("Sun, 6 Nov 1994 8:49:37 GMT", 784_111_777_000.0),
    ] {
        assert_eq!(http_date(text), Some(time), "{text}");
    }
    for text in [
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT-1",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 06 Nov 994 08:49:37 GMT",
        "Sun, 06 Nov 1994 GMT",
        "Sun, 06 Nov 08:49:37 GMT",
        "08:49:37 GMT",
        "",
    ] {
        assert_eq!(http_date(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn backoff_grows_stays_under_its_cap_and_spreads(number in 0u32..1000, random in 0.0..1.0f64) {
        let longest = backoff(number, 1.0);
        prop_assert!(longest <= BACKOFF_CAP_MS && longest <= backoff(number.saturating_add(1), 1.0));
        prop_assert!((backoff(number, random) - random * longest).abs() < 1e-9);
    }

    #[test]
    fn no_header_makes_the_decision_unsafe(text in "\\PC{0,30}", code in 0u16..1000, random in any::<f64>(), budget in any::<f64>()) {
        let failure = status(code, &[("retry-after", &text), ("retry-after-ms", &text)]);
        match decide(&FailedAttempt { random, remaining_budget_ms: budget, ..attempt(failure) }) {
            Decision::Retry { after_ms } => prop_assert!((0.0..=LONGEST_WAIT_MS).contains(&after_ms) && after_ms <= budget),
            Decision::Fail { retry_at } => prop_assert!(retry_at.is_none_or(|at| (NOW..=NOW + LONGEST_NAMED_MS).contains(&at))),
        }
    }
}

#[test]
fn the_breaker_keeps_the_latest_time_and_lets_the_patient_wait() {
    let mut breaker = Breaker::default();
    assert_eq!(breaker.gate(NOW, 0.0), Gate::Open);
    breaker.open_until(NOW + 180_000.0);
    breaker.open_until(NOW + 1_000.0);
    breaker.open_until(f64::NAN);
    assert_eq!(
        breaker.gate(NOW, f64::INFINITY),
        Gate::Closed {
            retry_at: NOW + 180_000.0
        }
    );
    assert_eq!(
        breaker.gate(NOW + 120_000.0, f64::INFINITY),
        Gate::Wait { until: NOW + 180_000.0 }
    );
    assert_eq!(
        breaker.gate(NOW + 120_000.0, 59_999.0),
        Gate::Closed {
            retry_at: NOW + 180_000.0
        }
    );
    assert_eq!(breaker.gate(NOW + 180_000.0, 0.0), Gate::Open);
}

#[test]
fn breakers_are_per_key_and_host() {
    let accounts = [
        account("a", Some("k")),
        account("a", Some("l")),
        account("b", Some("k")),
        account("a", None),
        account("ak", Some("")),
    ];
    let distinct: std::collections::HashSet<_> = accounts.iter().collect();
    assert_eq!(distinct.len(), accounts.len());
    assert_eq!(account("a", Some("k")), accounts[0]);
}

#[test]
fn timeouts_have_the_defaults_of_the_contract() {
    let of = |name: &str, stream| {
        let timeouts = Timeouts::new(TimeoutOption::default(), &Provider::named(name).unwrap(), stream).unwrap();
        (timeouts.headers, timeouts.first_token, timeouts.idle, timeouts.total)
    };
    let (five_minutes, twenty_seconds, two_minutes) = (Some(300_000.0), Some(20_000.0), Some(120_000.0));
    assert_eq!(of("openai", true), (five_minutes, five_minutes, two_minutes, None));
    assert_eq!(
        of("electron", true),
        (twenty_seconds, twenty_seconds, two_minutes, None)
    );
    assert_eq!(
        of("electron", false).0,
        five_minutes,
        "a whole answer takes as long as it takes"
    );
}

#[test]
fn the_total_bounds_every_part() {
    let timeouts = Timeouts::new(TimeoutOption::total(60_000.0), &Provider::custom("https://a"), true).unwrap();
    assert_eq!(
        timeouts,
        Timeouts {
            headers: Some(60_000.0),
            first_token: Some(60_000.0),
            idle: Some(60_000.0),
            keep_alive: None,
            total: Some(60_000.0)
        }
    );
}

#[test]
fn a_number_is_the_time_for_headers_alone() {
    let provider = Provider::custom("https://a");
    let timeouts = Timeouts::new(TimeoutOption::headers(5_000.0), &provider, true).unwrap();
    let default = Timeouts::new(TimeoutOption::default(), &provider, true).unwrap();
    assert_eq!(
        timeouts,
        Timeouts {
            headers: Some(5_000.0),
            ..default
        }
    );
}

#[test]
fn false_turns_a_part_or_all_off() {
    let provider = Provider::custom("https://a");
    let off = Timeouts::new(TimeoutOption::OFF, &provider, true).unwrap();
    assert_eq!(
        off,
        Timeouts {
            headers: None,
            first_token: None,
            idle: None,
            keep_alive: Some(2_147_483_647.0),
            total: None
        }
    );
    let idle = Timeouts::new(
        TimeoutOption {
            idle: Setting::Off,
            ..TimeoutOption::default()
        },
        &provider,
        true,
    )
    .unwrap();
    assert_eq!((idle.idle, idle.headers), (None, Some(300_000.0)));
}

#[test]
fn a_calls_settings_go_over_the_clients() {
    let client = TimeoutOption {
        headers: Setting::Ms(1.0),
        idle: Setting::Ms(2.0),
        ..TimeoutOption::default()
    };
    let call = TimeoutOption {
        idle: Setting::Off,
        ..TimeoutOption::default()
    };
    assert_eq!(
        call.over(client),
        TimeoutOption {
            headers: Setting::Ms(1.0),
            idle: Setting::Off,
            ..TimeoutOption::default()
        }
    );
}

#[test]
fn absurd_timeouts_are_named() {
    for ms in [
        0.0,
        -1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        2_147_483_648.0,
        1e300,
    ] {
        let option = TimeoutOption {
            headers: Setting::Ms(ms),
            idle: Setting::Ms(ms),
            ..TimeoutOption::default()
        };
        let problems = Timeouts::new(option, &Provider::custom("https://a"), true).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.join(".")).collect();
        assert_eq!(paths, ["timeout.headers", "timeout.idle"], "{ms}");
        assert!(problems[0].message.contains("false waits for ever"));
    }
}
