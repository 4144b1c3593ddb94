//! The marks of the Harmony format, in which messages stand in channels, with them and where a server has taken them away.
//!
//! `analysis` is reasoning, `final` and a `commentary` for the user are text, and a `commentary` to a tool is the raw form of a
//! call. This file knows the words; `reasoning` goes along the text.

use crate::text::{find, split_at_mark};

pub(super) const CHANNEL: &str = "<|channel|>";
pub(super) const START: &str = "<|start|>";
pub(super) const MESSAGE: &str = "<|message|>";
/// The marks that end a message.
pub(super) const ENDS: [&str; 5] = ["<|end|>", "<|return|>", "<|call|>", START, CHANNEL];
/// The first channel of an answer.
pub(super) const ANALYSIS: &str = "analysis";

/// How messages follow each other without their marks.
const FOLLOW: [(&str, Channel); 4] = [
    ("assistantfinal", Channel::Text),
    ("assistantanalysis", Channel::Reasoning),
    ("assistantcommentary to=", Channel::Call),
    ("assistantcommentary", Channel::Text),
];

/// The kind of a channel's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Reasoning,
    Text,
    Call,
}

impl Channel {
    /// The kind of the messages under a header.
    pub(super) fn of(header: &str) -> Channel {
        let (mut name, mut rest) = ("", header);
        while let Some((_, after)) = split_at_mark(rest, CHANNEL) {
            (name, rest) = (after.trim_ascii_start(), after);
        }
        if find(header, "to=").is_some() {
            Channel::Call
        } else if name.starts_with(ANALYSIS) {
            Channel::Reasoning
        } else {
            Channel::Text
        }
    }
}

/// The text behind the name of the first channel, whose mark was part of the prompt or was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The next mark.
    Message,
    /// The body: a capital follows at once, unlike in an answer that only begins with the word.
    Body,
}

/// The kind of the text behind the name of the first channel; `None` where the name is but a word.
pub(super) fn behind_analysis(after: &str) -> Option<Behind> {
    if after.starts_with(MESSAGE) {
        return Some(Behind::Message);
    }
    let is_body = after.chars().next().is_some_and(|first| first.is_ascii_uppercase());
    is_body.then_some(Behind::Body)
}

/// Whether a text is the name of the first channel and nothing but the start of a mark behind it. The name is one token, so the
/// start of it is not waited for.
pub(super) fn may_be_analysis(text: &str) -> bool {
    text.strip_prefix(ANALYSIS)
        .is_some_and(|after| MESSAGE.starts_with(after))
}

/// Splits before what one message follows another with, or before the start of that at the very end.
pub(super) fn split_at_follow(content: &str) -> (&str, &str) {
    let mut from = 0;
    while let Some(offset) = memchr::memchr(b'a', content.as_bytes().get(from..).unwrap_or_default()) {
        let at = from + offset;
        from = at + 1;
        let rest = content.get(at..).unwrap_or_default();
        if FOLLOW
            .iter()
            .any(|(mark, _)| mark.starts_with(rest) || rest.starts_with(mark))
        {
            return content.split_at(at);
        }
    }
    (content, "")
}

/// The channel of the message that begins here, and the text of it; `None` until that is known.
pub(super) fn next_message(text: &str) -> Option<(Channel, &str)> {
    // ` to=` may follow `assistantcommentary`.
    let may_go_on = |mark: &str| mark.len() > text.len() && mark.starts_with(text);
    if FOLLOW.iter().any(|(mark, _)| may_go_on(mark)) {
        return None;
    }
    FOLLOW
        .iter()
        .find_map(|(mark, channel)| Some((*channel, text.strip_prefix(mark)?)))
}
