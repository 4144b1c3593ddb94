//! Every dialect under `tests/fixtures`, one file a family: whole, at every two-way split, byte by byte, without
//! prediction, and in strict decoding.
//!
//! `dialects` has the form of a case. Of the outcome, `status` (`complete`), `text` (empty), `reasoning` (empty), `tools`
//! (none: `name arguments`, `…` after incomplete ones), `finish` (none), `repairs` (none) and `error` (none: class and code)
//! are looked at in every case and are as in brackets unless the case says otherwise; `usage`, `message`, `events`, `ids` and
//! `says` (words of the error) only where it does. `naive` marks a stream that splitting at blank lines and parsing each `data:` line does
//! not get right.

mod dialects;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use chatwire::json::with_whole_surrogates;
use chatwire::stream::{Options, OutputKind, PartialValues};
use dialects::{Case, Run, cases, joined, run};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The values that a case gives for this key.
fn said<'a>(case: &'a Case, key: &str) -> Option<&'a str> {
    let mut expected = case.expected.iter();
    expected.find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// Every place is tried; under Miri, which is a thousand times slower, one of so many.
const STEP: usize = if cfg!(miri) { 41 } else { 1 };

/// The run of the whole stream, after making sure that no split of it changes anything.
fn at_every_cut(case: &Case, change: impl Fn(&mut Options) + Copy) -> Run {
    let whole = run(case, [&*case.stream], change);
    for cut in (0..=case.stream.len()).step_by(STEP) {
        let (left, right) = case.stream.split_at(cut);
        assert_eq!(
            run(case, [left, right], change),
            whole,
            "{}: {}: cut at {cut}",
            case.family,
            case.name
        );
    }
    assert_eq!(
        run(case, case.stream.chunks(1), change),
        whole,
        "{}: {}: by byte",
        case.family,
        case.name
    );
    whole
}

