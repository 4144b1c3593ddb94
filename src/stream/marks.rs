//! Marks of a chat template that a server leaves in the text: control tokens at its end, and the raw form of a tool call that
//! comes as a call, too. They are held back until it is known what they are, and are never spoken.

/// How the raw form of a tool call begins.
const CALLS: [&str; 17] = [
    "<tool_call>",
    "<tool_calls>",
    "<function_calls>",
    "<function=",
    "<invoke name=",
    "<|START_ACTION|>",
    "<minimax:tool_call>",
    "<seed:tool_call>",
    "<longcat_tool_call>",
    "<TOOLCALL>",
    "<start_function_call>",
    "<|tool_call",
    "<|python_tag|>",
    "<｜tool▁call",
    "<｜DSML｜",
    "<|plugin|>",
    "<|open|>tools",
];

/// The same, in other brackets. Each is one token of its model, so the start of one is not waited for.
const TOKEN_CALLS: [&str; 2] = ["[TOOL_CALLS]", "[TOOL_REQUEST]"];

/// Control tokens that have other brackets.
const TOKENS: [&str; 11] = [
    "</s>",
    "<s>",
    "<eos>",
    "<end_of_turn>",
    "<start_of_turn>",
    "<turn|>",
    "<pad>",
    "<｜end▁of▁sentence｜>",
    "<｜begin▁of▁sentence｜>",
    "<|close|>response",
    "<|close|>message",
];

/// No control token is longer, in bytes.
const LONGEST: usize = 48;

/// The text that is held back, once nothing more comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeldText {
    /// Control tokens: none of the answer.
    Tokens,
    /// Text that only began like one.
    Text(String),
    /// The raw form of a call that did not come: text, but not to be spoken.
    Call(String),
}

#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The server is known to leave none.
    is_off: bool,
    held: String,
    /// The first so many bytes of it are control tokens and white space.
    tokens: usize,
    is_call: bool,
    /// Of the text that was given out.
    fence: Fence,
}

/// Where in the text a `<` stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    LineStart,
    /// Behind a word or a space.
    InLine,
    /// Behind a quotation mark, a backtick or a bracket.
    Quoted,
}

impl Position {
    fn behind(before: &str, line: &str) -> Self {
        let last = line.chars().next_back().or_else(|| before.chars().next_back());
        if is_line_start(before, line) {
            Position::LineStart
        } else if last.is_some_and(|last| "\"'`“‘«„([{<".chars().any(|mark| mark == last)) {
            Position::Quoted
        } else {
            Position::InLine
        }
    }
}

/// The kind of the text at some `<`.
enum Mark {
    Token(usize),
    Call,
    /// Perhaps the start of one.
    Start,
    None,
}

impl Marks {
    /// `watch`: the server is not known to leave none.
    pub(super) fn new(watch: bool) -> Self {
        Marks {
            is_off: !watch,
            ..Marks::default()
        }
    }

