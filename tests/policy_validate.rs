//! Validation: what each service documents as rejected is refused, what is merely odd is doubted, the rest goes through.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::chat::view::{Value as Seen, View};
use chatwire::policy::{Problem, Severity, Validation, validate};
use chatwire::provider::{Provider, Range};
use proptest::prelude::*;
use serde_json::{Value, json};

fn judge(provider: &str, request: &Value) -> Vec<Problem> {
    validate(
        &View::from_json(request.to_string().as_bytes()).unwrap(),
        &Provider::named(provider).unwrap(),
    )
}

/// `code path` of each problem.
fn found(problems: &[Problem], severity: Severity) -> Vec<String> {
    let of = problems.iter().filter(|problem| problem.severity == severity);
    of.map(|problem| format!("{} {}", problem.code, problem.path.join(".")))
        .collect()
}

/// A sound request with one more field.
fn with(field: &str, value: Value) -> Value {
    let mut request = json!({"model": "electron", "messages": [{"role": "user", "content": "Hi"}]});
    request[field] = value;
    request
}

fn with_messages(messages: Value) -> Value {
    json!({"model": "electron", "messages": messages})
}

#[test]
fn every_documented_field_at_its_documented_bounds_is_accepted() {
    for (field, value) in [
        ("temperature", json!(0)),
        ("temperature", json!(2)),
        ("top_p", json!(0)),
        ("top_p", json!(1.0)),
        ("max_tokens", json!(1)),
        ("presence_penalty", json!(-2)),
        ("frequency_penalty", json!(2)),
        ("logprobs", json!(false)),
        ("top_logprobs", json!(0)),
        ("seed", json!(-7)),
        ("stop", json!("x")),
        ("stop", json!(["x", "y"])),
        ("stop", json!([])),
        ("stream", json!(true)),
        ("stream_options", json!({"include_usage": true})),
        ("logit_bias", json!({"5": -100, "6": 0.5})),
        ("user", json!("u")),
        ("n", json!(1)),
        ("response_format", json!({"type": "json_object"})),
        ("tool_choice", json!("required")),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]),
        ),
        (
            "tools",
            json!([{"type": "function", "name": "f", "description": "d", "parameters": {}}]),
        ),
        ("tools", json!([])),
        ("something_new", json!({"any": "thing"})),
        ("parallel_tool_calls", json!(true)),
    ] {
        assert_eq!(judge("electron", &with(field, value.clone())), [], "{field} {value}");
    }
}

