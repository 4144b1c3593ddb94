//! The wire types: nothing a caller or a server wrote is lost on the way through them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::chat::view::{Value as Seen, View};
use chatwire::chat::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn same_after<T: serde::de::DeserializeOwned + serde::Serialize>(value: Value) {
    let typed: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), value);
}

#[test]
fn a_request_with_every_documented_field_survives_a_round_trip() {
    same_after::<ChatCompletionRequest>(json!({
        "model": "electron",
        "messages": [
            {"role": "system", "content": "Be brief.", "name": "ops"},
            {"role": "developer", "content": "x"},
            {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low", "z": 1}}]},
            {"role": "assistant", "content": null, "reasoning": "hm", "reasoning_content": "hm", "thought_signature": "s",
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": 1}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "ok"},
            {"role": "narrator", "content": ""},
        ],
        "temperature": 0.5, "top_p": 1, "top_k": 40, "max_tokens": 100, "max_completion_tokens": 7, "n": 1,
        "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}},
            {"type": "function", "name": "g", "description": "d", "parameters": {}},
            {"type": "custom", "custom": {"name": "h"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}},
        "stop": ["a", "b"], "seed": -3, "logit_bias": {"50256": -100, "1": 0.5}, "logprobs": true, "top_logprobs": 3,
        "presence_penalty": -2, "frequency_penalty": 2, "user": "u",
        "web_search": true, "thinking": {"type": "enabled", "budget_tokens": 10}, "reasoning_effort": "xhigh",
        "reasoning": {"effort": "low", "exclude": false, "delta_field": "reasoning_content", "x": 1},
        "reasoning_delta_field": "reasoning", "reasoning_content_compat": true,
        "metadata": {"a": "b"}, "store": false, "service_tier": "auto", "verbosity": "low", "prompt_cache_key": "k",
        "safety_identifier": "s", "modalities": ["text"],
        "prompt_logprobs": 1, "something_new": {"deep": [1, 2.5, null]},
    }));
}

#[test]
fn tool_choice_and_stop_keep_each_of_their_shapes() {
    for choice in [
        json!("auto"),
        json!("required"),
        json!("none"),
        json!("new"),
        json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}),
        json!({"type": "function", "function": {"name": "f"}, "more": 1}),
    ] {
        same_after::<ToolChoice>(choice);
    }
    same_after::<Stop>(json!("one"));
    same_after::<Stop>(json!(["one", "two"]));
}

#[test]
fn null_content_is_not_missing_content() {
    same_after::<Message>(json!({"role": "assistant", "content": null}));
    same_after::<Message>(json!({"role": "assistant"}));
    let turn = Message::calls(vec![ToolCall::function("c", "f", "{}")]);
    assert_eq!(serde_json::to_value(turn).unwrap()["content"], Value::Null);
}

#[test]
fn an_unset_model_is_left_out_for_the_default() {
    let request = ChatCompletionRequest::new("", vec![Message::user("Hi")]);
    assert_eq!(
        serde_json::to_value(&request).unwrap(),
        json!({"messages": [{"role": "user", "content": "Hi"}]})
    );
}

#[test]
fn electrons_own_example_answer_survives_a_round_trip() {
    same_after::<ChatCompletion>(json!({
        "id": "chatcmpl-7aX9", "object": "chat.completion", "created": 1712345678, "model": "electron",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Honey never spoils.",
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}], "tool_call_id": "t"},
            "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 18, "total_tokens": 26, "prompt_tokens_details": {"cached_tokens": 5}},
    }));
}

