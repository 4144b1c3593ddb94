//! Reasoning that a model writes into its content, between `<think>` and `</think>`, told from the answer.
//!
//! A block counts only as the first non-blank content or right after a closed block, so that an answer may talk about the
//! tags. A closing tag without an opening one (which was in the prompt) makes reasoning of all that came before it, unless
//! it is quoted as code or the opening one came somewhere in the answer.

use crate::json::Str;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// What a piece of content turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Reasoning(&'a str),
    /// A block was opened.
    Opened,
    /// All text so far was reasoning.
    Reclassified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but white space since the start or since a closed block.
    Start,
    /// Inside a block.
    Open,
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
    code: Code,
}

impl Tags {
    pub(super) fn new(watch: bool) -> Self {
        Tags {
            state: if watch { State::Start } else { State::Off },
            bare_close_counts: true,
            held: String::new(),
            code: Code::default(),
        }
    }

    #[inline]
    pub(super) fn is_off(&self) -> bool {
        self.state == State::Off
    }

    /// Whether this piece of content is text of the answer and changes nothing here: no tag can begin or end in it.
    #[inline]
    pub(super) fn pass(&self, content: Str<'_>) -> bool {
        self.state == State::Answer
            && self.held.is_empty()
            && !self.code.is_changed_by_text()
            && !content.raw.iter().any(|byte| matches!(byte, b'<' | b'`'))
            // Any character can be spelled like this.
            && !(content.escaped && content.raw.windows(2).any(|pair| pair == b"\\u"))
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
    pub(super) fn feed(&mut self, content: &str, mut sink: impl FnMut(Piece<'_>)) {
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
            sink(if self.state == State::Open {
                Piece::Reasoning(&held)
            } else {
                Piece::Text(&held)
            });
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
                    if let Some(inside) = rest.strip_prefix(OPEN) {
                        self.state = State::Open;
                        self.bare_close_counts = false;
                        sink(Piece::Opened);
                        content = inside;
                    } else if OPEN.starts_with(rest) {
                        return rest;
                    } else {
                        self.state = if self.bare_close_counts {
                            State::Answer
                        } else {
                            State::Off
                        };
                        content = rest;
                    }
                }
                State::Open => {
                    let (inside, rest) = split_at_tag(content, &[CLOSE], |_| true);
                    if !inside.is_empty() {
                        sink(Piece::Reasoning(inside));
                    }
                    let Some(after) = rest.strip_prefix(CLOSE) else {
                        return rest;
                    };
                    self.state = State::Start;
                    content = after;
                }
                State::Answer => {
                    let code = &mut self.code;
                    let (before, rest) = split_at_tag(content, &[CLOSE, OPEN], |upto| !code.feed(upto));
                    if let Some(after) = rest.strip_prefix(CLOSE) {
                        sink(Piece::Reclassified);
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
                    if !rest.starts_with(OPEN) {
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
}

/// Splits before the first of `tags` that counts, or before the start of one at the very end. `counts` is called once for
/// each stretch of text gone past, in order, and says whether a tag right after it counts.
fn split_at_tag<'a>(content: &'a str, tags: &[&str], mut counts: impl FnMut(&str) -> bool) -> (&'a str, &'a str) {
    let mut told = 0;
    let mut from = 0;
    while let Some(offset) = memchr::memchr(b'<', &content.as_bytes()[from..]) {
        let at = from + offset;
        let rest = &content[at..];
        if tags.iter().any(|tag| rest.starts_with(tag)) {
            let here = counts(&content[told..at]);
            told = at;
            if here {
                return content.split_at(at);
            }
        } else if tags.iter().any(|tag| tag.starts_with(rest)) {
            counts(&content[told..at]);
            return content.split_at(at);
        }
        from = at + 1;
    }
    counts(&content[told..]);
    (content, "")
}

/// So many backticks start code of several lines.
const FENCE: usize = 3;

/// Whether the text so far ends inside Markdown code.
#[derive(Debug, Default)]
struct Code {
    /// Backticks at the end of the text so far.
    run: usize,
    /// The run that opened the code we are in; 0 outside.
    open: usize,
}

impl Code {
    /// Takes the next text; true when it ends inside code.
    fn feed(&mut self, text: &str) -> bool {
        if self.run > 0 || self.open > 0 || memchr::memchr(b'`', text.as_bytes()).is_some() {
            for &byte in text.as_bytes() {
                if byte == b'`' {
                    self.run += 1;
                    continue;
                }
                self.close_run();
                if byte == b'\n' && self.open < FENCE {
                    // A single backtick is as often a slip of the pen as the start of code: it reaches no further.
                    self.open = 0;
                }
            }
        }
        self.open > 0 && (self.run == 0 || self.run != self.open) || self.open == 0 && self.run > 0
    }

    /// Whether text without a backtick may make a difference.
    fn is_changed_by_text(&self) -> bool {
        self.run > 0 || (1..FENCE).contains(&self.open)
    }

    fn close_run(&mut self) {
        if self.run > 0 {
            match self.open {
                0 => self.open = self.run,
                open if open == self.run => self.open = 0,
                _ => {}
            }
            self.run = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text and reasoning of `content`, cut at `cuts`.
    fn split(content: &str, cuts: &[usize]) -> (String, String) {
        let (mut text, mut reasoning) = (String::new(), String::new());
        let mut tags = Tags::new(true);
        let mut from = 0;
        let mut take = |piece: Piece<'_>| match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Reasoning(piece) => reasoning.push_str(piece),
            Piece::Opened => {}
            Piece::Reclassified => reasoning.push_str(&std::mem::take(&mut text)),
        };
        for cut in cuts.iter().copied().chain([content.len()]) {
            tags.feed(&content[from..cut], &mut take);
            assert!(
                tags.held.len() < CLOSE.len(),
                "no more than the start of a tag is held back"
            );
            from = cut;
        }
        tags.end(&mut take);
        (text, reasoning)
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
            ("<thinking> is no tag", "<thinking> is no tag", ""),
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
            let cuts: Vec<usize> = (0..=content.len())
                .filter(|cut| content.is_char_boundary(*cut))
                .collect();
            assert_eq!(split(content, &[]), expected, "{content} whole");
            assert_eq!(split(content, &cuts), expected, "{content} by character");
            for cut in cuts {
                assert_eq!(split(content, &[cut]), expected, "{content} cut at {cut}");
            }
        }
    }
}
