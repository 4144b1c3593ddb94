//! One chat stream from its first byte to its one outcome: how it may end, when it has waited too long, what it may hold.
//!
//! Long because it is the table of all ends of a stream, each with its stream written out.

use std::time::{Duration, Instant};

use chatwire::stream::{Attempt, Bounds, Decoder, End, Options, OutputKind, Status, Timeouts, TokenPrices};
use serde_json::{Value, json};

fn event(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

fn says(text: &str) -> String {
    event(&json!({"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

fn delta(delta: Value) -> String {
    event(&json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
}

fn finish(reason: &str) -> String {
    event(&json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

const DONE: &str = "data: [DONE]\n\n";

fn decode(options: Options, stream: &str, end: End) -> Value {
    let mut decoder = Decoder::new(options);
    decoder.push(stream.as_bytes(), 0.0, 0.0);
    decoder.end(end, 0.0);
    outcome(&decoder)
}

fn outcome(decoder: &Decoder) -> Value {
    serde_json::from_str(&decoder.outcome_json().expect("it has ended")).expect("an outcome is JSON")
}

#[test]
fn each_way_to_end_has_its_status() {
    let (a, stop) = (says("a"), finish("stop"));
    let half_call =
        delta(json!({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{"}}]}));
    let cases: &[(&str, String, End, &str, Option<&str>)] = &[
        ("[DONE]", [&a, &stop, DONE].concat(), End::Closed, "complete", None),
        (
            "[DONE], then a lost connection",
            [&a, &stop, DONE].concat(),
            End::Lost,
            "complete",
            None,
        ),
        (
            "[DONE], then the caller leaves",
            [&a, &stop, DONE].concat(),
            End::Aborted,
            "complete",
            None,
        ),
        (
            "length",
            [&a, &finish("length"), DONE].concat(),
            End::Closed,
            "complete",
            None,
        ),
        (
            "content_filter",
            [&a, &finish("content_filter"), DONE].concat(),
            End::Closed,
            "complete",
            None,
        ),
        (
            "body end after the finish reason",
            [&a, &*stop].concat(),
            End::Closed,
            "complete",
            None,
        ),
        (
            "reset after the finish reason",
            [&a, &*stop].concat(),
            End::Lost,
            "complete",
            None,
        ),
        (
            "[DONE] without a finish reason",
            [&a, DONE].concat(),
            End::Closed,
            "complete",
            None,
        ),
        (
            "body end before the finish reason",
            a.clone(),
            End::Closed,
            "truncated",
            Some("TruncatedError"),
        ),
        (
            "reset before the finish reason",
            a.clone(),
            End::Lost,
            "truncated",
            Some("TruncatedError"),
        ),
        (
            "nothing",
            String::new(),
            End::Closed,
            "truncated",
            Some("TruncatedError"),
        ),
        (
            "half a tool call and [DONE]",
            [&half_call, DONE].concat(),
            End::Closed,
            "truncated",
            Some("TruncatedError"),
        ),
        (
            "the caller leaves",
            a.clone(),
            End::Aborted,
            "aborted",
            Some("APIUserAbortError"),
        ),
        (
            "the caller leaves after the finish reason",
            [&a, &*stop].concat(),
            End::Aborted,
            "aborted",
            Some("APIUserAbortError"),
        ),
        (
            "an error",
            [&a, &event(&json!({"error": {"message": "x", "code": 429}}))[..]].concat(),
            End::Closed,
            "error",
            Some("RateLimitError"),
        ),
        (
            "an error, then [DONE]",
            [&event(&json!({"error": "x"})), DONE].concat(),
            End::Closed,
            "error",
            Some("APIError"),
        ),
        (
            "a page",
            "<html>".to_owned(),
            End::Closed,
            "error",
            Some("ProtocolError"),
        ),
        (
            "text",
            "no such host".to_owned(),
            End::Closed,
            "error",
            Some("ProtocolError"),
        ),
    ];
    for (name, stream, end, status, error) in cases {
        let outcome = decode(Options::default(), stream, *end);
        assert_eq!(outcome["status"], *status, "{name}");
        assert_eq!(outcome["error"]["name"].as_str(), *error, "{name}");
    }
}

#[test]
fn the_first_outcome_stands() {
    let mut decoder = Decoder::new(Options {
        output: OutputKind::Text,
        ..Options::default()
    });
    assert!(!decoder.push(says("a").as_bytes(), 0.0, 1.0));
    assert_eq!(decoder.outcome_json(), None);
    assert!(!decoder.has_ended());
    assert!(decoder.push([&finish("stop"), DONE, &says("b")].concat().as_bytes(), 1.0, 2.0));
    let first = decoder.outcome_json();
    assert!(decoder.push(says("c").as_bytes(), 2.0, 3.0));
    assert_eq!(decoder.output(), b"");
    decoder.end(End::Aborted, 4.0);
    decoder.lose("ECONNRESET", 5.0);
    assert!(decoder.tick(0.0, 1e9));
    assert_eq!(decoder.deadline(5.0), None);
    assert_eq!(decoder.outcome_json(), first);
    assert_eq!(decoder.outcome().unwrap().status, Status::Complete);
}

#[test]
fn what_the_host_says_of_a_lost_connection_is_in_the_error() {
    let mut decoder = Decoder::new(Options::default());
    decoder.push(says("a").as_bytes(), 0.0, 0.0);
    decoder.lose("socket hang up", 1.0);
    let message = outcome(&decoder)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("socket hang up"), "{message}");
    // However long it is, and wherever a character lies.
    let mut decoder = Decoder::new(Options::default());
    decoder.lose(&"日".repeat(if cfg!(miri) { 5_000 } else { 100_000 }), 1.0);
    assert!(outcome(&decoder)["error"]["message"].as_str().unwrap().len() < 4096);
}

#[test]
fn the_outcome_has_all_its_fields_however_it_ended() {
    for (stream, end) in [
        (String::new(), End::Aborted),
        ([&says("a"), &finish("stop"), DONE].concat(), End::Closed),
    ] {
        let attempts = vec![Attempt {
            provider: "p".into(),
            status: Some(503),
            reason: "first".into(),
        }];
        let options = Options {
            attempts,
            request_id: Some("r".into()),
            ..Options::default()
        };
        let outcome = decode(options, &stream, end);
        for field in [
            "status",
            "completion",
            "message",
            "text",
            "reasoning",
            "toolCalls",
            "finishReason",
            "usage",
            "cost",
            "timing",
            "repairs",
            "attempts",
            "requestId",
        ] {
            assert!(outcome.get(field).is_some(), "{field}");
        }
        assert_eq!(
            outcome["attempts"],
            json!([{"provider": "p", "status": 503, "reason": "first"}])
        );
        assert_eq!(outcome["requestId"], "r");
    }
}

#[test]
fn usage_prices_and_timing_give_cost_and_rate() {
    let prices = TokenPrices {
        input: 2_000_000,
        cached_input: 500_000,
        output: 8_000_000,
        up_to: None,
    };
    let mut decoder = Decoder::new(Options {
        prices: Some(prices),
        started: 1000.0,
        ..Options::default()
    });
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}});
    decoder.push(b": hello\n\n", 1000.0, 1100.0);
    decoder.push(
        delta(json!({"role": "assistant", "content": ""})).as_bytes(),
        1100.0,
        1150.0,
    );
    decoder.push(says("a").as_bytes(), 1150.0, 1200.0);
    decoder.push(
        [&finish("stop"), &event(&json!({"choices": [], "usage": usage})), DONE]
            .concat()
            .as_bytes(),
        1200.0,
        1700.0,
    );
    let outcome = outcome(&decoder);
    // 6 × 2 + 4 × 0.5 + 5 × 8 millionths of a dollar.
    assert_eq!(outcome["cost"].as_f64(), Some(54e-6));
    assert_eq!(
        outcome["timing"],
        json!({"firstByte": 100e0, "firstToken": 200e0, "firstSentence": null, "total": 700e0, "tokensPerSecond": 10e0})
    );
}

// Timeouts. The clock is invented: a read is pending from one time to another.

fn timed(first_token: Option<f64>, idle: Option<f64>, total: Option<f64>) -> Decoder {
    Decoder::new(Options {
        timeouts: Timeouts {
            first_token,
            idle,
            keep_alive: None,
            total,
        },
        started: 0.0,
        ..Options::default()
    })
}

fn stalled(decoder: &Decoder) -> String {
    let outcome = outcome(decoder);
    assert_eq!(
        (&outcome["status"], &outcome["error"]["name"]),
        (&json!("stalled"), &json!("StalledError"))
    );
    outcome["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn the_first_token_is_waited_for_so_long() {
    let mut decoder = timed(Some(100.0), Some(10.0), None);
    assert_eq!(decoder.deadline(0.0), Some(100.0));
    assert!(!decoder.tick(0.0, 99.9));
    assert!(decoder.tick(0.0, 100.0));
    assert_eq!(stalled(&decoder), "timeout.firstToken");
}

#[test]
fn the_next_token_is_waited_for_so_long() {
    let mut decoder = timed(Some(100.0), Some(10.0), None);
    decoder.push(says("a").as_bytes(), 0.0, 50.0);
    assert_eq!(decoder.deadline(50.0), Some(60.0));
    decoder.push(says("b").as_bytes(), 50.0, 59.0);
    assert_eq!(decoder.deadline(59.0), Some(69.0));
    assert!(!decoder.tick(59.0, 68.0));
    assert!(decoder.tick(59.0, 69.0));
    assert_eq!(stalled(&decoder), "timeout.idle");
    assert_eq!(outcome(&decoder)["text"], "ab");
}

#[test]
fn what_says_nothing_is_no_progress() {
    let nothing = [
        ": keep-alive\n\n".to_owned(),
        "data: : ping\n\n".to_owned(),
        "data:\n\n".to_owned(),
        "event: ping\ndata: {}\n\n".to_owned(),
        delta(json!({})),
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": null, "reasoning_content": ""})),
        delta(json!({"tool_calls": []})),
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": ""}}]})),
        event(&json!({"choices": [], "usage": {"completion_tokens": 1}})),
        event(&json!({"choices": [{"index": 0, "delta": {"content": ""}}], "usage": {"completion_tokens": 2}})),
    ];
    for stream in nothing {
        let mut decoder = timed(Some(100.0), Some(100.0), None);
        for at in (0..480).step_by(30).map(f64::from) {
            assert!(!decoder.push(stream.as_bytes(), at, at + 30.0), "{stream}");
        }
        assert_eq!(decoder.deadline(480.0), Some(500.0), "five times as long: {stream}");
        assert!(decoder.push(stream.as_bytes(), 480.0, 510.0), "{stream}");
        assert_eq!(stalled(&decoder), "timeout.firstToken", "{stream}");
        assert!(
            outcome(&decoder)["error"]["message"]
                .as_str()
                .unwrap()
                .contains("500 ms (timeout.keepAlive), only keep-alives")
        );

        let mut decoder = timed(Some(100.0), Some(100.0), None);
        decoder.push(says("a").as_bytes(), 0.0, 1.0);
        for at in [0.0, 30.0, 60.0] {
            assert!(!decoder.push(stream.as_bytes(), at, at + 30.0), "{stream}");
        }
        assert!(
            !decoder.tick(90.0, 189.0),
            "a silence begins with what came last: {stream}"
        );
        assert!(decoder.tick(90.0, 190.0), "{stream}");
        assert_eq!(stalled(&decoder), "timeout.idle", "{stream}");
        assert!(
            outcome(&decoder)["error"]["message"]
                .as_str()
                .unwrap()
                .contains("100 ms")
        );
    }
}

#[test]
fn how_long_keep_alives_are_believed_can_be_said() {
    for (keep_alive, limit) in [
        (Some(150.0), 150.0),
        (Some(10.0), 100.0),
        (Some(2_147_483_647.0), 2_147_483_647.0),
    ] {
        let mut decoder = Decoder::new(Options {
            timeouts: Timeouts {
                first_token: Some(100.0),
                idle: None,
                keep_alive,
                total: None,
            },
            ..Options::default()
        });
        decoder.push(b": still here\n\n", 0.0, 90.0);
        assert_eq!(
            decoder.deadline(90.0),
            Some((90.0_f64 + 100.0).min(limit)),
            "{keep_alive:?}"
        );
    }
    // Nothing more is waited for once all of the answer is there.
    let mut decoder = timed(Some(100.0), Some(100.0), None);
    decoder.push(
        event(&json!({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]})).as_bytes(),
        0.0,
        1.0,
    );
    decoder.push(b": still here\n\n", 1.0, 61.0);
    assert!(decoder.push(b": still here\n\n", 61.0, 121.0));
    assert_eq!(outcome(&decoder)["status"], "complete");
}

#[test]
fn what_says_something_is_progress() {
    let something = [
        says("a"),
        says(" "),
        delta(json!({"reasoning": "r"})),
        delta(json!({"reasoning_content": "r"})),
        delta(json!({"content": "<thi"})),
        delta(json!({"refusal": "no"})),
        delta(json!({"content": [{"type": "text", "text": "a"}]})),
        delta(json!({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]})),
        delta(json!({"function_call": {"name": "f"}})),
    ];
    for stream in something {
        let mut decoder = timed(Some(100.0), Some(100.0), None);
        assert!(!decoder.push(stream.as_bytes(), 0.0, 99.0), "{stream}");
        assert_eq!(decoder.deadline(99.0), Some(199.0), "{stream}");
    }
}

#[test]
fn a_slow_consumer_is_no_stall() {
    let mut decoder = timed(Some(100.0), Some(100.0), None);
    decoder.push(says("a").as_bytes(), 0.0, 10.0);
    // The caller comes back after an hour; the next read is answered at once.
    let hour = 3.6e6;
    assert!(!decoder.push(says("b").as_bytes(), hour, hour + 1.0));
    assert!(!decoder.push(b": still here\n\n", 2.0 * hour, 2.0 * hour + 1.0));
    assert_eq!(decoder.deadline(3.0 * hour), Some(3.0 * hour + 100.0));
}

#[test]
fn the_whole_is_waited_for_so_long() {
    let mut decoder = timed(None, None, Some(100.0));
    for at in [0.0, 30.0, 60.0] {
        decoder.push(says("a").as_bytes(), at, at + 30.0);
    }
    assert_eq!(decoder.deadline(90.0), Some(100.0));
    assert!(decoder.push(says("a").as_bytes(), 90.0, 120.0));
    assert_eq!(stalled(&decoder), "timeout.total");
    assert_eq!(outcome(&decoder)["text"], "aaaa");
    // The nearer deadline is the one.
    let mut decoder = timed(Some(50.0), None, Some(100.0));
    assert_eq!(decoder.deadline(0.0), Some(50.0));
    decoder.push(b":\n\n", 0.0, 40.0);
    assert_eq!(decoder.deadline(95.0), Some(100.0));
}

#[test]
fn without_timeouts_nothing_is_due() {
    let mut decoder = timed(None, None, None);
    assert_eq!(decoder.deadline(0.0), None);
    assert!(!decoder.tick(0.0, 1e12));
    decoder.push(says("a").as_bytes(), 0.0, 1e12);
    assert_eq!(decoder.deadline(0.0), None);
}

#[test]
fn silence_after_every_finish_reason_is_the_end() {
    for (first_token, idle, total) in [(None, Some(10.0), None), (None, None, Some(50.0))] {
        let mut decoder = timed(first_token, idle, total);
        decoder.push([says("a"), finish("stop")].concat().as_bytes(), 0.0, 5.0);
        assert!(decoder.tick(5.0, 60.0));
        let outcome = outcome(&decoder);
        assert_eq!(
            (&outcome["status"], &outcome["error"]),
            (&json!("complete"), &Value::Null)
        );
        assert_eq!(outcome["repairs"][0]["code"], "end.no_done");
    }
    // Not so while one choice is still to finish.
    let mut decoder = timed(None, Some(10.0), None);
    decoder.push(
        [
            says("a"),
            finish("stop"),
            event(&json!({"choices": [{"index": 1, "delta": {"content": "b"}}]})),
        ]
        .concat()
        .as_bytes(),
        0.0,
        5.0,
    );
    assert!(decoder.tick(5.0, 15.0));
    assert_eq!(stalled(&decoder), "timeout.idle");
}

#[test]
fn a_document_that_keeps_coming_is_no_stall() {
    let mut decoder = timed(Some(100.0), Some(100.0), None);
    for (at, piece) in [
        (0.0, r#"{"choices":[{"message":"#),
        (90.0, r#"{"content":"a"},"#),
        (180.0, r#""finish_reason":"stop"}]}"#),
    ] {
        assert!(!decoder.push(piece.as_bytes(), at, at + 90.0));
    }
    decoder.end(End::Closed, 270.0);
    assert_eq!(outcome(&decoder)["status"], "complete");
    // White space that keeps coming is a keep-alive: some servers send it until they have an answer.
    let mut decoder = timed(Some(100.0), Some(100.0), None);
    for at in (0..480).step_by(60).map(f64::from) {
        assert!(!decoder.push(b"\n", at, at + 60.0));
    }
    assert!(decoder.push(b"\n", 480.0, 540.0));
    assert_eq!(stalled(&decoder), "timeout.firstToken");
}

// Bounds.

fn limited(change: impl FnOnce(&mut Bounds)) -> Options {
    let mut limits = Bounds::default();
    change(&mut limits);
    Options {
        bounds: limits,
        ..Options::default()
    }
}

/// The outcome for the stream at this limit, which has to be the same in one piece and byte by byte.
fn at_limit(change: impl Fn(&mut Bounds), stream: &str) -> Value {
    let whole = decode(limited(&change), stream, End::Closed);
    let mut decoder = Decoder::new(limited(&change));
    for byte in stream.as_bytes() {
        decoder.push(&[*byte], 0.0, 0.0);
    }
    decoder.end(End::Closed, 0.0);
    assert_eq!(outcome(&decoder), whole);
    whole
}

#[test]
fn each_limit_passes_at_its_edge_and_ends_in_its_error_past_it() {
    let ends = |outcome: &Value| {
        let error = &outcome["error"];
        (
            outcome["status"].as_str().unwrap().to_owned(),
            error["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let complete = ("complete".to_owned(), String::new());
    let refused = |code: &str| ("error".to_owned(), code.to_owned());
    let end = [&finish("stop"), DONE].concat();

    // Three events of one length, so that the last ones are recognised by the one before.
    let events = [says("a"), says("b"), says("c"), end.clone()].concat();
    let line = says("a").trim_end().len().max(finish("stop").trim_end().len());
    assert_eq!(
        ends(&at_limit(|limits| limits.max_event_bytes = line, &events)),
        complete
    );
    assert_eq!(
        ends(&at_limit(|limits| limits.max_event_bytes = line - 1, &events)),
        refused("limit.event_bytes")
    );
    let grows = [says("a"), says("b"), says(&"c".repeat(100)), end.clone()].concat();
    assert_eq!(
        ends(&at_limit(|limits| limits.max_event_bytes = line + 50, &grows)),
        refused("limit.event_bytes")
    );

    let document = r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    assert_eq!(
        ends(&at_limit(|limits| limits.max_event_bytes = document.len(), document)),
        complete
    );
    assert_eq!(
        ends(&at_limit(
            |limits| limits.max_event_bytes = document.len() - 1,
            document
        )),
        refused("limit.event_bytes")
    );

    let text = [
        says("12345"),
        delta(json!({"reasoning": "678"})),
        says("90"),
        end.clone(),
    ]
    .concat();
    assert_eq!(ends(&at_limit(|limits| limits.max_stream_bytes = 10, &text)), complete);
    assert_eq!(
        ends(&at_limit(|limits| limits.max_stream_bytes = 9, &text)),
        refused("limit.stream_bytes")
    );

    let call = |arguments: &str| {
        delta(json!({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": arguments}}]}))
    };
    let calls = [call("{\"a\":"), call("1}"), finish("tool_calls"), DONE.to_owned()].concat();
    assert_eq!(
        ends(&at_limit(|limits| limits.max_tool_call_bytes = 7, &calls)),
        complete
    );
    assert_eq!(
        ends(&at_limit(|limits| limits.max_tool_call_bytes = 6, &calls)),
        refused("limit.tool_call_bytes")
    );

    let choice =
        |index: u64| event(&json!({"choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": "stop"}]}));
    let choices = [choice(0), choice(7), DONE.to_owned()].concat();
    assert_eq!(ends(&at_limit(|limits| limits.max_choices = 2, &choices)), complete);
    assert_eq!(
        ends(&at_limit(|limits| limits.max_choices = 1, &choices)),
        refused("limit.choices")
    );
}

#[test]
fn nothing_a_server_sends_for_ever_is_kept_without_bound() {
    // Under Miri, which is a thousand times slower, fewer.
    let most = if cfg!(miri) { 100 } else { 4_000 };
    let numbered = |chunk: &dyn Fn(usize) -> Value| (0..most).map(|at| event(&chunk(at))).collect::<String>();
    let of_choice = |choice: Value| json!({"choices": [choice]});
    let streams = [
        numbered(&|at| json!({"choices": [], format!("key{at}"): "v".repeat(500)})),
        numbered(&|at| of_choice(json!({"index": 0, "delta": {format!("key{at}"): "v".repeat(500)}}))),
        numbered(&|at| of_choice(json!({"index": 0, format!("key{at}"): "v".repeat(500)}))),
        numbered(&|at| of_choice(json!({"index": 0, "delta": {}, "logprobs": {"content": [{"at": at}]}}))),
        numbered(&|at| of_choice(json!({"index": 0, "delta": {"annotations": [{"x": at}, 2]}}))),
        numbered(&|_| of_choice(json!({"index": 0, "delta": {"refusal": "no, not at all"}}))),
        numbered(&|at| {
            of_choice(
                json!({"index": 0, "delta": {"tool_calls": [{"index": at, "id": "t", "function": {"name": "f"}}]}}),
            )
        }),
        numbered(&|at| {
            of_choice(
                json!({"index": 0, "delta": {"tool_calls": [{"index": at % 2, "id": "t", "function": {"name": "f", "arguments": "some more"}}]}}),
            )
        }),
    ];
    for stream in streams {
        let outcome = decode(
            limited(|limits| limits.max_stream_bytes = 5 * most),
            &stream,
            End::Closed,
        );
        let start = &stream[..100];
        assert_eq!(outcome["error"]["code"], "limit.stream_bytes", "{start}");
    }
    // Names are kept in no more than a reasonable number, and without looking through ever more of them.
    let stream = numbered(&|at| json!({"choices": [{"delta": {format!("key{at}"): 1}}], format!("key{at}"): 1}));
    let outcome = decode(Options::default(), &stream, End::Closed);
    assert_eq!(outcome["completion"]["choices"][0]["message"]["key7"], 1);
    assert!(outcome["completion"].as_object().unwrap().len() < 1000);
    // A value that only replaces another may come for ever.
    let stream = numbered(
        &|at| json!({"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": at}, "citations": [at]}),
    );
    let outcome = decode(limited(|limits| limits.max_stream_bytes = 1000), &stream, End::Closed);
    assert_eq!(outcome["status"], "truncated");
}

#[test]
fn without_accumulation_text_is_only_handed_out() {
    let stream = [
        says("12345"),
        delta(json!({"reasoning": "678"})),
        says("90"),
        finish("stop"),
        DONE.to_owned(),
    ]
    .concat();
    let mut options = limited(|limits| limits.max_stream_bytes = 4);
    options.accumulate = false;
    options.output = OutputKind::Text;
    let mut decoder = Decoder::new(options);
    decoder.push(stream.as_bytes(), 0.0, 0.0);
    assert_eq!(decoder.output(), b"1234590");
    let outcome = outcome(&decoder);
    assert_eq!(
        (&outcome["status"], &outcome["text"], &outcome["reasoning"]),
        (&json!("complete"), &json!(""), &json!(""))
    );
}

#[test]
#[cfg_attr(miri, ignore = "measures time")]
fn a_name_on_every_piece_of_long_arguments_takes_linear_time() {
    let time = |pieces: usize| {
        let piece = |arguments: &str| {
            delta(json!({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": arguments}}]}))
        };
        let stream = [
            piece("{\"a\":\""),
            piece("0123456789").repeat(pieces),
            piece("\"}"),
            finish("tool_calls"),
            DONE.to_owned(),
        ]
        .concat();
        let started = Instant::now();
        let outcome = decode(Options::default(), &stream, End::Closed);
        assert_eq!(outcome["toolCalls"][0]["complete"], true);
        assert_eq!(outcome["toolCalls"].as_array().unwrap().len(), 1);
        started.elapsed()
    };
    // Both take as long where the time is linear, so that a busy machine slows both; the second takes 16 times as long where it is
    // quadratic.
    let mut turns = Vec::new();
    let is_linear = (0..5).any(|_| {
        let (apart, at_once) = ((0..16).map(|_| time(2_000)).sum::<Duration>(), time(32_000));
        turns.push((apart, at_once));
        at_once < apart * 5
    });
    assert!(is_linear, "{turns:?}");
}

#[test]
#[cfg_attr(miri, ignore = "takes time")]
fn text_that_looks_like_marks_costs_linear_time() {
    let time = |start: &str, piece: &str, count: usize, at_once: bool| {
        let stream = match at_once {
            true => says(&[start, &piece.repeat(count)].concat()),
            false => [says(start), says(piece).repeat(count)].concat(),
        };
        let stream = [stream, finish("stop"), DONE.to_owned()].concat();
        let started = Instant::now();
        assert_eq!(decode(Options::default(), &stream, End::Closed)["status"], "complete");
        started.elapsed()
    };
    for start in ["It is ", "```\n"] {
        for piece in [
            "[",
            "a[",
            " <",
            "<b",
            "`",
            "```\n",
            "<tool_call>",
            " <tool_call>x",
            "[TOOL_CALLS]",
            "</think>",
            " `</think>",
            "<|x|>",
            " <|x|>y",
            "◁",
            "\"</think>\"",
            "\u{0}",
            "{\"a\":[",
        ] {
            for at_once in [false, true] {
                let mut turns = Vec::new();
                let is_linear = (0..5).any(|_| {
                    let apart = (0..16).map(|_| time(start, piece, 300, at_once)).sum::<Duration>();
                    let together = time(start, piece, 16 * 300, at_once);
                    turns.push((apart, together));
                    together < apart * 5
                });
                assert!(is_linear, "{piece} after {start}: {turns:?}");
            }
        }
    }
}

#[test]
fn made_up_ids_are_short_and_differ() {
    let calls = delta(
        json!({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}, {"function": {"name": "f", "arguments": "{}"}}]}),
    );
    let ids = |id: &str, started: f64| -> Vec<String> {
        let stream = [
            event(&json!({"id": id, "choices": []})),
            calls.replace(r#""id":"c","#, ""),
            finish("tool_calls"),
            DONE.to_owned(),
        ]
        .concat();
        let outcome = decode(
            Options {
                started,
                ..Options::default()
            },
            &stream,
            End::Closed,
        );
        outcome["toolCalls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| call["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = [ids("c1", 1.0), ids("c2", 1.0), ids("", 1.0), ids("", 2.0)].concat();
    assert_eq!(ids("c1", 1.0), ids("c1", 1.0));
    assert!(
        all.iter()
            .all(|id| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())),
        "{all:?}"
    );
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8);
}

#[test]
fn a_document_read_as_a_stream_is_one_chunk_of_it() {
    let document = json!({"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "a",
        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "tool_calls"}]});
    let chunks = |stream: &str| -> Value {
        let mut decoder = Decoder::new(Options {
            output: OutputKind::Chunks,
            ..Options::default()
        });
        decoder.push(stream.as_bytes(), 0.0, 0.0);
        decoder.end(End::Closed, 0.0);
        serde_json::from_slice(decoder.output()).unwrap()
    };
    let expected = json!([{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0,
        "delta": {"role": "assistant", "content": "a", "tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        "finish_reason": "tool_calls"}]}]);
    assert_eq!(chunks(&document.to_string()), expected);
    assert_eq!(chunks(&json!([document]).to_string()), expected);
}

#[test]
fn the_completion_of_a_document_is_the_servers_own_text() {
    let document = "{ \"choices\": [ {\"message\": {\"content\": \"a\"}, \"finish_reason\": \"stop\"} ], \"x\": 1.0 }";
    let mut decoder = Decoder::new(Options {
        document: true,
        ..Options::default()
    });
    decoder.push(document.as_bytes(), 0.0, 0.0);
    decoder.end(End::Closed, 0.0);
    assert_eq!(decoder.completion_json(), document);
}

#[test]
fn the_typed_outcome_is_there_whatever_halves_the_server_sends() {
    let stream = concat!(
        r#"data: {"id":"\ud83d","choices":[{"index":0,"delta":{"content":"a","note":"\ude00\ud83d\ude00\\ud83d"},"finish_reason":"stop"}]}"#,
        "\n\ndata: [DONE]\n\n"
    );
    let mut decoder = Decoder::new(Options::default());
    decoder.push(stream.as_bytes(), 0.0, 0.0);
    let outcome = decoder.outcome().expect("an outcome that Rust can hold");
    assert_eq!(outcome.text, "a");
    let json = decoder.outcome_json().unwrap();
    assert!(
        json.contains(r#""note":"\ude00\ud83d\ude00\\ud83d""#),
        "JavaScript gets it as it was sent: {json}"
    );
    let whole = chatwire::json::with_whole_surrogates(&json);
    assert!(whole.contains(r#""note":"\ufffd\ud83d\ude00\\ud83d""#), "{whole}");
}

#[test]
fn done_without_its_blank_line_ends_soon_though_the_connection_stays_open() {
    const ANSWER: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
    for end in ["data: [DONE]", "data: [DONE]\n", "data:[DONE] \r"] {
        let mut decoder = Decoder::new(Options::default());
        assert!(!decoder.push([ANSWER, end].concat().as_bytes(), 0.0, 10.0), "{end:?}");
        let due = decoder.deadline(10.0).expect("it does not wait for ever");
        assert!(due < 1000.0, "{due}");
        assert!(!decoder.tick(10.0, due - 1.0));
        assert!(decoder.tick(10.0, due));
        let outcome = decoder.outcome().unwrap();
        assert_eq!((outcome.status, outcome.text.as_str()), (Status::Complete, "a"));
        assert_eq!(outcome.repairs[0].code, "framing.unfinished_event");
    }
    for unlike in ["data: [DON", ": [DONE]", "data: {\"choices\":[]}\n", "event: [DONE]\n"] {
        let mut decoder = Decoder::new(Options::default());
        decoder.push([ANSWER, unlike].concat().as_bytes(), 0.0, 10.0);
        assert_eq!(decoder.deadline(10.0), None, "{unlike:?}");
    }
    // The blank line in a read of its own is no repair.
    let mut decoder = Decoder::new(Options::default());
    decoder.push([ANSWER, "data: [DONE]\n"].concat().as_bytes(), 0.0, 10.0);
    assert!(decoder.push(b"\n", 10.0, 500.0));
    assert!(decoder.outcome().unwrap().repairs.is_empty());
}
