//! Event-stream framing against WHATWG HTML §9.2.6, case by case, however the bytes are cut.

use std::time::{Duration, Instant};

use chatwire::sse::{Decoder, Overflow};
use proptest::prelude::*;

/// One event, as owned values: type, data, last event ID, whether it lacked its blank line.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    event: String,
    data: String,
    id: String,
    unfinished: bool,
}

/// All that can be observed of one stream.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    events: Vec<Seen>,
    last_event_id: String,
    reconnection_time: Option<u64>,
    overflow: Option<Overflow>,
}

fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Run {
    let mut decoder = Decoder::with_limit(limit);
    let mut events = Vec::new();
    let mut overflow = None;
    let seen = |event: chatwire::sse::Event<'_>| Seen {
        event: event.event.to_owned(),
        data: event.text().into_owned(),
        id: event.id.to_owned(),
        unfinished: event.unfinished,
    };
    for piece in pieces {
        let mut fed = decoder.feed(piece);
        while let Some(event) = fed.next() {
            match event {
                Ok(event) => events.push(seen(event)),
                Err(error) => {
                    overflow = Some(error);
                    break;
                }
            }
        }
    }
    events.extend(decoder.end().map(seen));
    Run {
        events,
        last_event_id: decoder.last_event_id().to_owned(),
        reconnection_time: decoder.reconnection_time(),
        overflow,
    }
}

const NO_LIMIT: usize = usize::MAX;

/// Every place is tried; under Miri, which is a thousand times slower, one of so many.
const STEP: usize = if cfg!(miri) { 41 } else { 1 };

/// The run of the whole, after making sure that every two-way split and every byte on its own give the same.
fn at_every_cut(stream: &[u8], limit: usize) -> Run {
    let whole = run([stream], limit);
    for cut in (0..=stream.len()).step_by(STEP) {
        let (left, right) = stream.split_at(cut);
        assert_eq!(
            run([left, right], limit),
            whole,
            "cut at {cut} of {:?}",
            String::from_utf8_lossy(stream)
        );
    }
    let bytes = run(stream.chunks(1), limit);
    assert_eq!(bytes, whole, "byte by byte: {:?}", String::from_utf8_lossy(stream));
    // A read that brings nothing changes nothing.
    let gaps = stream.chunks(1).flat_map(|byte| [byte, &[]]);
    assert_eq!(
        run(gaps, limit),
        whole,
        "with empty reads: {:?}",
        String::from_utf8_lossy(stream)
    );
    whole
}

/// Type, data and ID of what was dispatched.
fn dispatched(stream: &[u8]) -> Vec<(String, String, String)> {
    let events = at_every_cut(stream, NO_LIMIT).events;
    events
        .into_iter()
        .filter(|seen| !seen.unfinished)
        .map(|seen| (seen.event, seen.data, seen.id))
        .collect()
}

/// The data of events that name no type and no ID.
fn data(stream: &[u8]) -> Vec<String> {
    let events = dispatched(stream);
    assert!(
        events.iter().all(|(event, _, id)| event == "message" && id.is_empty()),
        "{events:?}"
    );
    events.into_iter().map(|(_, data, _)| data).collect()
}

