//! The accumulated completion is what the call without `stream` would have returned: random completions go through a
//! chunker that cuts them as servers do, and the recorded streams of real servers through a plain sum of their data
//! lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chatwire::provider::ReasoningPlace;
use chatwire::stream::{Decoder, End, Options, OutputKind};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn outcome(stream: &[u8], read: usize, options: Options) -> Value {
    let mut decoder = Decoder::new(options);
    for bytes in stream.chunks(read) {
        decoder.push(bytes, 0.0, 0.0);
    }
    decoder.end(End::Closed, 0.0);
    serde_json::from_str(&decoder.outcome_json().expect("it has ended")).expect("an outcome is JSON")
}

// A random completion.

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z <>`\"\\\\\n]{0,12}", "\\PC{0,8}", "[🙂日é]{1,6}"]
}

fn call(index: usize) -> impl Strategy<Value = Value> {
    (text(), any::<bool>()).prop_map(move |(argument, signed)| {
        let mut call = json!({"id": format!("call_{index}"), "type": "function",
            "function": {"name": format!("f{index}"), "arguments": json!({"a": argument}).to_string()}});
        if signed {
            call["extra_content"] = json!({"signature": "s"});
        }
        call
    })
}

fn calls() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![2 => Just(Vec::new()), 1 => (call(0), call(1), call(2), 1usize..4).prop_map(|(a, b, c, number)| {
        [a, b, c].into_iter().take(number).collect()
    })]
}

fn choice() -> impl Strategy<Value = Value> {
    let logprobs = prop::collection::vec("[ab]{1}", 0..4);
    let reasoning = prop::option::of("[a-z é🙂]{1,12}");
    (
        prop::option::of(text()),
        prop::option::of("[a-z 日]{1,9}"),
        reasoning,
        calls(),
        logprobs,
        any::<bool>(),
    )
        .prop_map(|(content, refusal, reasoning, calls, logprobs, extra)| {
            let mut message = json!({"role": "assistant", "content": content});
            if let Some(refusal) = refusal {
                message["refusal"] = refusal.into();
            }
            if let Some(reasoning) = reasoning {
                message["reasoning"] = reasoning.into();
            }
            let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            if extra {
                message["provider_note"] = json!({"x": [1, 2]});
                message["annotations"] = json!([{"u": 1}, {"u": 2}]);
            }
            let mut choice = json!({"message": message, "finish_reason": reason});
            if !logprobs.is_empty() {
                let tokens: Vec<Value> = logprobs
                    .iter()
                    .map(|token| json!({"token": token, "logprob": -0.5}))
                    .collect();
                choice["logprobs"] = json!({"content": tokens});
            }
            choice
        })
}

fn completion() -> impl Strategy<Value = Value> {
    (prop::collection::vec(choice(), 1..4), prop::option::of(0u64..1000), any::<bool>()).prop_map(
        |(mut choices, usage, extra)| {
            for (index, choice) in choices.iter_mut().enumerate() {
                choice["index"] = index.into();
            }
            let mut completion = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "m", "choices": choices});
            if let Some(tokens) = usage {
                completion["usage"] = json!({"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1,
                    "prompt_tokens_details": {"cached_tokens": 0}});
            }
            if extra {
                completion["system_fingerprint"] = "fp".into();
                completion["citations"] = json!(["a", "b"]);
            }
            completion
        },
    )
}

// The chunker.

/// A JSON string that is spelled by UTF-16 units, so that pieces may hold half a surrogate pair.
fn spelled(units: &[u16]) -> String {
    let mut spelled = String::from("\"");
    for unit in units {
        match char::from_u32(u32::from(*unit)) {
            Some(char @ (' '..='~')) if char != '"' && char != '\\' => spelled.push(char),
            _ => spelled.push_str(&format!("\\u{unit:04x}")),
        }
    }
    spelled + "\""
}

/// Cuts a text into pieces of so many units, spelled as JSON.
fn pieces(text: &str, size: usize) -> Vec<String> {
    let units: Vec<u16> = text.encode_utf16().collect();
    if units.is_empty() {
        vec!["\"\"".to_owned()]
    } else {
        units.chunks(size).map(spelled).collect()
    }
}

/// The deltas of one choice as JSON text of the choice's members, in the order a server sends them.
fn deltas(choice: &Value, size: usize) -> Vec<String> {
    let message = &choice["message"];
    let mut deltas = vec![r#""delta":{"role":"assistant","content":null},"finish_reason":null"#.to_owned()];
    let mut say = |delta: String| deltas.push(format!(r#""delta":{{{delta}}},"finish_reason":null"#));
    for field in ["reasoning", "content", "refusal"] {
        if let Some(text) = message[field].as_str() {
            for piece in pieces(text, size) {
                say(format!("\"{field}\":{piece}"));
            }
        }
    }
    for (name, value) in message.as_object().unwrap() {
        match (name.as_str(), value) {
            ("provider_note", value) => say(format!("\"{name}\":{value}")),
            // A list comes item by item, and is added to.
            ("annotations", Value::Array(items)) => items.iter().for_each(|item| say(format!("\"{name}\":[{item}]"))),
            _ => {}
        }
    }
    for (index, call) in message["tool_calls"]
        .as_array()
        .unwrap_or(&Vec::new())
        .iter()
        .enumerate()
    {
        let function = &call["function"];
        let signature = call
            .get("extra_content")
            .map(|extra| format!(",\"extra_content\":{extra}"))
            .unwrap_or_default();
        say(format!(
            r#""tool_calls":[{{"index":{index},"id":{},"type":"function","function":{{"name":{},"arguments":""}}{signature}}}]"#,
            call["id"], function["name"]
        ));
        for piece in pieces(function["arguments"].as_str().unwrap(), size) {
            say(format!(
                r#""tool_calls":[{{"index":{index},"function":{{"arguments":{piece}}}}}]"#
            ));
        }
    }
    for token in choice["logprobs"]["content"].as_array().unwrap_or(&Vec::new()) {
        deltas.push(format!(
            r#""delta":{{}},"logprobs":{{"content":[{token}]}},"finish_reason":null"#
        ));
    }
    deltas.push(format!(r#""delta":{{}},"finish_reason":{}"#, choice["finish_reason"]));
    deltas
}

/// The stream of a completion: choices in turn, the order among them as `turns` says.
fn stream_of(completion: &Value, size: usize, turns: &[usize]) -> String {
    let mut head = format!(
        r#""id":{},"object":"chat.completion.chunk","created":{},"model":{}"#,
        completion["id"], completion["created"], completion["model"]
    );
    for name in ["system_fingerprint", "citations"] {
        if let Some(value) = completion.get(name) {
            head.push_str(&format!(",\"{name}\":{value}"));
        }
    }
    let choices = completion["choices"].as_array().unwrap();
    let mut queues: Vec<_> = choices.iter().map(|choice| deltas(choice, size).into_iter()).collect();
    let mut stream = String::new();
    let mut turn = turns.iter().cycle();
    while queues.iter().any(|queue| queue.len() > 0) {
        let at = turn.next().map_or(0, |turn| turn % queues.len());
        let at = (0..queues.len())
            .map(|step| (at + step) % queues.len())
            .find(|at| queues[*at].len() > 0)
            .unwrap();
        let choice = queues[at].next().unwrap();
        stream.push_str(&format!(
            "data: {{{head},\"choices\":[{{\"index\":{at},{choice}}}]}}\n\n"
        ));
    }
    if let Some(usage) = completion.get("usage") {
        stream.push_str(&format!("data: {{{head},\"choices\":[],\"usage\":{usage}}}\n\n"));
    }
    stream + "data: [DONE]\n\n"
}

proptest! {
    #[test]
    fn a_streamed_completion_adds_up_to_itself(
        completion in completion(),
        size in 1usize..9,
        turns in prop::collection::vec(0usize..3, 1..8),
        read in 1usize..2000,
    ) {
        let stream = stream_of(&completion, size, &turns);
        // Text that happens to start like a tag is text here.
        let choices = completion["choices"].as_array().map(|choices| choices.len() as u64);
        let options = |output| Options { output, choices, reasoning: ReasoningPlace::from_name("reasoning").unwrap(), ..Options::default() };
        let whole = outcome(stream.as_bytes(), usize::MAX, options(OutputKind::None));
        prop_assert_eq!(&whole["completion"], &completion, "{}", stream);
        prop_assert_eq!(&whole["repairs"], &json!([]));
        prop_assert_eq!(&whole["status"], "complete");
        for output in [OutputKind::Events, OutputKind::Chunks] {
            prop_assert_eq!(&outcome(stream.as_bytes(), read, options(output)), &whole);
        }
        // And it is what the document itself is read as.
        let document = completion.to_string();
        let document = outcome(document.as_bytes(), read, Options { document: true, ..options(OutputKind::None) });
        for field in ["completion", "message", "text", "reasoning", "toolCalls", "finishReason", "usage"] {
            prop_assert_eq!(&document[field], &whole[field], "{} of the document", field);
        }
        // The assistant's turn is the message itself, but strict servers refuse one with neither content nor a call.
        let mut message = completion["choices"][0]["message"].clone();
        if message["content"].is_null() && message["tool_calls"].is_null() {
            message["content"] = json!("");
        }
        prop_assert_eq!(&whole["message"], &message);
    }
}

// Recorded streams.

/// The result of a plain sum over the data lines of a recorded stream.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    text: String,
    reasoning: String,
    calls: BTreeMap<u64, (String, String, String)>,
    finish_reason: Option<String>,
    usage: Option<Value>,
}

fn sum(stream: &str) -> Sum {
    let mut sum = Sum::default();
    for line in stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|line| *line != "[DONE]")
    {
        let chunk: Value = serde_json::from_str(line).expect("a recorded line is JSON");
        let vendor = chunk
            .as_object()
            .unwrap()
            .values()
            .find_map(|value| value.get("usage"))
            .cloned();
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()).cloned().or(vendor) {
            sum.usage = Some(usage);
        }
        let Some(choice) = chunk["choices"].get(0) else {
            continue;
        };
        if let Some(reason) = choice["finish_reason"].as_str() {
            sum.finish_reason = Some(reason.to_owned());
        }
        let delta = &choice["delta"];
        match &delta["content"] {
            Value::String(text) => sum.text.push_str(text),
            Value::Array(parts) => {
                for part in parts {
                    sum.text.push_str(part["text"].as_str().unwrap_or_default());
                    for thought in part["thinking"].as_array().unwrap_or(&Vec::new()) {
                        sum.reasoning.push_str(thought["text"].as_str().unwrap_or_default());
                    }
                }
            }
            _ => {}
        }
        sum.reasoning.push_str(
            delta["reasoning"]
                .as_str()
                .or(delta["reasoning_content"].as_str())
                .unwrap_or_default(),
        );
        for call in delta["tool_calls"].as_array().unwrap_or(&Vec::new()) {
            let kept = sum.calls.entry(call["index"].as_u64().unwrap_or(0)).or_default();
            kept.0.push_str(call["id"].as_str().unwrap_or_default());
            kept.1.push_str(call["function"]["name"].as_str().unwrap_or_default());
            kept.2
                .push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    sum
}

#[test]
#[cfg_attr(miri, ignore = "reads long recordings")]
fn recorded_streams_of_real_servers_add_up() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire/recorded");
    let Ok(files) = fs::read_dir(&folder) else {
        println!("skipped: there are no recorded streams at {}", folder.display());
        return;
    };
    let mut seed = 1u64;
    let mut random = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let mut read = 0;
    for file in files {
        let file = file.unwrap().path();
        let stream = fs::read_to_string(&file).unwrap();
        let sum = sum(&stream);
        for round in 0..40 {
            let mut decoder = Decoder::new(Options {
                output: OutputKind::Events,
                predict: round % 2 == 0,
                ..Options::default()
            });
            let largest = [1, 7, 100, 5000, stream.len()][round % 5];
            let mut rest = stream.as_bytes();
            while !rest.is_empty() {
                let (bytes, after) = rest.split_at((1 + random(largest)).min(rest.len()));
                decoder.push(bytes, 0.0, 0.0);
                rest = after;
            }
            decoder.end(End::Closed, 0.0);
            let outcome: Value = serde_json::from_str(&decoder.outcome_json().unwrap()).unwrap();
            let name = file.display();
            assert_eq!(outcome["status"], "complete", "{name}");
            assert_eq!(
                (&outcome["text"], &outcome["reasoning"]),
                (&json!(sum.text), &json!(sum.reasoning)),
                "{name}"
            );
            assert_eq!(outcome["finishReason"].as_str(), sum.finish_reason.as_deref(), "{name}");
            let calls: Vec<Value> = (sum.calls.values())
                .map(|(id, name, arguments)| json!({"id": id, "name": name, "arguments": arguments, "complete": true}))
                .collect();
            assert_eq!(outcome["toolCalls"], Value::Array(calls), "{name}");
            let usage: Option<Map<String, Value>> =
                sum.usage.as_ref().and_then(Value::as_object).cloned().map(|mut usage| {
                    usage.insert("estimated".into(), false.into());
                    usage
                });
            assert_eq!(outcome["usage"].as_object(), usage.as_ref(), "{name}");
        }
        read += 1;
    }
    assert!(read > 0, "the folder has streams");
}

#[test]
fn the_completion_of_a_document_is_one_object_whatever_stands_before_it() {
    let document = concat!(
        "[{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":stant}}]}]data: {\"choices\":[]}\n\n",
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n",
        "data: [DONE]\n\n",
    );
    let mut decoder = Decoder::new(Options {
        document: true,
        ..Options::default()
    });
    decoder.push(document.as_bytes(), 0.0, 0.0);
    decoder.end(End::Closed, 0.0);
    let completion: Value = serde_json::from_str(&decoder.completion_json()).expect("a completion is JSON");
    assert_eq!(completion["choices"][0]["message"]["content"], "a");
}