    /// Whether nothing is held back.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.is_off || self.held.is_empty()
    }

    /// Takes text that follows `before`; `sink` gets what is certainly text.
    pub(super) fn feed(&mut self, text: &str, before: &str, mut sink: impl FnMut(&str)) {
        if self.is_off {
            return sink(text);
        }
        if self.is_call {
            self.held.push_str(text);
            return;
        }
        let mut whole = std::mem::take(&mut self.held);
        let mut at = std::mem::take(&mut self.tokens);
        whole.push_str(text);
        // Where control tokens began that nothing but white space has followed.
        let mut tokens = (at > 0).then_some(0);
        let mut fence = None;
        while let Some(rest) = whole.get(at..).filter(|rest| !rest.is_empty()) {
            let next = rest.find(['<', '[']).unwrap_or(rest.len());
            let (plain, mark) = rest.split_at(next);
            if !plain.trim().is_empty() {
                tokens = None;
            }
            at += next;
            if mark.is_empty() {
                break;
            }
            let line = whole.get(..at).unwrap_or_default();
            match mark_at(mark, Position::behind(before, line)) {
                Mark::Token(length) => {
                    tokens.get_or_insert(at);
                    at += length;
                }
                Mark::Call if !self.is_in_code(before, &whole, at, &mut fence) => {
                    sink(whole.get(..at).unwrap_or_default());
                    self.held = whole.split_off(at);
                    self.is_call = true;
                    return;
                }
                Mark::Start => {
                    let start = tokens.unwrap_or(at);
                    sink(whole.get(..start).unwrap_or_default());
                    self.tokens = at - start;
                    self.held = whole.split_off(start);
                    return;
                }
                Mark::Call | Mark::None => {
                    tokens = None;
                    at += 1;
                }
            }
        }
        let start = tokens.unwrap_or(whole.len());
        sink(whole.get(..start).unwrap_or_default());
        self.tokens = whole.len() - start;
        self.held = whole.split_off(start);
    }

    /// Whether a fence is open at a place of a text that follows `before`; `fence` is that of this text, once it was asked for.
    fn is_in_code(&mut self, before: &str, text: &str, at: usize, fence: &mut Option<Fence>) -> bool {
        let own = &mut self.fence;
        own.is_open_at(before, before.len());
        let start = Fence { at: 0, ..*own };
        fence.get_or_insert(start).is_open_at(text, at)
    }

    /// Adds text that was handed out to `end`, of which no more is kept than tells where later text stands.
    pub(super) fn go_on(&mut self, end: &mut String, text: &str) {
        /// Longer than the white space at the start of a line.
        const LONG: usize = 64;
        self.fence.at = 0;
        self.fence.is_open_at(text, text.len());
        end.push_str(text);
        let from = (end.len().saturating_sub(LONG)..).find(|at| end.is_char_boundary(*at));
        end.drain(..from.unwrap_or_default());
        self.fence.at = end.len();
    }

    /// Takes the raw form of a call that is known to be one.
    pub(super) fn hold_call(&mut self, text: &str) {
        self.held.push_str(text);
        self.is_call = true;
    }

    /// A tool call has come: what is held back of its raw form was that. True if something was.
    pub(super) fn call_came(&mut self) -> bool {
        let was_call = std::mem::take(&mut self.is_call);
        if was_call {
            self.held.clear();
        }
        was_call
    }

    /// The text that was given out is taken back.
    pub(super) fn restart(&mut self) {
        self.fence = Fence::default();
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) -> Option<HeldText> {
        let held = std::mem::take(&mut self.held);
        let tokens = std::mem::take(&mut self.tokens);
        if held.is_empty() {
            return None;
        }
        Some(if std::mem::take(&mut self.is_call) {
            HeldText::Call(held)
        } else if tokens == held.len() {
            HeldText::Tokens
        } else {
            HeldText::Text(held)
        })
    }
}

/// The kind of `text`, which starts with `<`.
#[inline(never)] // a plain answer has no need of it
fn mark_at(text: &str, place: Position) -> Mark {
    let is_special = text.starts_with("<|") || text.starts_with("<｜");
    if text.starts_with('[') {
        let is_call = TOKEN_CALLS.iter().any(|call| text.starts_with(call)) && place != Position::Quoted;
        return if is_call { Mark::Call } else { Mark::None };
    }
    for call in CALLS {
        let Some(after) = text.strip_prefix(call) else { continue };
        // Within a line, only the text behind it decides whether it is a call or a tag that the answer talks about.
        return match after.trim_ascii_start().bytes().next() {
            _ if place == Position::LineStart || is_special && place == Position::InLine => Mark::Call,
            None if place == Position::InLine => Mark::Start,
            Some(b'{' | b'[' | b'<') if place == Position::InLine => Mark::Call,
            _ => Mark::None,
        };
    }
    for token in TOKENS {
        if text.starts_with(token) {
            return Mark::Token(token.len());
        }
    }
    let begins = |word: &&str| word.starts_with(text);
    if TOKENS.iter().any(begins) || place != Position::Quoted && CALLS.iter().any(begins) {
        return Mark::Start;
    }
    let Some(name) = text.strip_prefix("<|") else {
        return Mark::None;
    };
    let length = name
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .unwrap_or(name.len());
    let rest = name.get(length..).unwrap_or_default();
    match rest {
        _ if length > LONGEST => Mark::None,
        "" | "|" => Mark::Start,
        _ if length > 0 && rest.starts_with("|>") => Mark::Token(length + 4),
        _ => Mark::None,
    }
}

