//! Nothing that a server sent is lost, taken twice or out of order, and nothing that was written says it twice.
//!
//! Long because it has a case for each loss that was found, each with its stream written out.

#![cfg(not(target_arch = "wasm32"))]

use chatwire::json::{Kind, Reader};
use chatwire::stream::{Decoder, End, Options, OutputKind, Status};
use chatwire::usage::TokenPrices;
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
    let (events, whole) = read(stream, usize::MAX, |_| {});
    for piece in [1, 2, 3, 7, 16, 61, usize::MAX] {
        for predict in [true, false] {
            for output in [
                OutputKind::Events,
                OutputKind::Chunks,
                OutputKind::Text,
                OutputKind::None,
            ] {
                let mut options = options(output);
                options.predict = predict;
                let mut decoder = Decoder::new(options);
                for bytes in stream.as_bytes().chunks(piece) {
                    decoder.push(bytes, 0.0, 1.0);
                }
                decoder.end(End::Closed, 2.0);
                let mut found = outcome(&decoder);
                found["timing"] = whole["timing"].clone();
                assert_eq!(found, whole, "pieces of {piece}, {output:?}, predict: {predict}");
            }
        }
    }
    said_alike(&events, &whole);
    whole
}

/// The index of the choice that an outcome is of: the only one's with anything in it, else 0.
fn main_choice(outcome: &Value) -> u64 {
    let is_silent = |choice: &Value| {
        let message = choice["message"].as_object().into_iter().flatten();
        let mut said = message.filter(|(name, value)| {
            *name != "role" && !value.is_null() && **value != "" && **value != json!([]) && **value != json!({})
        });
        choice["finish_reason"].is_null() && said.next().is_none()
    };
    match outcome["completion"]["choices"].as_array().map(Vec::as_slice) {
        Some([only]) => only["index"].as_u64().unwrap_or(0),
        Some([silent, only]) if is_silent(silent) => only["index"].as_u64().unwrap_or(0),
        _ => 0,
    }
}

/// The outcome has the sum of the events of choice 0, and nothing else.
fn said_alike(events: &[Value], outcome: &Value) {
    let main = main_choice(outcome);
    let sum = |kind: &str, member: &str| -> String {
        events
            .iter()
            .filter(|event| event["type"] == kind && event["choice"] == main)
            .filter_map(|event| event[member].as_str())
            .collect()
    };
    let reclassified = events.iter().any(|event| event["code"] == "reasoning.reclassified");
    if !reclassified {
        assert_eq!(sum("text", "text"), outcome["text"], "text");
        assert_eq!(sum("reasoning", "text"), outcome["reasoning"], "reasoning");
    }
    let refusal = outcome["message"]["refusal"].as_str().unwrap_or_default();
    assert_eq!(sum("refusal", "text"), refusal, "refusal");
    for (at, call) in outcome["toolCalls"].as_array().into_iter().flatten().enumerate() {
        let of = |kind: &str| {
            events
                .iter()
                .filter(|event| event["type"] == kind && event["choice"] == main && event["index"] == at)
                .collect::<Vec<_>>()
        };
        let starts = of("tool_call.start");
        assert_eq!(starts.len(), 1, "call {at} is started once: {events:?}");
        let dones = of("tool_call.done");
        let went_on = |done: &&Value| done["name"] != call["name"] || done["arguments"] != call["arguments"];
        if dones.len() > 1 || dones.first().is_some_and(went_on) {
            // The stream went on after its choice had finished: the last end stands, if there is one.
            continue;
        }
        let told = starts[0];
        assert_eq!((&told["id"], &told["name"]), (&call["id"], &call["name"]));
        let arguments: String = of("tool_call.delta")
            .iter()
            .filter_map(|event| event["arguments"].as_str())
            .collect();
        // Arguments that never came are `{}`.
        if !arguments.is_empty() || call["arguments"] != "{}" {
            // A whole value that was handed out, and to which the server added later, is not taken back.
            let is_outdated = events
                .iter()
                .any(|event| event["code"] == "tool_call.arguments_repeated")
                && serde_json::from_str::<Value>(&arguments).is_ok();
            assert!(
                is_outdated || arguments == call["arguments"],
                "the arguments of call {at}: {arguments}, {call}"
            );
        }
    }
}

