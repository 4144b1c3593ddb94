//! One answer, read in every way: in any pieces, with and without prediction, for each kind of output, kept or not. All ways say the
//! same; events add up to the outcome, chunks are the JSON that was sent, and the typed outcome is the one in JSON.
//!
//! For streams of any kind: tests bring fixtures, the grammar and streams of their own, the fuzzer any bytes.

#![allow(dead_code, reason = "not every file of tests needs all of it")]

use std::collections::{BTreeMap, HashSet};

use chatwire::json::{Kind, Reader, is_json, with_whole_surrogates};
use chatwire::stream::{Decoder, End, Options, OutputKind};
use serde_json::{Value, json};

/// All that a decoder handed out, push by push, and its outcome.
pub struct Read {
    pub batches: Vec<Vec<u8>>,
    pub outcome: String,
    /// The stream ended before its body did.
    pub ended_early: bool,
    pub decoder: Decoder,
}

pub fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, options: Options, end: End) -> Read {
    let mut decoder = Decoder::new(options);
    let mut batches = Vec::new();
    for piece in pieces {
        decoder.push(piece, 0.0, 1.0);
        batches.push(decoder.output().to_vec());
    }
    let ended_early = decoder.has_ended();
    if !ended_early {
        decoder.end(end, 1.0);
        batches.push(decoder.output().to_vec());
    }
    let outcome = decoder.outcome_json().expect("every stream has an outcome");
    Read {
        batches,
        outcome,
        ended_early,
        decoder,
    }
}

/// Reads a stream in each of these pieces and in every other way, and panics where two of them differ. Gives the outcome.
pub fn same_for_all(stream: &[u8], options: &Options, end: End, cuts: &[Vec<&[u8]>]) -> Value {
    let with = |output, predict, accumulate| Options {
        output,
        predict,
        accumulate,
        ..options.clone()
    };
    let plain = |output| read([stream], with(output, true, true), end);
    let (events, chunks, text) = (
        plain(OutputKind::Events),
        plain(OutputKind::Chunks),
        plain(OutputKind::Text),
    );
    let outcome = parsed(events.outcome.as_bytes());
    let whole = (
        joined(all_events(&events)),
        elements(&chunks.batches),
        text.batches.concat(),
    );
    let itself = vec![stream];
    for pieces in cuts.iter().chain([&itself]) {
        let read = |output, predict, accumulate| read(pieces.iter().copied(), with(output, predict, accumulate), end);
        let how = format!("in {} pieces", pieces.len());
        let mut kinds = [OutputKind::Events, OutputKind::Chunks, OutputKind::Text].map(|output| {
            let (fast, slow) = (read(output, true, true), read(output, false, true));
            assert_eq!(fast.outcome, events.outcome, "the outcome, {how}, {output:?}");
            assert_eq!(
                slow.outcome, events.outcome,
                "the outcome, {how}, {output:?}, without prediction"
            );
            assert_batches(
                &fast.batches,
                &slow.batches,
                &format!("{output:?} with and without prediction, {how}"),
            );
            fast
        });
        let [events_read, chunks_read, text_read] = &mut kinds;
        assert_eq!(joined(all_events(events_read)), whole.0, "events, {how}");
        assert_eq!(elements(&chunks_read.batches), whole.1, "chunks, {how}");
        assert_eq!(text_read.batches.concat(), whole.2, "text, {how}");
        assert_eq!(
            read(OutputKind::None, true, true).outcome,
            events.outcome,
            "the outcome alone, {how}"
        );
        for predict in [true, false] {
            let how = format!("{how}, predict: {predict}");
            let parts = read(OutputKind::ChunkParts, predict, true);
            assert_eq!(parts.outcome, events.outcome, "the outcome of chunks in parts, {how}");
            assert_batches(
                &put_together(&parts.batches),
                &chunks_read.batches,
                &format!("chunks in parts, {how}"),
            );
            let parts = read(OutputKind::EventParts, predict, true);
            assert_eq!(parts.outcome, events.outcome, "the outcome of events in parts, {how}");
            assert_batches(
                &spelled_out(&parts.batches),
                &events_read.batches,
                &format!("events in parts, {how}"),
            );
        }
        if is_known_without_text(&outcome) {
            let passed = read(OutputKind::Text, true, false);
            assert_eq!(passed.batches.concat(), whole.2, "text that is not kept, {how}");
            let passed = read(OutputKind::Chunks, true, false);
            assert_eq!(elements(&passed.batches), whole.1, "chunks that are not kept, {how}");
            let passed = read(OutputKind::Events, true, false);
            assert_eq!(
                in_sum(all_events(&passed)),
                in_sum(whole.0.clone()),
                "events that are not kept, {how}"
            );
            let short = parsed(passed.outcome.as_bytes());
            for member in ["status", "finishReason", "repairs", "error"] {
                assert_eq!(short[member], outcome[member], "{member} where nothing is kept, {how}");
            }
        }
    }
    if !events.outcome.contains("\"body.") && !options.document {
        // Values that a server spells with a member twice are handed on as they are.
        let sent: Vec<String> = chunks.batches.iter().flat_map(|batch| doubled_names(batch)).collect();
        let json = [
            events.outcome.clone(),
            events.decoder.completion_json(),
            events.decoder.used_json(),
        ];
        for json in events
            .batches
            .iter()
            .map(Vec::as_slice)
            .chain(json.iter().map(String::as_bytes))
        {
            let own = doubled_names(json).into_iter().find(|name| !sent.contains(name));
            assert_eq!(own, None, "a member twice: {}", String::from_utf8_lossy(json));
        }
    }
    typed_alike(&events.decoder, &outcome);
    chunks_are_what_was_sent(stream, options, &chunks, &outcome);
    if !outcome.is_null() {
        said_alike(&all_events(&events), &outcome);
        let is_first = main_choice(&outcome) == 0;
        if !has_repair(&outcome, "reasoning.reclassified") {
            let said = if is_first {
                outcome["text"].as_str().unwrap_or_default()
            } else {
                ""
            };
            assert_eq!(String::from_utf8_lossy(&whole.2), said, "the text handed out");
        }
    }
    outcome
}

