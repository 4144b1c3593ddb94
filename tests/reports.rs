//! Bodies rebuilt from public reports, held against what each should give: whole, at every two-way split and byte by byte,
//! with and without prediction, for each kind of output, kept and not kept.
//!
//! The bodies lie beside the project, in `../shared/reports/wire`, and are no part of it: where they are not there, this
//! says so and passes. `tests/fixtures` has relatives of each, which are part of it.

use std::fs;
use std::path::{Path, PathBuf};

use chatwire::json::{Reader, with_whole_surrogates};
use chatwire::stream::{Decoder, End, Options, OutputKind};
use chatwire::usage::{Prices, token_prices};
use serde_json::Value;

/// Every place is tried; under Miri, which is a thousand times slower, one of so many.
const STEP: usize = if cfg!(miri) { 41 } else { 1 };

struct Report {
    name: String,
    body: Vec<u8>,
    expect: Value,
    prices: Option<Prices>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reports/wire")
}

fn reports() -> Vec<Report> {
    let Ok(entries) = fs::read_dir(folder()) else {
        println!("skipped: ../shared/reports/wire is not there");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let said: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).expect("a report is JSON");
        let price = |name: &str| said["prices"][name].as_f64();
        Report {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            body: fs::read(path.with_extension("sse")).expect("each report has a body"),
            expect: said["expect"].clone(),
            prices: price("input").map(|input| Prices {
                input,
                cached_input: price("cachedInput"),
                output: price("output").unwrap_or(0.0),
                up_to: None,
            }),
        }
    };
    // Under Miri, which is a thousand times slower, one of seven.
    paths.iter().step_by(if cfg!(miri) { 7 } else { 1 }).map(read).collect()
}

/// The outcome of a report in these pieces, as JSON text.
fn outcome<'a>(report: &Report, pieces: impl IntoIterator<Item = &'a [u8]>, change: impl Fn(&mut Options)) -> String {
    let mut options = Options {
        prices: report
            .prices
            .as_ref()
            .map(|prices| token_prices(prices).expect("prices")),
        ..Options::default()
    };
    change(&mut options);
    let mut decoder = Decoder::new(options);
    for piece in pieces {
        decoder.push(piece, 0.0, 0.0);
    }
    decoder.end(End::Closed, 0.0);
    decoder.outcome_json().expect("every stream has an outcome")
}

