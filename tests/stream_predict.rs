//! The fast path against the slow one: whatever comes, both hand out the same.

use chatwire::json::Reader;
use chatwire::stream::{Decoder, End, Options, OutputKind};
use proptest::prelude::*;

/// All that a decoder hands out for a stream that comes in these pieces, and its outcome.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, output: OutputKind, predict: bool) -> (Vec<String>, String) {
    let mut decoder = Decoder::new(Options {
        output,
        predict,
        ..Options::default()
    });
    let mut batches = Vec::new();
    for piece in pieces {
        decoder.push(piece, 0.0, 0.0);
        batches.push(String::from_utf8_lossy(decoder.output()).into_owned());
    }
    decoder.end(End::Closed, 0.0);
    batches.push(String::from_utf8_lossy(decoder.output()).into_owned());
    (batches, decoder.outcome_json().expect("it has ended"))
}

fn agree(stream: &[u8], size: usize) {
    for output in [OutputKind::Text, OutputKind::Chunks, OutputKind::Events] {
        let fast = decode(stream.chunks(size), output, true);
        let slow = decode(stream.chunks(size), output, false);
        assert_eq!(
            fast,
            slow,
            "{output:?} in reads of {size}: {}",
            String::from_utf8_lossy(stream)
        );
    }
    let (events, _) = decode(stream.chunks(size), OutputKind::Events, false);
    let (parts, _) = decode(stream.chunks(size), OutputKind::EventParts, true);
    assert_eq!(
        parts.iter().map(|batch| spelled_out(batch)).collect::<Vec<_>>(),
        events,
        "events in parts, in reads of {size}: {}",
        String::from_utf8_lossy(stream)
    );
    let (whole, _) = decode(stream.chunks(size), OutputKind::Chunks, false);
    for predict in [true, false] {
        let (parts, _) = decode(stream.chunks(size), OutputKind::ChunkParts, predict);
        assert_eq!(
            put_together(&parts),
            whole,
            "parts, predict: {predict}, in reads of {size}: {}",
            String::from_utf8_lossy(stream)
        );
    }
}

/// A batch of events with an object in place of each string.
fn spelled_out(batch: &str) -> String {
    let mut reader = Reader::new(batch.as_bytes());
    let mut first = true;
    reader.array().unwrap();
    let mut events = Vec::new();
    while reader.element(&mut first).unwrap() {
        let value = String::from_utf8(reader.value().unwrap().to_vec()).unwrap();
        events.push(if value.starts_with('"') {
            format!(r#"{{"type":"text","choice":0,"text":{value}}}"#)
        } else {
            value
        });
    }
    format!("[{}]", events.join(","))
}

/// The batches of chunks that were handed out in parts.
fn put_together(batches: &[String]) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut whole = Vec::new();
    for batch in batches {
        let mut chunks: Vec<String> = Vec::new();
        let mut reader = Reader::new(batch.as_bytes());
        let mut first = true;
        reader.array().unwrap();
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        while reader.element(&mut first).unwrap() {
            let value = text(reader.value().unwrap());
            if value == "null" {
                assert!(reader.element(&mut first).unwrap());
                chunks.push(text(reader.value().unwrap()));
            } else if value.starts_with('[') {
                pieces = serde_json::from_str(&value).unwrap();
            } else {
                let mut chunk = pieces[0].clone() + &value + &pieces[1];
                for piece in &pieces[2..] {
                    assert!(reader.element(&mut first).unwrap());
                    chunk += &(text(reader.value().unwrap()) + piece);
                }
                chunks.push(chunk);
            }
        }
        reader.finish().unwrap();
        whole.push(format!("[{}]", chunks.join(",")));
    }
    whole
}

fn event(members: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,{members}}}]}}\n\n")
}

fn content(body: &str) -> String {
    event(&format!("\"delta\":{{\"content\":\"{body}\"}},\"finish_reason\":null"))
}

