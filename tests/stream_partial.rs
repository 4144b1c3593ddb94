//! Partial JSON: applied one after the other, the edits give the value that an independent reader finds in each prefix.

use chatwire::provider::ReasoningPlace;
use chatwire::stream::{Decoder, End, Options, OutputKind, PartialValues};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

mod live;

use live::Live;

fn chunk(content: &str) -> String {
    let content = serde_json::to_string(content).unwrap();
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{content}}}}}]}}\n\n")
}

const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

struct Reading {
    decoder: Decoder,
    live: Live,
    /// Bytes of all partial events.
    bytes: usize,
}

impl Reading {
    fn new(reasoning: ReasoningPlace) -> Self {
        let options = Options {
            output: OutputKind::Events,
            partial: PartialValues::Any,
            reasoning,
            ..Options::default()
        };
        Reading {
            decoder: Decoder::new(options),
            live: Live::new(),
            bytes: 0,
        }
    }

    /// Pushes one network chunk and applies what comes of it.
    fn push(&mut self, bytes: &str) {
        self.decoder.push(bytes.as_bytes(), 0.0, 0.0);
        let events: Vec<Value> = serde_json::from_slice(self.decoder.output()).expect("a batch is JSON");
        let partials: Vec<&Value> = events.iter().filter(|event| event["type"] == "partial").collect();
        assert!(partials.len() <= 1, "one a network chunk: {events:?}");
        for partial in partials {
            self.bytes += partial.to_string().len();
            self.live.apply(partial);
        }
    }

    fn finish(&mut self) -> Option<Value> {
        self.push(FINISH);
        self.live.value().cloned()
    }
}

/// The value of a text that arrives in these pieces, one a network chunk, after each of them and at the end.
fn read(pieces: &[&str]) -> (Vec<Option<Value>>, Option<Value>) {
    // Text that could be the start of a tag would wait for the rest of it.
    read_from(ReasoningPlace::None, pieces)
}

fn read_from(place: ReasoningPlace, pieces: &[&str]) -> (Vec<Option<Value>>, Option<Value>) {
    let mut reading = Reading::new(place);
    let mut values = Vec::new();
    for piece in pieces {
        reading.push(&chunk(piece));
        values.push(reading.live.value().cloned());
    }
    let last = reading.finish();
    (values, last)
}

/// The part of a prefix of valid JSON that is certain: recursive descent over characters, written without looking at
/// the engine.
struct Lenient {
    chars: Vec<char>,
    at: usize,
}

/// The value so far, and whether it is over.
enum Seen {
    Nothing,
    Part(Value),
    Whole(Value),
}

impl Lenient {
    fn value_of(prefix: &str) -> Option<Value> {
        let mut reader = Lenient {
            chars: prefix.chars().collect(),
            at: 0,
        };
        match reader.value() {
            Seen::Nothing => None,
            Seen::Part(value) | Seen::Whole(value) => Some(value),
        }
    }

    fn blank(&mut self) -> Option<char> {
        while self.chars.get(self.at).is_some_and(|char| " \n\r\t".contains(*char)) {
            self.at += 1;
        }
        self.chars.get(self.at).copied()
    }