/// Each push has handed out the same. White space around elements does not count.
fn assert_batches(these: &[Vec<u8>], those: &[Vec<u8>], what: &str) {
    assert_eq!(these.len(), those.len(), "{what}");
    for (at, (this, that)) in these.iter().zip(those).enumerate() {
        let is_list = this.starts_with(b"[") && this != that;
        let list = |batch: &Vec<u8>| elements(std::slice::from_ref(batch));
        assert!(
            this == that || is_list && list(this) == list(that),
            "{what}, push {at}:\n{}\n{}",
            String::from_utf8_lossy(this),
            String::from_utf8_lossy(that)
        );
    }
}

/// JSON that Rust's parser takes: halves of surrogate pairs are made whole. Null for JSON that is too deep, or has numbers too large,
/// for that parser.
pub fn parsed(json: &[u8]) -> Value {
    let text = std::str::from_utf8(json).expect("UTF-8");
    serde_json::from_str(&with_whole_surrogates(text)).unwrap_or_else(|error| {
        assert!(is_json(json), "{error}: {text}");
        Value::Null
    })
}

/// The elements of the lists that were handed out, as they are spelled.
pub fn elements(batches: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for batch in batches {
        let mut reader = Reader::new(batch);
        let mut first = true;
        reader.array().expect("a batch is a list");
        while reader.element(&mut first).expect("a batch is a JSON array") {
            let value = reader.value().expect("an element is JSON");
            found.push(String::from_utf8(value.to_vec()).expect("an element is UTF-8"));
        }
        reader.finish().expect("a batch is one list");
    }
    found
}

/// The events that were handed out.
pub fn all_events(read: &Read) -> Vec<Value> {
    let list = |batch: &Vec<u8>| match parsed(batch) {
        Value::Array(events) => events,
        // One of them has a number that is too large for that parser.
        _ => elements(std::slice::from_ref(batch))
            .iter()
            .map(|event| parsed(event.as_bytes()))
            .collect(),
    };
    read.batches
        .iter()
        .filter(|batch| *batch != b"[]")
        .flat_map(list)
        .collect()
}