#[test]
fn what_electron_documents_as_rejected_or_out_of_range_is_refused() {
    for (field, value, expected) in [
        ("temperature", json!(2.1), "out_of_range temperature"),
        ("temperature", json!(-0.1), "out_of_range temperature"),
        ("temperature", json!("hot"), "wrong_type temperature"),
        ("top_p", json!(1.5), "out_of_range top_p"),
        ("max_tokens", json!(0), "out_of_range max_tokens"),
        ("max_tokens", json!(1.5), "wrong_type max_tokens"),
        ("max_tokens", json!("9"), "wrong_type max_tokens"),
        ("presence_penalty", json!(-2.5), "out_of_range presence_penalty"),
        ("frequency_penalty", json!(3), "out_of_range frequency_penalty"),
        ("top_logprobs", json!(21), "out_of_range top_logprobs"),
        ("logprobs", json!("yes"), "wrong_type logprobs"),
        ("seed", json!(1.5), "wrong_type seed"),
        ("stop", json!([1]), "wrong_type stop.0"),
        ("stop", json!({}), "wrong_type stop"),
        ("stream", json!("true"), "wrong_type stream"),
        ("stream_options", json!([]), "wrong_type stream_options"),
        (
            "stream_options",
            json!({"include_usage": 1}),
            "wrong_type stream_options.include_usage",
        ),
        ("logit_bias", json!({"5": "no"}), "wrong_type logit_bias.5"),
        ("user", json!(5), "wrong_type user"),
        ("model", json!(5), "wrong_type model"),
        ("n", json!(2), "unsupported_parameter n"),
        ("prompt_logprobs", json!(1), "unsupported_parameter prompt_logprobs"),
        ("prompt_logprobs", json!(false), "unsupported_parameter prompt_logprobs"),
        ("prompt_logprobs", json!(null), "unsupported_parameter prompt_logprobs"),
        ("temperature", json!(null), "wrong_type temperature"),
        (
            "stream_options",
            json!({"include_usage": null}),
            "wrong_type stream_options.include_usage",
        ),
        ("messages", json!([{"role": "user"}]), "required messages.0.content"),
        (
            "messages",
            json!([{"role": "assistant", "content": "x", "tool_calls": null}]),
            "wrong_type messages.0.tool_calls",
        ),
        (
            "response_format",
            json!({"type": "json_schema", "json_schema": {}}),
            "not_allowed response_format.type",
        ),
        ("response_format", json!("json"), "wrong_type response_format"),
        ("tool_choice", json!("any"), "not_allowed tool_choice"),
        ("tool_choice", json!(true), "not_allowed tool_choice"),
        (
            "tool_choice",
            json!({"type": "function"}),
            "required tool_choice.function",
        ),
        (
            "tool_choice",
            json!({"type": "function", "function": {}}),
            "required tool_choice.function.name",
        ),
        (
            "tool_choice",
            json!({"type": "tool", "function": {"name": "f"}}),
            "not_allowed tool_choice.type",
        ),
        ("tools", json!({}), "wrong_type tools"),
        ("tools", json!([5]), "wrong_type tools.0"),
        ("tools", json!([{"type": "function"}]), "required tools.0.name"),
        ("tools", json!([{"function": {"name": "f"}}]), "required tools.0.type"),
        (
            "tools",
            json!([{"type": "custom", "name": "f"}]),
            "not_allowed tools.0.type",
        ),
        (
            "tools",
            json!([{"type": "function", "function": {"name": 5}}]),
            "wrong_type tools.0.function.name",
        ),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "f", "parameters": "p"}}]),
            "wrong_type tools.0.function.parameters",
        ),
        ("messages", json!("Hi"), "wrong_type messages"),
        ("messages", json!(null), "required messages"),
        ("messages", json!(["Hi"]), "wrong_type messages.0"),
        ("messages", json!([{"content": "Hi"}]), "required messages.0.role"),
        (
            "messages",
            json!([{"role": "developer", "content": "Hi"}]),
            "not_allowed messages.0.role",
        ),
        (
            "messages",
            json!([{"role": 1, "content": "Hi"}]),
            "wrong_type messages.0.role",
        ),
        (
            "messages",
            json!([{"role": "user", "content": null}]),
            "required messages.0.content",
        ),
        (
            "messages",
            json!([{"role": "assistant", "content": null}]),
            "required messages.0.content",
        ),
        (
            "messages",
            json!([{"role": "assistant", "content": null, "tool_calls": []}]),
            "required messages.0.content",
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]),
            "wrong_type messages.0.content",
        ),
        (
            "messages",
            json!([{"role": "tool", "content": "4"}]),
            "required messages.0.tool_call_id",
        ),
        (
            "messages",
            json!([{"role": "tool", "content": "4", "tool_call_id": 4}]),
            "wrong_type messages.0.tool_call_id",
        ),
    ] {
        assert_eq!(
            found(&judge("electron", &with(field, value.clone())), Severity::Refused),
            [expected],
            "{field} {value}"
        );
    }
}

#[test]
fn all_problems_are_found_at_once_and_counted_in_the_error() {
    let request = json!({"messages": [{"role": "user", "content": 5}], "temperature": 9, "n": 3, "prompt_logprobs": 1});
    let problems = judge("electron", &request);
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.join(".")).collect();
    assert_eq!(paths, ["messages.0.content", "temperature", "n", "prompt_logprobs"]);
    let error = chatwire::Error::invalid(problems);
    assert_eq!(error.name(), "InvalidRequestError");
    assert!(
        error.message.starts_with("messages.0.content: ") && error.message.ends_with("(and 3 more: see details)"),
        "{error}"
    );
}

#[test]
fn a_problem_says_the_range_and_quotes_no_content() {
    let problem = &judge("electron", &with("temperature", json!(2.5)))[0];
    assert_eq!(problem.message, "must be between 0 and 2");
    let problems = judge(
        "electron",
        &with_messages(json!([{"role": "s3cret", "content": {"s3cret": 1}}])),
    );
    assert!(
        problems.iter().all(|problem| !problem.sentence().contains("s3cret")),
        "{problems:?}"
    );
}

#[test]
fn null_is_absent_where_the_service_says_so_and_a_wrong_type_where_it_does_not() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": null, "name": null}], "temperature": null, "stop": null, "tools": null});
    assert_eq!(judge("openai", &request), []);
    assert_eq!(
        found(&judge("electronhub", &request), Severity::Refused),
        ["wrong_type temperature", "wrong_type tools"]
    );
    assert_eq!(
        judge("electron", &with("n", json!(null))),
        [],
        "only a number above 1 is rejected"
    );
}