    fn value(&mut self) -> Seen {
        match self.blank() {
            None => Seen::Nothing,
            Some('{') => {
                self.at += 1;
                let mut object = Map::new();
                loop {
                    match self.blank() {
                        Some('}') => {
                            self.at += 1;
                            return Seen::Whole(Value::Object(object));
                        }
                        Some(',') => self.at += 1,
                        Some('"') => {
                            let (key, true) = self.string() else {
                                return Seen::Part(Value::Object(object));
                            };
                            if self.blank() != Some(':') {
                                return Seen::Part(Value::Object(object));
                            }
                            self.at += 1;
                            match self.value() {
                                Seen::Whole(value) => drop(object.insert(key, value)),
                                Seen::Part(value) => {
                                    object.insert(key, value);
                                    return Seen::Part(Value::Object(object));
                                }
                                Seen::Nothing => return Seen::Part(Value::Object(object)),
                            }
                        }
                        _ => return Seen::Part(Value::Object(object)),
                    }
                }
            }
            Some('[') => {
                self.at += 1;
                let mut list = Vec::new();
                loop {
                    match self.blank() {
                        None => return Seen::Part(Value::Array(list)),
                        Some(']') => {
                            self.at += 1;
                            return Seen::Whole(Value::Array(list));
                        }
                        Some(',') => self.at += 1,
                        Some(_) => match self.value() {
                            Seen::Whole(value) => list.push(value),
                            Seen::Part(value) => {
                                list.push(value);
                                return Seen::Part(Value::Array(list));
                            }
                            Seen::Nothing => return Seen::Part(Value::Array(list)),
                        },
                    }
                }
            }
            Some('"') => {
                let (text, whole) = self.string();
                if whole {
                    Seen::Whole(Value::String(text))
                } else {
                    Seen::Part(Value::String(text))
                }
            }
            Some(_) => {
                let from = self.at;
                while self
                    .chars
                    .get(self.at)
                    .is_some_and(|char| char.is_ascii_alphanumeric() || "+-.".contains(*char))
                {
                    self.at += 1;
                }
                let token: String = self.chars[from..self.at].iter().collect();
                let is_literal = ["true", "false", "null"].contains(&&*token);
                match serde_json::from_str(&token) {
                    Ok(value) if is_literal || self.at < self.chars.len() => Seen::Whole(value),
                    _ => Seen::Nothing,
                }
            }
        }
    }

    /// The text of a string so far, and whether its closing quote is there.
    fn string(&mut self) -> (String, bool) {
        self.at += 1;
        let mut text = String::new();
        while let Some(char) = self.chars.get(self.at).copied() {
            match char {
                '"' => {
                    self.at += 1;
                    return (text, true);
                }
                '\\' => {
                    // For every escape, some number of characters has a meaning to serde_json, or it is cut short.
                    let lengths = [2, 6, 12];
                    let escape = lengths.into_iter().find_map(|length| {
                        let spelled: String = self.chars.get(self.at..self.at + length)?.iter().collect();
                        let meaning: String = serde_json::from_str(&format!("\"{spelled}\"")).ok()?;
                        Some((length, meaning))
                    });
                    let Some((length, meaning)) = escape else {
                        self.at = self.chars.len();
                        return (text, false);
                    };
                    text.push_str(&meaning);
                    self.at += length;
                }
                char => {
                    text.push(char);
                    self.at += 1;
                }
            }
        }
        (text, false)
    }
}

/// After every prefix, the live value is what is certain of it; at the end it is all of it.
fn exact_on_every_prefix(text: &str) {
    let pieces: Vec<String> = text.chars().map(String::from).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let (values, last) = read(&pieces);
    let mut prefix = String::new();
    for (piece, value) in pieces.iter().zip(values) {
        prefix.push_str(piece);
        assert_eq!(value, Lenient::value_of(&prefix), "after {prefix}");
    }
    assert_eq!(last, serde_json::from_str(text).ok(), "{text}");
    // And in one piece, and at every two-way split.
    assert_eq!(read(&[text]).1, last, "{text} whole");
    for (cut, _) in text.char_indices() {
        let (left, right) = text.split_at(cut);
        let (values, end) = read(&[left, right]);
        assert_eq!(values[0], Lenient::value_of(left), "{left}");
        assert_eq!(end, last, "{text} cut at {cut}");
    }
}

#[test]
fn the_live_value_is_what_is_certain() {
    for text in [
        r#"{"a":[1,"xy"],"b":2}"#,
        r#" { "a" : { } , "b" : [ ] , "" : "" } "#,
        r#"[[[]],[{}],{"a":{"b":{"c":[]}}}]"#,
        r#""text""#,
        "12.5e-3",
        "-0",
        "  true ",
        "null",
        "[true,false,null,0,-1,1.5,2e3,2E+3,10]",
        r#"{"n":12,"t":true,"s":"a"}"#,
        r#""\n\t\"\\\/\b\f\r\u0041\u00e9\ud83d\ude00é日🙂""#,
        r#"{"k\"\\\u0041":"v","\\":{"\"":1}}"#,
        r#"{"a":1,"a":[2],"a":{"b":3}}"#,
        r#"{"1":"x","0":{"2":[1]}}"#,
        r#"{"__proto__":{"a":"b"}}"#,
        r#"["[","{","]","}",",",":"]"#,
    ] {
        exact_on_every_prefix(text);
    }
}

