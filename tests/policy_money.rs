//! Prices, costs, savings and totals: exact, and never 0 for "unknown". And how good the estimate of tokens is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::provider::{Prices, Provider};
use chatwire::stream::Tokens;
use chatwire::usage;
use chatwire::usage::{Totals, dollars, savings, token_prices};

/// Every place is tried; under Miri, which is a thousand times slower, one of so many.
const STEP: usize = if cfg!(miri) { 13 } else { 1 };

fn tokens(prompt: u64, cached: u64, completion: u64) -> Tokens {
    Tokens {
        prompt: Some(prompt),
        cached,
        completion: Some(completion),
    }
}

fn electron() -> chatwire::stream::TokenPrices {
    token_prices(&Provider::named("electron").unwrap().prices.unwrap()).unwrap()
}

#[test]
fn a_call_costs_what_the_price_list_says() {
    for (used, cost) in [
        (tokens(1_000_000, 0, 0), 0.40),
        (tokens(1_000_000, 1_000_000, 0), 0.10),
        (tokens(0, 0, 1_000_000), 1.60),
        (tokens(8, 5, 18), 0.0000305),
        (tokens(0, 0, 0), 0.0),
    ] {
        assert_eq!(dollars(electron().cost(&used).unwrap()), cost, "{used:?}");
    }
    assert_eq!(dollars(savings(&electron(), &tokens(8, 5, 18)).unwrap()), 0.0000015);
}

#[test]
fn more_cached_tokens_than_there_were_are_not_believed() {
    assert_eq!(
        electron().cost(&tokens(10, 1_000, 0)),
        electron().cost(&tokens(10, 10, 0))
    );
}

#[test]
fn unknown_tokens_have_no_cost() {
    assert_eq!(
        electron().cost(&Tokens {
            completion: None,
            ..tokens(1, 0, 1)
        }),
        None
    );
    assert_eq!(
        electron().cost(&tokens(u64::MAX, 0, u64::MAX)),
        None,
        "nor have absurd ones"
    );
}

#[test]
fn cached_tokens_without_a_price_of_their_own_cost_what_others_do() {
    let prices = token_prices(&Prices {
        input: 2.0,
        cached_input: None,
        output: 8.0,
        up_to: None,
    })
    .unwrap();
    assert_eq!(prices.cost(&tokens(10, 10, 0)), prices.cost(&tokens(10, 0, 0)));
}

#[test]
fn absurd_prices_are_named() {
    for price in [-0.1, f64::NAN, f64::INFINITY, 1e7] {
        let problems = token_prices(&Prices {
            input: price,
            cached_input: Some(price),
            output: price,
            up_to: None,
        })
        .unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.join(".")).collect();
        assert_eq!(
            paths,
            ["prices.input", "prices.cachedInput", "prices.output"],
            "{price}"
        );
    }
    assert!(
        token_prices(&Prices {
            input: 0.0,
            cached_input: None,
            output: 0.0,
            up_to: None,
        })
        .is_ok(),
        "a free model has a price"
    );
}

#[test]
fn a_million_calls_add_up_without_drift() {
    // A thousand under Miri.
    let (calls, cost, saved) = if cfg!(miri) {
        (1_000, 0.0025, 0.0003)
    } else {
        (1_000_000, 2.5, 0.3)
    };
    let mut totals = Totals::default();
    let prices = electron();
    for _ in 0..calls {
        totals.add(&tokens(3, 1, 1), false, Some(&prices));
    }
    assert_eq!(totals.cost(), Some(cost));
    assert_eq!(
        (totals.requests, totals.prompt, totals.cached, totals.completion),
        (calls, 3 * calls, calls, calls)
    );
    assert_eq!(dollars(totals.saved), saved);
}

#[test]
fn one_call_of_unknown_cost_makes_the_total_unknown() {
    let mut totals = Totals::default();
    assert_eq!(totals.cost(), Some(0.0), "nothing was used");
    totals.add(&tokens(1, 0, 1), false, Some(&electron()));
    totals.add(&tokens(1, 0, 1), true, None);
    assert_eq!((totals.cost(), totals.unpriced, totals.estimated), (None, 1, 1));
    totals.add(&Tokens::default(), false, Some(&electron()));
    assert_eq!((totals.requests, totals.uncounted, totals.unpriced), (3, 1, 2));
}