#[test]
fn adversarial_holes_are_read_as_the_slow_path_reads_them() {
    let bodies: &[&[&str]] = &[
        &["a", "b", "", "c"],
        &["a", r"\n", r"\\", r#"\""#, r#"\\\""#, "b"],
        &["a", r"\ud83d", r"\ude00", "b"],
        &["a", r"\ud83d", "x", r"\ude00"],
        // The hole ends early, and what follows is JSON of another shape.
        &["a", r#"b","role":"assistant"#, "c"],
        &["a", r#"b"},"finish_reason":"stop","x":{"y":"z"#, "c"],
        &["a", r"\u12", r"\x", "c"],
        &["a", "\u{1}", "b"],
        &["a", "line\nbreak", "b"],
        &["a", "日本", "ü", "🙂"],
        &["<think>", "a", "</think>", "b"],
        &["a", "<", "/think>", "b"],
    ];
    for bodies in bodies {
        let stream: String = bodies
            .iter()
            .map(|body| content(body))
            .chain(["data: [DONE]\n\n".to_owned()])
            .collect();
        for size in [1, 7, 64, stream.len()] {
            agree(stream.as_bytes(), size);
        }
    }
}

#[test]
fn a_hole_that_is_not_utf8_is_repaired_as_ever() {
    let mut stream = [content("a"), content("b")].concat().into_bytes();
    stream.extend_from_slice(b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xE2\x82\"},\"finish_reason\":null}]}\n\n");
    stream.extend_from_slice(content("c").as_bytes());
    agree(&stream, stream.len());
    let (_, outcome) = decode([stream.as_slice()].into_iter(), OutputKind::None, true);
    assert!(outcome.contains("framing.invalid_utf8"), "{outcome}");
}

#[test]
fn every_hole_has_to_be_what_it_was() {
    let event = |id: &str, created: &str, padding: &str, usage: &str| {
        format!(
            "data: {{\"id\":{id},\"created\":{created},\"obfuscation\":{padding},\"usage\":{usage},\
             \"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}]}}\n\n"
        )
    };
    let good = |at: usize| {
        let usage = format!("{{\"total_tokens\":{at}}}");
        event(&format!("\"c{at}\""), &at.to_string(), &format!("\"{at}\""), &usage)
    };
    // Each member has been seen to change when the odd one comes.
    for odd in [
        event("null", "5", "\"x\"", "{}"),
        event("\"c\"", "\"5\"", "\"x\"", "{}"),
        event("\"c\"", "05", "\"x\"", "{}"),
        event("\"c\"", "-", "\"x\"", "{}"),
        event("\"c\"", "0", "\"x\"", "{}"),
        event("\"c\"", "5", "7", "{}"),
        event("\"c\"", "5", "\"\u{1}\"", "{}"),
        event("\"c\"", "5", "\"x\"", "null"),
        event("\"c\"", "5", "\"x\"", "[]"),
        event("\"c\"", "5", "\"x\"", "{\"a\":}"),
        event("\"c\"", "5", "\"x\"", " {}"),
        event("\"c\"", "5", "\"x\"", "{} "),
    ] {
        let stream = [good(1), good(2), good(3), good(4), odd, good(6), good(7)].concat();
        for size in [7, 100, stream.len()] {
            agree(stream.as_bytes(), size);
        }
    }
    for place in ["\"3\"", "\"c3\"", "tokens\":3"] {
        let mut stream = [good(1), good(2), good(3), good(4)].concat().into_bytes();
        let at = stream
            .windows(place.len())
            .position(|bytes| bytes == place.as_bytes())
            .expect("it is there");
        stream[at + 1] = 0xFF;
        agree(&stream, stream.len());
    }
}

#[test]
fn counts_of_a_usage_that_changes_are_read_as_the_slow_path_reads_them() {
    let event = |usage: &str| {
        format!("data: {{\"usage\":{{{usage}}},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}}}}]}}\n\n")
    };
    let shapes: [&[&str]; 4] = [
        &["prompt_tokens", "completion_tokens", "total_tokens"],
        &["prompt_tokens", "input_tokens"],
        &["input_tokens", "output_tokens"],
        &["prompt_tokens", "completion_tokens", "cost"],
    ];
    let odd = [
        "0",
        "007",
        "-1",
        "1.5",
        "1e3",
        "123456789012345",
        "1234567890123456",
        "99999999999999999999",
        "\"5\"",
        "null",
        "1 ",
        " 1",
        "",
        "4x",
    ];
    for (names, odd) in shapes.iter().flat_map(|names| odd.map(|odd| (names, odd))) {
        for which in 0..names.len() {
            let stream: String = (1..8)
                .map(|at| {
                    let member = |(number, name): (usize, &&str)| match (at, number == which) {
                        (4 | 6, true) => format!("\"{name}\":{odd}"),
                        _ => format!("\"{name}\":{at}"),
                    };
                    event(&names.iter().enumerate().map(member).collect::<Vec<_>>().join(","))
                })
                .chain(["data: [DONE]\n\n".to_owned()])
                .collect();
            for size in [7, 100, stream.len()] {
                agree(stream.as_bytes(), size);
            }
        }
    }
}

#[test]
fn what_has_an_effect_each_time_is_not_predicted() {
    for members in [
        r#""delta":{"content":"a","refusal":"no"}"#,
        r#""delta":{"content":"a","annotations":[1]}"#,
        r#""delta":{"content":"a"},"logprobs":{"content":[{"token":"a"}]}"#,
        r#""delta":{"content":"a","tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":"{}"}}]}"#,
        r#""message":{"content":"a"}"#,
        r#""delta":{"content":"a","reasoning":"r"}"#,
        r#""delta":{"reasoning":"r","reasoning_content":"r"}"#,
    ] {
        let stream = [event(members).repeat(3), "data: [DONE]\n\n".to_owned()].concat();
        agree(stream.as_bytes(), stream.len());
    }
    let list =
        "data: [{\"choices\":[{\"delta\":{\"content\":\"a\"}}]},{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}]\n\n";
    agree(list.repeat(3).as_bytes(), 4096);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 600 }, ..ProptestConfig::default() })]
    #[test]
    fn both_paths_agree_on_mixed_streams(
        runs in prop::collection::vec((0usize..20, prop::collection::vec("[a-z\"\\\\<>/`é🙂 ]{0,6}", 1..7)), 1..12),
        harm in prop::option::of((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'0')])),
        size in 1usize..600,
        ending in prop::sample::select(vec!["\n\n", "\r\n\r\n", "\r\r"]),
    ) {
        let mut stream = String::new();
        for (kind, text) in runs.iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text))) {
            let text = serde_json::to_string(text).unwrap();
            let chunk = match kind {
                0..=4 => format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}"#),
                5 => format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{text}}}}}],"obfuscation":{text}}}"#),
                6 => format!(r#"{{"obfuscation":{text},"choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}"#),
                7 => format!(r#"{{"choices":[{{"index":0,"delta":{{"reasoning_content":{text},"content":null}}}}]}}"#),
                8 => format!(r#"{{"choices":[{{"index":1,"delta":{{"content":{text}}}}}]}}"#),
                9 => format!(r#"{{"id":{text},"created":{},"choices":[{{"delta":{{"content":{text}}}}}],"usage":{{"total_tokens":{}}}}}"#, text.len(), text.len()),
                10 => format!(r#"{{"usage":{{"x":{text}}},"choices":[{{"delta":{{"content":{text}}}}}],"created":{}}}"#, text.len() % 3),
                11 => format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":{text}}}}}]}}}}]}}"#),
                12 => format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{},"id":"call","function":{{"name":"f","arguments":{text}}}}}]}}}}]}}"#, text.len() % 2),
                13 => format!(r#"{{"choices":[{{"delta":{{"content":"","tool_calls":[{{"index":1,"id":"","type":"function","function":{{"arguments":{text}}}}}]}}}}]}}"#),
                14 => format!("{{\"choices\":[{{\"delta\":{{\"content\":{text}}}}}]}}{ending}: a comment"),
                15 => format!("{{\"choices\":[{{\"delta\":{{\"content\":{text}}}}}]}}{ending}id: {}", text.len() % 2),
                16 => format!(r#"{{"choices":[{{"delta":{{"content":{text}}}}}],"usage":{{"prompt_tokens":{}}}}}"#, text.len()),
                17 => format!(r#"{{"choices":[{{"delta":{{"content":{text}}}}}],"usage":{{"prompt_tokens":{}}}}}"#, text.len()),
                18 => "{\"choices\":[]}".to_owned(),
                _ => format!("not json {text}"),
            };
            stream.push_str(&format!("data: {chunk}{ending}"));
        }
        let mut stream = stream.into_bytes();
        if let Some((at, byte)) = harm {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        agree(&stream, size);
    }
}
