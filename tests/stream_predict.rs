//! The fast path against the slow one: whatever comes, both hand out the same.

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
    #[test]
    fn both_paths_agree_on_mixed_streams(
        kinds in prop::collection::vec((0usize..12, "[a-z\"\\\\<>/`é🙂 ]{0,6}"), 1..40),
        size in 1usize..600,
        ending in prop::sample::select(vec!["\n\n", "\r\n\r\n", "\r\r"]),
    ) {
        let mut stream = String::new();
        for (kind, text) in kinds {
            let text = serde_json::to_string(&text).unwrap();
            let chunk = match kind {
                0..=4 => format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}"#),
                5 => format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{text}}}}}],"obfuscation":{text}}}"#),
                6 => format!(r#"{{"obfuscation":{text},"choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}"#),
                7 => format!(r#"{{"choices":[{{"index":0,"delta":{{"reasoning_content":{text},"content":null}}}}]}}"#),
                8 => format!(r#"{{"choices":[{{"index":1,"delta":{{"content":{text}}}}}]}}"#),
                9 => format!(r#"{{"choices":[{{"delta":{{"content":{text}}}}}],"usage":{{"prompt_tokens":{}}}}}"#, text.len()),
                10 => "{\"choices\":[]}".to_owned(),
                _ => format!("not json {text}"),
            };
            stream.push_str(&format!("data: {chunk}{ending}"));
        }
        agree(stream.as_bytes(), size);
    }
}
