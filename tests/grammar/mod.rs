//! Streams by a grammar of what servers send, then harmed: the one generator of streams for tests in Rust and in JavaScript.
//!
//! Its productions are the fixtures: each row of docs/dialects.md has some (`row: `), and their parts (deltas, chunks, events, ends,
//! bodies) are put together freely, with parts of other rows and with chunks of random text between them, in one delta, one chunk or
//! one stream. All of it is framed in one of the ways of the docs, and then harmed as a network or a broken server would.
//!
//! A stream is known by its seed and its number: the first streams are the fixtures as they are, and from there on each fixture in
//! turn is the one that a stream begins with.

use chatwire::provider::ReasoningPlace;
use chatwire::stream::{End, Options};

use crate::dialects::{Case, Part};

/// A stream, and the way to read it.
pub struct Stream {
    pub bytes: Vec<u8>,
    pub options: Options,
    pub end: End,
    /// The fixtures that it was made of.
    pub made_of: String,
}

/// Random numbers (SplitMix64), the same for the same seed.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True one time in so many.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// Pieces of the bytes, most of them of similar lengths.
    pub fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let bound = [3, 40, 300][self.below(3)];
        let longest = 1 + self.below(bound);
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(longest)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// The stream of this seed with this number.
pub fn stream(cases: &[Case], seed: u64, number: usize) -> Stream {
    let case = &cases[number % cases.len()];
    let mut stream = Stream {
        bytes: case.stream.clone(),
        options: case.decoder_options(),
        end: case.end(),
        made_of: format!("{}: {}", case.family, case.name),
    };
    if number >= cases.len() {
        let mut random = Random(seed ^ (number as u64).wrapping_mul(0xA076_1D64_78BD_642F));
        Grammar {
            cases,
            random: &mut random,
        }
        .mix(case, &mut stream);
        if random.one_in(2) {
            for _ in 0..1 + random.below(3) {
                harm(&mut stream.bytes, &mut random);
            }
        }
    }
    stream
}

struct Grammar<'a> {
    cases: &'a [Case],
    random: &'a mut Random,
}