#[test]
fn odd_chunks_cost_a_field_and_never_the_chunk() {
    let read = |text: &str| serde_json::from_str::<ChatCompletionChunk>(text).unwrap();
    assert!(read(r#"{"choices":null}"#).choices.is_empty());
    assert!(read("{}").choices.is_empty());
    assert_eq!(read(r#"{"choices":[{"delta":null},7]}"#).choices.len(), 1);
    assert_eq!(read(r#"{"choices":[{"delta":{"content":null}}]}"#).text(), "");
    assert_eq!(
        read(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}"#).text(),
        "a"
    );
    assert_eq!(read(r#"{"created":1712345678.9}"#).created, Some(1712345678));
    assert_eq!(read(r#"{"created":"1712345678","id":5}"#).created, Some(1712345678));
    let usage =
        read(r#"{"usage":{"prompt_tokens":"3","completion_tokens":null,"prompt_tokens_details":{"cached_tokens":9}}}"#)
            .usage
            .unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens()),
        (3, 0, 3)
    );
    let deltas = read(
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}},{"index":1,"function":{"arguments":null}}]}}]}"#,
    );
    let calls = &deltas.choices[0].delta.as_ref().unwrap().tool_calls;
    let arguments = |index: usize| calls[index].function.as_ref().unwrap().arguments.as_deref();
    assert_eq!(
        (calls[0].index, arguments(0), arguments(1)),
        (None, Some(r#"{"a":1}"#), Some(""))
    );
}

#[test]
fn an_unknown_finish_reason_is_kept() {
    let chunk: ChatCompletionChunk =
        serde_json::from_str(r#"{"choices":[{"finish_reason":"insufficient_system_resource"}]}"#).unwrap();
    assert_eq!(
        chunk.choices[0].finish_reason.as_ref().unwrap().as_str(),
        "insufficient_system_resource"
    );
}

/// JSON of any shape, at most three levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000i32..1000).prop_map(Value::from),
        "[a-zé\\\\\"\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,5}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Whether a view shows a value; what is nested too deep is not shown.
fn is_seen(seen: &Seen, value: &Value) -> bool {
    match (seen, value) {
        (Seen::Deep, Value::Array(_) | Value::Object(_)) | (Seen::Null, Value::Null) => true,
        (Seen::Bool(seen), Value::Bool(value)) => seen == value,
        (Seen::String(seen), Value::String(value)) => seen == value,
        (Seen::Number(seen), Value::Number(value)) => {
            let value = value.as_f64().unwrap_or_default();
            (value - seen).abs() <= (value.abs() * 1e-15).max(f64::MIN_POSITIVE)
        }
        (Seen::Array(seen), Value::Array(values)) => {
            seen.len() == values.len() && seen.iter().zip(values).all(|(seen, value)| is_seen(seen, value))
        }
        (Seen::Object(seen), Value::Object(values)) => {
            seen.len() == values.len()
                && seen
                    .iter()
                    .all(|(name, seen)| values.get(name).is_some_and(|value| is_seen(seen, value)))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn unknown_fields_pass_through_everywhere(extra in any_json()) {
        let key = "zz_unknown";
        same_after::<ChatCompletionRequest>(json!({"messages": [{"role": "user", "content": "x", key: extra}], key: extra}));
        same_after::<ChatCompletion>(json!({"choices": [{"index": 0, "finish_reason": null, key: extra}], key: extra}));
        same_after::<ChatCompletionChunk>(json!({"choices": [{"index": 0, "finish_reason": null, "delta": {key: extra}, key: extra}], key: extra}));
    }

    #[test]
    fn the_view_reads_any_json(value in any_json()) {
        let text = serde_json::to_vec(&value).unwrap();
        let view = View::from_json(&text).unwrap();
        prop_assert!(is_seen(view.root(), &value), "{:?} read as {:?}", value, view);
    }

    #[test]
    fn the_view_reads_numbers_as_json_parse_does(number in prop_oneof![any::<f64>().prop_filter("JSON", |n| n.is_finite()), (-1e6..1e6f64)]) {
        let text = serde_json::to_string(&number).unwrap();
        let Seen::Number(read) = View::from_json(text.as_bytes()).unwrap().root().clone() else { panic!("no number") };
        // To the last digits, which no documented range depends on; below the smallest normal number, to that.
        let close = (number.abs() * 1e-15).max(f64::MIN_POSITIVE);
        prop_assert!((read - number).abs() <= close, "{} read as {}", number, read);
    }
}

#[test]
fn numbers_people_write_are_read_exactly() {
    for number in [
        "0",
        "-0.5",
        "1",
        "2",
        "2.0",
        "20",
        "0.1",
        "1e3",
        "1E+2",
        "5e-3",
        "32768",
        "9007199254740991",
        "1e999",
        "-1e999",
        "1e-999",
    ] {
        let Seen::Number(read) = View::from_json(number.as_bytes()).unwrap().root().clone() else {
            panic!("no number")
        };
        assert_eq!(read, number.parse::<f64>().unwrap(), "{number}");
    }
}

#[test]
fn a_view_keeps_what_validation_needs_and_drops_what_lies_deeper() {
    let view =
        View::from_json(br#"{"messages":[{"tool_calls":[{"function":{"arguments":"{}","x":[]}}]}],"a":null,"a":1}"#)
            .unwrap();
    let function = view.messages()[0].set("tool_calls").unwrap().elements()[0]
        .set("function")
        .unwrap();
    assert_eq!(function.set("arguments").unwrap().as_str(), Some("{}"));
    assert_eq!(function.set("x"), Some(&Seen::Deep));
    assert_eq!(
        view.get("a"),
        Some(&Seen::Number(1.0)),
        "a repeated name counts as its last"
    );
}

#[test]
fn hostile_depth_is_an_error_and_not_a_crash() {
    assert!(View::from_json(&[b'['; if cfg!(miri) { 1_000 } else { 1_000_000 }]).is_err());
    let deep = ["{\"a\":".repeat(100), "1".to_owned(), "}".repeat(100)]
        .concat()
        .into_bytes();
    assert!(View::from_json(&deep).is_ok());
}

#[test]
fn a_typed_request_gives_the_same_view_as_its_json() {
    let request = ChatCompletionRequest::new("electron", vec![Message::user("Hi")])
        .temperature(0.5)
        .stop(["x"])
        .with("k", 1);
    let text = serde_json::to_vec(&request).unwrap();
    assert_eq!(View::from(&request), View::from_json(&text).unwrap());
}
