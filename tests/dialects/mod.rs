//! The fixtures of dialects, and a run of one of them.
//!
//! A case is `== what it shows`, then the stream, then `--` and what comes of it. A line of the stream is
//!
//! | starts with | means |
//! |---|---|
//! | `\| ` | this line and LF, as it is |
//! | `! ` | these bytes and no line end; `\n`, `\r`, `\\` and `\xHH` are escapes |
//! | `* ` | one event with this data |
//! | `+ ` | one chunk whose only choice has this delta |
//! | `. ` | one chunk whose only choice finishes so |
//! | `$` | `[DONE]` |
//! | `? ` | options: `document`, `n=COUNT`, `reasoning=PLACE`, `end=lost`, `end=aborted` |

use std::fs;
use std::path::Path;

use chatwire::json::{Reader, with_whole_surrogates};
use chatwire::provider::ReasoningPlace;
use chatwire::stream::{Decoder, End, Options, OutputKind};
use serde_json::{Value, json};

#[derive(Debug, Default, Clone)]
pub struct Case {
    pub family: String,
    pub name: String,
    pub stream: Vec<u8>,
    pub options: Vec<String>,
    pub expected: Vec<(String, String)>,
    pub bites: bool,
}

impl Case {
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

fn chunk(choice: &str) -> String {
    format!(
        r#"data: {{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,{choice}}}]}}"#
    ) + "\n\n"
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' { rest.next() } else { None };
        bytes.push(match escaped {
            None => byte,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b'x') => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("two hexadecimal digits")
            }
            Some(other) => other,
        });
    }
    bytes
}

/// The cases of all fixtures; under Miri, which is a thousand times slower, one of thirteen.
pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let family = file.file_stem().unwrap().to_string_lossy().into_owned();
        let mut case: Option<Case> = None;
        let mut in_stream = true;
        for line in fs::read_to_string(&file).unwrap().lines() {
            if let Some(name) = line.strip_prefix("== ") {
                cases.extend(case.take());
                case = Some(Case {
                    family: family.clone(),
                    name: name.to_owned(),
                    ..Case::default()
                });
                in_stream = true;
                continue;
            }
            let Some(case) = case.as_mut() else { continue };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line == "--" {
                in_stream = false;
            } else if in_stream {
                let (kind, rest) = line.split_at(1);
                let rest = rest.strip_prefix(' ').unwrap_or(rest);
                match kind {
                    "|" => case.stream.extend_from_slice(format!("{rest}\n").as_bytes()),
                    "!" => case.stream.extend(unescape(rest)),
                    "*" => case.stream.extend_from_slice(format!("data: {rest}\n\n").as_bytes()),
                    "+" => case
                        .stream
                        .extend(chunk(&format!(r#""delta":{rest},"finish_reason":null"#)).bytes()),
                    "." => case
                        .stream
                        .extend(chunk(&format!(r#""delta":{{}},"finish_reason":"{rest}""#)).bytes()),
                    "$" => case.stream.extend_from_slice(b"data: [DONE]\n\n"),
                    "?" => case.options.extend(rest.split(' ').map(str::to_owned)),
                    _ => panic!("{family}: {line}"),
                }
            } else if line == "naive" {
                case.bites = true;
            } else {
                let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{family}: {line}"));
                case.expected.push((key.to_owned(), value.to_owned()));
            }
        }
        cases.extend(case);
    }
    if cfg!(miri) {
        cases = cases.into_iter().step_by(13).collect();
    }
    cases
}

/// The output of one run: events with pieces of the same text joined, and the outcome.
#[derive(Debug, PartialEq)]
pub struct Run {
    pub events: Vec<Value>,
    pub outcome: String,
}

pub fn run<'a>(case: &Case, pieces: impl IntoIterator<Item = &'a [u8]>, change: impl Fn(&mut Options)) -> Run {
    let mut options = Options {
        output: OutputKind::Events,
        document: case.options.iter().any(|option| option == "document"),
        choices: case.option("n").map(|count| count.parse().expect("a count")),
        reasoning: case.option("reasoning").map_or(ReasoningPlace::Detect, |place| {
            ReasoningPlace::from_name(place).expect("a place")
        }),
        ..Options::default()
    };
    change(&mut options);
    let output = options.output;
    let mut decoder = Decoder::new(options);
    let mut events = Vec::new();
    let mut collect = |decoder: &Decoder| match output {
        OutputKind::Text => {
            let text = std::str::from_utf8(decoder.output()).expect("text is UTF-8").to_owned();
            events.push(json!({"type": "text", "text": text}));
        }
        OutputKind::None => {}
        OutputKind::ChunkParts | OutputKind::EventParts => unreachable!("stream_predict.rs puts these together"),
        OutputKind::Chunks => {
            let mut reader = Reader::new(decoder.output());
            let mut first = true;
            reader.array().expect("a batch is a list");
            while reader.element(&mut first).expect("a batch is a JSON array") {
                let chunk = reader.value().expect("a chunk is JSON");
                events.push(json!({"type": "chunk", "raw": String::from_utf8_lossy(chunk)}));
            }
            reader.finish().expect("a batch is one list");
        }
        OutputKind::Events => {
            let batch = std::str::from_utf8(decoder.output()).expect("a batch is UTF-8");
            let batch: Vec<Value> =
                serde_json::from_str(&with_whole_surrogates(batch)).expect("a batch is a JSON array");
            events.extend(batch);
        }
    };
    for piece in pieces {
        decoder.push(piece, 0.0, 0.0);
        collect(&decoder);
    }
    let end = match case.option("end") {
        Some("lost") => End::Lost,
        Some("aborted") => End::Aborted,
        _ => End::Closed,
    };
    decoder.end(end, 0.0);
    collect(&decoder);
    Run {
        events: joined(events),
        outcome: decoder.outcome_json().expect("every stream has an outcome"),
    }
}

/// Joins what one read gives in one piece and two reads in two.
pub fn joined(events: Vec<Value>) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for event in events {
        if event["type"] == "text" && event["text"] == "" {
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