#[test]
fn edits_say_what_the_documentation_says() {
    let mut decoder = Decoder::new(Options {
        output: OutputKind::Events,
        partial: PartialValues::Any,
        ..Options::default()
    });
    let mut partials = Vec::new();
    for bytes in [chunk(r#"{"a":[1,"x"#), chunk(r#"y"],"b":2}"#), FINISH.to_owned()] {
        decoder.push(bytes.as_bytes(), 0.0, 0.0);
        let events: Vec<Value> = serde_json::from_slice(decoder.output()).unwrap();
        partials.extend(events.into_iter().filter(|event| event["type"] == "partial"));
    }
    let expected = [
        json!({"type": "partial", "choice": 0, "edits": [[{"a": [1, "x"]}]], "open": [0, "a", 0]}),
        json!({"type": "partial", "choice": 0, "edits": ["y", [], {"b": 2}, []], "open": []}),
    ];
    assert_eq!(partials, expected);
}

#[test]
fn what_is_no_json_gets_no_edits_and_stays_what_it_was() {
    for (text, kept) in [
        ("Hello", None),
        ("", None),
        ("tru", None),
        ("12x", None),
        ("{a:1}", Some(json!({}))),
        (r#"{"a":1,}"#, Some(json!({"a": 1}))),
        (r#"{"a":1]"#, Some(json!({"a": 1}))),
        ("[01]", Some(json!([]))),
        ("[1 2]", Some(json!([1]))),
        (r#"["a\x"]"#, Some(json!(["a"]))),
        ("[\"a\nb\"]", Some(json!(["a"]))),
        (r#"{"\u12":1}"#, Some(json!({}))),
        (r#"[1,"#, Some(json!([1]))),
        ("[12", Some(json!([]))),
        (r#"{"a":1} and more {"b":2}"#, Some(json!({"a": 1}))),
    ] {
        let pieces: Vec<String> = text.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        assert_eq!(read(&pieces).1, kept, "{text}");
        assert_eq!(read(&[text]).1, kept, "{text}");
    }
    // Deeper than any host parses: no edits beyond the bound, and no crash.
    let (_, value) = read(&[&"[".repeat(if cfg!(miri) { 1_000 } else { 100_000 })]);
    assert!(value.is_some());
}

#[test]
fn a_surrogate_half_alone_crosses_as_it_is_spelled() {
    for (text, edits) in [
        (r#"["\ud83dx"]"#, r#""edits":[[["\ud83dx"]]]"#),
        (r#"["\ud83d\ud83d\ude00"]"#, r#""edits":[[["\ud83d\ud83d\ude00"]]]"#),
        (r#"["\ud83d\n"]"#, r#""edits":[[["\ud83d\n"]]]"#),
        (r#"["\ude00\uDBFF"]"#, r#""edits":[[["\ude00\uDBFF"]]]"#),
    ] {
        let mut decoder = Decoder::new(Options {
            output: OutputKind::Events,
            partial: PartialValues::Any,
            ..Options::default()
        });
        decoder.push(chunk(text).as_bytes(), 0.0, 0.0);
        let output = String::from_utf8_lossy(decoder.output()).into_owned();
        assert!(output.contains(edits), "{output}");
    }
}

#[test]
fn reasoning_is_no_part_of_the_value() {
    for pieces in [
        &["<think>{\"no\"", ":1}</think>", "\n{\"a\":", "1}"][..],
        &["thinking, and then</think>", "{\"a\":1}"],
    ] {
        assert_eq!(
            read_from(ReasoningPlace::Detect, pieces).1,
            Some(json!({"a": 1})),
            "{pieces:?}"
        );
    }
}

#[test]
fn each_choice_has_its_own_value_and_nobody_else_gets_any() {
    let stream = concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"[1"}},{"index":1,"delta":{"content":"{\"a\":"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":1,"delta":{"content":"\"x\"}"}},{"index":0,"delta":{"content":",2]"}}]}"#,
        "\n\n"
    );
    let run = |options: Options| {
        let mut decoder = Decoder::new(options);
        decoder.push(stream.as_bytes(), 0.0, 0.0);
        let output = String::from_utf8_lossy(decoder.output()).into_owned();
        decoder.end(End::Aborted, 0.0);
        output
    };
    let events: Vec<Value> = serde_json::from_str(&run(Options {
        output: OutputKind::Events,
        partial: PartialValues::Any,
        ..Options::default()
    }))
    .unwrap();
    let mut values = [Live::new(), Live::new()];
    for event in events.iter().filter(|event| event["type"] == "partial") {
        values[event["choice"].as_u64().unwrap() as usize].apply(event);
    }
    assert_eq!(values[0].value(), Some(&json!([1, 2])));
    assert_eq!(values[1].value(), Some(&json!({"a": "x"})));
    assert!(
        !run(Options {
            output: OutputKind::Events,
            ..Options::default()
        })
        .contains("partial")
    );
    assert!(
        !run(Options {
            output: OutputKind::Chunks,
            partial: PartialValues::Any,
            ..Options::default()
        })
        .contains("partial")
    );
}

#[test]
fn edits_are_as_long_as_the_text_however_it_is_cut() {
    let text = |kilobytes: usize| {
        let row = json!({"name": "a name", "tags": ["x", "y"], "note": "some words of text"});
        let rows = kilobytes * 1024 / row.to_string().len();
        Value::Array(vec![row; rows]).to_string()
    };
    let bytes = |kilobytes: usize, read: usize| {
        let text = text(kilobytes);
        let pieces: Vec<char> = text.chars().collect();
        let stream: String = pieces
            .chunks(4)
            .map(|piece| chunk(&piece.iter().collect::<String>()))
            .collect();
        let mut reading = Reading::new(ReasoningPlace::None);
        for bytes in stream.as_bytes().chunks(read) {
            reading.push(std::str::from_utf8(bytes).unwrap());
        }
        assert_eq!(reading.finish(), serde_json::from_str(&text).ok());
        (reading.bytes, text.len())
    };
    let (edits, length) = bytes(20, 16 * 1024);
    assert!(
        edits < length + length / 2,
        "{edits} bytes of edits for {length} bytes of text"
    );
    // Even with a read for every delta each event is small, so twice the text is twice the edits.
    let (one, _) = bytes(20, 64);
    let (four, _) = bytes(80, 64);
    assert!(four < one * 5, "{one} bytes of edits for 20 KB, {four} for 80 KB");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6f64..1e6).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        "[\"\\\\/\n\t\u{1}🙂é{}\\[\\],:]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-c\"\\\\🙂]{0,3}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The text with some characters spelled as escapes.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        if char.is_ascii() {
            escaped.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 96 }))]
    #[test]
    fn exact_on_every_prefix_of_any_json(value in json_value(), pretty in any::<bool>(), escapes in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        exact_on_every_prefix(&if escapes { escaped(&text) } else { text });
    }

    #[test]
    fn any_pieces_in_any_reads_give_the_value(value in json_value(), sizes in prop::collection::vec(1usize..12, 1..20), read in 1usize..900) {
        let text = value.to_string();
        let mut chars = text.chars();
        let mut stream = String::new();
        for size in sizes.iter().cycle() {
            let piece: String = chars.by_ref().take(*size).collect();
            if piece.is_empty() {
                break;
            }
            stream.push_str(&chunk(&piece));
        }
        let mut reading = Reading::new(ReasoningPlace::None);
        // Bytes may be cut inside a character, so they go in as bytes.
        for bytes in stream.as_bytes().chunks(read) {
            reading.decoder.push(bytes, 0.0, 0.0);
            let events: Vec<Value> = serde_json::from_slice(reading.decoder.output()).unwrap();
            for event in events.iter().filter(|event| event["type"] == "partial") {
                reading.live.apply(event);
            }
        }
        prop_assert_eq!(reading.finish(), Some(serde_json::from_str::<Value>(&text).unwrap()));
    }

    #[test]
    fn text_that_breaks_off_being_json_breaks_off_at_the_same_place_in_any_pieces(
        value in json_value(),
        harms in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:\\\\a0-9.u\\-\u{1}\n ]{0,2}"), 1..4),
    ) {
        let mut chars: Vec<char> = value.to_string().chars().collect();
        for (at, piece) in &harms {
            let at = at.index(chars.len() + 1);
            let to = (at + 1).min(chars.len());
            chars.splice(at..to, piece.chars());
        }
        let text: String = chars.iter().collect();
        let singles: Vec<String> = chars.iter().map(char::to_string).collect();
        let singles: Vec<&str> = singles.iter().map(String::as_str).collect();
        let whole = read(&[&text]).1;
        prop_assert_eq!(&read(&singles).1, &whole, "{}", text);
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            prop_assert_eq!(whole, Some(value), "{}", text);
        }
    }
}

