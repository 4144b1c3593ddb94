//! Nothing that a server sent is lost, taken twice or out of order, and nothing that was written says it twice.

#![cfg(not(target_arch = "wasm32"))]

mod same;

use chatwire::stream::{Decoder, End, Options, OutputKind, Status};
use chatwire::usage::TokenPrices;
use same::doubled_names;
use serde_json::{Value, json};

fn delta(delta: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

const STOP: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const CALLED: &str =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn options(output: OutputKind) -> Options {
    Options {
        output,
        prices: Some(TokenPrices {
            input: 400_000,
            cached_input: 100_000,
            output: 1_600_000,
            up_to: None,
        }),
        ..Options::default()
    }
}

fn outcome(decoder: &Decoder) -> Value {
    serde_json::from_str(&decoder.outcome_json().expect("the stream has ended")).expect("an outcome is JSON")
}

/// Reads a stream in pieces of so many bytes; gives the events and the outcome.
fn read(stream: &str, piece: usize, change: impl Fn(&mut Options)) -> (Vec<Value>, Value) {
    let mut options = options(OutputKind::Events);
    change(&mut options);
    let mut decoder = Decoder::new(options);
    let mut events: Vec<Value> = Vec::new();
    for bytes in stream.as_bytes().chunks(piece) {
        decoder.push(bytes, 0.0, 1.0);
        events.extend(serde_json::from_slice::<Vec<Value>>(decoder.output()).expect("events are JSON"));
    }
    if !decoder.has_ended() {
        decoder.end(End::Closed, 2.0);
        events.extend(serde_json::from_slice::<Vec<Value>>(decoder.output()).expect("events are JSON"));
    }
    (events, outcome(&decoder))
}

/// Reads a stream in every way there is, which all have to give the same outcome.
fn outcome_in_any_way(stream: &str) -> Value {
    let bytes = stream.as_bytes();
    let cuts = [1, 2, 3, 7, 16, 61].map(|piece| bytes.chunks(piece).collect());
    same::same_for_all(bytes, &options(OutputKind::None), End::Closed, &cuts)
}

#[test]
fn a_function_that_is_null_in_a_later_delta_destroys_no_call() {
    for odd in ["null", "\"f\"", "[]", "7"] {
        let stream = [
            &delta(r#"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"a\":1"}}]}"#),
            &delta(&format!(r#"{{"tool_calls":[{{"index":0,"function":{odd}}}]}}"#)),
            &delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#),
            CALLED,
            DONE,
        ]
        .concat();
        let outcome = outcome_in_any_way(&stream);
        assert_eq!(
            outcome["message"]["tool_calls"],
            json!([{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]),
            "{odd}"
        );
    }
}

#[test]
fn no_written_object_has_a_member_twice() {
    let odd = [
        r#"{"role":"assistant","content":"a","content":null,"function":null,"type":"x","id":"y"}"#,
        r#"{"reasoning":"r","reasoning":"s","reasoning_content":"t","refusal":null,"refusal":"no"}"#,
        r#"{"tool_calls":[{"index":0,"index":0,"id":"t","id":"u","type":"function","type":"x","function":null,"function":{"name":"f","name":"g","arguments":"{}","arguments":"{}","x":1,"x":2},"y":1,"y":2}]}"#,
        r#"{"audio":{"id":"a"},"audio":{"id":"b"},"x":[1],"x":[2]}"#,
    ];
    let mut stream: String = odd.iter().map(|odd| delta(odd)).collect();
    stream += "data: {\"id\":\"c\",\"id\":\"d\",\"model\":\"m\",\"model\":\"n\",\"object\":\"o\",\"created\":1,\"created\":2,\
               \"choices\":[{\"index\":0,\"message\":null,\"text\":null,\"logprobs\":{\"content\":[1],\"content\":[2]},\
               \"delta\":{},\"stop_reason\":1,\"stop_reason\":2}],\"x\":1,\"x\":2,\
               \"usage\":{\"prompt_tokens\":1,\"prompt_tokens\":2,\"completion_tokens\":1,\"estimated\":true}}\n\n";
    stream += CALLED;
    let (_, outcome) = read(&stream, usize::MAX, |_| {});
    assert_eq!(outcome["usage"]["prompt_tokens"], 2);
    assert_eq!(outcome["usage"]["estimated"], false);
    for piece in [usize::MAX, 5] {
        let mut decoder = Decoder::new(options(OutputKind::Events));
        for bytes in stream.as_bytes().chunks(piece) {
            decoder.push(bytes, 0.0, 1.0);
            assert_eq!(doubled_names(decoder.output()), [""; 0]);
        }
        decoder.end(End::Closed, 2.0);
        for json in [
            decoder.outcome_json().unwrap(),
            decoder.completion_json(),
            decoder.used_json(),
        ] {
            assert_eq!(doubled_names(json.as_bytes()), [""; 0], "{json}");
        }
    }
}

#[test]
fn the_names_of_an_answer_are_known_from_its_first_chunk_on() {
    let mut decoder = Decoder::new(options(OutputKind::Events));
    let names = |decoder: &Decoder| {
        let used: serde_json::Value = serde_json::from_str(&decoder.used_json()).unwrap();
        used["completion"].to_string()
    };
    assert_eq!(names(&decoder), "null");
    decoder.push(b": a comment\n\n", 0.0, 1.0);
    assert_eq!(names(&decoder), "null");
    let chunk = br#"data: {"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    decoder.push(&[chunk.as_slice(), b"\n\n"].concat(), 1.0, 2.0);
    assert_eq!(names(&decoder), r#"{"created":7,"id":"c","model":"m"}"#);
}

#[test]
fn of_two_equal_names_in_a_chunk_the_last_counts() {
    let stream = [
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"no\"}}],\
         \"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\",\"x\":[1],\"x\":[2]}}]}\n\n",
        "data: {\"error\":{\"message\":\"no\"},\"error\":null,\"choices\":[{\"index\":0,\"delta\":{\"x\":[3],\"x\":[4]}}]}\n\n",
        "data: {\"object\":\"error\",\"object\":\"o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"no\"},\
         \"delta\":{\"content\":\"b\"}}]}\n\n",
        STOP,
        DONE,
    ]
    .concat();
    let outcome = outcome_in_any_way(&stream);
    assert_eq!(
        (&outcome["status"], &outcome["text"]),
        (&json!("complete"), &json!("ab"))
    );
    assert_eq!(outcome["message"]["x"], json!([2, 4]));
}

#[test]
fn counts_as_text_are_counted_everywhere() {
    let usage = r#"{"prompt_tokens":"10","completion_tokens":"5.0","total_tokens":"15","prompt_tokens_details":{"cached_tokens":"4"},"note":"7"}"#;
    let stream = [
        &delta(r#"{"content":"a"}"#),
        &format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n"),
        STOP,
        DONE,
    ]
    .concat();
    let outcome = outcome_in_any_way(&stream);
    let numbers = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4}, "note": "7"});
    assert_eq!(outcome["completion"]["usage"], numbers);
    assert_eq!(outcome["usage"]["prompt_tokens"], 10);
    assert_eq!(
        outcome["cost"].as_f64(),
        Some((6.0 * 0.4 + 4.0 * 0.1 + 5.0 * 1.6) / 1e6)
    );
}

#[test]
fn an_index_as_text_is_an_index() {
    let stream = [
        "data: {\"choices\":[{\"index\":\"1\",\"delta\":{\"content\":\"b\"}},{\"index\":\"0\",\"delta\":{\"content\":\"a\"}}]}\n\n",
        &delta(r#"{"tool_calls":[{"index":"1","id":"u","function":{"name":"g","arguments":"{"}},{"index":"0","id":"t","function":{"name":"f","arguments":"{}"}}]}"#),
        &delta(r#"{"tool_calls":[{"index":"1","function":{"arguments":"}"}}]}"#),
        CALLED,
        DONE,
    ]
    .concat();
    let outcome = outcome_in_any_way(&stream);
    assert_eq!(outcome["text"], "a");
    assert_eq!(outcome["toolCalls"][0]["arguments"], "{}");
    assert_eq!(outcome["toolCalls"][1]["arguments"], "{}");
}

#[test]
fn a_lost_connection_adds_nothing_to_an_outcome_that_is_there() {
    let mut decoder = Decoder::new(options(OutputKind::None));
    decoder.push(delta(r#"{"content":"a"}"#).as_bytes(), 0.0, 1.0);
    decoder.end(End::Closed, 2.0);
    let before = decoder.outcome_json();
    decoder.lose("read ECONNRESET", 3.0);
    assert_eq!(decoder.outcome_json(), before);
    let mut decoder = Decoder::new(options(OutputKind::None));
    decoder.lose("read ECONNRESET", 3.0);
    assert!(decoder.outcome_json().unwrap().contains("read ECONNRESET"));
}

#[test]
fn json_lines_that_stop_between_two_lines_are_not_complete() {
    let line = |text: &str, reason: &str| {
        format!(
            "{}\n",
            json!({"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": Some(reason).filter(|reason| !reason.is_empty())}]})
        )
    };
    let status = |body: &str, end| {
        let mut decoder = Decoder::new(options(OutputKind::None));
        decoder.push(body.as_bytes(), 0.0, 1.0);
        decoder.end(end, 2.0);
        outcome(&decoder)["status"].as_str().unwrap().to_owned()
    };
    let (open, whole) = (line("a", "") + &line("b", ""), line("a", "") + &line("b", "stop"));
    for end in [End::Closed, End::Lost] {
        assert_eq!(status(&open, end), "truncated", "{end:?}");
        assert_eq!(
            status(&format!("[{}]", open.trim().replace('\n', ",")), end),
            "truncated",
            "{end:?}"
        );
        assert_eq!(status(&whole, end), "complete", "{end:?}");
        // A message is all of an answer, whether or not it says why it stops.
        let message = json!({"choices": [{"message": {"content": "a"}}]}).to_string();
        assert_eq!(status(&message, end), "complete", "{end:?}");
    }
    assert_eq!(status(&(open + "[DONE]\n"), End::Closed), "complete");
}

#[test]
fn json_lines_are_handed_out_as_they_come() {
    let line = |choice: Value| format!("{}\n", json!({"id": "c", "choices": [choice]}));
    let first = line(json!({"index": 0, "delta": {"content": "a"}}));
    let last = line(json!({"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}));
    for (kind, handed_out) in [
        (OutputKind::Text, "a"),
        (OutputKind::Chunks, &*format!("[{}]", first.trim())),
    ] {
        let mut decoder = Decoder::new(options(kind));
        let (start, end) = first.split_at(30);
        decoder.push(start.as_bytes(), 0.0, 1.0);
        assert!(matches!(decoder.output(), b"" | b"[]"));
        decoder.push(end.as_bytes(), 1.0, 5.0);
        assert_eq!(String::from_utf8_lossy(decoder.output()), handed_out);
        assert!(decoder.has_token());
        decoder.push(last.as_bytes(), 5.0, 6.0);
        decoder.end(End::Closed, 7.0);
        let outcome = outcome(&decoder);
        assert_eq!(
            (&outcome["status"], &outcome["text"]),
            (&json!("complete"), &json!("ab"))
        );
        assert_eq!(outcome["timing"]["firstToken"], 5.0);
    }
    // A completion on a line of its own is a document, whose bytes are kept as they are.
    let whole = "{\"choices\":[{\"message\":{\"content\":\"a\"}}],  \"x\":1}\n";
    let mut decoder = Decoder::new(options(OutputKind::Text));
    decoder.push(whole.as_bytes(), 0.0, 1.0);
    decoder.end(End::Closed, 2.0);
    assert_eq!(outcome(&decoder)["status"], "complete");
    assert_eq!(decoder.completion_json(), whole);
}

#[test]
fn an_answer_that_is_said_again_as_a_message_is_taken_once() {
    let message = "data: {\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\
                   \"finish_reason\":\"stop\"}]}\n\n";
    for role in ["", r#","role":"assistant""#] {
        let piece = |text: &str| delta(&format!(r#"{{"content":"{text}"{role}}}"#));
        // The first deltas bring nothing, so that all that do are as predicted.
        let stream = [&piece(""), &piece(""), &piece("Hel"), &piece("lo"), message, DONE].concat();
        assert_eq!(outcome_in_any_way(&stream)["text"], "Hello");
    }
    let piece = |text: &str| delta(&format!(r#"{{"reasoning":"{text}","content":""}}"#));
    let message = "data: {\"choices\":[{\"index\":0,\"message\":{\"reasoning\":\"abc\",\"content\":\"\"},\
                   \"finish_reason\":\"stop\"}]}\n\n";
    let stream = [&piece("a"), &piece("b"), &piece("c"), message, DONE].concat();
    assert_eq!(outcome_in_any_way(&stream)["reasoning"], "abc");
}

#[test]
fn text_held_back_for_a_tag_comes_before_what_follows() {
    for beside in [
        r#"{"reasoning":"r"}"#,
        r#"{"reasoning_content":"r"}"#,
        r#"{"content":[{"type":"thinking","thinking":"r"}]}"#,
    ] {
        let stream = [
            &delta(r#"{"content":"a <"}"#),
            &delta(beside),
            &delta(r#"{"content":"b> c"}"#),
            STOP,
            DONE,
        ]
        .concat();
        let outcome = outcome_in_any_way(&stream);
        assert_eq!(outcome["text"], "a <b> c", "{beside}");
        assert_eq!(outcome["reasoning"], "r", "{beside}");
        let stream = [
            &delta(r#"{"content":"a \ud83d"}"#),
            &delta(beside),
            &delta(r#"{"content":"\ude00 b"}"#),
            STOP,
            DONE,
        ]
        .concat();
        assert_eq!(outcome_in_any_way(&stream)["text"], "a 😀 b", "{beside}");
    }
    // The text before a tool call is there to be spoken meanwhile.
    let stream = [
        &delta(r#"{"content":"a <"}"#),
        &delta(r#"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}"#),
        CALLED,
        DONE,
    ]
    .concat();
    let (events, _) = read(&stream, usize::MAX, |_| {});
    let filler = events.iter().find(|event| event["type"] == "filler").unwrap();
    assert_eq!(filler["text"], "a <");
    outcome_in_any_way(&stream);
}

#[test]
fn of_several_values_in_one_event_each_damaged_one_is_a_repair() {
    let good = |text: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n");
    const BAD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"\n";
    for (parts, count) in [
        (vec![good("a"), BAD.to_owned(), good("b")], 1),
        (vec![BAD.to_owned(), good("a"), good("b")], 1),
        (vec![good("a"), good("b"), BAD.to_owned()], 1),
        (vec![good("a"), BAD.to_owned(), BAD.to_owned(), good("b")], 2),
    ] {
        let stream = [&parts.concat(), "\n", STOP, DONE].concat();
        let outcome = outcome_in_any_way(&stream);
        assert_eq!(outcome["text"], "ab", "{stream}");
        let repairs = outcome["repairs"].as_array().unwrap();
        let malformed = repairs.iter().find(|repair| repair["code"] == "chunk.malformed");
        assert_eq!(
            malformed.map(|repair| &repair["count"]),
            Some(&json!(count)),
            "{stream}"
        );
    }
}

#[test]
fn a_repair_is_counted_each_time_however_the_bytes_were_cut() {
    let doubled = |text: &str| format!("data: {}", delta(&format!(r#"{{"content":"{text}"}}"#)));
    let stream = [&doubled("a"), &doubled("b"), &doubled("c"), &doubled("d"), STOP, DONE].concat();
    let outcome = outcome_in_any_way(&stream);
    assert_eq!(outcome["text"], "abcd");
    assert_eq!(
        outcome["repairs"],
        json!([{"code": "framing.doubled_field", "at": 0, "count": 4}])
    );
}

#[test]
fn events_say_all_that_the_outcome_says() {
    let call = |call: &str| delta(&format!(r#"{{"tool_calls":[{call}]}}"#));
    let cases = [
        // Arguments before the name, with and without an end.
        vec![
            call(r#"{"index":0,"id":"t","function":{"arguments":"{\"a\":"}}"#),
            call(r#"{"index":0,"function":{"name":"f"}}"#),
            call(r#"{"index":0,"function":{"arguments":"1}"}}"#),
            CALLED.to_owned(),
        ],
        vec![
            call(r#"{"index":0,"id":"t","function":{"arguments":"{\"a\":1}"}}"#),
            call(r#"{"index":0,"function":{"name":"f"}}"#),
            CALLED.to_owned(),
        ],
        vec![call(r#"{"index":0,"id":"t","function":{"arguments":"{\"a\":"}}"#)],
        vec![call(r#"{"index":0,"id":"t","function":{"name":"f"}}"#)],
        vec![
            call(r#"{"index":0,"id":"t","function":{"arguments":"{\"a\":1}"}}"#),
            call(r#"{"index":0,"function":{"name":"f"}}"#),
            call(r#"{"index":1,"id":"u","function":{"name":"g","arguments":"{}"}}"#),
        ],
        // Half of a pair that nothing completes.
        vec![delta(r#"{"reasoning":"a\ud83d"}"#), STOP.to_owned()],
        vec![delta(r#"{"content":"a\ud83d"}"#), STOP.to_owned()],
        vec![delta(r#"{"refusal":"a\ud83d"}"#), STOP.to_owned()],
        vec![delta(r#"{"content":"a\ud83d"}"#)],
        vec![delta(r#"{"reasoning":"a\ud83d"}"#)],
        vec![
            call(r#"{"index":0,"id":"t","function":{"name":"f","arguments":"{\"a\":\"\ud83d"}}"#),
            CALLED.to_owned(),
        ],
        vec![call(
            r#"{"index":0,"id":"t","function":{"name":"f","arguments":"{\"a\":\"\ud83d"}}"#,
        )],
        vec![delta(r#"{"content":"<think>a <"}"#)],
        vec![delta(r#"{"content":"a <"}"#), STOP.to_owned()],
    ];
    for case in cases {
        outcome_in_any_way(&case.concat());
        outcome_in_any_way(&[case.concat().as_str(), DONE].concat());
    }
}

#[test]
fn the_typed_outcome_is_there_whatever_the_server_sends() {
    let nested = format!("{}{}", "[".repeat(127), "]".repeat(127));
    for odd in [
        format!(r#"{{"content":"a","x":{nested}}}"#),
        r#"{"content":"a","x":1e999}"#.to_owned(),
        r#"{"content":"a","x":-1e999,"y":[1e400,{"z":1E+999}]}"#.to_owned(),
        r#"{"content":"a","x":{"n":1,"n":2}}"#.to_owned(),
        r#"{"content":"a","x":"\ud83d"}"#.to_owned(),
    ] {
        let usage = r#"{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":1,"cached_tokens":0}}"#;
        let stream = [
            &delta(&odd),
            &format!(
                "data: {{\"id\":7,\"created\":1e999,\"system_fingerprint\":{{}},\"service_tier\":5,\
                 \"choices\":[{{\"index\":0,\"delta\":{{}},\"logprobs\":{{\"content\":[1e999]}}}}],\"usage\":{usage}}}\n\n"
            ),
            STOP,
            DONE,
        ]
        .concat();
        let mut decoder = Decoder::new(options(OutputKind::None));
        decoder.push(stream.as_bytes(), 0.0, 1.0);
        let outcome = decoder.outcome().unwrap_or_else(|| panic!("no outcome: {odd}"));
        assert_eq!(outcome.status, Status::Complete, "{odd}");
        assert_eq!(outcome.text, "a", "{odd}");
        assert_eq!(outcome.usage.map(|usage| usage.prompt_tokens), Some(2), "{odd}");
        assert!(outcome.completion.is_some(), "{odd}");
    }
}

#[test]
fn usage_that_grows_is_told_the_same_whether_its_event_was_predicted_or_read() {
    for usage in [
        r#"{"prompt_tokens":31,"completion_tokens":N,"total_tokens":32}"#,
        r#"{ "prompt_tokens": 31, "completion_tokens": N }"#,
        r#"{"input_tokens":31,"output_tokens":N}"#,
        r#"{"completion_tokens":1,"prompt_tokens":31,"completion_tokens":N}"#,
        r#"{"completion_tokens":N,"estimated":1}"#,
        r#"{"completion_tokens":N,"cost":N}"#,
        r#"{"completion_tokens":N,"cost":0.5}"#,
    ] {
        let mut stream = String::new();
        for count in [1, 2, 3, 0, 4, 5, 5, 6] {
            let usage = usage.replace('N', &count.to_string());
            stream += &format!(
                "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}}}}],\"usage\":{usage}}}\n\n"
            );
        }
        stream += STOP;
        stream += DONE;
        for has_prices in [true, false] {
            let told = |predict| {
                let change = |options: &mut Options| {
                    options.predict = predict;
                    options.prices = options.prices.filter(|_| has_prices);
                };
                let (events, _) = read(&stream, 64, change);
                events
                    .iter()
                    .filter(|event| event["type"] == "usage")
                    .cloned()
                    .collect::<Vec<_>>()
            };
            let told = [true, false].map(told);
            assert!(told[0].len() > 5, "{usage}");
            assert_eq!(told[0], told[1], "{usage}");
        }
    }
}
