//! Separates the answer from reasoning that a model writes into its content, between `<think>` and `</think>` or tags like these.
//!
//! A block counts only as the first non-blank content or right after a closed block, so that an answer may talk about the
//! tags. A closing tag without an opening one (which was in the prompt) makes reasoning of all that came before it, unless
//! it is quoted or the opening one came somewhere in the answer. The Harmony format has channels in place of tags (`harmony`).

use super::code::Code;
use super::harmony::{
    ANALYSIS, Behind, CHANNEL, Channel, ENDS, MESSAGE, START, behind_analysis, may_be_analysis, next_message,
    split_at_follow,
};
use crate::json::Str;
use crate::text::find;

/// The tag that opens a block, and the one that closes it.
pub(super) const PAIRS: [(&str, &str); 21] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("◁think▷", "◁/think▷"),
    ("<longcat_think>", "</longcat_think>"),
    ("<mm:think>", "</mm:think>"),
    ("<thoughts>", "</thoughts>"),
    ("<antThinking>", "</antThinking>"),
    ("<|channel>thought", "<channel|>"),
    ("<unused94>thought", "<unused95>"),
    ("<|think|>", "<|/think|>"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    // The marks that begin the answer. Behind the mark that ends the reasoning they change nothing.
    ("<|START_THINKING|>", "<|START_RESPONSE|>"),
    ("<|START_THINKING|>", "<|START_TEXT|>"),
    ("<|open|>think<|sep|>", "<|open|>response<|sep|>"),
    // A message of the Harmony format whose header was in the prompt ends, and the next begins.
    ("<|end|><|start|>assistant", "<|end|><|start|>assistant"),
];

/// The kind of a piece of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Reasoning(&'a str),
    /// The raw form of a tool call.
    Call(&'a str),
    /// A block was opened: one of these [`PAIRS`], or a channel.
    Opened(Option<usize>),
    /// All text so far was reasoning, of a block that one of these [`PAIRS`] closes.
    Reclassified(usize),
}