#[test]
fn arguments_of_tool_calls_grow_each_on_its_own() {
    let call = |index: u64, arguments: &str| {
        let start = json!({"index": index, "id": format!("call_{index}"), "function": {"name": "look", "arguments": arguments}});
        format!(
            "data: {}\n\n",
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [start]}}]})
        )
    };
    let more = |index: u64, arguments: &str| {
        let more = json!({"index": index, "function": {"arguments": arguments}});
        format!(
            "data: {}\n\n",
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [more]}}]})
        )
    };
    let stream = [
        call(0, ""),
        call(1, "{\"place"),
        more(0, "{\"at\":[4"),
        more(1, "\":\"Pune\"}"),
        more(0, "2]}"),
        FINISH.replace("stop", "tool_calls"),
    ]
    .concat();
    for size in [1, 7, 100, stream.len()] {
        let mut decoder = Decoder::new(Options {
            output: OutputKind::Events,
            partial: PartialValues::Containers,
            ..Options::default()
        });
        let mut live = [Live::new(), Live::new()];
        let mut announced = Vec::new();
        for bytes in stream.as_bytes().chunks(size) {
            decoder.push(bytes, 0.0, 0.0);
            let events: Vec<Value> = serde_json::from_slice(decoder.output()).unwrap();
            for event in &events {
                let index = event["index"].as_u64().unwrap_or_default() as usize;
                match event["type"].as_str() {
                    Some("tool_call.start") => announced.push(index),
                    Some("partial") => {
                        assert!(announced.contains(&index), "a call is announced before its arguments");
                        live[index].apply(event);
                    }
                    Some("tool_call.done") => {
                        let whole: Value = serde_json::from_str(event["arguments"].as_str().unwrap()).unwrap();
                        assert_eq!(
                            live[index].value(),
                            Some(&whole),
                            "all of it is there when the call is done"
                        );
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(live[0].value(), Some(&json!({"at": [42]})));
        assert_eq!(live[1].value(), Some(&json!({"place": "Pune"})));
    }
}

#[test]
fn of_containers_only_prose_and_scalars_are_no_values() {
    for (text, is_value) in [
        ("2024 was warm", false),
        ("\"Yes\", she said", false),
        ("true", false),
        (" \n{\"a\":\"x\"}", true),
        ("[1,\"two\"]", true),
    ] {
        let mut decoder = Decoder::new(Options {
            output: OutputKind::Events,
            partial: PartialValues::Containers,
            ..Options::default()
        });
        decoder.push([chunk(text).as_str(), FINISH].concat().as_bytes(), 0.0, 0.0);
        let output = String::from_utf8_lossy(decoder.output()).into_owned();
        assert_eq!(output.contains("\"partial\""), is_value, "{text}");
    }
}