/// Joins what one read gives in one piece and two reads in two. A value that grows is told at each read, and so is left out.
pub fn joined(events: Vec<Value>) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for event in events {
        if event["type"] == "partial" || event["type"] == "text" && event["text"] == "" {
            continue;
        }
        let member = if event["type"] == "tool_call.delta" {
            "arguments"
        } else {
            "text"
        };
        let same = |last: &Value| ["type", "choice", "index"].iter().all(|key| last[key] == event[key]);
        match (joined.last_mut(), event[member].as_str()) {
            (Some(last), Some(more)) if event["type"] != "filler" && same(last) => {
                let text = last[member].as_str().unwrap_or_default().to_owned() + more;
                last[member] = Value::String(text);
            }
            _ => joined.push(event),
        }
    }
    joined
}

/// The texts of all events, and the events without them. Text that may be all of it again is held back where it is kept, so it comes
/// later there; text before a call comes again, as filler, only there.
fn in_sum(events: Vec<Value>) -> (BTreeMap<String, String>, Vec<Value>) {
    let mut texts = BTreeMap::new();
    let mut others = Vec::new();
    for event in events {
        match (event["type"].as_str(), event["text"].as_str()) {
            (Some("filler" | "partial"), _) => {}
            (Some(kind), Some(text)) => {
                let sum: &mut String = texts.entry(format!("{kind} {}", event["choice"])).or_default();
                sum.push_str(text);
            }
            _ => others.push(event),
        }
    }
    (texts, joined(others))
}