#[test]
fn a_hundred_problems_are_enough() {
    let messages: Vec<Value> = (0..if cfg!(miri) { 150 } else { 5_000 }).map(|_| json!(1)).collect();
    assert_eq!(judge("electron", &with_messages(Value::from(messages))).len(), 100);
}

#[test]
fn what_is_no_request_at_all_is_refused() {
    for request in [json!(null), json!([]), json!("x"), json!(1)] {
        assert_eq!(
            found(&judge("openai", &request), Severity::Refused),
            ["wrong_type "],
            "{request}"
        );
    }
}

#[test]
fn a_body_nested_too_deeply_is_refused_by_name() {
    let deep = ["{\"a\":".repeat(200), "1".to_owned(), "}".repeat(200)].concat();
    for body in [deep.as_str(), "{", ""] {
        let problems = validate(&View::of_body(body), &Provider::named("openai").unwrap());
        assert_eq!(
            found(&problems, Severity::Refused),
            ["too_deep "],
            "{} bytes",
            body.len()
        );
    }
}

#[test]
fn a_missing_model_is_filled_in_only_where_there_is_a_default() {
    let request = json!({"messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(judge("electron", &request), []);
    assert_eq!(found(&judge("openai", &request), Severity::Refused), ["required model"]);
    assert_eq!(
        found(&judge("electronhub", &request), Severity::Refused),
        ["required model"]
    );
}

#[test]
fn a_tool_call_must_be_whole_on_electron() {
    let call = |call: Value| {
        with_messages(
            json!([{"role": "assistant", "content": null, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "4"}]),
        )
    };
    let refused = |value: Value| found(&judge("electron", &call(value)), Severity::Refused);
    let at = |rest: &str| format!("messages.0.tool_calls.0{rest}");
    assert_eq!(
        refused(json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}})),
        Vec::<String>::new()
    );
    assert_eq!(refused(json!(1)), ["wrong_type ".to_owned() + &at("")]);
    assert_eq!(
        refused(json!({"type": "function", "function": {"name": "f", "arguments": "{}"}})),
        ["required ".to_owned() + &at(".id")]
    );
    assert_eq!(
        refused(json!({"id": "c", "function": {"name": "f", "arguments": "{}"}})),
        ["required ".to_owned() + &at(".type")]
    );
    assert_eq!(
        refused(json!({"id": "c", "type": "function"})),
        ["required ".to_owned() + &at(".function")]
    );
    assert_eq!(
        refused(json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}})),
        ["wrong_type ".to_owned() + &at(".function.arguments")]
    );
}

#[test]
fn what_one_service_refuses_another_accepts() {
    for (field, value) in [
        ("n", json!(2)),
        ("prompt_logprobs", json!(1)),
        (
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "x"}}),
        ),
        (
            "messages",
            json!([{"role": "developer", "content": [{"type": "text", "text": "Hi"}]}]),
        ),
    ] {
        let request = with(field, value);
        assert_ne!(judge("electron", &request), [], "{field}");
        assert_eq!(judge("openai", &request), [], "{field}");
        assert_eq!(judge("electronhub", &request), [], "{field}");
    }
    let required = with("tool_choice", json!("required"));
    assert_eq!(judge("electron", &required), []);
    assert_eq!(
        found(&judge("electronhub", &required), Severity::Refused),
        ["not_allowed tool_choice"]
    );
}

#[test]
fn electronhubs_own_fields_are_checked() {
    for (field, value, expected) in [
        ("top_k", json!(1.5), "wrong_type top_k"),
        ("web_search", json!(1), "wrong_type web_search"),
        ("thinking", json!(true), "wrong_type thinking"),
        ("reasoning_effort", json!("huge"), "not_allowed reasoning_effort"),
        ("reasoning", json!("high"), "wrong_type reasoning"),
        ("reasoning", json!({"effort": "huge"}), "not_allowed reasoning.effort"),
        ("reasoning", json!({"exclude": "yes"}), "wrong_type reasoning.exclude"),
        (
            "reasoning",
            json!({"delta_field": "thoughts"}),
            "not_allowed reasoning.delta_field",
        ),
        (
            "reasoning_delta_field",
            json!("thoughts"),
            "not_allowed reasoning_delta_field",
        ),
        (
            "reasoning_content_compat",
            json!("true"),
            "wrong_type reasoning_content_compat",
        ),
        ("temperature", json!(3), "out_of_range temperature"),
    ] {
        assert_eq!(
            found(&judge("electronhub", &with(field, value.clone())), Severity::Refused),
            [expected],
            "{field} {value}"
        );
    }
}

