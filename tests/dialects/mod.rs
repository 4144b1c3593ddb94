//! The fixtures of dialects, and a run of one of them.
//!
//! A case is `== what it shows`, then the stream, then `--`, `row: ` with the beginning of each row of docs/dialects.md that it is
//! an example of, and what comes of it. A line of the stream is
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

#![allow(dead_code, reason = "not every file of tests needs all of it")]

use std::fs;
use std::path::Path;

use chatwire::provider::ReasoningPlace;
use chatwire::stream::{End, Options, OutputKind};
use serde_json::Value;

use crate::same::{all_events, joined, read};

#[derive(Debug, Default, Clone)]
pub struct Case {
    pub family: String,
    pub name: String,
    pub parts: Vec<Part>,
    pub stream: Vec<u8>,
    pub options: Vec<String>,
    pub rows: Vec<String>,
    pub expected: Vec<(String, String)>,
    pub bites: bool,
}

impl Case {
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }

    /// The options of the decoder that this case is for.
    pub fn decoder_options(&self) -> Options {
        Options {
            output: OutputKind::Events,
            document: self.options.iter().any(|option| option == "document"),
            choices: self.option("n").map(|count| count.parse().expect("a count")),
            reasoning: self.option("reasoning").map_or(ReasoningPlace::Detect, |place| {
                ReasoningPlace::from_name(place).expect("a place")
            }),
            ..Options::default()
        }
    }

    /// The end of the body.
    pub fn end(&self) -> End {
        match self.option("end") {
            Some("lost") => End::Lost,
            Some("aborted") => End::Aborted,
            _ => End::Closed,
        }
    }
}

/// A part of the stream of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Lines that say all there is.
    Raw(Vec<u8>),
    /// The data of an event.
    Event(String),
    /// A delta.
    Delta(String),
    /// A finish reason.
    Finish(String),
    /// `[DONE]`.
    Done,
}

impl Part {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Part::Raw(bytes) => bytes.clone(),
            Part::Event(data) => format!("data: {data}\n\n").into_bytes(),
            Part::Delta(delta) => chunk(&format!(r#""delta":{delta},"finish_reason":null"#)).into_bytes(),
            Part::Finish(reason) => chunk(&format!(r#""delta":{{}},"finish_reason":"{reason}""#)).into_bytes(),
            Part::Done => b"data: [DONE]\n\n".to_vec(),
        }
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
                let part = match kind {
                    "|" => Part::Raw(format!("{rest}\n").into_bytes()),
                    "!" => Part::Raw(unescape(rest)),
                    "*" => Part::Event(rest.to_owned()),
                    "+" => Part::Delta(rest.to_owned()),
                    "." => Part::Finish(rest.to_owned()),
                    "$" => Part::Done,
                    "?" => {
                        case.options.extend(rest.split(' ').map(str::to_owned));
                        continue;
                    }
                    _ => panic!("{family}: {line}"),
                };
                case.stream.extend(part.bytes());
                match (case.parts.last_mut(), part) {
                    // Lines of one event stay together.
                    (Some(Part::Raw(lines)), Part::Raw(line)) => lines.extend(line),
                    (_, part) => case.parts.push(part),
                }
            } else if line == "naive" {
                case.bites = true;
            } else if let Some(row) = line.strip_prefix("row: ") {
                case.rows.push(row.to_owned());
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
    let mut options = case.decoder_options();
    change(&mut options);
    let read = read(pieces, options, case.end());
    Run {
        events: joined(all_events(&read)),
        outcome: read.outcome,
    }
}
