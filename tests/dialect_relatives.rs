//! Relatives of the dialects: the same stream in other line ends, among comments, for two choices, as lines of JSON and without
//! blank lines gives what it gave.

mod dialects;
mod same;

use std::fmt::Write as _;

use chatwire::json::with_whole_surrogates;
use chatwire::stream::{Decoder, End, Options};
use dialects::{Case, Run, cases, run};
use serde_json::{Value, json};

/// The outcome of a run, but for its times.
fn outcome(case: &Case, pieces: usize) -> Value {
    let Run { outcome, .. } = run(case, case.stream.chunks(pieces), |_| {});
    let mut outcome: Value = serde_json::from_str(&with_whole_surrogates(&outcome)).expect("an outcome is JSON");
    outcome["timing"] = Value::Null;
    outcome
}

/// The members of an outcome that a caller acts on: all but repairs, ids and the completion.
fn answer(outcome: &Value) -> Value {
    let calls = outcome["toolCalls"].as_array().into_iter().flatten();
    let calls: Vec<Value> = calls
        .map(|call| json!([call["name"], call["arguments"], call["complete"]]))
        .collect();
    let members = ["status", "text", "reasoning", "finishReason", "usage"].map(|name| outcome[name].clone());
    json!([members, calls, outcome["error"]["code"]])
}

/// The data of each event, where a stream is nothing else and its blank lines are there.
fn data(stream: &str) -> Option<Vec<&str>> {
    let events = stream.strip_suffix("\n\n")?.split("\n\n");
    events
        .map(|event| event.strip_prefix("data: ").filter(|data| !data.contains('\n')))
        .collect()
}

/// The same with another choice beside each, which is its like.
fn with_twins(data: &[&str]) -> Option<String> {
    let mut stream = String::new();
    for data in data {
        let mut event = (*data).to_owned();
        if *data != "[DONE]" {
            let mut chunk: Value = serde_json::from_str(data).ok()?;
            let choices = chunk.get_mut("choices")?.as_array_mut()?;
            if let [only] = choices.as_slice() {
                let mut twin = only.clone();
                twin["index"] = json!(1);
                (only["index"] == 0).then(|| choices.push(twin))?;
            } else if !choices.is_empty() {
                return None;
            }
            event = chunk.to_string();
        }
        let _ = write!(stream, "data: {event}\n\n");
    }
    Some(stream)
}

/// Whether a stream says nothing else as lines of JSON, or without blank lines: its first value starts like JSON, and its caller
/// stays to the end.
fn may_be_lines(case: &Case, data: &[&str]) -> bool {
    case.option("end").is_none() && data.first().is_some_and(|first| first.starts_with('{')) && data.len() > 1
}

#[test]
#[cfg_attr(miri, ignore = "looks at all fixtures")]
fn a_stream_in_another_form_says_what_it_said() {
    let mut wrong = String::new();
    let mut tried = [0; 5];
    for case in cases() {
        let Ok(stream) = String::from_utf8(case.stream.clone()) else {
            continue;
        };
        let is_document = case.options.iter().any(|option| option == "document");
        if is_document || stream.contains('\r') || !stream.starts_with("data:") {
            continue;
        }
        let whole = outcome(&case, case.stream.len());
        let mut check = |form: usize, stream: String, n: Option<&str>, is_all: bool| {
            let mut case = case.clone();
            case.stream = stream.into_bytes();
            if let Some(n) = n {
                case.options.retain(|option| !option.starts_with("n="));
                case.options.push(format!("n={n}"));
            }
            tried[form] += 1;
            for pieces in [1, 7, usize::MAX] {
                let other = outcome(&case, pieces);
                let same = if is_all {
                    other == whole
                } else {
                    answer(&other) == answer(&whole)
                };
                if !same {
                    let _ = writeln!(
                        wrong,
                        "{}: {}: form {form}\n  {whole}\n  {other}",
                        case.family, case.name
                    );
                }
            }
        };
        check(0, stream.replace('\n', "\r\n"), None, true);
        check(0, stream.replace('\n', "\r"), None, true);
        check(1, stream.replace("\n\ndata:", "\n\n: a comment\n\ndata:"), None, true);
        let Some(data) = data(&stream) else { continue };
        if let Some(twins) = with_twins(&data).filter(|_| case.option("n").is_none_or(|n| n == "1")) {
            check(2, twins, Some("2"), false);
        }
        // Lines none of which can be read are no JSON.
        if may_be_lines(&case, &data) && !whole["completion"].is_null() {
            check(3, data.join("\n") + "\n", None, false);
            check(4, stream.replace("\n\n", "\n"), None, false);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(tried.iter().all(|tried| *tried > 100), "{tried:?}");
}

/// Tags that close reasoning whose opening tag was in the prompt.
const CLOSING: [&str; 18] = [
    "</think>",
    "</thinking>",
    "</thought>",
    "</reasoning>",
    "[/THINK]",
    "</seed:think>",
    "<|end_of_thought|>",
    "◁/think▷",
    "</longcat_think>",
    "</mm:think>",
    "</thoughts>",
    "</antThinking>",
    "<channel|>",
    "<unused95>",
    "<|/think|>",
    "<|close|>think<|sep|>",
    "<|END_THINKING|>",
    "<|START_RESPONSE|>",
];

/// Text and reasoning of an answer whose content comes in these pieces, with everything predicted that can be, and with nothing.
fn taken<'a>(pieces: impl Iterator<Item = &'a str> + Clone) -> (String, String) {
    let mut stream = String::new();
    for piece in pieces {
        let chunk = json!({"id": "c", "choices": [{"index": 0, "delta": {"content": piece}}]});
        let _ = write!(stream, "data: {chunk}\n\n");
    }
    stream.push_str("data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    let [predicted, read] = [true, false].map(|predict| {
        let mut decoder = Decoder::new(Options {
            predict,
            ..Options::default()
        });
        decoder.push(stream.as_bytes(), 0.0, 1.0);
        decoder.end(End::Closed, 2.0);
        let outcome = decoder.outcome().expect("the stream has ended");
        (outcome.text, outcome.reasoning)
    });
    assert_eq!(predicted, read, "{stream}");
    predicted
}

#[test]
fn a_closing_tag_counts_in_whatever_pieces_it_comes() {
    let expected = ("so be it".to_owned(), "it was — in the prompt".to_owned());
    for close in CLOSING {
        let content = format!("it was — in the prompt{close}so be it");
        let cuts = content.char_indices().map(|(at, _)| at);
        for cut in cuts.step_by(if cfg!(miri) { 17 } else { 1 }) {
            let (left, right) = content.split_at(cut);
            assert_eq!(taken([left, right].into_iter()), expected, "{close} cut at {cut}");
        }
        let characters = content
            .char_indices()
            .map(|(at, letter)| &content[at..at + letter.len_utf8()]);
        assert_eq!(taken(characters), expected, "{close} by character");
        let words = content.split_inclusive(' ').flat_map(|word| match word.find(close) {
            Some(at) => vec![&word[..at], close, &word[at + close.len()..]],
            None => vec![word],
        });
        assert_eq!(taken(words), expected, "{close} as a token of its own");
    }
}
