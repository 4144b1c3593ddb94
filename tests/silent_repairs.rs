//! No repair is silent: well-formed answers in which one value is of another kind, in a list, in no list, or spelled as text. Such an
//! answer ends otherwise than as complete, or has a repair with a code, which strict decoding refuses; or its place is named here with
//! the reason.

use std::fmt::Write as _;

use chatwire::stream::{Decoder, End, Options, OutputKind};
use serde_json::{Value, json};

/// One answer: its events, or the one document.
struct Answer {
    name: &'static str,
    is_document: bool,
    events: Vec<Value>,
}

fn answers() -> Vec<Answer> {
    let chunk = |delta: Value, reason: Value| {
        json!({
            "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "f",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]
        })
    };
    let usage = json!({
        "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 1}
    });
    let counted = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage});
    let call = |index: u64, id: &str, name: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]});
    let piece = |index: u64, text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    let document = |message: Value, reason: &str| {
        json!({
            "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}], "usage": usage
        })
    };
    vec![
        Answer {
            name: "text",
            is_document: false,
            events: vec![
                chunk(
                    json!({"role": "assistant", "content": "", "refusal": null}),
                    Value::Null,
                ),
                chunk(json!({"content": "Hello"}), Value::Null),
                chunk(json!({"content": " world"}), Value::Null),
                chunk(json!({}), json!("stop")),
                counted.clone(),
            ],
        },
        Answer {
            name: "refusal",
            is_document: false,
            events: vec![
                chunk(json!({"role": "assistant", "reasoning": "So"}), Value::Null),
                chunk(json!({"refusal": "I can"}), Value::Null),
                chunk(json!({"refusal": "not"}), Value::Null),
                chunk(json!({}), json!("stop")),
            ],
        },
        Answer {
            name: "calls",
            is_document: false,
            events: vec![
                chunk(json!({"role": "assistant", "content": null}), Value::Null),
                chunk(call(0, "t1", "f"), Value::Null),
                chunk(piece(0, "{\"a\":"), Value::Null),
                chunk(piece(0, "1}"), Value::Null),
                chunk(call(1, "t2", "g"), Value::Null),
                chunk(piece(1, "{\"b\":2}"), Value::Null),
                chunk(json!({}), json!("tool_calls")),
            ],
        },
        Answer {
            name: "document",
            is_document: true,
            events: vec![document(
                json!({"role": "assistant", "content": "Hello", "refusal": null, "reasoning": "So"}),
                "stop",
            )],
        },
        Answer {
            name: "document of calls",
            is_document: true,
            events: vec![document(
                json!({"role": "assistant", "content": null, "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                    {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "{\"b\":2}"}}
                ]}),
                "tool_calls",
            )],
        },
    ]
}

/// The outcome of these events.
fn outcome(answer: &Answer, events: &[Value], strict: bool) -> Value {
    let mut body = String::new();
    for event in events {
        let _ = match answer.is_document {
            true => write!(body, "{event}"),
            false => write!(body, "data: {event}\n\n"),
        };
    }
    if !answer.is_document {
        body.push_str("data: [DONE]\n\n");
    }
    let mut decoder = Decoder::new(Options {
        output: OutputKind::Events,
        document: answer.is_document,
        choices: Some(1),
        strict,
        ..Options::default()
    });
    decoder.push(body.as_bytes(), 0.0, 0.0);
    decoder.end(End::Closed, 0.0);
    serde_json::from_str(&decoder.outcome_json().expect("an outcome")).expect("an outcome is JSON")
}

/// The parts of an answer that a reader sees.
fn said(outcome: &Value) -> Value {
    let calls = outcome["toolCalls"].as_array().into_iter().flatten();
    let calls: Vec<Value> = calls.map(|call| json!([call["name"], call["arguments"]])).collect();
    let refusal = &outcome["completion"]["choices"][0]["message"]["refusal"];
    let refusal = if *refusal == "" { &Value::Null } else { refusal };
    let members = ["text", "reasoning", "finishReason"].map(|name| outcome[name].clone());
    json!([members, calls, refusal, outcome["usage"]["total_tokens"]])
}

