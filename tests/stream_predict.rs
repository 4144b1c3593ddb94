//! The fast path against the slow one: whatever comes, both hand out the same.

mod same;

use chatwire::stream::{Decoder, End, Options, OutputKind};
use serde_json::Value;

fn agree(stream: &[u8], size: usize) -> Value {
    same::same_for_all(
        stream,
        &Options::default(),
        End::Closed,
        &[stream.chunks(size).collect()],
    )
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
    let outcome = agree(&stream, stream.len());
    assert!(same::has_repair(&outcome, "framing.invalid_utf8"), "{outcome}");
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

#[test]
fn a_limit_is_reached_at_the_same_event_where_a_backslash_stands_before_a_u() {
    let stream = [content("Hello there"), content(r" C:\\users x").repeat(8)].concat();
    let text = |limit, size| {
        let mut options = Options::default();
        options.bounds.max_stream_bytes = limit;
        options.output = OutputKind::Text;
        let mut decoder = Decoder::new(options);
        let mut text = Vec::new();
        for piece in stream.as_bytes().chunks(size) {
            decoder.push(piece, 0.0, 0.0);
            text.extend_from_slice(decoder.output());
        }
        text
    };
    for limit in 20..100 {
        assert_eq!(text(limit, stream.len()), text(limit, 1), "{limit}");
    }
}

#[test]
fn the_bytes_that_repeat_the_event_before_are_counted_from_the_end_of_a_push() {
    let (a, b, c) = (content("one"), content("two"), content("three"));
    let finish = event("\"delta\":{},\"finish_reason\":\"stop\"");
    let cases: &[(&[&str], &[usize])] = &[
        (&[&a, &b, &c], &[a.len(), b.len(), c.len()]),
        (&[&[&*a, &b, &c].concat()], &[a.len() + b.len() + c.len()]),
        // The first event of its kind has to be looked at.
        (&[&[&*finish, &a, &b, &c].concat()], &[b.len() + c.len()]),
        // The beginning of an event counts; an event that began in another push does not.
        (
            &[&[&*a, &b, &c[..9]].concat(), &[&c[9..], &*a].concat()],
            &[a.len() + b.len() + 9, a.len()],
        ),
        (&[&a, &b[..20], &b[20..30], &b[30..]], &[a.len(), 20, 0, 0]),
        // Other events, and lines that are none.
        (&[&a, &[&*b, &finish].concat()], &[a.len(), 0]),
        (&[&a, &[&*b, ": waiting\n\n"].concat(), &c], &[a.len(), 0, c.len()]),
        (&[&[&*b, "\n", &c].concat()], &[0]),
        (&[&[&*b, "data: [DONE]\n\n"].concat(), &c], &[0, 0]),
        (&[&[&*b, "data: {\"error\":1}\n\n"].concat(), &c], &[0, 0]),
    ];
    for (pushes, expected) in cases {
        let mut decoder = Decoder::new(Options {
            choices: Some(1),
            ..Options::default()
        });
        decoder.push([&*a, &b].concat().as_bytes(), 0.0, 0.0);
        let mut found = Vec::new();
        for push in *pushes {
            decoder.push(push.as_bytes(), 0.0, 0.0);
            found.push(decoder.repeated_bytes());
        }
        assert_eq!(&found, expected, "{pushes:?}");
    }
}