/// Looks no further back than to the last character of the line, since the text before may be long.
fn is_line_start(before: &str, line: &str) -> bool {
    let mut back = line.bytes().rev().chain(before.bytes().rev());
    matches!(back.find(|byte| !matches!(byte, b' ' | b'\t')), None | Some(b'\n'))
}

/// Whether a fence is open where a text ends that grows. No byte is read twice.
#[derive(Debug, Default, Clone, Copy)]
struct Fence {
    /// How much of the text was read.
    at: usize,
    /// Backticks at its end.
    run: usize,
    is_open: bool,
}

impl Fence {
    /// Reads the rest of the text up to `end`; true where a fence is open there.
    fn is_open_at(&mut self, text: &str, end: usize) -> bool {
        const BACKTICKS: usize = 3;
        for byte in text.as_bytes().get(self.at..end).unwrap_or_default() {
            self.run = if *byte == b'`' { self.run + 1 } else { 0 };
            self.is_open ^= self.run == BACKTICKS;
        }
        self.at = end;
        self.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::cuts;

    fn split(text: &str, cuts: &[usize], with_call: bool) -> (String, Option<HeldText>) {
        let (mut out, mut marks) = (String::new(), Marks::default());
        let mut from = 0;
        for cut in cuts.iter().copied().chain([text.len()]) {
            let before = out.clone();
            marks.feed(&text[from..cut], &before, |piece| out.push_str(piece));
            from = cut;
        }
        if with_call {
            marks.call_came();
        }
        (out, marks.end())
    }

    #[test]
    fn marks_are_told_from_text_at_every_cut() {
        let call = |text: &str| Some(HeldText::Call(text.to_owned()));
        let text = |text: &str| Some(HeldText::Text(text.to_owned()));
        let cases = [
            ("a < b, a <b> c", "a < b, a <b> c", None),
            ("Hi<|im_end|>", "Hi", Some(HeldText::Tokens)),
            ("Hi<|im_end|>\n<|endoftext|></s>", "Hi", Some(HeldText::Tokens)),
            ("Hi<|im_end|> and on", "Hi<|im_end|> and on", None),
            ("Hi <|im_", "Hi ", text("<|im_")),
            ("Hi <|", "Hi ", text("<|")),
            ("Hi <| x |>", "Hi <| x |>", None),
            ("Hi<｜end▁of▁sentence｜><|eot_id|>", "Hi", Some(HeldText::Tokens)),
            ("The `<|tool_call|>` mark", "The `<|tool_call|>` mark", None),
            ("Sure.<｜DSML｜function_calls", "Sure.", call("<｜DSML｜function_calls")),
            (
                "<tool_call>\n{}\n</tool_call>",
                "",
                call("<tool_call>\n{}\n</tool_call>"),
            ),
            ("Let me.\n<tool_call>{}", "Let me.\n", call("<tool_call>{}")),
            ("Use <tool_call> tags", "Use <tool_call> tags", None),
            ("Use `<tool_call>{}`", "Use `<tool_call>{}`", None),
            ("Sure: <tool_call>\n{}", "Sure: ", call("<tool_call>\n{}")),
            ("a[1] = [TOOL", "a[1] = [TOOL", None),
            ("```\n<tool_call>\n```", "```\n<tool_call>\n```", None),
            (
                "x<|tool_calls_section_begin|>y",
                "x",
                call("<|tool_calls_section_begin|>y"),
            ),
        ];
        for (sent, expected, rest) in cases {
            let cuts = cuts(sent);
            for cut in &cuts {
                let (out, left) = split(sent, &[*cut], false);
                assert_eq!((out.as_str(), &left), (expected, &rest), "{sent} at {cut}");
            }
            let (out, left) = split(sent, &cuts, false);
            assert_eq!((out.as_str(), &left), (expected, &rest), "{sent} by character");
        }
        assert_eq!(split("a\n<tool_call>{}", &[], true), ("a\n".to_owned(), None));
        let bracketed = split("Sure.[TOOL_CALLS][{}]", &[5], false);
        assert_eq!(bracketed, ("Sure.".to_owned(), call("[TOOL_CALLS][{}]")));
        assert_eq!(split("The `[TOOL_CALLS]` mark", &[], false).1, None);
    }
}