/// The places of a value, by their steps.
fn places(value: &Value, path: &str, into: &mut Vec<String>) {
    let mut go = |step: String, inner: &Value| {
        let path = format!("{path}/{step}");
        into.push(path.clone());
        places(inner, &path, into);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| go(name.clone(), inner)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, inner)| go(at.to_string(), inner)),
        _ => {}
    }
}

/// A value as servers may send it in place of another.
fn changed(change: &str, value: &Value) -> Option<Value> {
    match (change, value) {
        ("in a list", value) => (!value.is_null()).then(|| json!([value])),
        ("out of its list", Value::Array(items)) if items.len() == 1 => Some(items[0].clone()),
        ("as text", Value::Array(_) | Value::Object(_) | Value::Number(_)) => Some(json!(value.to_string())),
        ("as a number", Value::String(_)) => Some(json!(7)),
        ("as true", Value::String(_) | Value::Object(_) | Value::Array(_)) => Some(json!(true)),
        _ => None,
    }
}

const CHANGES: [&str; 5] = ["in a list", "out of its list", "as text", "as a number", "as true"];

/// Where a value of another kind is no repair, and why not. The first of these that a place ends in counts.
const PASSED_OVER: [(&str, &str); 12] = [
    // Nothing is put right: each is kept as it was sent, and no reader needs it.
    ("/id", "an id that is no text is none"),
    ("/object", "kept"),
    ("/created", "kept"),
    ("/model", "a model that is no text is none"),
    ("/system_fingerprint", "kept"),
    ("/logprobs", "kept"),
    ("/role", "the assistant's, whatever is said"),
    ("/index", "as if it were left out"),
    // Nothing can be read from it, and no server is known to send it: it says nothing.
    ("/usage", "a usage that is no object counts nothing"),
    ("_details", "details that are no object count nothing"),
    ("_tokens", "a count that is no number is none"),
    ("/type", "a type that is no text is none"),
];

/// Lists, their items and members that say nothing where they are of another kind: no server is known to send them so. `reasoning`
/// that is true is a switch.
const SAYS_NOTHING: [&str; 8] = [
    "/choices",
    "/choices/N",
    "/tool_calls",
    "/tool_calls/N",
    "/function",
    "/function/name",
    "/refusal",
    "/reasoning",
];

fn is_passed_over(place: &str) -> bool {
    PASSED_OVER.iter().any(|(end, _)| place.ends_with(end)) || SAYS_NOTHING.iter().any(|end| place.ends_with(end))
}

#[test]
#[cfg_attr(miri, ignore = "many answers")]
fn an_answer_of_another_form_says_so_or_is_named_here() {
    let mut silent = String::new();
    let mut tried = 0;
    for answer in answers() {
        let base = outcome(&answer, &answer.events, true);
        assert_eq!(
            (&base["status"], &base["repairs"]),
            (&json!("complete"), &json!([])),
            "{}",
            answer.name
        );
        for at in 0..answer.events.len() {
            let mut paths = Vec::new();
            places(&answer.events[at], "", &mut paths);
            for path in paths {
                for change in CHANGES {
                    let mut events = answer.events.clone();
                    let value = events[at].pointer_mut(&path).unwrap();
                    let Some(other) = changed(change, value) else { continue };
                    *value = other;
                    tried += 1;
                    let lenient = outcome(&answer, &events, false);
                    let strict = outcome(&answer, &events, true);
                    let code = &lenient["repairs"][0]["code"];
                    if !code.is_null() {
                        assert_eq!(strict["error"]["name"], "ProtocolError", "{path} {change}");
                        continue;
                    }
                    if lenient["status"] != "complete" {
                        continue;
                    }
                    let place = path.replace("/0", "/N").replace("/1", "/N");
                    if !is_passed_over(&place) {
                        let what = if said(&lenient) == said(&base) {
                            "understood"
                        } else {
                            "lost"
                        };
                        let _ = writeln!(silent, "{}, event {at}: {place} {change}: {what}", answer.name);
                    }
                }
            }
        }
    }
    assert!(tried > 400, "{tried}");
    assert!(silent.is_empty(), "\n{silent}");
}