/// The differences from the expectation, in words; `kept`: the text and all else was kept.
fn differences(expect: &Value, outcome: &Value, kept: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, is_right: bool, seen: &Value, expected: &Value| {
        if !is_right {
            wrong.push(format!("{what}: {seen} for {expected}"));
        }
    };
    let any_error = expect["error"]["name"]
        .as_str()
        .is_some_and(|name| name.starts_with('*'));
    let status = outcome["status"] == expect["status"] || any_error && outcome["status"] == "truncated";
    check("status", status, &outcome["status"], &expect["status"]);
    let trimmed = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    for member in ["text", "reasoning"] {
        let same = !kept || trimmed(&outcome[member]) == trimmed(&expect[member]);
        check(member, same, &outcome[member], &expect[member]);
    }
    let (calls, wanted) = (&outcome["toolCalls"], &expect["toolCalls"]);
    let (list, wanted_list) = (calls.as_array().unwrap(), wanted.as_array().unwrap());
    let mut ids: Vec<&str> = list.iter().filter_map(|call| call["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let same = list.len() == wanted_list.len()
        && ids.len() == list.len()
        && list.iter().zip(wanted_list).all(|(call, wanted)| {
            (call["id"] == wanted["id"] || wanted["id"] == "*unique*")
                && call["name"] == wanted["name"]
                && call["arguments"] == wanted["arguments"]
                && call["complete"] == true
        });
    check("toolCalls", same, calls, wanted);
    let same = outcome["finishReason"] == expect["finishReason"];
    check("finishReason", same, &outcome["finishReason"], &expect["finishReason"]);
    if let Some(cost) = expect["cost"].as_f64() {
        let same = outcome["cost"].as_f64().is_some_and(|seen| (seen - cost).abs() < 1e-12);
        check("cost", same, &outcome["cost"], &expect["cost"]);
    }
    if !expect["error"].is_null() {
        let (error, wanted) = (&outcome["error"], &expect["error"]);
        let name = any_error && error["name"].is_string() || error["name"] == wanted["name"];
        let code = wanted["code"].is_null() || error["code"] == wanted["code"];
        let message = wanted["message"]
            .as_str()
            .is_none_or(|message| trimmed(&error["message"]).contains(message));
        check("error", name && code && message, error, wanted);
    }
    for (member, seen) in [
        ("usage", &outcome["usage"]),
        ("message", &outcome["message"]),
        ("completionMessage", &outcome["completion"]["choices"][0]["message"]),
    ] {
        let same = !kept && member != "usage" || expect[member].is_null() || has(seen, &expect[member]);
        check(member, same, seen, &expect[member]);
    }
    wrong
}

/// Whether `seen` has all that `wanted` has.
fn has(seen: &Value, wanted: &Value) -> bool {
    match (seen, wanted) {
        (seen, Value::String(word)) if word == "*present*" => !seen.is_null(),
        (Value::Object(seen), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| seen.get(name).is_some_and(|seen| has(seen, wanted))),
        (Value::Array(seen), Value::Array(wanted)) => {
            seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(seen, wanted)| has(seen, wanted))
        }
        _ => seen == wanted,
    }
}

fn read(json: &str) -> Value {
    serde_json::from_str(&with_whole_surrogates(json)).expect("an outcome is JSON")
}

#[test]
fn every_report_gives_what_it_should() {
    let reports = reports();
    let mut wrong = String::new();
    let mut names = Vec::new();
    for report in &reports {
        let whole = outcome(report, [&*report.body], |_| {});
        let found = differences(&report.expect, &read(&whole), true);
        if !found.is_empty() {
            names.push(report.name.as_str());
            wrong.push_str(&format!("{}: {}\n", report.name, found.join("\n    ")));
        }
    }
    let right = reports.len() - names.len();
    println!("{right} of {} reports give what they should", reports.len());
    assert!(names.is_empty(), "\n{right} of {} right\n{wrong}", reports.len());
}

#[test]
fn no_report_depends_on_how_it_is_read() {
    for report in reports() {
        let whole = outcome(&report, [&*report.body], |_| {});
        for cut in (0..=report.body.len()).step_by(STEP) {
            let (left, right) = report.body.split_at(cut);
            assert_eq!(
                outcome(&report, [left, right], |_| {}),
                whole,
                "{}: cut at {cut}",
                report.name
            );
        }
        for predict in [true, false] {
            for output in [
                OutputKind::None,
                OutputKind::Text,
                OutputKind::Chunks,
                OutputKind::Events,
            ] {
                let change = |options: &mut Options| {
                    options.predict = predict;
                    options.output = output;
                };
                let pieces = report.body.chunks(1);
                assert_eq!(outcome(&report, pieces, change), whole, "{}: {output:?}", report.name);
            }
        }
        let unkept = outcome(&report, [&*report.body], |options| options.accumulate = false);
        let found = differences(&report.expect, &read(&unkept), false);
        let whole_found = differences(&report.expect, &read(&whole), true);
        assert!(whole_found.len() >= found.len(), "{}, not kept: {found:?}", report.name);
    }
}

#[test]
fn strict_decoding_refuses_each_report_that_is_repaired() {
    for report in reports() {
        let tolerant = read(&outcome(&report, [&*report.body], |_| {}));
        let strict = read(&outcome(&report, [&*report.body], |options| options.strict = true));
        match tolerant["repairs"][0]["code"].as_str() {
            None => assert_eq!(strict, tolerant, "{}", report.name),
            Some(code) => assert_eq!(strict["error"]["code"], code, "{}", report.name),
        }
    }
}

#[test]
fn nothing_that_is_written_has_a_member_twice() {
    fn members(reader: &mut Reader<'_>, name: &str) {
        let mut first = true;
        match reader.clone().value().expect("JSON").first() {
            Some(b'{') => {
                let mut seen = Vec::new();
                reader.object().unwrap();
                while let Some(key) = reader.member(&mut first).unwrap() {
                    assert!(!seen.contains(&key), "{name}: {} twice", String::from_utf8_lossy(key));
                    seen.push(key);
                    members(reader, name);
                }
            }
            Some(b'[') => {
                reader.array().unwrap();
                while reader.element(&mut first).unwrap() {
                    members(reader, name);
                }
            }
            _ => drop(reader.value().unwrap()),
        }
    }
    for report in reports() {
        let outcome = outcome(&report, [&*report.body], |_| {});
        members(&mut Reader::new(outcome.as_bytes()), &report.name);
    }
}