#[test]
fn a_custom_provider_enforces_its_own_ranges_and_nothing_else() {
    let range = Range {
        field: "temperature".into(),
        min: 0.0,
        max: 0.75,
    };
    let provider = Provider {
        ranges: vec![range],
        ..Provider::custom("http://localhost:1/v1")
    };
    let see = |request: Value| validate(&View::from_json(request.to_string().as_bytes()).unwrap(), &provider);
    assert_eq!(see(with("temperature", json!(0.75))), []);
    assert_eq!(
        see(with("temperature", json!(0.8)))[0].message,
        "must be between 0 and 0.75"
    );
    assert_eq!(see(with("top_p", json!(7))), []);
}

#[test]
fn suspicious_requests_are_doubted_and_not_refused() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"city\":"}});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "4"});
    for (request, expected) in [
        (with("messages", json!([])), "empty_messages messages"),
        (with("model", json!("gpt-4o")), "unknown_model model"),
        (with("top_logprobs", json!(3)), "missing_logprobs top_logprobs"),
        (
            with("tool_choice", json!({"type": "function", "function": {"name": "f"}})),
            "unknown_tool tool_choice",
        ),
        (
            with_messages(json!([{"role": "assistant", "content": "one moment", "tool_calls": [call]}, result])),
            "invalid_arguments messages.0.tool_calls.0.function.arguments",
        ),
        (
            with_messages(json!([
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                result,
            ])),
            "missing_tool_result messages.0.tool_calls.0",
        ),
        (with("max_tokens", json!(40_000)), "context_length max_tokens"),
    ] {
        let problems = judge("electron", &request);
        assert_eq!(found(&problems, Severity::Refused), Vec::<String>::new());
        assert_eq!(found(&problems, Severity::Suspicious), [expected]);
    }
}

#[test]
#[cfg_attr(miri, ignore = "estimates a long text")]
fn messages_longer_than_the_models_context_are_doubted() {
    let problems = judge(
        "electron",
        &with_messages(json!([{"role": "user", "content": "word ".repeat(40_000)}])),
    );
    assert_eq!(found(&problems, Severity::Refused), Vec::<String>::new());
    assert_eq!(found(&problems, Severity::Suspicious), ["context_length messages"]);
}

#[test]
fn a_forced_tool_is_found_in_either_shape() {
    for tool in [
        json!({"type": "function", "name": "f"}),
        json!({"type": "function", "function": {"name": "f"}}),
    ] {
        let mut request = with("tools", json!([tool]));
        request["tool_choice"] = json!({"type": "function", "function": {"name": "f"}});
        assert_eq!(judge("electron", &request), []);
    }
}

#[test]
fn the_mode_decides_what_stops_the_request() {
    let problems = || judge("electron", &json!({"model": "gpt-4o", "messages": [], "n": 2}));
    let counts = |mode: Validation| {
        let (refused, warned) = mode.split(problems());
        (refused.len(), warned.len())
    };
    assert_eq!(counts(Validation::Documented), (1, 2));
    assert_eq!(counts(Validation::Strict), (3, 0));
    assert_eq!(counts(Validation::Off), (0, 0));
    assert!(Validation::from_name("loose").is_err());
}

#[test]
fn javascripts_not_a_number_is_in_no_range() {
    let members = |number: f64| {
        Seen::Object(vec![
            ("model".into(), Seen::String("m".into())),
            ("messages".into(), Seen::Array(vec![])),
            ("temperature".into(), Seen::Number(number)),
        ])
    };
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let problems = validate(&View::from(members(number)), &Provider::named("openai").unwrap());
        assert_eq!(
            found(&problems, Severity::Refused),
            ["out_of_range temperature"],
            "{number}"
        );
    }
}

/// Any JSON, biased towards the names validation looks at.
fn any_request() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "messages",
        "role",
        "content",
        "tools",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "type",
        "id",
        "tool_choice",
        "n",
        "reasoning",
        "stop",
        "logit_bias",
        "temperature",
        "max_tokens",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9..9i64).prop_map(Value::from),
        prop::sample::select(vec!["user", "tool", "assistant", "function", "auto", ""]).prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_input_is_judged_without_a_panic_and_every_path_leads_into_it(request in any_request()) {
        for provider in ["electron", "electronhub", "openai"] {
            for problem in judge(provider, &request) {
                // All but the last part of a path exist; the last may be what is missing.
                let mut place = &request;
                for part in problem.path.iter().rev().skip(1).rev() {
                    let next = part.parse::<usize>().ok().and_then(|index| place.get(index)).or_else(|| place.get(part));
                    prop_assert!(next.is_some(), "{:?} leads nowhere in {}", problem.path, request);
                    place = next.unwrap();
                }
            }
        }
    }
}