#[test]
fn an_estimate_does_not_depend_on_where_the_text_was_cut() {
    let text = "Hello, world! 12345 is a number.\n\nनमस्ते दुनिया — 你好，世界 👋🏽 \"quoted\": {\"json\": true}";
    let cuts = (0..=text.len()).filter(|cut| text.is_char_boundary(*cut));
    for cut in cuts.step_by(STEP) {
        let mut estimate = usage::Estimate::default();
        estimate.push(&text[..cut]);
        estimate.push(&text[cut..]);
        assert_eq!(estimate.tokens(), usage::tokens(text), "cut at {cut}");
    }
}

#[test]
fn what_no_server_counted_is_estimated_once_the_stream_is_over() {
    use chatwire::stream::{Decoder, End, Options, TokenPrices};

    let prices = Some(TokenPrices {
        input: 2,
        cached_input: 1,
        output: 3,
        up_to: None,
    });
    let body = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one two three\"}}]}\n\n";
    let outcome = |options: Options, end: End| {
        let mut decoder = Decoder::new(Options { prices, ..options });
        decoder.push(body, 0.0, 1.0);
        decoder.end(end, 2.0);
        decoder.outcome().unwrap()
    };
    let known = || Options {
        prompt_tokens: Some(10),
        ..Options::default()
    };
    for end in [End::Aborted, End::Lost, End::Closed] {
        let outcome = outcome(known(), end);
        let usage = outcome.usage.unwrap();
        assert!(usage.is_estimated());
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
            (10, 3, 13)
        );
        assert_eq!(outcome.cost, Some(29e-12));
    }
    assert!(outcome(Options::default(), End::Aborted).usage.is_none());
    assert!(
        outcome(
            Options {
                accumulate: false,
                ..known()
            },
            End::Aborted
        )
        .usage
        .is_none()
    );
}

#[test]
fn nothing_is_no_tokens_and_more_is_not_fewer() {
    assert_eq!(usage::tokens(""), 0);
    let mut before = 0;
    let text = "The quick brown fox, 42 jumps; तेज़ भूरी लोमड़ी 速い狐 🦊!";
    for (end, letter) in text.char_indices() {
        let now = usage::tokens(&text[..end + letter.len_utf8()]);
        assert!(now >= before, "{}", &text[..end]);
        before = now;
    }
}

/// An estimate of text, reasoning and tool calls of choice 0, their length, and the tokens the server counted.
fn recorded(stream: &str) -> (usage::Estimate, usize, Option<u64>) {
    let (mut estimate, mut text, mut counted) = (usage::Estimate::default(), String::new(), None);
    let mut calls = std::collections::BTreeSet::new();
    for data in stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
    {
        let chunk: chatwire::chat::ChatCompletionChunk = serde_json::from_str(data).unwrap();
        text.push_str(&chunk.text());
        for delta in chunk.choices.iter().filter_map(|choice| choice.delta.as_ref()) {
            text.push_str(
                delta
                    .reasoning
                    .as_deref()
                    .or(delta.reasoning_content.as_deref())
                    .unwrap_or_default(),
            );
            for call in &delta.tool_calls {
                let Some(function) = &call.function else { continue };
                if calls.insert(call.index) {
                    estimate.tool_call();
                }
                text.push_str(function.name.as_deref().unwrap_or_default());
                text.push_str(function.arguments.as_deref().unwrap_or_default());
            }
        }
        if let Some(usage) = chunk.usage {
            counted = Some(usage.completion_tokens);
        }
    }
    estimate.push(&text);
    (estimate, text.len(), counted)
}

/// The error published in `policy::estimate`. Short answers are only printed: their text was shortened, or reasoning hidden.
#[test]
#[cfg_attr(miri, ignore = "reads long recordings")]
fn the_estimate_is_within_its_published_error_on_recorded_streams() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire/recorded");
    let Ok(files) = std::fs::read_dir(folder) else {
        println!("skipped: the recorded streams are not there");
        return;
    };
    for path in files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "sse"))
    {
        let (estimate, length, counted) = recorded(&std::fs::read_to_string(&path).unwrap());
        let (name, estimated) = (
            path.file_name().unwrap().to_string_lossy().into_owned(),
            estimate.tokens(),
        );
        let Some(counted) = counted.filter(|counted| *counted > 0) else {
            continue;
        };
        let error = 100.0 * (estimated as f64 / counted as f64 - 1.0);
        println!("{name}: {counted} counted, {estimated} estimated, {error:+.1} %");
        if length > 400 {
            assert!(error.abs() <= 5.0, "{name}: {error:+.1} %");
        }
    }
}
