//! Same for all: streams of the grammar, read in every way, say the same. `npm test` reads the fixtures as they are and some streams;
//! `npm run same-for-all -- --seconds N` reads others for as long as it is told, in Rust and in JavaScript.
//!
//! | variable | means | default |
//! |---|---|---|
//! | `SAME_FOR_ALL_SEED` | the seed of the streams | 1 |
//! | `SAME_FOR_ALL_FROM` | the number of the first stream | 0 |
//! | `SAME_FOR_ALL_COUNT` | how many streams | each fixture as it is, and mixed with others |
//! | `SAME_FOR_ALL_SECONDS` | for how long, however many | – |
//! | `SAME_FOR_ALL_FILE` | where to write streams and outcomes for JavaScript | – |

#![cfg(not(target_arch = "wasm32"))]

mod dialects;
mod grammar;
mod same;

use std::fmt::Write as _;
use std::panic::{self, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use chatwire::provider::ReasoningPlace;
use chatwire::stream::{End, OutputKind, Repair};
use dialects::{Case, cases};
use grammar::{Random, Stream, stream};
use serde_json::json;

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(format!("SAME_FOR_ALL_{name}")).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("SAME_FOR_ALL_{name} is no number: {value}")),
    )
}

/// The numbers of the streams that were asked for.
fn numbers(cases: &[Case]) -> impl Iterator<Item = usize> {
    let from = setting("FROM").unwrap_or(0) as usize;
    let until = setting("SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let count = if until.is_some() {
        usize::MAX - from
    } else {
        2 * cases.len()
    };
    let count = setting("COUNT").map_or(count, |count| count as usize);
    (from..from + count).take_while(move |_| until.is_none_or(|until| Instant::now() < until))
}

/// Reads a stream in every way, cut at random places that its number decides.
fn check(stream: &Stream, number: usize) {
    let mut random = Random(number as u64);
    let mut cuts = vec![random.pieces(&stream.bytes), random.pieces(&stream.bytes)];
    if number.is_multiple_of(4) {
        cuts.push(stream.bytes.chunks(1).collect());
    }
    same::same_for_all(&stream.bytes, &stream.options, stream.end, &cuts);
}

/// A shorter stream that fails as well: without some of its events, lines or bytes.
fn shortened(mut stream: Stream, number: usize) -> Stream {
    let fails = |stream: &Stream| catch_unwind(panic::AssertUnwindSafe(|| check(stream, number))).is_err();
    let mut length = stream.bytes.len();
    while length > 0 {
        let mut at = 0;
        while at < stream.bytes.len() {
            let whole = stream.bytes.clone();
            stream.bytes.drain(at..(at + length).min(whole.len()));
            if !fails(&stream) {
                stream.bytes = whole;
                at += length;
            }
        }
        length /= 2;
    }
    stream
}

#[test]
fn a_stream_says_the_same_however_it_is_read() {
    let cases = cases();
    let seed = setting("SEED").unwrap_or(1);
    let mut read = 0;
    for number in numbers(&cases) {
        let made = stream(&cases, seed, number);
        read += 1;
        let failed = catch_unwind(panic::AssertUnwindSafe(|| check(&made, number)));
        if failed.is_err() {
            let made_of = made.made_of.clone();
            let told = panic::take_hook();
            panic::set_hook(Box::new(|_| {}));
            let short = shortened(made, number);
            panic::set_hook(told);
            let (options, end) = (&short.options, short.end);
            println!(
                "SAME_FOR_ALL_SEED={seed} SAME_FOR_ALL_FROM={number} SAME_FOR_ALL_COUNT=1, made of {made_of}\n{end:?}, {options:?}\n{}",
                String::from_utf8_lossy(&short.bytes)
            );
            check(&short, number);
            unreachable!("a stream that was made shorter fails, too");
        }
    }
    println!("{read} streams of seed {seed}, none wrong");
}

/// Writes a line for each stream: its bytes in hexadecimal, its options, and what comes of it here.
#[test]
#[ignore = "tests/package/same-for-all.test.ts asks for it"]
fn streams_for_javascript() {
    let path = std::env::var("SAME_FOR_ALL_FILE").expect("SAME_FOR_ALL_FILE is a path");
    let cases = cases();
    let seed = setting("SEED").unwrap_or(1);
    let mut lines = String::new();
    for number in numbers(&cases) {
        let Stream {
            bytes,
            options,
            end,
            made_of,
        } = stream(&cases, seed, number);
        let told = |output| {
            let mut options = options.clone();
            options.output = output;
            let read = same::read([bytes.as_slice()], options, end);
            let list = || format!("[{}]", same::elements(&read.batches).join(","));
            (
                if output == OutputKind::Text {
                    String::new()
                } else {
                    list()
                },
                read.outcome,
            )
        };
        let (events, outcome) = told(OutputKind::Events);
        let (chunks, _) = told(OutputKind::Chunks);
        let reasoning = match options.reasoning {
            ReasoningPlace::Detect => "detect",
            ReasoningPlace::None => "none",
            ReasoningPlace::Tags => "tags",
            ReasoningPlace::Field(field) => field,
        };
        let line = json!({
            "number": number,
            "madeOf": made_of,
            "bytes": bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            }),
            "document": options.document,
            "n": options.choices,
            "reasoning": reasoning,
            "returnsReasoning": options.returns_reasoning,
            "strict": options.strict,
            "end": match end { End::Closed => "closed", End::Lost => "lost", End::Aborted => "aborted" },
            "outcome": outcome,
            "events": events,
            "chunks": chunks,
        });
        let _ = writeln!(lines, "{line}");
    }
    std::fs::write(Path::new(&path), lines).expect("the file can be written");
}

/// The rows of docs/dialects.md: the first cell, and the codes in the last.
fn rows() -> Vec<(String, Vec<String>)> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dialects.md"));
    let page = page.expect("docs/dialects.md");
    // The list of codes at the end is none of dialects.
    let rows = page
        .lines()
        .take_while(|line| *line != "## The codes")
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.filter(|row| !row.starts_with("sent |"))
        .map(|row| {
            let last = row.rsplit('|').next().unwrap_or_default();
            let codes = last.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (row.to_owned(), codes)
        })
        .collect()
}

#[test]
#[cfg_attr(miri, ignore = "looks at all fixtures")]
fn every_row_of_the_documentation_has_productions_that_show_it() {
    let (rows, cases) = (rows(), cases());
    let mut wrong = String::new();
    for case in &cases {
        for said in &case.rows {
            let found = rows.iter().filter(|(row, _)| row.starts_with(said)).count();
            if found != 1 {
                let _ = writeln!(wrong, "{}: {}: {found} rows begin with: {said}", case.family, case.name);
            }
        }
    }
    for (row, codes) in &rows {
        let shown = || {
            cases
                .iter()
                .filter(|case| case.rows.iter().any(|said| row.starts_with(said)))
        };
        let made = shown()
            .flat_map(|case| &case.expected)
            .filter(|(key, _)| key == "repairs");
        let made: Vec<&str> = made.flat_map(|(_, codes)| codes.split(' ')).collect();
        for code in codes.iter().filter(|code| Repair::CODES.contains(&code.as_str())) {
            if !made.contains(&code.as_str()) {
                let _ = writeln!(wrong, "no fixture of this row needs {code}: {row}");
            }
        }
        if shown().next().is_none() {
            let _ = writeln!(wrong, "no fixture: {row}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