impl Grammar<'_> {
    /// A stream of the parts of this case and some others.
    fn mix(&mut self, case: &Case, stream: &mut Stream) {
        let mut parts = case.parts.clone();
        for _ in 0..self.random.below(3) {
            let other = &self.cases[self.random.below(self.cases.len())];
            stream.made_of += &format!(" + {}: {}", other.family, other.name);
            parts = self.merged(parts, other.parts.clone());
        }
        if !self.random.one_in(8) {
            parts.retain(|part| *part != Part::Done);
            if !self.random.one_in(4) {
                parts.push(Part::Done);
            }
        }
        let data: Vec<Part> = parts.into_iter().flat_map(|part| self.grown(part)).collect();
        stream.bytes = self.body(&data);
        let options = &mut stream.options;
        if self.random.one_in(3) {
            options.choices = [None, Some(1), Some(2)][self.random.below(3)];
        }
        if self.random.one_in(8) {
            let places = [
                ReasoningPlace::None,
                ReasoningPlace::Tags,
                ReasoningPlace::Field("reasoning"),
                ReasoningPlace::Field("reasoning_content"),
            ];
            options.reasoning = places[self.random.below(places.len())];
        }
        options.document ^= self.random.one_in(16);
        options.strict = self.random.one_in(6);
        options.returns_reasoning = !self.random.one_in(6);
        if self.random.one_in(6) {
            stream.end = [End::Closed, End::Lost, End::Aborted][self.random.below(3)];
        }
    }

    /// Both lists, one after the other or mixed.
    fn merged(&mut self, these: Vec<Part>, those: Vec<Part>) -> Vec<Part> {
        if self.random.one_in(2) {
            return [these, those].concat();
        }
        let (mut these, mut those) = (these.into_iter().peekable(), those.into_iter().peekable());
        let mut merged = Vec::new();
        while these.peek().is_some() || those.peek().is_some() {
            merged.extend(if self.random.one_in(2) {
                these.next()
            } else {
                those.next()
            });
        }
        merged
    }

    /// A part as it is sent: the data of an event, or bytes as they are. Perhaps several times, or with others before it.
    fn grown(&mut self, part: Part) -> Vec<Part> {
        let mut parts = Vec::new();
        match self.random.below(10) {
            0 | 1 => parts.push(Part::Event(self.chunk_of_its_own())),
            2 => parts.extend(self.run()),
            _ => {}
        }
        let part = match part {
            Part::Delta(delta) => Part::Event(self.chunk(&delta, None)),
            Part::Finish(reason) => Part::Event(self.chunk("{}", Some(&reason))),
            Part::Done => Part::Event("[DONE]".to_owned()),
            other => other,
        };
        let part = match part {
            Part::Event(data) if self.random.one_in(8) => Part::Event(self.respelled(data)),
            other => other,
        };
        let times = if self.random.one_in(6) {
            1 + self.random.below(4)
        } else {
            1
        };
        parts.extend(std::iter::repeat_n(part, times));
        parts
    }

    /// Events of one shape, as prediction likes them: all that differs is in a few values.
    fn run(&mut self) -> Vec<Part> {
        let shape = self.random.of(&[
            r#"{"choices":[{"index":0,"delta":{"content":"…"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"…"}}],"obfuscation":"…"}"#,
            r#"{"obfuscation":"…","choices":[{"index":0,"delta":{"content":"…"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning_content":"…","content":null}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"…"}}]}"#,
            r#"{"id":"…","created":#,"choices":[{"delta":{"content":"…"}}],"usage":{"total_tokens":#}}"#,
            r#"{"usage":{"x":"…"},"choices":[{"delta":{"content":"…"}}],"created":#}"#,
            r#"{"choices":[{"delta":{"content":"…"}}],"usage":{"prompt_tokens":#,"completion_tokens":#}}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"…"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":#,"id":"call","function":{"name":"f","arguments":"…"}}]}}]}"#,
            r#"{"choices":[{"delta":{"content":"","tool_calls":[{"index":1,"id":"","type":"function","function":{"arguments":"…"}}]}}]}"#,
            r#"{"choices":[]}"#,
        ]);
        let fill = |grammar: &mut Self| {
            let mut data = String::new();
            for letter in shape.chars() {
                match letter {
                    '…' => data += &grammar.text(),
                    '#' => data += &grammar.random.below(3).to_string(),
                    _ => data.push(letter),
                }
            }
            Part::Event(data)
        };
        (0..1 + self.random.below(6)).map(|_| fill(self)).collect()
    }

    /// A chunk with this delta, and perhaps with members of another.
    fn chunk(&mut self, delta: &str, reason: Option<&str>) -> String {
        let mut choice = self.choice(delta, reason);
        if self.random.one_in(12) {
            let other = self.delta();
            choice = format!("{choice},{}", self.choice(&other, None));
        }
        let head = self.random.of(&[
            r#""id":"c1","object":"chat.completion.chunk","created":1,"model":"m","#,
            r#""id":"c1","object":"chat.completion.chunk","created":1,"model":"m","#,
            r#""id":"c","#,
            r#""x":[1],"#,
            "",
        ]);
        let tail = match self.random.below(12) {
            0 => r#","usage":null"#,
            1 => r#","usage":{"prompt_tokens":3,"completion_tokens":2}"#,
            2 => r#","error":null"#,
            _ => "",
        };
        format!(r#"{{{head}"choices":[{choice}]{tail}}}"#)
    }

    fn choice(&mut self, delta: &str, reason: Option<&str>) -> String {
        let delta = match self.random.below(5) {
            0 => {
                let (mine, other) = (delta.trim_matches(['{', '}', ' ']).is_empty(), self.delta());
                let separator = if mine || other == "{}" { "" } else { "," };
                match (delta.strip_suffix('}'), other.strip_prefix('{')) {
                    (Some(mine), Some(other)) => format!("{mine}{separator}{other}"),
                    _ => delta.to_owned(),
                }
            }
            _ => delta.to_owned(),
        };
        let index = match self.random.below(12) {
            0 => r#""index":1,"#,
            1 => "",
            _ => r#""index":0,"#,
        };
        let kind = if self.random.one_in(24) { "message" } else { "delta" };
        let end = match reason {
            Some(reason) => format!(r#","finish_reason":"{reason}""#),
            None => {
                let odd = self.random.of(&[
                    "",
                    "",
                    "",
                    "",
                    "",
                    "",
                    r#","finish_reason":"stop""#,
                    r#","finish_reason":"tool_calls""#,
                    r#","finish_reason":"""#,
                    r#","logprobs":{"content":[1]}"#,
                    r#","usage":{"prompt_tokens":1}"#,
                ]);
                if self.random.one_in(2) {
                    r#","finish_reason":null"#.to_owned()
                } else {
                    odd.to_owned()
                }
            }
        };
        format!(r#"{{{index}"{kind}":{delta}{end}}}"#)
    }

    /// A delta of any fixture, or one of its own.
    fn delta(&mut self) -> String {
        let case = &self.cases[self.random.below(self.cases.len())];
        let deltas: Vec<&str> = case
            .parts
            .iter()
            .filter_map(|part| {
                if let Part::Delta(delta) = part {
                    Some(delta.as_str())
                } else {
                    None
                }
            })
            .collect();
        if deltas.is_empty() || self.random.one_in(3) {
            let members: Vec<String> = (0..self.random.below(3)).map(|_| self.member()).collect();
            return format!("{{{}}}", members.join(","));
        }
        self.random.of(&deltas).to_owned()
    }

    fn chunk_of_its_own(&mut self) -> String {
        let delta = self.delta();
        self.chunk(&delta, None)
    }

    /// A member of a delta, of random text.
    fn member(&mut self) -> String {
        let text = self.text();
        match self.random.below(16) {
            0..6 => format!(r#""content":"{text}""#),
            6..10 => {
                let field = self
                    .random
                    .of(&["content", "reasoning", "reasoning_content", "refusal", "role", "x"]);
                format!(r#""{field}":"{text}""#)
            }
            10..12 => {
                let calls: Vec<String> = (0..1 + self.random.below(2)).map(|_| self.call()).collect();
                format!(r#""tool_calls":[{}]"#, calls.join(","))
            }
            12 => format!(r#""content":[{{"type":"text","text":"{text}"}},{{"type":"thinking","thinking":"{text}"}}]"#),
            13 => format!(r#""function_call":{{"name":"f","arguments":"{text}"}}"#),
            _ => self
                .random
                .of(&[
                    r#""content":null"#,
                    r#""x":[1]"#,
                    r#""x":[]"#,
                    r#""x":null"#,
                    r#""x":{"y":1e999,"y":2}"#,
                    r#""tool_calls":[]"#,
                    r#""refusal":null"#,
                    r#""content":7"#,
                    r#""annotations":[{"a":1}]"#,
                ])
                .to_owned(),
        }
    }

    fn call(&mut self) -> String {
        let index = self
            .random
            .of(&[r#""index":0,"#, r#""index":1,"#, r#""index":"1","#, ""]);
        let id = self
            .random
            .of(&[r#""id":"t","#, r#""id":"u","#, r#""id":null,"#, r#""id":"","#, ""]);
        let name = self
            .random
            .of(&[r#""name":"f","#, r#""name":"g","#, r#""name":null,"#, ""]);
        let function = match self.random.below(9) {
            0..5 => format!(r#""function":{{{name}"arguments":"{}"}}"#, self.text()),
            5 => r#""function":null"#.to_owned(),
            6 => r#""function":{"name":"f"}"#.to_owned(),
            7 => r#""function":{"name":"f","arguments":{"a":1}}"#.to_owned(),
            _ => r#""type":"function""#.to_owned(),
        };
        format!("{{{index}{id}{function}}}")
    }

    /// The contents of a string: text, tags, halves of pairs, JSON as text, marks.
    fn text(&mut self) -> String {
        if self.random.one_in(7) {
            return self
                .random
                .of(&[
                    "<",
                    "<th",
                    "<think>",
                    "</think>",
                    "ink>",
                    "`",
                    "```",
                    "\\n",
                    "\\ud83d",
                    "\\ude00",
                    "\\ud83d\\ude00",
                    "é",
                    "{\\\"a\\\":",
                    "1}",
                    "\\\"",
                    "\\u0000",
                    "[1,",
                    "]",
                    "Ünï",
                    "\\ufeff",
                ])
                .to_owned();
        }
        let letters = b"abcdefgh  ";
        (0..self.random.below(7))
            .map(|_| char::from(letters[self.random.below(letters.len())]))
            .collect()
    }

    /// The data of an event in another spelling.
    fn respelled(&mut self, data: String) -> String {
        let kind = self.random.below(11);
        let Some(rest) = data.strip_prefix('{').filter(|_| kind < 9) else {
            return if kind == 9 { format!("data: {data}") } else { data };
        };
        match kind {
            0..2 => {
                let name = self.random.of(&["result", "data", "output", "response"]);
                format!(r#"{{"{name}":{data}}}"#)
            }
            2 => format!(r#"{{"usage":{{"input_tokens":"2","output_tokens":1}},{rest}"#),
            3 => data.replace(r#""choices""#, r#""\u0063hoices""#),
            4 => format!(r#"{{"score":NaN,{rest}"#),
            5 => data.replace('"', "'").replace("null", "None"),
            6 => data.replacen(r#""content":""#, "\"content\":\"\t", 1),
            7 => data.chars().take(self.random.below(data.len())).collect(),
            _ => format!("[{data},7]"),
        }
    }

    /// The body: an event stream with one framing or several, lines of JSON, or a list.
    fn body(&mut self, parts: &[Part]) -> Vec<u8> {
        let data = parts.iter().filter_map(|part| {
            if let Part::Event(data) = part {
                Some(data.as_str())
            } else {
                None
            }
        });
        match self.random.below(16) {
            0 => return (data.collect::<Vec<_>>().join("\n") + "\n").into_bytes(),
            1 => {
                return format!(
                    "[{}]",
                    data.filter(|data| data.starts_with('{'))
                        .collect::<Vec<_>>()
                        .join(",\n")
                )
                .into_bytes();
            }
            _ => {}
        }
        const FRAMINGS: usize = 14;
        let framing = self.random.below(2 * FRAMINGS);
        let is_mixed = self.random.one_in(4);
        let mut body = Vec::new();
        if self.random.one_in(12) {
            body.extend(
                self.random
                    .of(&["\u{feff}", "\n\n", ": hello\n\n", "retry: 3000\n"])
                    .bytes(),
            );
        }
        for part in parts {
            match part {
                Part::Event(data) => {
                    let framing = if is_mixed {
                        self.random.below(2 * FRAMINGS)
                    } else {
                        framing
                    };
                    body.extend(self.framed(data, framing).bytes());
                }
                Part::Raw(bytes) => body.extend(bytes),
                _ => unreachable!("all other parts have become events"),
            }
        }
        body
    }

    /// An event with this data; most framings are the plain one.
    fn framed(&mut self, data: &str, framing: usize) -> String {
        match framing {
            0 => format!("data: {data}\r\n\r\n"),
            1 => format!("data: {data}\r\r"),
            2 => format!("data:{data}\n\n"),
            3 => format!("id: 7\nevent: message\ndata: {data}\n\n"),
            4 => format!(": a comment\n\ndata: {data}\n\n"),
            5 => format!("data: {}\n\n", data.replacen(",\"", ",\ndata: \"", 2)),
            6 => format!("data: {data}\n"),
            7 => format!("{data}\n\n"),
            8 => format!("data: data: {data}\n\n"),
            9 => format!("event: completion.chunk\ndata: {data}\n\n"),
            10 => format!("data: {data}\n\ndata: : keep-alive\n\n"),
            11 => format!("event: ping\ndata: {{\"type\":\"ping\"}}\n\ndata: {data}\n\n"),
            12 => format!("data: {data} \n\n\n"),
            13 => format!("data:\n\ndata: {data}\n\n"),
            _ => format!("data: {data}\n\n"),
        }
    }
}

/// The beginning of a line or an event, from some place on.
fn line_start(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |at| from + at + 1)
}

/// Harms a stream in one place.
fn harm(stream: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(stream.len() + 1);
    let longest = stream.len() - at;
    match random.below(9) {
        0 => stream.truncate(at),
        1 if longest > 0 => stream[at] = random.below(256) as u8,
        2 if longest > 0 => stream[at] ^= 1 << random.below(8),
        3 => drop(stream.drain(at..at + (1 + random.below(40)).min(longest))),
        4 => {
            let again = stream[at..at + (1 + random.below(200)).min(longest)].to_vec();
            stream.splice(at..at, again);
        }
        // A line is lost, or comes twice.
        5 | 6 => {
            let from = line_start(stream, at);
            let to = line_start(stream, from.min(stream.len()));
            let line = stream[from..to].to_vec();
            stream.splice(from..to, if random.one_in(2) { Vec::new() } else { line.repeat(2) });
        }
        // JSON that is none, or other JSON: a word in place of a byte that has a meaning, or before it.
        kind => {
            let place = stream[at..]
                .iter()
                .position(|byte| b"{}[],:\"0123456789".contains(byte));
            let at = at + place.unwrap_or(0);
            let word = random.of(&[
                "\n\n",
                "\r",
                "\n",
                "data: ",
                "[DONE]",
                "{",
                "}",
                "\"",
                "[",
                "]",
                ",",
                "\\",
                "null",
                "1e999",
                "{}",
                "\"\"",
                "\\ud83d",
                "<think>",
                "</think>",
                "`",
                "event: error\n",
                "\u{feff}",
                "\0",
                "é",
            ]);
            let to = if kind == 7 { (at + 1).min(stream.len()) } else { at };
            stream.splice(at..to, word.bytes());
        }
    }
}