/// The parts of an outcome that every case is held against, in the words of a fixture.
fn summary(case: &Case, run: &Run) -> Vec<(String, String)> {
    let outcome: Value = serde_json::from_str(&run.outcome).expect("an outcome is JSON");
    let mut seen = Vec::new();
    let mut say = |key: &str, value: String, default: &str| {
        if value != default {
            seen.push((key.to_owned(), value));
        }
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().replace('\n', "\\n");
    say("status", text(&outcome["status"]), "complete");
    say("text", text(&outcome["text"]), "");
    say("reasoning", text(&outcome["reasoning"]), "");
    for call in outcome["toolCalls"].as_array().unwrap() {
        let mut line = format!("{} {}", text(&call["name"]), text(&call["arguments"]));
        if call["complete"] != true {
            line.push_str(" …");
        }
        say("tool", line, "");
    }
    say("finish", text(&outcome["finishReason"]), "");
    let codes: Vec<String> = outcome["repairs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|repair| text(&repair["code"]))
        .collect();
    say("repairs", codes.join(" "), "");
    let mut error = String::new();
    if !outcome["error"].is_null() {
        let _ = write!(
            error,
            "{} {}",
            text(&outcome["error"]["name"]),
            text(&outcome["error"]["code"])
        );
    }
    say("error", error.trim_end().to_owned(), "");
    let ids = || {
        outcome["toolCalls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| text(&call["id"]))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (key, expected) in &case.expected {
        // JSON is compared as values, and said as the case spells it where it is the same.
        let value = match key.as_str() {
            "usage" => outcome["usage"].clone(),
            "message" => outcome["message"].clone(),
            "completion" => outcome["completion"].clone(),
            "events" => Value::Array(run.events.clone()),
            "ids" => {
                say("ids", ids(), "\0");
                continue;
            }
            "says" => {
                let message = outcome["error"]["message"].as_str().unwrap_or_default();
                say(
                    "says",
                    if message.contains(expected) {
                        expected.clone()
                    } else {
                        message.to_owned()
                    },
                    "\0",
                );
                continue;
            }
            _ => continue,
        };
        let same = serde_json::from_str::<Value>(expected).is_ok_and(|expected| expected == value);
        say(key, if same { expected.clone() } else { value.to_string() }, "\0");
    }
    seen
}

#[test]
fn every_dialect_is_read_for_what_it_means_at_every_split() {
    let cases = cases();
    assert!(cases.len() > 50, "the fixtures are there");
    let mut wrong = String::new();
    for case in &cases {
        let run = at_every_cut(case, |_| {});
        let mut expected = case.expected.clone();
        let mut seen = summary(case, &run);
        expected.sort();
        seen.sort();
        if expected != seen {
            let _ = writeln!(
                wrong,
                "{}: {}\n  expected {expected:?}\n  seen     {seen:?}",
                case.family, case.name
            );
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn prediction_and_the_kind_of_output_change_no_outcome() {
    for case in cases() {
        let whole = run(&case, [&*case.stream], |_| {});
        assert_eq!(
            run(&case, [&*case.stream], |options| options.predict = false),
            whole,
            "{}",
            case.name
        );
        for output in [OutputKind::None, OutputKind::Text, OutputKind::Chunks] {
            let other = run(&case, [&*case.stream], |options| options.output = output);
            assert_eq!(
                run(&case, case.stream.chunks(1), |options| options.output = output),
                other,
                "{}: by byte",
                case.name
            );
            assert_eq!(other.outcome, whole.outcome, "{}: {output:?}", case.name);
            if output == OutputKind::Text {
                let said: String = other.events.iter().filter_map(|event| event["text"].as_str()).collect();
                let is_of_first = |event: &&Value| event["type"] == "text" && event["choice"] == 0;
                let events: String = whole
                    .events
                    .iter()
                    .filter(is_of_first)
                    .filter_map(|event| event["text"].as_str())
                    .collect();
                assert_eq!(said, events, "{}: text as text and as events", case.name);
            }
        }
    }
}

/// The index of the choice that an outcome is of: the only one's with anything in it, else 0.
fn main_choice(outcome: &Value) -> u64 {
    let is_silent = |choice: &Value| {
        let message = choice["message"].as_object().into_iter().flatten();
        let nothing = [Value::Null, json!(""), json!([]), json!({})];
        let mut said = message.filter(|(name, value)| *name != "role" && !nothing.contains(value));
        choice["finish_reason"].is_null() && said.next().is_none()
    };
    match outcome["completion"]["choices"].as_array().map(Vec::as_slice) {
        Some([only]) => only["index"].as_u64().unwrap_or(0),
        Some([silent, only]) if is_silent(silent) => only["index"].as_u64().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn events_add_up_to_the_outcome() {
    for case in cases() {
        let Run { events, outcome } = run(&case, [&*case.stream], |_| {});
        let outcome: Value = serde_json::from_str(&outcome).unwrap();
        let main = main_choice(&outcome);
        let of = |kind: &str| {
            events
                .iter()
                .filter(|event| event["type"] == kind && event["choice"] == main)
                .collect::<Vec<_>>()
        };
        let text = |kind: &str| {
            of(kind)
                .iter()
                .filter_map(|event| event["text"].as_str())
                .collect::<String>()
        };
        let reclassified = outcome["repairs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|repair| repair["code"] == "reasoning.reclassified");
        if !reclassified {
            assert_eq!(text("text"), outcome["text"], "{}", case.name);
            assert_eq!(text("reasoning"), outcome["reasoning"], "{}", case.name);
        }
        let repairs = outcome["repairs"].as_array().unwrap();
        let told = events.iter().filter(|event| event["type"] == "repair").count() as u64;
        let counted: u64 = repairs.iter().filter_map(|repair| repair["count"].as_u64()).sum();
        assert_eq!(told, counted, "{}: each repair is told", case.name);
        for (index, call) in outcome["toolCalls"].as_array().unwrap().iter().enumerate() {
            let of_call = |kind: &str| {
                of(kind)
                    .into_iter()
                    .filter(|event| event["index"] == index)
                    .collect::<Vec<_>>()
            };
            let starts = of_call("tool_call.start");
            assert_eq!(starts.len(), 1, "{}: call {index} starts once", case.name);
            assert_eq!(
                (&starts[0]["id"], &starts[0]["name"]),
                (&call["id"], &call["name"]),
                "{}",
                case.name
            );
            if let Some(done) = of_call("tool_call.done").last() {
                for member in ["id", "name", "arguments", "complete"] {
                    assert_eq!(done[member], call[member], "{}: {member}", case.name);
                }
            } else {
                assert_ne!(outcome["status"], "complete", "{}: call {index} is done", case.name);
            }
        }
        if outcome["status"] == "complete" && !outcome["finishReason"].is_null() {
            assert_eq!(of("finish").len(), 1, "{}", case.name);
        }
    }
}

#[test]
fn strict_decoding_refuses_what_would_be_repaired_and_nothing_else() {
    for case in cases() {
        let tolerant: Value = serde_json::from_str(&run(&case, [&*case.stream], |_| {}).outcome).unwrap();
        let strict = run(&case, [&*case.stream], |options| options.strict = true);
        assert_eq!(
            run(&case, case.stream.chunks(1), |options| options.strict = true),
            strict,
            "{}: by byte",
            case.name
        );
        let strict: Value = serde_json::from_str(&strict.outcome).unwrap();
        match tolerant["repairs"][0]["code"].as_str() {
            None => assert_eq!(strict, tolerant, "{}", case.name),
            Some(code) => {
                assert_eq!(strict["status"], "error", "{}", case.name);
                assert_eq!(strict["error"]["name"], "ProtocolError", "{}", case.name);
                assert_eq!(strict["error"]["code"], code, "{}", case.name);
            }
        }
    }
}

/// Text, reasoning, names and arguments of tool calls, and whether it was all of it.
type Answer = (String, String, Vec<(String, String)>, bool);

/// A client as it is written in an afternoon; `None` where it throws.
fn naive(case: &Case) -> Option<Answer> {
    let (mut text, mut reasoning, mut calls, mut done) = (String::new(), String::new(), Vec::new(), false);
    for event in std::str::from_utf8(&case.stream).ok()?.split("\n\n") {
        let Some(data) = event.strip_prefix("data: ") else {
            continue;
        };
        if data == "[DONE]" {
            done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).ok()?;
        let delta = chunk
            .get("choices")?
            .get(0)
            .map_or(&Value::Null, |choice| &choice["delta"]);
        text.push_str(delta["content"].as_str().unwrap_or_default());
        reasoning.push_str(delta["reasoning_content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().unwrap_or(&Vec::new()) {
            let index = call["index"].as_u64()? as usize;
            if calls.len() <= index {
                calls.resize(index + 1, (String::new(), String::new()));
            }
            calls[index]
                .0
                .push_str(call["function"]["name"].as_str().unwrap_or_default());
            calls[index].1.push_str(call["function"]["arguments"].as_str()?);
        }
    }
    Some((text, reasoning, calls, done))
}

#[test]
#[cfg_attr(miri, ignore = "looks at all fixtures")]
fn each_family_has_a_stream_that_a_naive_client_gets_wrong() {
    let cases = cases();
    let mut wrong = String::new();
    for case in &cases {
        let outcome: Value = serde_json::from_str(&run(case, [&*case.stream], |_| {}).outcome).unwrap();
        let calls = outcome["toolCalls"].as_array().unwrap().iter();
        let calls = calls.map(|call| {
            (
                call["name"].as_str().unwrap().to_owned(),
                call["arguments"].as_str().unwrap().to_owned(),
            )
        });
        let ours = Some((
            outcome["text"].as_str().unwrap().to_owned(),
            outcome["reasoning"].as_str().unwrap().to_owned(),
            calls.collect(),
            outcome["status"] == "complete",
        ));
        if (naive(case) != ours) != case.bites {
            let _ = writeln!(wrong, "{}: {}", case.family, case.name);
        }
    }
    assert!(wrong.is_empty(), "`naive` is not said, or is said in vain:\n{wrong}");
    let mut families: Vec<&str> = cases.iter().map(|case| case.family.as_str()).collect();
    families.dedup();
    for family in families {
        assert!(cases.iter().any(|case| case.family == family && case.bites), "{family}");
    }
}

/// Servers end a body of JSON with a line feed or without one: a body that is whole means the same.
#[test]
fn a_line_feed_behind_json_changes_nothing() {
    let mut seen = 0;
    for case in cases() {
        let body = case.stream.trim_ascii_end();
        if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
            continue;
        }
        let end = |behind: &[u8]| {
            let outcome: Value = serde_json::from_str(&run(&case, [body, behind], |_| {}).outcome).unwrap();
            [&outcome["status"], &outcome["text"], &outcome["error"]["code"]].map(Value::to_string)
        };
        let bare = end(b"");
        if bare[0] == "\"truncated\"" {
            continue;
        }
        seen += 1;
        assert_eq!(end(b"\n"), bare, "{}: {}", case.family, case.name);
        assert_eq!(end(b"\r\n"), bare, "{}: {}", case.family, case.name);
    }
    assert!(cfg!(miri) || seen > 30, "{seen} bodies of JSON");
}

#[test]
#[cfg_attr(miri, ignore = "looks at all fixtures")]
fn every_repair_has_a_fixture_and_a_row_in_the_documentation() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dialects.md")).expect("docs/dialects.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let mut documented: Vec<String> = rows
        .filter_map(|row| row.trim_end_matches(" |").rsplit('|').next())
        .flat_map(|cell| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    // Repairs of `parse` in the facade, which reads what this engine has put together.
    documented.retain(|code| !code.starts_with("parse."));
    documented.sort();
    documented.dedup();
    let mut codes: Vec<String> = chatwire::stream::Repair::CODES
        .iter()
        .map(|code| code.to_string())
        .collect();
    codes.sort();
    assert_eq!(documented, codes);
    // And once more in the list of codes, a line each, in the order of the crate.
    let list = page.split_once("\n## The codes\n").expect("the list of codes").1;
    let listed: Vec<&str> = list
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| `")?
                .split_once("` | ")
                .filter(|(_, words)| words.len() > 9)
        })
        .map(|(code, _)| code)
        .collect();
    assert_eq!(listed, chatwire::stream::Repair::CODES);
    let known: Vec<Case> = cases();
    for code in codes {
        let shown = known
            .iter()
            .any(|case| said(case, "repairs").is_some_and(|said| said.split(' ').any(|said| said == code)));
        assert!(shown, "no fixture needs {code}");
    }
}

/// The treatment of bytes on their way.
#[derive(Debug, Clone)]
enum Harm {
    Cut(usize),
    Change(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize),
    Insert(usize, &'static str),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = 0usize..2000;
    let words = prop::sample::select(vec![
        "\n\n",
        "\r",
        "\n",
        "data: ",
        "[DONE]",
        "{",
        "}",
        "\"",
        "[",
        "]",
        ",",
        "\\",
        "null",
        "\\ud83d",
        "<think>",
        "</think>",
        "`",
        "event: error\n",
        "\u{feff}",
        "\0",
        "é",
    ]);
    prop_oneof![
        at.clone().prop_map(Harm::Cut),
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Harm::Change(at, byte)),
        (at.clone(), 1usize..40).prop_map(|(at, length)| Harm::Remove(at, length)),
        (at.clone(), 1usize..200).prop_map(|(at, length)| Harm::Repeat(at, length)),
        (at, words).prop_map(|(at, word)| Harm::Insert(at, word)),
    ]
}

fn harmed(mut stream: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        let place = |at: &usize| at % (stream.len() + 1);
        match harm {
            Harm::Cut(at) => stream.truncate(place(at)),
            Harm::Change(at, byte) => {
                let at = place(at);
                if let Some(changed) = stream.get_mut(at) {
                    *changed = *byte;
                }
            }
            Harm::Remove(at, length) => {
                let from = place(at);
                stream.drain(from..(from + length).min(stream.len()));
            }
            Harm::Repeat(at, length) => {
                let from = place(at);
                let again = stream[from..(from + length).min(stream.len())].to_vec();
                stream.splice(from..from, again);
            }
            Harm::Insert(at, word) => {
                let at = place(at);
                stream.splice(at..at, word.bytes());
            }
        }
    }
    stream
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 400 }, max_shrink_iters: 4000, ..ProptestConfig::default() })]
    /// A stream has one outcome, whatever happens to it on its way, and the reads it comes in make no difference to it.
    #[test]
    fn harm_is_read_the_same_in_any_reads(
        at in any::<prop::sample::Index>(),
        harms in prop::collection::vec(harm(), 1..4),
        read in prop_oneof![Just(1usize), 2usize..200],
        strict in any::<bool>(),
        partial in any::<bool>(),
    ) {
        let cases = cases();
        let mut case = at.get(&cases).clone();
        case.stream = harmed(case.stream, &harms);
        let change = |options: &mut Options| {
            options.strict = strict;
            options.partial = if partial { PartialValues::Any } else { PartialValues::Off };
        };
        let without_partials = |mut run: Run| {
            run.events.retain(|event| event["type"] != "partial");
            run.events = joined(run.events);
            run
        };
        let whole = without_partials(run(&case, [&*case.stream], change));
        let cut = without_partials(run(&case, case.stream.chunks(read), change));
        prop_assert_eq!(&cut, &whole, "{}", String::from_utf8_lossy(&case.stream));
        let slow = without_partials(run(&case, case.stream.chunks(read), |options| {
            change(options);
            options.predict = false;
        }));
        prop_assert_eq!(&slow, &whole, "without prediction: {}", String::from_utf8_lossy(&case.stream));
        let outcome = with_whole_surrogates(&whole.outcome).into_owned();
        let outcome: Value = serde_json::from_str(&outcome).expect("an outcome is JSON");
        prop_assert_eq!(outcome["error"].is_null(), outcome["status"] == "complete");
    }
}
