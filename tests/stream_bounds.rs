//! Nothing that a server sends makes the decoder hold more than its limits: for each thing that is kept a hostile
//! stream that grows it, and the memory of this thread measured meanwhile. Long because each thing has its stream.

#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chatwire::stream::{Bounds, Decoder, End, Options, OutputKind, PartialValues, SentenceOptions, Status};

/// Counts what each thread holds. Tests of one binary run in threads of their own.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while one is copied to the other.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: as the caller vouches.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Limits and streams are of this unit, a sixteenth as large under Miri, which is a thousand times slower.
const KIB: usize = if cfg!(miri) { 64 } else { 1024 };

const LIMITS: Bounds = Bounds {
    max_event_bytes: 32 * KIB,
    max_tool_call_bytes: 128 * KIB,
    max_stream_bytes: 256 * KIB,
    max_choices: 16,
};

/// The most bytes that may be held: buffers of what is kept grow by doubling, and are copied when they do; an event is
/// held while it is read, kept to predict from, and handed out, each of them perhaps spelled with escapes.
const MOST: usize = 3 * 256 * KIB + 12 * 32 * KIB;

/// Feeds events until the stream ends or so many bytes are fed. Gives the most bytes held meanwhile, and the status.
fn fed(options: &Options, piece: &dyn Fn(u64) -> Vec<u8>, bytes: usize) -> (usize, Option<Status>) {
    let before = LIVE.get();
    PEAK.set(before);
    let mut decoder = Decoder::new(options.clone());
    let (mut sent, mut own) = (0, 0);
    let mut number = 0;
    while sent < bytes && !decoder.has_ended() {
        let piece = piece(number);
        own = own.max(piece.capacity());
        decoder.push(&piece, 0.0, 1.0);
        sent += piece.len();
        number += 1;
    }
    let peak = (PEAK.get() - before) as usize;
    let ended = decoder.has_ended();
    decoder.end(End::Lost, 2.0);
    let status = decoder.outcome().map(|outcome| outcome.status).filter(|_| ended);
    (peak.saturating_sub(own), status)
}

fn options(kind: OutputKind) -> Options {
    Options {
        output: kind,
        bounds: LIMITS,
        ..Options::default()
    }
}

type Piece = Box<dyn Fn(u64) -> Vec<u8>>;

fn event(data: String) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

fn delta(delta: String) -> Vec<u8> {
    delta_of(0, delta)
}