/// The names that an object within this JSON text has twice.
fn doubled_names(json: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    walk(&mut Reader::new(json), &mut found);
    found
}

fn walk(reader: &mut Reader<'_>, found: &mut Vec<String>) {
    let mut first = true;
    match reader.kind().expect("JSON") {
        Kind::Object => {
            let mut names = std::collections::HashSet::new();
            reader.object().unwrap();
            while let Some(name) = reader.member(&mut first).unwrap() {
                if !names.insert(name.to_vec()) {
                    found.push(String::from_utf8_lossy(name).into_owned());
                }
                walk(reader, found);
            }
        }
        Kind::Array => {
            reader.array().unwrap();
            while reader.element(&mut first).unwrap() {
                walk(reader, found);
            }
        }
        _ => drop(reader.value().unwrap()),
    }
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

/// Streams by a grammar of what servers send, and mutated: read in every way, they say the same.
mod same_for_all {
    use proptest::prelude::*;

    use super::*;

    /// The contents of a string of a delta: text, tags, halves of pairs, JSON as text, marks.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => "[a-z ]{0,6}",
            1 => prop::sample::select(vec![
                "<", "<th", "<think>", "</think>", "ink>", "`", "```", "\\n", "\\ud83d", "\\ude00", "\\ud83d\\ude00", "é",
                "{\\\"a\\\":", "1}", "\\\"", "\\u0000", "[1,", "]", "Ünï", "\\ufeff",
            ]).prop_map(str::to_owned),
        ]
    }

    fn call() -> impl Strategy<Value = String> {
        let index = prop::sample::select(vec![r#""index":0,"#, r#""index":1,"#, r#""index":"1","#, ""]);
        let id = prop::sample::select(vec![r#""id":"t","#, r#""id":"u","#, r#""id":null,"#, r#""id":"","#, ""]);
        let name = prop::sample::select(vec![r#""name":"f","#, r#""name":"g","#, r#""name":null,"#, ""]);
        let function = prop_oneof![
            5 => (name, text()).prop_map(|(name, text)| format!(r#""function":{{{name}"arguments":"{text}"}}"#)),
            1 => Just(r#""function":null"#.to_owned()),
            1 => Just(r#""function":{"name":"f"}"#.to_owned()),
            1 => Just(r#""function":{"name":"f","arguments":{"a":1}}"#.to_owned()),
            1 => Just(r#""type":"function""#.to_owned()),
        ];
        (index, id, function).prop_map(|(index, id, function)| format!("{{{index}{id}{function}}}"))
    }

    fn member() -> impl Strategy<Value = String> {
        let fields = prop::sample::select(vec![
            "content",
            "reasoning",
            "reasoning_content",
            "refusal",
            "role",
            "x",
        ]);
        prop_oneof![
            6 => text().prop_map(|text| format!(r#""content":"{text}""#)),
            4 => (fields, text()).prop_map(|(field, text)| format!(r#""{field}":"{text}""#)),
            2 => prop::collection::vec(call(), 1..3).prop_map(|calls| format!(r#""tool_calls":[{}]"#, calls.join(","))),
            1 => text().prop_map(|text| format!(r#""content":[{{"type":"text","text":"{text}"}},{{"type":"thinking","thinking":"{text}"}}]"#)),
            1 => text().prop_map(|text| format!(r#""function_call":{{"name":"f","arguments":"{text}"}}"#)),
            1 => prop::sample::select(vec![
                r#""content":null"#, r#""x":[1]"#, r#""x":[]"#, r#""x":null"#, r#""x":{"y":1e999,"y":2}"#, r#""tool_calls":[]"#,
                r#""refusal":null"#, r#""content":7"#, r#""annotations":[{"a":1}]"#,
            ]).prop_map(str::to_owned),
        ]
    }

    fn choice() -> impl Strategy<Value = String> {
        let index = prop_oneof![8 => Just(r#""index":0,"#), 1 => Just(r#""index":1,"#), 1 => Just("")];
        let kind = prop_oneof![12 => Just("delta"), 1 => Just("message")];
        let end = prop_oneof![
            10 => Just(""),
            1 => prop::sample::select(vec![
                r#","finish_reason":null"#, r#","finish_reason":"stop""#, r#","finish_reason":"tool_calls""#,
                r#","finish_reason":"""#, r#","logprobs":{"content":[1]}"#, r#","usage":{"prompt_tokens":1}"#,
            ]),
        ];
        (index, kind, prop::collection::vec(member(), 0..3), end)
            .prop_map(|(index, kind, members, end)| format!(r#"{{{index}"{kind}":{{{}}}{end}}}"#, members.join(",")))
    }

    fn event() -> impl Strategy<Value = String> {
        let head = prop::sample::select(vec![
            r#""id":"c","#,
            r#""id":"c","model":"m","created":1,"#,
            r#""id":"c","x":[1],"#,
            "",
        ]);
        prop_oneof![
            12 => (head, prop::collection::vec(choice(), 1..3))
                .prop_map(|(head, choices)| format!("data: {{{head}\"choices\":[{}]}}\n\n", choices.join(","))),
            2 => prop::sample::select(vec![
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":\"3\",\"completion_tokens\":2,\"completion_tokens\":4}}\n\n",
                ": ping\n\n", "data: \n\n", "event: ping\ndata: {}\n\n", "data: [1,{}]\n\n", "data: {\"choices\":null}\n\n",
                "data: data: {\"choices\":[{\"delta\":{\"content\":\"d\"}}]}\n\n",
                "data: {\"choices\":[{\"delta\":{\"content\":\"e\"}}]}\ndata: {\"choices\":[{\"delta\":{\"content\":\"f\"}}]}\n\n",
                "data: {bad\ndata: {\"choices\":[{\"delta\":{\"content\":\"g\"}}]}\n\n",
                "id: 7\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\r\n\r\n",
                "data: {\"\\u0063hoices\":[{\"delta\":{\"content\":\"i\"}}]}\n\n",
            ]).prop_map(str::to_owned),
            1 => prop::sample::select(vec![
                "data: [DONE]\n\n", "data: {\"error\":{\"message\":\"no\",\"code\":429}}\n\n", "event: error\ndata: no\n\n",
                "data: \"[DONE]\"\n\n", "\n\n\n", "nonsense\n",
            ]).prop_map(str::to_owned),
        ]
    }

    /// Runs of the same event, as prediction likes them, and others between.
    fn stream() -> impl Strategy<Value = String> {
        let run = (event(), 1usize..4).prop_map(|(event, times)| event.repeat(times));
        prop::collection::vec(run, 1..8).prop_map(|runs| runs.concat())
    }

    /// Takes a byte out, doubles one, or cuts the stream.
    fn harmed(stream: String, harm: Option<(u8, prop::sample::Index)>) -> Vec<u8> {
        let mut bytes = stream.into_bytes();
        if let Some((kind, at)) = harm {
            let at = at.index(bytes.len());
            match kind {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, bytes[at]),
                2 => bytes.truncate(at),
                _ => bytes[at] = 0xFF,
            }
        }
        bytes
    }

    struct Read {
        batches: Vec<Vec<u8>>,
        decoder: Decoder,
    }

    fn read(bytes: &[u8], piece: usize, options: Options) -> Read {
        let mut decoder = Decoder::new(options);
        let mut batches = Vec::new();
        for bytes in bytes.chunks(piece.max(1)) {
            decoder.push(bytes, 0.0, 1.0);
            batches.push(decoder.output().to_vec());
        }
        if !decoder.has_ended() {
            decoder.end(End::Closed, 1.0);
            batches.push(decoder.output().to_vec());
        }
        Read { batches, decoder }
    }

    fn events(read: &Read) -> Vec<Value> {
        let batches = read.batches.iter().map(|batch| {
            let batch = chatwire::json::with_whole_surrogates(std::str::from_utf8(batch).expect("UTF-8")).into_owned();
            serde_json::from_str::<Vec<Value>>(&batch).expect("a batch is a JSON array")
        });
        batches.flatten().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 250 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_stream_says_the_same_however_it_is_read(
            stream in stream(),
            harm in prop::option::weighted(0.4, (0u8..4, any::<prop::sample::Index>())),
            piece in prop_oneof![Just(1usize), 2usize..120],
            strict in prop::bool::weighted(0.2),
        ) {
            let bytes = harmed(stream, harm);
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            let options = |output, predict| Options { predict, strict, ..options(output) };
            let whole = read(&bytes, usize::MAX, options(OutputKind::Events, true));
            let json = whole.decoder.outcome_json().expect("the stream has ended");
            let readable = chatwire::json::with_whole_surrogates(&json);
            let value: Value = serde_json::from_str(&readable).or_else(|_| {
                // Numbers out of range are for the typed outcome only.
                serde_json::from_str(&readable.replace("1e999", "1"))
            }).expect("an outcome is JSON");
            let main = main_choice(&value);
            for output in [OutputKind::Events, OutputKind::EventParts, OutputKind::Chunks, OutputKind::ChunkParts, OutputKind::Text, OutputKind::None] {
                for predict in [true, false] {
                    let other = read(&bytes, piece, options(output, predict));
                    prop_assert_eq!(other.decoder.outcome_json().unwrap(), json.clone(), "pieces of {}, {:?}, predict: {}\n{}", piece, output, predict, &shown);
                    if output == OutputKind::Text {
                        let text: Vec<u8> = other.batches.concat();
                        let reclassified = json.contains("reasoning.reclassified");
                        let said = if main == 0 { value["text"].as_str().unwrap() } else { "" };
                        prop_assert!(reclassified || text == said.as_bytes(), "the text\n{}", &shown);
                    }
                }
            }
            // The typed outcome says what the JSON says.
            let typed = whole.decoder.outcome();
            prop_assert!(typed.is_some(), "no typed outcome\n{}\n{}", &json, &shown);
            let typed = typed.unwrap();
            prop_assert_eq!(typed.status.as_str(), value["status"].as_str().unwrap());
            prop_assert_eq!(typed.text.as_str(), value["text"].as_str().unwrap());
            prop_assert_eq!(typed.reasoning.as_str(), value["reasoning"].as_str().unwrap());
            prop_assert_eq!(typed.completion.is_some(), !value["completion"].is_null(), "{}", &json);
            prop_assert_eq!(typed.message.is_some(), !value["message"].is_null(), "{}", &json);
            prop_assert_eq!(typed.usage.is_some(), !value["usage"].is_null(), "{}", &json);
            // An error, unless it is complete.
            prop_assert_eq!(value["error"].is_null(), value["status"] == "complete", "{}", &json);
            // Without accumulation the same is handed out; a bare closing tag may need the text before it to be judged.
            if !shown.contains("think") {
                let passing = read(&bytes, piece, Options { accumulate: false, ..options(OutputKind::Text, true) });
                let text = read(&bytes, piece, options(OutputKind::Text, true)).batches.concat();
                prop_assert_eq!(passing.batches.concat(), text, "without accumulation\n{}", &shown);
            }
            said_alike(&events(&whole), &value);
        }
    }
}