impl<'a> Piece<'a> {
    fn of(channel: Channel, text: &'a str) -> Self {
        match channel {
            Channel::Reasoning => Piece::Reasoning(text),
            Channel::Text => Piece::Text(text),
            Channel::Call => Piece::Call(text),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but white space since the start or since a closed block.
    Start,
    /// Inside a block of these [`PAIRS`].
    Open(usize),
    /// In the header of a message of the Harmony format.
    Header,
    /// In its body.
    Body(Channel),
    /// Behind its end.
    Between,
    /// In a message of the Harmony format without its marks.
    Bare(Channel),
    /// In the answer, where only a bare closing tag still matters.
    Answer,
    /// Nothing matters any more.
    Off,
}

/// Splits the content of one choice. Holds back no more than the start of a tag.
#[derive(Debug)]
pub(super) struct Tags {
    state: State,
    /// No block and no reasoning field has been seen: a bare closing tag may still come.
    bare_close_counts: bool,
    held: String,
    /// The last character of the text before the piece at hand.
    before: Option<char>,
    code: Code,
}

impl Tags {
    pub(super) fn new(watch: bool) -> Self {
        Tags {
            state: if watch { State::Start } else { State::Off },
            bare_close_counts: true,
            held: String::new(),
            before: None,
            code: Code::default(),
        }
    }

    #[inline]
    pub(super) fn is_off(&self) -> bool {
        self.state == State::Off
    }

    /// Whether nothing is held back.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a piece of content in which nothing [`stirs`] is text of the answer, and changes nothing here.
    pub(super) fn passes_calm(&self) -> bool {
        self.is_off() || self.state == State::Answer && self.held.is_empty() && !self.code.is_changed_by_text()
    }

    /// Whether a piece of content in which nothing [`stirs`] begins the answer.
    pub(super) fn may_begin(&self, content: Str<'_>) -> bool {
        // The name of a channel stands without a mark.
        let is_text = !matches!(content.raw.trim_ascii_start().first(), None | Some(b'a' | b'\\'));
        self.state == State::Start && self.held.is_empty() && is_text
    }

    /// The answer has begun.
    pub(super) fn begin(&mut self) {
        if self.state == State::Start {
            self.state = match self.bare_close_counts {
                true => State::Answer,
                false => State::Off,
            };
        }
    }

    /// The server sends reasoning in a field: its content has no tags, unless one is open. True when tags are off from here
    /// on; what is held back for one is then to be taken with [`end`](Self::end).
    pub(super) fn seen_field(&mut self) -> bool {
        self.bare_close_counts = false;
        let is_answer = matches!(self.state, State::Answer);
        if is_answer {
            self.state = State::Off;
        }
        is_answer
    }

    /// Splits one piece of content; `sink` gets what it is made of, in order.
    /// `before` is the last character of the text that was given out before it.
    pub(super) fn feed(&mut self, content: &str, before: Option<char>, mut sink: impl FnMut(Piece<'_>)) {
        self.before = before.or(self.before.filter(|_| !self.held.is_empty()));
        if self.held.is_empty() {
            let rest = self.split(content, &mut sink);
            self.held.push_str(rest);
        } else {
            let mut whole = std::mem::take(&mut self.held);
            whole.push_str(content);
            let rest = self.split(&whole, &mut sink).len();
            whole.drain(..whole.len() - rest);
            self.held = whole;
        }
    }

    /// The content ended: what was held back for a tag is what it is.
    pub(super) fn end(&mut self, mut sink: impl FnMut(Piece<'_>)) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            match self.state {
                State::Open(_) => sink(Piece::Reasoning(&held)),
                State::Body(channel) | State::Bare(channel) => sink(Piece::of(channel, &held)),
                State::Header | State::Between => {}
                _ => sink(Piece::Text(&held)),
            }
        }
    }

    /// Gives out all of `content` but the start of a tag at its end, which it returns.
    fn split<'a>(&mut self, mut content: &'a str, sink: &mut impl FnMut(Piece<'_>)) -> &'a str {
        while !content.is_empty() {
            match self.state {
                State::Off => {
                    sink(Piece::Text(content));
                    return "";
                }
                State::Start => {
                    let blank = content.len() - content.trim_ascii_start().len();
                    let (space, rest) = content.split_at(blank);
                    if !space.is_empty() {
                        sink(Piece::Text(space));
                    }
                    if let Some(tag) = TAGS.iter().position(|tag| starts(rest, tag)) {
                        self.bare_close_counts = false;
                        sink(match tag.checked_sub(PAIRS.len()) {
                            Some(pair) => {
                                self.state = State::Open(pair);
                                Piece::Opened(Some(pair))
                            }
                            // All the reasoning came in a field, or in the block before.
                            None => Piece::Reclassified(tag),
                        });
                        content = rest.get(TAGS[tag].len()..).unwrap_or_default();
                    } else if starts(rest, CHANNEL) || starts(rest, START) {
                        self.state = State::Header;
                        self.bare_close_counts = false;
                        sink(Piece::Opened(None));
                        content = rest;
                    } else if let Some(after) = rest.strip_prefix(ANALYSIS).filter(|_| self.bare_close_counts)
                        && let Some(behind) = behind_analysis(after)
                    {
                        self.bare_close_counts = false;
                        sink(Piece::Opened(None));
                        (self.state, content) = match behind {
                            Behind::Message => (
                                State::Body(Channel::Reasoning),
                                after.get(MESSAGE.len()..).unwrap_or_default(),
                            ),
                            Behind::Body => (State::Bare(Channel::Reasoning), after),
                        };
                    } else if self.bare_close_counts && may_be_analysis(rest)
                        || TAGS.iter().chain(&[CHANNEL, START]).any(|tag| starts(tag, rest))
                    {
                        return rest;
                    } else {
                        self.begin();
                        content = rest;
                    }
                }
                State::Open(_) | State::Header | State::Body(_) | State::Bare(_) | State::Between => {
                    match self.split_within(content, sink) {
                        Ok(rest) => content = rest,
                        Err(held) => return held,
                    }
                }
                State::Answer => {
                    let code = &mut self.code;
                    let last = self.before;
                    let (before, rest) = split_at_tag(content, &TAGS, |upto, after| {
                        let is_in_code = code.feed(upto);
                        let quote = upto.chars().next_back().or(last).and_then(closing_quote);
                        match (quote, after.chars().next()) {
                            _ if is_in_code => Some(false),
                            (None, _) => Some(true),
                            // The character behind the tag decides whether it is quoted.
                            (Some(_), None) => None,
                            (Some(quote), Some(next)) => Some(quote != next),
                        }
                    });
                    if let Some(pair) = PAIRS.iter().position(|(_, close)| starts(rest, close)) {
                        let after = rest.get(PAIRS[pair].1.len()..).unwrap_or_default();
                        if after.is_empty() && before.chars().next_back().or(last).and_then(closing_quote).is_some() {
                            if !before.is_empty() {
                                sink(Piece::Text(before));
                                self.before = before.chars().next_back();
                            }
                            return rest;
                        }
                        sink(Piece::Reclassified(pair));
                        if !before.is_empty() {
                            sink(Piece::Reasoning(before));
                        }
                        self.bare_close_counts = false;
                        self.state = State::Start;
                        content = after;
                        continue;
                    }
                    if !before.is_empty() {
                        sink(Piece::Text(before));
                    }
                    if !PAIRS.iter().any(|(open, _)| starts(rest, open)) {
                        return rest;
                    }
                    // The answer talks about the tags: no closing one is bare any more.
                    self.state = State::Off;
                    content = rest;
                }
            }
        }
        ""
    }

    /// Splits content in a block of reasoning or in a channel, up to its end. Gives the rest; where more has to come first, as an error.
    #[inline(never)] // a plain answer has no need of it
    fn split_within<'a>(&mut self, content: &'a str, sink: &mut impl FnMut(Piece<'_>)) -> Result<&'a str, &'a str> {
        match self.state {
            State::Open(pair) => {
                let close = PAIRS[pair].1;
                let (inside, rest) = split_at_tag(content, &[close], |_, _| Some(true));
                if !inside.is_empty() {
                    sink(Piece::Reasoning(inside));
                }
                if !starts(rest, close) {
                    return Err(rest);
                }
                self.state = State::Start;
                Ok(rest.get(close.len()..).unwrap_or_default())
            }
            State::Header => {
                let Some(end) = find(content, MESSAGE) else {
                    /// No header is longer, in bytes.
                    const LONGEST: usize = 256;
                    if content.len() < LONGEST {
                        return Err(content);
                    }
                    self.state = State::Off;
                    return Ok(content);
                };
                let (header, body) = content.split_at(end);
                self.state = State::Body(Channel::of(header));
                Ok(body.get(MESSAGE.len()..).unwrap_or_default())
            }
            State::Body(channel) => {
                let (body, rest) = split_at_tag(content, &ENDS, |_, _| Some(true));
                if !body.is_empty() {
                    sink(Piece::of(channel, body));
                }
                let Some(end) = ENDS.iter().find(|end| starts(rest, end)) else {
                    return Err(rest);
                };
                if *end == START || *end == CHANNEL {
                    self.state = State::Header;
                    Ok(rest)
                } else {
                    self.state = State::Between;
                    Ok(rest.get(end.len()..).unwrap_or_default())
                }
            }
            State::Bare(channel) => {
                let (body, rest) = split_at_follow(content);
                if !body.is_empty() {
                    sink(Piece::of(channel, body));
                }
                let Some((next, text)) = next_message(rest) else {
                    return Err(rest);
                };
                self.state = State::Bare(next);
                Ok(text)
            }
            State::Between => {
                let rest = content.trim_ascii_start();
                if starts(rest, CHANNEL) || starts(rest, START) {
                    self.state = State::Header;
                    Ok(rest)
                } else if starts(CHANNEL, rest) || starts(START, rest) {
                    Err(content)
                } else {
                    self.state = State::Off;
                    Ok(content)
                }
            }
            State::Off | State::Start | State::Answer => Ok(content),
        }
    }
}

/// The closing tags and the opening ones.
const TAGS: [&str; 2 * PAIRS.len()] = {
    let mut tags = [""; 2 * PAIRS.len()];
    let mut at = 0;
    while at < PAIRS.len() {
        tags[at] = PAIRS[at].1;
        tags[PAIRS.len() + at] = PAIRS[at].0;
        at += 1;
    }
    tags
};

/// Whether a tag, a mark or code may begin in a piece of content.
pub(super) fn stirs(content: Str<'_>) -> bool {
    let mut rest = content.raw;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let is_start = match *first {
            b'<' | b'`' | LEFT_TRIANGLE => true,
            // All that stands in such brackets begins with a T, perhaps behind a slash, which may be spelled as an escape.
            b'[' => matches!(behind, [] | [b'T' | b't' | b'/', ..] | [b'\\', b'/', ..]),
            // An escape can spell any character, `<` included.
            b'\\' => {
                rest = behind.get(1..).unwrap_or_default();
                behind.first() == Some(&b'u')
            }
            _ => false,
        };
        if is_start {
            return true;
        }
    }
    false
}

/// Whether a text starts with a tag, in upper or lower case.
fn starts(text: &str, tag: &str) -> bool {
    let start = text.as_bytes().get(..tag.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
}

/// The end of a quotation that begins so.
fn closing_quote(open: char) -> Option<char> {
    Some(match open {
        '"' | '\'' => open,
        '“' | '„' => '”',
        '‘' => '’',
        '«' => '»',
        '「' => '」',
        _ => return None,
    })
}

/// The first byte of the tags that begin with none of ASCII.
const LEFT_TRIANGLE: u8 = "◁".as_bytes()[0];

/// Splits before the first of `tags` that counts or may count, or before the start of one at the very end. `counts` is called
/// once for each stretch of text gone past, in order, with what comes behind the tag after it, and says whether that tag counts;
/// `None` until more is there.
fn split_at_tag<'a>(
    content: &'a str,
    tags: &[&str],
    mut counts: impl FnMut(&str, &str) -> Option<bool>,
) -> (&'a str, &'a str) {
    let mut told = 0;
    let mut from = 0;
    while let Some(offset) = memchr::memchr3(b'<', b'[', LEFT_TRIANGLE, &content.as_bytes()[from..]) {
        let at = from + offset;
        from = at + 1;
        let Some(rest) = content.get(at..) else { continue };
        if let Some(tag) = tags.iter().find(|tag| starts(rest, tag)) {
            let here = counts(&content[told..at], rest.get(tag.len()..).unwrap_or_default());
            told = at;
            if here != Some(false) {
                return content.split_at(at);
            }
        } else if tags.iter().any(|tag| starts(tag, rest)) {
            counts(&content[told..at], "");
            return content.split_at(at);
        }
    }
    counts(&content[told..], "");
    (content, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::cuts;

    fn take(piece: Piece<'_>, text: &mut String, reasoning: &mut String) {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Reasoning(piece) => reasoning.push_str(piece),
            Piece::Call(_) | Piece::Opened(_) => {}
            Piece::Reclassified(_) => reasoning.push_str(&std::mem::take(text)),
        }
    }

    /// Text and reasoning of `content`, cut at `cuts`.
    fn split(content: &str, cuts: &[usize]) -> (String, String) {
        let (mut text, mut reasoning) = (String::new(), String::new());
        let mut tags = Tags::new(true);
        let mut from = 0;
        for cut in cuts.iter().copied().chain([content.len()]) {
            let before = text.chars().next_back();
            tags.feed(&content[from..cut], before, |piece| {
                take(piece, &mut text, &mut reasoning)
            });
            assert!(tags.held.len() < 256, "no more than a tag or a header is held back");
            from = cut;
        }
        tags.end(|piece| take(piece, &mut text, &mut reasoning));
        (text, reasoning)
    }

    #[test]
    fn a_piece_with_a_tag_or_the_start_of_one_is_looked_at() {
        let others = [
            CHANNEL,
            START,
            "[TOOL_CALLS]",
            "[TOOL_REQUEST]",
            "`",
            "</s>",
            "<｜tool▁call",
        ];
        for tag in TAGS.iter().chain(&others) {
            for end in cuts(tag).into_iter().filter(|end| *end > 0) {
                for spelled in [
                    tag[..end].to_owned(),
                    tag[..end].to_lowercase(),
                    tag[..end].replace('/', "\\/"),
                ] {
                    assert!(stirs(Str::spelled(format!("text {spelled}").as_bytes())), "{spelled}");
                    assert!(
                        end < tag.len() || stirs(Str::spelled(format!("{spelled} text").as_bytes())),
                        "{spelled}"
                    );
                }
            }
        }
        for plain in [
            "",
            "text",
            "a[1] = [\\\"b\\\", [2]]",
            "a link [so](http://x)",
            "\\n é",
            "日本",
        ] {
            assert!(!stirs(Str::spelled(plain.as_bytes())), "{plain}");
        }
        assert!(stirs(Str::spelled(b"\\u003c")));
    }

    #[test]
    fn tags_are_told_from_the_answer_at_every_cut() {
        let cases = [
            ("<think>a</think>b", "b", "a"),
            (" \n<think>a</think>\n\nb", " \n\n\nb", "a"),
            ("<think></think>b", "b", ""),
            ("<think>a</think><think>b</think>c", "c", "ab"),
            ("<think>a < b </thin </think>c", "c", "a < b </thin "),
            ("<think>never closed", "", "never closed"),
            ("no tags, a < b", "no tags, a < b", ""),
            ("<thinks> is no tag", "<thinks> is no tag", ""),
            ("<thought>a</thought>b", "b", "a"),
            ("<Thinking>a</think></thinking>b", "b", "a</think>"),
            ("<reasoning>a</reasoning><think>b</think>c", "c", "ab"),
            ("[THINK]a [b](c)[/THINK]d", "d", "a [b](c)"),
            ("[a link](b) and [THINK] in it", "[a link](b) and [THINK] in it", ""),
            ("a [link](b)[/THINK]c", "c", "a [link](b)"),
            ("the tag \"</think>\" ends it", "the tag \"</think>\" ends it", ""),
            ("he said \"yes\"</think>so", "so", "he said \"yes\""),
            ("“</thinking>” ends it", "“</thinking>” ends it", ""),
            (
                "<|channel|>analysis<|message|>a < b<|end|><|start|>assistant<|channel|>final<|message|>c",
                "c",
                "a < b",
            ),
            (
                "<|start|>assistant<|channel|>analysis<|message|>a<|end|>\n<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>",
                "",
                "a",
            ),
            (
                "<|channel|>commentary<|message|>I look.<|end|><|channel|>analysis<|message|>b<|return|>",
                "I look.",
                "b",
            ),
            (
                "the mark <|channel|> in an answer",
                "the mark <|channel|> in an answer",
                "",
            ),
            (
                "say `<think>` and `</think>` aloud",
                "say `<think>` and `</think>` aloud",
                "",
            ),
            ("```\n</think>\n``` then", "```\n</think>\n``` then", ""),
            ("was in the prompt</think>answer", "answer", "was in the prompt"),
            (
                "`code` then</think>answer `</think>`",
                "answer `</think>`",
                "`code` then",
            ),
            (
                "<think>a</think>the tag </think> quoted",
                "the tag </think> quoted",
                "a",
            ),
            (
                "the tags <think> and </think> mark it",
                "the tags <think> and </think> mark it",
                "",
            ),
            ("a ` and a line\n</think>answer", "answer", "a ` and a line\n"),
            ("<think>a</think> \n<think>b</think>c", " \nc", "ab"),
            ("\u{feff}<thin", "\u{feff}<thin", ""),
            ("<think>ünï</think>日本", "日本", "ünï"),
            ("ends with <", "ends with <", ""),
            ("<", "<", ""),
        ];
        for (content, text, reasoning) in cases {
            let expected = (text.to_owned(), reasoning.to_owned());
            let cuts = cuts(content);
            assert_eq!(split(content, &[]), expected, "{content} whole");
            assert_eq!(split(content, &cuts), expected, "{content} by character");
            for cut in cuts {
                assert_eq!(split(content, &[cut]), expected, "{content} cut at {cut}");
            }
        }
    }
}