fn delta_of(choice: u64, delta: String) -> Vec<u8> {
    event(format!(r#"{{"choices":[{{"index":{choice},"delta":{delta}}}]}}"#))
}

/// `part` again and again, to about so many bytes.
fn many(part: &str, bytes: usize) -> String {
    let mut text = part.repeat(bytes / part.len().max(1));
    text.truncate(text.trim_end_matches(',').len());
    text
}

/// Everything that is kept, and a stream that grows it; of what a choice keeps, by turns for so many choices.
fn hostile(choices: u64) -> Vec<(&'static str, Piece)> {
    fn big(number: u64) -> String {
        format!("{number}{}", "x".repeat(16 * KIB))
    }
    fn growing(number: u64) -> String {
        "y".repeat((number as usize * 64).min(25 * KIB))
    }
    let each = |text: fn(u64) -> String| -> Piece {
        Box::new(move |number| delta_of(number % choices, text(number / choices)))
    };
    fn chunk(text: fn(u64) -> String) -> Piece {
        Box::new(move |number| event(text(number)))
    }
    fn bytes(text: fn(u64) -> String) -> Piece {
        Box::new(move |number| text(number).into_bytes())
    }
    vec![
        ("text", each(|n| format!(r#"{{"content":"{}"}}"#, big(n)))),
        ("small text", each(|_| r#"{"content":"abcdefgh"}"#.into())),
        (
            "escaped text",
            each(|_| format!(r#"{{"content":"{}"}}"#, "\\u0001".repeat(4000 * KIB / 1024))),
        ),
        (
            "text in tags",
            each(|n| format!(r#"{{"content":"<think>{}"}}"#, big(n))),
        ),
        (
            "blanks at the start",
            each(|_| format!(r#"{{"content":"{}"}}"#, " ".repeat(15 * KIB))),
        ),
        ("code", each(|_| format!(r#"{{"content":"{}"}}"#, "`".repeat(15 * KIB)))),
        ("half pairs", each(|_| r#"{"content":"\ud83d"}"#.into())),
        (
            "content in parts",
            each(|n| format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, big(n))),
        ),
        ("reasoning", each(|n| format!(r#"{{"reasoning":"{}"}}"#, big(n)))),
        (
            "a text, and all of it and more again and again",
            each(|n| format!(r#"{{"content":"a{}"}}"#, "y".repeat(if n == 0 { 0 } else { 24 * KIB }))),
        ),
        (
            "all so far in each delta",
            each(|n| {
                format!(
                    r#"{{"reasoning":"{}"}}"#,
                    "ab ".repeat((n as usize * 90).min(8 * KIB) + 1)
                )
            }),
        ),
        ("refusal", each(|n| format!(r#"{{"refusal":"{}"}}"#, big(n)))),
        (
            "new names in a delta",
            each(|n| format!(r#"{{"n{n}":"{}"}}"#, growing(n))),
        ),
        ("new long names", each(|n| format!(r#"{{"{}":1}}"#, big(n)))),
        ("a growing value", each(|n| format!(r#"{{"a":"{}"}}"#, growing(n)))),
        (
            "growing values",
            each(|n| format!(r#"{{"a{}":"{}"}}"#, n % 200, growing(n))),
        ),
        ("a growing list", each(|n| format!(r#"{{"a":["{}"]}}"#, big(n)))),
        (
            "members of a choice",
            chunk(|n| format!(r#"{{"choices":[{{"delta":{{}},"a{}":"{}"}}]}}"#, n % 200, growing(n))),
        ),
        (
            "logprobs",
            chunk(|n| {
                format!(
                    r#"{{"choices":[{{"delta":{{}},"logprobs":{{"content":["{}"]}}}}]}}"#,
                    big(n)
                )
            }),
        ),
        (
            "logprobs by many names",
            chunk(|n| {
                format!(
                    r#"{{"choices":[{{"delta":{{}},"logprobs":{{"c{n}":"{}"}}}}]}}"#,
                    growing(n)
                )
            }),
        ),
        (
            "members of a chunk",
            chunk(|n| format!(r#"{{"choices":[],"a{}":"{}"}}"#, n % 200, growing(n))),
        ),
        (
            "usage",
            chunk(|n| format!(r#"{{"choices":[],"usage":{{"prompt_tokens":1,"a":"{}"}}}}"#, growing(n))),
        ),
        (
            "usage of many members",
            chunk(|n| {
                format!(
                    r#"{{"choices":[],"usage":{{{}"prompt_tokens":{n}}}}}"#,
                    r#""a":1,"#.repeat(4_000 * KIB / 1024)
                )
            }),
        ),
        (
            "id and model",
            chunk(|n| {
                format!(
                    r#"{{"id":"{}","model":"{}","created":{n},"choices":[]}}"#,
                    growing(n),
                    growing(n)
                )
            }),
        ),
        (
            "choices",
            chunk(|n| format!(r#"{{"choices":[{{"index":{n},"delta":{{"content":"a"}}}}]}}"#)),
        ),
        (
            "roles",
            chunk(|n| {
                format!(
                    r#"{{"choices":[{{"index":{},"delta":{{"role":"{}"}}}}]}}"#,
                    n % 16,
                    big(n)
                )
            }),
        ),
        (
            "finish reasons",
            chunk(|n| {
                format!(
                    r#"{{"choices":[{{"index":{},"delta":{{}},"finish_reason":"{}"}}]}}"#,
                    n % 16,
                    big(n)
                )
            }),
        ),
        (
            "tool calls",
            each(|n| format!(r#"{{"tool_calls":[{{"index":{n},"function":{{"name":"f"}}}}]}}"#)),
        ),
        (
            "tool calls without a name",
            each(|n| format!(r#"{{"tool_calls":[{{"index":{n},"function":{{"arguments":"1"}}}}]}}"#)),
        ),
        (
            "ids",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{n},"id":"{}","function":{{"name":"f"}}}}]}}"#,
                    big(n)
                )
            }),
        ),
        (
            "late ids",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{},"id":"{}","function":{{"name":"f","arguments":"{{}}"}}}}]}}"#,
                    n / 2,
                    if n % 2 == 0 { String::new() } else { big(n) }
                )
            }),
        ),
        (
            "names",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{n},"id":"t{n}","function":{{"name":"{}"}}}}]}}"#,
                    big(n)
                )
            }),
        ),
        (
            "a name in pieces",
            each(|_| {
                format!(
                    r#"{{"tool_calls":[{{"index":0,"function":{{"name":"{}"}}}}]}}"#,
                    "z".repeat(1000 * KIB / 1024)
                )
            }),
        ),
        (
            "types of calls",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{n},"type":"{}","function":{{"name":"f"}}}}]}}"#,
                    big(n)
                )
            }),
        ),
        (
            "arguments",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":0,"function":{{"name":"f","arguments":"{}"}}}}]}}"#,
                    big(n)
                )
            }),
        ),
        (
            "arguments of many calls",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{},"function":{{"name":"f","arguments":"[1,{}"}}}}]}}"#,
                    n % 20,
                    "1,".repeat(5_000 * KIB / 1024)
                )
            }),
        ),
        (
            "cumulative arguments of many calls",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{},"function":{{"name":"f","arguments":"[{}"}}}}]}}"#,
                    n % 20,
                    "1,".repeat((n as usize * 5).min(10_000 * KIB / 1024))
                )
            }),
        ),
        (
            "arguments that come again",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{},"function":{{"name":"f","arguments":"[{}1]"}}}}]}}"#,
                    n % 20,
                    "1,".repeat(5_000 * KIB / 1024)
                )
            }),
        ),
        (
            "arguments that are objects",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":{n},"function":{{"name":"f","arguments":{{"a":"{}"}}}}}}]}}"#,
                    big(n)
                )
            }),
        ),
        (
            "cumulative arguments",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":0,"function":{{"name":"f","arguments":"[{}"}}}}]}}"#,
                    "1,".repeat((n as usize * 50).min(10_000 * KIB / 1024))
                )
            }),
        ),
        (
            "members of a call",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":0,"a{}":"{}","function":{{"name":"f","b{}":"{}"}}}}]}}"#,
                    n % 100,
                    growing(n),
                    n % 100,
                    growing(n)
                )
            }),
        ),
        (
            "function calls",
            each(|n| format!(r#"{{"function_call":{{"name":"f","arguments":"{}"}}}}"#, big(n))),
        ),
        (
            "one event of many choices",
            chunk(|_| format!(r#"{{"choices":[{}]}}"#, many("{},", 30 * KIB))),
        ),
        (
            "one event of many calls",
            each(|_| format!(r#"{{"tool_calls":[{}]}}"#, many("{},", 30 * KIB))),
        ),
        (
            "one event of many named calls",
            each(|_| {
                format!(
                    r#"{{"tool_calls":[{}]}}"#,
                    many(r#"{"function":{"name":"f"}},"#, 30 * KIB)
                )
            }),
        ),
        (
            "one event of many parts",
            each(|_| format!(r#"{{"content":[{}]}}"#, many(r#""","#, 30 * KIB))),
        ),
        (
            "one event of many texts",
            each(|_| format!(r#"{{"content":{{{}}}}}"#, many(r#""text":"","#, 30 * KIB))),
        ),
        (
            "one event of many members",
            each(|_| format!("{{{}}}", many(r#""a":1,"#, 30 * KIB))),
        ),
        (
            "one event of many usages",
            chunk(|_| format!(r#"{{"choices":[],"usage":{{{}}}}}"#, many(r#""a":1,"#, 30 * KIB))),
        ),
        (
            "one event of many logprobs",
            chunk(|_| {
                format!(
                    r#"{{"choices":[{{"delta":{{}},"logprobs":{{{}}}}}]}}"#,
                    many(r#""a":1,"#, 30 * KIB)
                )
            }),
        ),
        (
            "one event that is a list",
            chunk(|_| format!("[{}]", many("{},", 30 * KIB))),
        ),
        (
            "one event of many lines",
            bytes(|_| format!("data: {{}}\n{}\n", "data: {}\n".repeat(3_500 * KIB / 1024))),
        ),
        (
            "many doubled names",
            bytes(|_| format!("data: {}{{}}\n\n", "data:".repeat(5_000 * KIB / 1024))),
        ),
        (
            "event types and ids",
            bytes(|n| format!("event: {0}\nid: {0}\ndata: {{}}\n\n", growing(n))),
        ),
        ("comments", bytes(|n| format!(": {}\n", big(n)))),
        (
            "a line that does not end",
            bytes(|_| "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".into()),
        ),
        (
            "data lines without an end",
            bytes(|_| "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".into()),
        ),
        ("nonsense", bytes(|n| format!("data: nonsense {n}\n\n"))),
        (
            "a document",
            bytes(|n| format!("{}{}", if n == 0 { "{\"a\":\"" } else { "" }, "x".repeat(KIB))),
        ),
        (
            "a page",
            bytes(|n| format!("{}{}", if n == 0 { "<html>" } else { "" }, "x".repeat(KIB))),
        ),
        (
            "deep nesting",
            each(|n| format!(r#"{{"a{}":{}{}}}"#, n % 200, "[".repeat(120), "]".repeat(120))),
        ),
        (
            "json as text: a key",
            each(|n| {
                format!(
                    r#"{{"content":"{}"}}"#,
                    if n == 0 {
                        "{\\\"".into()
                    } else {
                        "k".repeat(1000 * KIB / 1024)
                    }
                )
            }),
        ),
        (
            "json as text: a number",
            each(|n| {
                format!(
                    r#"{{"content":"{}"}}"#,
                    if n == 0 {
                        "[1".into()
                    } else {
                        "2".repeat(1000 * KIB / 1024)
                    }
                )
            }),
        ),
        (
            "json as text: a string",
            each(|n| {
                format!(
                    r#"{{"content":"{}"}}"#,
                    if n == 0 {
                        "[\\\"".into()
                    } else {
                        "s".repeat(1000 * KIB / 1024)
                    }
                )
            }),
        ),
        (
            "json as text: many members",
            each(|n| {
                format!(
                    r#"{{"content":"{}"}}"#,
                    if n == 0 { "{".into() } else { format!("\\\"k{n}\\\":1,") }
                )
            }),
        ),
        (
            "arguments: a key",
            each(|n| {
                format!(
                    r#"{{"tool_calls":[{{"index":0,"function":{{"name":"f","arguments":"{}"}}}}]}}"#,
                    if n == 0 {
                        "{\\\"".into()
                    } else {
                        "k".repeat(1000 * KIB / 1024)
                    }
                )
            }),
        ),
    ]
}

#[test]
fn no_stream_makes_a_decoder_hold_more_than_its_limits() {
    let mut failures = Vec::new();
    let modes = [
        (OutputKind::Events, true, true),
        (OutputKind::Events, false, false),
        (OutputKind::ChunkParts, false, true),
    ];
    let (once, by_turns) = if cfg!(miri) { (280, 90) } else { (1500, 500) };
    let streams = hostile(1).into_iter().map(|stream| (stream, once * KIB, &modes[..]));
    // The decoder keeps the same of each choice.
    let by_turns = hostile(16)
        .into_iter()
        .map(|stream| (stream, by_turns * KIB, &modes[..1]));
    for ((name, piece), bytes, modes) in streams.chain(by_turns) {
        for &(kind, accumulate, predict) in modes {
            let options = Options {
                accumulate,
                predict,
                partial: PartialValues::Any,
                sentences: (kind == OutputKind::Events).then(SentenceOptions::default),
                ..options(kind)
            };
            let (peak, status) = fed(&options, &piece, bytes);
            // Under Miri the limits are small beside the decoder itself.
            if peak > MOST && !cfg!(miri) {
                failures.push(format!(
                    "{name}: {} KiB of {bytes} ({kind:?}, accumulate: {accumulate}, predict: {predict}, {status:?})",
                    peak / KIB
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "more than {} KiB:\n{}",
        MOST / KIB,
        failures.join("\n")
    );
}

#[test]
fn what_only_replaces_what_is_there_may_come_for_ever() {
    let streams: [(&str, Piece); 2] = [
        (
            "members",
            Box::new(|n| {
                let value = "x".repeat(if n % 2 == 0 { 10 * KIB } else { 10 });
                event(format!(
                    r#"{{"choices":[{{"delta":{{"a":"{value}"}}}}],"b":"{value}"}}"#
                ))
            }),
        ),
        (
            "usage",
            Box::new(|n| {
                let value = "x".repeat(if n % 2 == 0 { 10 * KIB } else { 10 });
                event(format!(
                    r#"{{"choices":[],"usage":{{"prompt_tokens":1,"a":"{value}"}}}}"#
                ))
            }),
        ),
    ];
    for (name, piece) in streams {
        let (_, status) = fed(&options(OutputKind::None), &piece, 2000 * KIB);
        assert_eq!(status, None, "{name}");
    }
}

/// For each limit on something, the code that names it: one event that passes it is refused, not read to its end.
#[test]
fn one_event_past_a_limit_is_refused_by_name() {
    let cases: [(&str, Vec<u8>); 3] = [
        (
            "limit.choices",
            event(format!(r#"{{"choices":[{}]}}"#, many("{},", 30 * KIB))),
        ),
        (
            "limit.stream_bytes",
            delta(format!(
                r#"{{"tool_calls":[{}]}}"#,
                many(r#"{"function":{"name":"f"}},"#, 30 * KIB)
            )),
        ),
        ("limit.event_bytes", event("x".repeat(40 * KIB))),
    ];
    for (code, stream) in cases {
        let mut decoder = Decoder::new(options(OutputKind::Events));
        decoder.push(&stream, 0.0, 1.0);
        let outcome = decoder.outcome().expect("the stream is refused");
        let error = outcome.error.expect("an error");
        assert_eq!(
            (error.name.as_str(), error.code.as_deref()),
            ("ProtocolError", Some(code))
        );
    }
}