#[test]
fn lines_fields_and_events() {
    let cases: &[(&[u8], &[&str])] = &[
        // Line breaks: LF, CR, CR LF, and mixed.
        (b"data: a\n\ndata: b\n\n", &["a", "b"]),
        (b"data: a\r\rdata: b\r\r", &["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
        (
            b"data: a\n\r\ndata: b\r\n\ndata: c\r\n\rdata: d\n\r",
            &["a", "b", "c", "d"],
        ),
        (b"data: a\rdata: b\ndata: c\r\ndata: d\n\n", &["a\nb\nc\nd"]),
        // LF CR is two line breaks, CR LF one, and CR CR LF two.
        (b"data: a\n\rdata: b\r\r\n", &["a", "b"]),
        // Other separators of Unicode break no line.
        (
            "data: a\u{2028}b\u{85}c\u{b}d\u{c}e\n\n".as_bytes(),
            &["a\u{2028}b\u{85}c\u{b}d\u{c}e"],
        ),
        // One space after the colon belongs to the field, and only one; a tab is data.
        (
            b"data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\ndata: a \n\n",
            &["a", "a", " a", "\ta", "a "],
        ),
        // Empty data is data: three ways to say it, and two lines of it are one LF.
        (
            b"data\n\ndata:\n\ndata: \n\ndata\ndata\n\ndata:\ndata:\n\n",
            &["", "", "", "\n", "\n"],
        ),
        (b"data: a\ndata\ndata: b\n\n", &["a\n\nb"]),
        // A blank line without data dispatches nothing.
        (b"\n\n\ndata: a\n\n\n\n", &["a"]),
        // Comments, and the colon that is one.
        (b": hello\ndata: a\n:\n:::\n\n", &["a"]),
        (b":data: a\n\n: keep-alive\n\n", &[]),
        // A line that is no field is ignored: wrong case, white space before, a prefix, an unknown name, bytes that are
        // no text.
        (
            b"Data: a\nDATA: a\n data: a\n\tdata: a\ndat: a\ndatas: a\ndata : a\n\xff: a\nfoo\nfoo:bar\n\n",
            &[],
        ),
        (b"data: a\nfoo: b\n\n", &["a"]),
        // The value goes on past further colons.
        (b"data: a: b:c\n\ndata:: a\n\n", &["a: b:c", ": a"]),
        // NUL is data like any other.
        (b"data: a\0b\n\n", &["a\0b"]),
        // U+FFFD for what is not UTF-8, also where a sequence is broken by the end of a line.
        (b"data: a\xffb\n\n", &["a\u{fffd}b"]),
        (b"data: \xe6\x97\ndata: \xa5\n\n", &["\u{fffd}\n\u{fffd}"]),
        ("data: ü日🙂\n\n".as_bytes(), &["ü日🙂"]),
        // One byte order mark at the start is none of the stream; a second one, or one later, is.
        (b"\xef\xbb\xbfdata: a\n\n", &["a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", &["b"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", &["a", "c"]),
        (b"\xef\xbb\xbf\n\ndata: a\n\n", &["a"]),
        // The start of a mark that is none spoils its line.
        (b"\xefdata: a\ndata: b\n\n", &["b"]),
        (b"\xef\xbbdata: a\ndata: b\n\n", &["b"]),
        (b"\xef\xbb\n\ndata: b\n\n", &["b"]),
        (b"\xef\xbb\xbf", &[]),
        (b"\xef\xbb", &[]),
        (b"", &[]),
    ];
    for (stream, expected) in cases {
        assert_eq!(data(stream), *expected, "{:?}", String::from_utf8_lossy(stream));
    }
}

#[test]
fn types_and_ids() {
    /// A stream, and type, data and ID of each of its events.
    type Case = (&'static [u8], &'static [(&'static str, &'static str, &'static str)]);
    let cases: &[Case] = &[
        (
            b"event: x\ndata: a\n\ndata: b\n\n",
            &[("x", "a", ""), ("message", "b", "")],
        ),
        // The last one counts, an empty one is none, and no colon is an empty one.
        (b"event: x\nevent: y\ndata: a\n\n", &[("y", "a", "")]),
        (
            b"event: x\nevent:\ndata: a\n\nevent: x\nevent\ndata: b\n\n",
            &[("message", "a", ""), ("message", "b", "")],
        ),
        // A type without data is forgotten with its event.
        (b"event: x\n\ndata: a\n\n", &[("message", "a", "")]),
        (b"data: a\nevent: x\n\n", &[("x", "a", "")]),
        (b"event:  x \ndata: a\n\n", &[(" x ", "a", "")]),
        // An ID stays until another comes; an empty one clears it.
        (
            b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\nid\ndata: d\n\n",
            &[
                ("message", "a", "1"),
                ("message", "b", "1"),
                ("message", "c", "2"),
                ("message", "d", ""),
            ],
        ),
        (
            b"id: 1\ndata: a\n\nid:\ndata: b\n\n",
            &[("message", "a", "1"), ("message", "b", "")],
        ),
        // An ID with NUL is ignored.
        (
            b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
            &[("message", "a", "1"), ("message", "b", "1")],
        ),
        (b"id: \xff\ndata: a\n\n", &[("message", "a", "\u{fffd}")]),
        // An event without data still leaves its ID.
        (b"id: 1\n\ndata: a\n\n", &[("message", "a", "1")]),
    ];
    for (stream, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|(event, data, id)| (event.to_string(), data.to_string(), id.to_string()))
            .collect();
        assert_eq!(dispatched(stream), expected, "{:?}", String::from_utf8_lossy(stream));
    }
}

#[test]
fn the_last_event_id_is_that_of_the_last_event_dispatched() {
    let last = |stream: &[u8]| at_every_cut(stream, NO_LIMIT).last_event_id;
    assert_eq!(last(b"id: 1\ndata: a\n\nid: 2\ndata: b\n\n"), "2");
    assert_eq!(last(b"id: 1\n\n"), "1");
    assert_eq!(last(b"id: 1\ndata: a\n\nid: 2\ndata: b\n"), "1");
    assert_eq!(last(b"id: 1\ndata: a\n\nid: 2\n"), "1");
}

#[test]
fn only_digits_set_the_reconnection_time() {
    let time = |stream: &[u8]| at_every_cut(stream, NO_LIMIT).reconnection_time;
    assert_eq!(time(b"retry: 3000\n"), Some(3000));
    assert_eq!(time(b"retry:3000\n\n"), Some(3000));
    assert_eq!(time(b"retry: 0\n"), Some(0));
    assert_eq!(time(b"retry: 007\n"), Some(7));
    assert_eq!(time(b"retry: 1\nretry: 2\n"), Some(2));
    for value in [
        "",
        "x",
        "1x",
        "x1",
        "-1",
        "+1",
        "1.5",
        "1e3",
        " 1",
        "1 ",
        "٣",
        "99999999999999999999999",
    ] {
        assert_eq!(time(format!("retry: {value}\n").as_bytes()), None, "{value:?}");
        assert_eq!(
            time(format!("retry: 5\nretry: {value}\n").as_bytes()),
            Some(5),
            "{value:?}"
        );
    }
    assert_eq!(time(b"retry\n"), None);
}

#[test]
fn an_event_without_its_blank_line_comes_out_marked() {
    let rest = |stream: &[u8]| -> Vec<(String, bool)> {
        at_every_cut(stream, NO_LIMIT)
            .events
            .into_iter()
            .map(|seen| (seen.data, seen.unfinished))
            .collect()
    };
    let owned = |data: &str, unfinished| (data.to_owned(), unfinished);
    assert_eq!(rest(b"data: a\n\ndata: b"), [owned("a", false), owned("b", true)]);
    assert_eq!(rest(b"data: b\n"), [owned("b", true)]);
    assert_eq!(rest(b"data: b\r"), [owned("b", true)]);
    assert_eq!(rest(b"data: a\ndata: b\nevent: x"), [owned("a\nb", true)]);
    assert_eq!(rest(b"dat"), []);
    assert_eq!(rest(b"event: x\nid: 1\n: c"), []);
    assert_eq!(rest(b"data"), [owned("", true)]);
    let events = at_every_cut(b"id: 7\nevent: x\ndata: b", NO_LIMIT).events;
    assert_eq!((&*events[0].event, &*events[0].id), ("x", "7"));
}

#[test]
fn the_limit_passes_at_its_edge_and_not_one_byte_later() {
    // `data:` and the value are ten bytes.
    let cases: &[&[u8]] = &[
        b"data:01234\n\n",
        b"data:01234\r\n\r\n",
        // The data so far and the line at hand count together: two and LF, then eight.
        b"data:01\ndata:012\n\n",
        b":012345678\ndata:a\n\n",
        b"event:0123\ndata:a\n\n",
    ];
    for stream in cases {
        let edge = at_every_cut(stream, 10);
        assert_eq!(
            (edge.overflow, edge.events.len()),
            (None, 1),
            "{:?}",
            String::from_utf8_lossy(stream)
        );
        let past = at_every_cut(stream, 9);
        assert_eq!(
            past.overflow,
            Some(Overflow { limit: 9 }),
            "{:?}",
            String::from_utf8_lossy(stream)
        );
        assert_eq!(past.events, []);
    }
    // The limit is on one event: any number of them may pass, and those before the overflow have.
    let run = at_every_cut(
        b"data:01234\n\ndata:01234\n\n:\n:\n:\n:\n:\ndata:012345\n\ndata:0\n\n",
        10,
    );
    assert_eq!((run.overflow.is_some(), run.events.len()), (true, 2));
}

#[test]
fn after_an_overflow_nothing_more_is_taken() {
    let mut decoder = Decoder::with_limit(4);
    assert!(matches!(
        decoder.feed(b"data: long").next(),
        Some(Err(Overflow { limit: 4 }))
    ));
    assert!(matches!(
        decoder.feed(b"\n\n:\n").next(),
        Some(Err(Overflow { limit: 4 }))
    ));
    assert_eq!(decoder.end(), None);
    assert!(Overflow { limit: 4 }.to_string().contains("4 bytes"));
}

#[test]
#[cfg_attr(miri, ignore = "measures time")]
fn one_large_event_byte_by_byte_takes_linear_time() {
    let time = |size: usize| {
        let mut decoder = Decoder::with_limit(size + 64);
        let started = Instant::now();
        let mut feed = |bytes: &[u8]| {
            let mut events = decoder.feed(bytes);
            events.next().map(|event| event.expect("within the limit").data.len())
        };
        feed(b"data: ");
        for _ in 0..size {
            assert_eq!(feed(b"x"), None);
        }
        feed(b"\n");
        assert_eq!(feed(b"\n"), Some(size));
        started.elapsed()
    };
    // Both take as long where the time is linear, so that a busy machine slows both; the second takes 16 times as long where it is
    // quadratic.
    let mut turns = Vec::new();
    let is_linear = (0..5).any(|_| {
        let (apart, at_once) = ((0..16).map(|_| time(1 << 18)).sum::<Duration>(), time(1 << 22));
        turns.push((apart, at_once));
        at_once < apart * 5
    });
    assert!(is_linear, "{turns:?}");
}

#[test]
fn splitting_at_blank_lines_is_not_enough() {
    let naive = |text: &str| -> Vec<String> {
        text.split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .map(str::to_owned)
            .collect()
    };
    for stream in [
        "data: a\r\n\r\ndata: b\r\n\r\n",
        "data: a\rdata: b\r\r",
        "data:a\n\ndata:b\n\n",
        "\u{feff}data: a\n\ndata: b\n\n",
        ": c\ndata: a\n\ndata: b\n\n",
        "data: a\ndata: b\n\n",
        "id: 1\ndata: a\n\n",
    ] {
        let ours: Vec<String> = dispatched(stream.as_bytes())
            .into_iter()
            .map(|(_, data, _)| data)
            .collect();
        assert_ne!(naive(stream), ours, "{stream:?}");
    }
}

/// Lines as servers and adversaries send them.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let field = prop::sample::select(vec!["data", "event", "id", "retry", "", "foo", "\u{feff}data"]);
    let colon = prop::sample::select(vec!["", ":", ": ", "::"]);
    let value = prop_oneof![
        "[ -~]{0,12}".prop_map(String::into_bytes),
        "\\PC{0,6}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..6),
        Just(Vec::new()),
    ];
    (field, colon, value).prop_map(|(field, colon, value)| [field.as_bytes(), colon.as_bytes(), &value].concat())
}

proptest! {
    #[test]
    fn any_chunking_gives_what_the_whole_gives(
        lines in prop::collection::vec((prop_oneof![4 => line(), 2 => Just(Vec::new())], 0usize..3), 0..24),
        cuts in prop::collection::vec(0usize..400, 0..12),
        limit in prop_oneof![3 => Just(NO_LIMIT), 1 => 0usize..40],
        mark in any::<bool>(),
    ) {
        let mut stream = if mark { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        for (line, ending) in lines {
            stream.extend_from_slice(&line);
            stream.extend_from_slice([&b"\n"[..], b"\r", b"\r\n"][ending]);
        }
        let whole = run([stream.as_slice()], limit);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            pieces.push(&stream[from..cut]);
            from = cut;
        }
        prop_assert_eq!(run(pieces, limit), whole.clone());
        prop_assert_eq!(run(stream.chunks(1), limit), whole);
    }
}

/// Where the events of a stream lie that comes in these pieces, in bytes from its beginning, and where its last blank line ends.
fn positions<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<std::ops::Range<usize>>, usize) {
    let mut decoder = Decoder::new();
    let mut lie = Vec::new();
    let (mut fed, mut whole) = (0, 0);
    for piece in pieces {
        let mut events = decoder.feed(piece);
        while let Some(event) = events.next() {
            event.expect("no event is too long");
            let position = events.position();
            let start = if position.start == 0 {
                whole
            } else {
                fed + position.start
            };
            lie.push(start..fed + position.end);
        }
        if events.whole() > 0 {
            whole = fed + events.whole();
        }
        fed += piece.len();
    }
    (lie, whole)
}

#[test]
fn an_event_lies_from_one_blank_line_to_the_end_of_the_next_at_every_cut() {
    let blocks: [(&str, bool); 7] = [
        ("\u{feff}data: a\n\n", true),
        (": a comment\nretry: 5\n\n", false),
        ("event: x\n: and one inside\ndata: b\ndata: c\nid: 7\n\n", true),
        ("\n", false),
        ("data\n\n", true),
        ("\n\n", false),
        ("data: unfinished", false),
    ];
    for line_break in ["\n", "\r", "\r\n"] {
        let blocks = blocks.map(|(text, is_event)| (text.replace('\n', line_break), is_event));
        let stream: String = blocks.iter().map(|(text, _)| text.as_str()).collect();
        let mut expected = Vec::new();
        let mut at = 0;
        for (text, is_event) in &blocks {
            if *is_event {
                expected.push(at..at + text.len());
            }
            at += text.len();
        }
        let stream = stream.as_bytes();
        let end = at - "data: unfinished".len();
        assert_eq!(positions([stream]), (expected.clone(), end));
        for cut in (0..=stream.len()).step_by(STEP) {
            let (left, right) = stream.split_at(cut);
            // Between CR and LF nobody knows of the LF.
            let lf = line_break == "\r\n" && right.first() == Some(&b'\n');
            let seen = |end: usize| end - usize::from(lf && end == cut + 1);
            let expected = expected.iter().map(|one| {
                let start = if one.start == cut + 1 {
                    seen(one.start)
                } else {
                    one.start
                };
                start..seen(one.end)
            });
            assert_eq!(
                positions([left, right]),
                (expected.collect(), seen(end)),
                "cut at {cut}"
            );
        }
        let (bytes, _) = positions(stream.chunks(1));
        for (one, whole) in bytes.iter().zip(&expected) {
            assert_eq!(
                at_every_cut(&stream[one.clone()], NO_LIMIT).events.len(),
                1,
                "{one:?} of {whole:?}"
            );
        }
        assert_eq!(bytes.len(), expected.len());
    }
}
