//! Every dialect under `tests/fixtures`, one file a family: whole, at every two-way split, byte by byte, and in strict decoding.
//! `same_for_all.rs` reads them in all other ways.
//!
//! `dialects` has the form of a case. Of the outcome, `status` (`complete`), `text` (empty), `reasoning` (empty), `tools`
//! (none: `name arguments`, `…` after incomplete ones), `finish` (none), `repairs` (none) and `error` (none: class and code)
//! are looked at in every case and are as in brackets unless the case says otherwise; `usage`, `cost`, `message`, `events`, `ids` and
//! `says` (words of the error) only where it does. `naive` marks a stream that splitting at blank lines and parsing each `data:` line does
//! not get right.

mod dialects;
mod same;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use chatwire::stream::Options;
use dialects::{Case, Run, cases, run};
use serde_json::Value;

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
            "cost" => outcome["cost"].clone(),
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