/// Batches of events with an object in place of each string.
fn spelled_out(batches: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let spelled = |event: String| match event.starts_with('"') {
        true => format!(r#"{{"type":"text","choice":0,"text":{event}}}"#),
        false => event,
    };
    let list = |batch: &Vec<u8>| {
        let events: Vec<String> = elements(std::slice::from_ref(batch)).into_iter().map(spelled).collect();
        format!("[{}]", events.join(",")).into_bytes()
    };
    batches.iter().map(list).collect()
}

/// The batches of chunks that were handed out in parts.
fn put_together(batches: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<String> = Vec::new();
    let mut whole = Vec::new();
    for batch in batches {
        let mut chunks: Vec<String> = Vec::new();
        let mut values = elements(std::slice::from_ref(batch)).into_iter();
        while let Some(value) = values.next() {
            if value == "null" {
                chunks.push(values.next().expect("a chunk after null"));
            } else if value.starts_with('[') {
                pieces = serde_json::from_str(&value).expect("a list of strings");
            } else {
                let mut chunk = pieces[0].clone() + &value + &pieces[1];
                for piece in &pieces[2..] {
                    chunk += &(values.next().expect("a value for each hole") + piece);
                }
                chunks.push(chunk);
            }
        }
        whole.push(format!("[{}]", chunks.join(",")).into_bytes());
    }
    whole
}

pub fn has_repair(outcome: &Value, code: &str) -> bool {
    let mut repairs = outcome["repairs"].as_array().into_iter().flatten();
    repairs.any(|repair| repair["code"].as_str().is_some_and(|made| made.starts_with(code)))
}

/// Whether the answer can be judged without the text before it. Text or reasoning that comes again, and a closing tag alone, cannot.
fn is_known_without_text(outcome: &Value) -> bool {
    let codes = ["chunk.repeated", "reasoning.twice", "reasoning.reclassified"];
    !outcome.is_null() && !codes.iter().any(|code| needs_repair(outcome, code))
}

/// Whether the answer was put right so, or was refused because it needs that.
fn needs_repair(outcome: &Value, code: &str) -> bool {
    has_repair(outcome, code) || outcome["error"]["code"] == *code
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

/// The outcome has the sum of the events of its choice, and nothing else.
fn said_alike(events: &[Value], outcome: &Value) {
    let main = main_choice(outcome);
    let of = |kind: &'static str| {
        events
            .iter()
            .filter(move |event| event["type"] == kind && event["choice"] == main)
    };
    let text = |kind| of(kind).filter_map(|event| event["text"].as_str()).collect::<String>();
    if !has_repair(outcome, "reasoning.reclassified") {
        assert_eq!(text("text"), outcome["text"], "the text of the events");
        assert_eq!(text("reasoning"), outcome["reasoning"], "the reasoning of the events");
    }
    let refusal = outcome["message"]["refusal"].as_str().unwrap_or_default();
    assert_eq!(text("refusal"), refusal, "the refusal of the events");
    let told = events.iter().filter(|event| event["type"] == "repair").count() as u64;
    let repairs = outcome["repairs"].as_array().expect("a list of repairs");
    let counted: u64 = repairs.iter().filter_map(|repair| repair["count"].as_u64()).sum();
    assert_eq!(told, counted, "each repair is told");
    assert_eq!(
        outcome["error"].is_null(),
        outcome["status"] == "complete",
        "an error, unless it is complete"
    );
    if outcome["status"] == "complete" && !outcome["finishReason"].is_null() {
        assert_eq!(of("finish").count(), 1, "one finish");
    }
    for (at, call) in outcome["toolCalls"].as_array().into_iter().flatten().enumerate() {
        let of_call = |kind| of(kind).filter(|event| event["index"] == at).collect::<Vec<_>>();
        let starts = of_call("tool_call.start");
        assert_eq!(starts.len(), 1, "call {at} is started once: {events:?}");
        let dones = of_call("tool_call.done");
        let members = ["id", "name", "arguments", "complete"];
        if dones.len() > 1
            || dones
                .first()
                .is_some_and(|done| members.iter().any(|member| done[member] != call[member]))
        {
            // The stream went on after its choice had finished: the last end stands, if there is one.
            let own = |event: &Value| {
                event["choice"] == main
                    && event["type"]
                        .as_str()
                        .is_some_and(|kind| kind.starts_with("tool_call."))
            };
            let after = events
                .iter()
                .skip_while(|event| event["type"] != "finish" || event["choice"] != main);
            assert!(
                after.filter(|event| own(event)).count() > 0,
                "the end of call {at}: {dones:?}, {call}"
            );
            continue;
        }
        assert!(
            !dones.is_empty() || outcome["status"] != "complete",
            "call {at} is done"
        );
        assert_eq!(
            (&starts[0]["id"], &starts[0]["name"]),
            (&call["id"], &call["name"]),
            "the start of call {at}"
        );
        let arguments: String = of_call("tool_call.delta")
            .iter()
            .filter_map(|event| event["arguments"].as_str())
            .collect();
        // Arguments that never came are `{}`.
        if !arguments.is_empty() || call["arguments"] != "{}" {
            // Arguments that were handed out, and that the server said anew later, are not taken back: `tool_call.done` has what counts.
            let is_outdated = needs_repair(outcome, "tool_call.arguments_repeated");
            // A comma too many, and white space behind it, was handed out, and is missing in the end.
            let without_commas = |text: &str| text.replace([',', ' '], "");
            let told = call["arguments"].as_str().unwrap_or_default();
            assert!(
                is_outdated || without_commas(&arguments) == without_commas(told),
                "the arguments of call {at}: {arguments}, {call}"
            );
        }
    }
}

/// The typed outcome says what the JSON says.
fn typed_alike(decoder: &Decoder, outcome: &Value) {
    let typed = decoder.outcome().expect("a typed outcome");
    if outcome.is_null() {
        return;
    }
    let calls: Vec<Value> = typed
        .tool_calls
        .iter()
        .map(|call| json!([call.name, call.arguments]))
        .collect();
    let said = outcome["toolCalls"].as_array().into_iter().flatten();
    let said: Vec<Value> = said.map(|call| json!([call["name"], call["arguments"]])).collect();
    assert_eq!(calls, said, "typed: tool calls");
    let error = typed
        .error
        .as_ref()
        .map(|error| json!([error.name, error.message, error.code]));
    let told = outcome["error"].as_object().map(|error| {
        json!([
            error["name"],
            error["message"],
            error.get("code").filter(|code| !code.is_null())
        ])
    });
    assert_eq!(error, told, "typed: the error");
    for (member, value) in [
        ("status", json!(typed.status.as_str())),
        ("text", json!(typed.text)),
        ("reasoning", json!(typed.reasoning)),
        ("finishReason", json!(typed.finish_reason)),
        ("cost", json!(typed.cost)),
    ] {
        assert_eq!(value, outcome[member], "typed: {member}");
    }
    assert_eq!(
        typed.completion.is_some(),
        !outcome["completion"].is_null(),
        "typed: the completion"
    );
    assert_eq!(
        typed.message.is_some(),
        !outcome["message"].is_null(),
        "typed: the message"
    );
    assert_eq!(typed.usage.is_some(), !outcome["usage"].is_null(), "typed: usage");
}

/// The chunks handed out are the objects that a JSON parser finds in the events, each once and in their order. Anything else among
/// them was made of something that was put right.
fn chunks_are_what_was_sent(stream: &[u8], options: &Options, read: &Read, outcome: &Value) {
    let Some(events) = data_of_events(stream).filter(|_| !options.document) else {
        return;
    };
    let handed_out: Vec<Value> = elements(&read.batches)
        .iter()
        .map(|chunk| parsed(chunk.as_bytes()))
        .collect();
    let mut rest = handed_out.iter();
    let mut is_put_right = ["framing.", "chunk.malformed", "chunk.not", "body."]
        .iter()
        .any(|code| has_repair(outcome, code));
    let mut found = 0;
    for data in events {
        if !data.starts_with('{') || !is_json(data.as_bytes()) {
            is_put_right |= data != "[DONE]";
            continue;
        }
        let sent = parsed(data.as_bytes());
        let mut ahead = rest.clone();
        if !ahead.any(|chunk| *chunk == sent) {
            // An error in place of a chunk, or something after the end.
            assert!(read.ended_early, "a chunk was not handed out: {data}\n{handed_out:#?}");
            break;
        }
        rest = ahead;
        found += 1;
    }
    assert!(
        is_put_right || found == handed_out.len(),
        "chunks that nobody sent: {handed_out:#?}"
    );
}

/// The data of the events of a stream, framed as simply as the standard allows; `None` where the body is no plain event stream.
fn data_of_events(stream: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(stream).ok()?;
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let (mut events, mut data) = (Vec::new(), Vec::new());
    for line in text.split_inclusive('\n') {
        // Text behind the last line end is no line.
        let line = line.strip_suffix('\n')?;
        match line.split_once(':') {
            _ if line.is_empty() => {
                if !data.is_empty() {
                    events.push(data.join("\n"));
                }
                data.clear();
            }
            Some(("", _)) => {}
            Some(("data", value)) => data.push(value.strip_prefix(' ').unwrap_or(value)),
            _ => return None,
        }
    }
    data.is_empty().then_some(events)
}

/// The names that an object within this JSON text has twice. The object that a server sent for an error, which an error quotes, is not ours.
pub fn doubled_names(json: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    walk(&mut Reader::new(json), false, &mut found);
    found
}

fn walk(reader: &mut Reader<'_>, is_error: bool, found: &mut Vec<String>) {
    let mut first = true;
    match reader.kind().expect("JSON") {
        Kind::Object => {
            let mut names = HashSet::new();
            reader.object().expect("an object");
            while let Some(name) = reader.member(&mut first).expect("a member") {
                if !names.insert(name.to_vec()) {
                    found.push(String::from_utf8_lossy(name).into_owned());
                }
                match name {
                    b"error" if is_error => drop(reader.value().expect("a value")),
                    _ => walk(reader, name == b"error", found),
                }
            }
        }
        Kind::Array => {
            reader.array().expect("a list");
            while reader.element(&mut first).expect("an element") {
                walk(reader, false, found);
            }
        }
        _ => drop(reader.value().expect("a value")),
    }
}
