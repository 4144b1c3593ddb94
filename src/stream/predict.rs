//! The fast path: consecutive events of one stream differ only inside one or two JSON strings.
//!
//! The invariant: if the bytes before, between and after the holes equal those of the event before, and each hole is the
//! body of a well-formed JSON string, then the event is the one before with its holes replaced. Nothing else of it needs to
//! be looked at, because nothing else of the event before has an effect when it is taken again.

use std::ops::Range;

use super::scan::{Chunk, Field};
use crate::json::{Str, string_body};

/// Which part of the choice the hole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Content,
    Reasoning,
}

/// The event before, with its holes.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// The whole event, line breaks included; empty where there is nothing to predict from.
    bytes: Vec<u8>,
    /// Where its data lies.
    data: Range<usize>,
    /// The hole that matters, and perhaps one of padding.
    hole: Range<usize>,
    padding: Option<Range<usize>>,
    slot: Option<Slot>,
}

/// An event that is as predicted.
pub(super) struct Predicted<'a> {
    /// Length of the whole event in bytes.
    pub(super) length: usize,
    pub(super) data: &'a [u8],
    pub(super) text: Str<'a>,
    pub(super) slot: Slot,
}

impl Template {
    /// Predicts nothing from here on.
    pub(super) fn clear(&mut self) {
        self.slot = None;
    }

    /// Takes an event to predict the next from; `marks` are of its chunk.
    pub(super) fn learn(&mut self, event: &[u8], marks: &Marks) {
        let (Some(data), Some(hole)) = (marks.data.within(event), marks.hole.within(event)) else {
            return;
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(event);
        self.data = data;
        self.hole = hole;
        self.padding = marks.padding.as_ref().and_then(|padding| padding.within(event));
        self.slot = Some(marks.slot);
    }

    /// Reads an event off the start of `rest`, if it is as predicted.
    #[inline]
    pub(super) fn read<'a>(&self, rest: &'a [u8]) -> Option<Predicted<'a>> {
        let slot = self.slot?;
        let mut walk = Walk {
            template: &self.bytes,
            from: 0,
            rest,
            at: 0,
        };
        let text = match &self.padding {
            None => walk.hole(&self.hole)?,
            Some(padding) if padding.start < self.hole.start => {
                walk.hole(padding)?;
                walk.hole(&self.hole)?
            }
            Some(padding) => {
                let text = walk.hole(&self.hole)?;
                walk.hole(padding)?;
                text
            }
        };
        walk.same(self.bytes.len())?;
        let behind = self.bytes.len() - self.data.end;
        let data = rest.get(self.data.start..walk.at - behind)?;
        // What is not UTF-8 is repaired, and that is not done here.
        if !text.raw.is_ascii() && std::str::from_utf8(text.raw).is_err() {
            return None;
        }
        Some(Predicted {
            length: walk.at,
            data,
            text,
            slot,
        })
    }
}

/// A walk along template and event at once.
struct Walk<'t, 'a> {
    template: &'t [u8],
    from: usize,
    rest: &'a [u8],
    at: usize,
}

impl<'a> Walk<'_, 'a> {
    /// Goes on to `until` in the template; the event has to have the same bytes.
    #[inline]
    fn same(&mut self, until: usize) -> Option<()> {
        let expected = self.template.get(self.from..until)?;
        let found = self.rest.get(self.at..self.at + expected.len())?;
        if !equal(expected, found) {
            return None;
        }
        self.from = until;
        self.at += expected.len();
        Some(())
    }

    /// Goes up to and past a hole.
    #[inline]
    fn hole(&mut self, hole: &Range<usize>) -> Option<Str<'a>> {
        self.same(hole.start)?;
        let text = string_body(self.rest.get(self.at..)?)?;
        self.from = hole.end;
        self.at += text.raw.len();
        Some(text)
    }
}

/// Whether two slices of one length are the same, eight bytes at a time.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    let (a_words, a_rest) = a.as_chunks::<8>();
    let (b_words, b_rest) = b.as_chunks::<8>();
    a_words
        .iter()
        .zip(b_words)
        .all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b))
        && a_rest.iter().zip(b_rest).all(|(a, b)| a == b)
}

/// The one string of a chunk that matters, if all the rest of it has no effect when it is taken again.
fn live_string<'a>(chunk: &Chunk<'a>) -> Option<(Slot, Str<'a>)> {
    let choice = chunk.first.as_ref()?;
    let delta = choice.delta.as_ref()?;
    let nothing = |field: Field<'_>| matches!(field, Field::Absent | Field::Null);
    // A list among the extras is joined to the one before each time.
    let is_list = |value: &[u8]| value.first() == Some(&b'[');
    let lists = choice
        .extras
        .iter()
        .chain(&delta.extras)
        .any(|(_, value)| is_list(value));
    let idle = chunk.more.is_empty()
        && chunk.usage.is_none()
        && chunk.vendor_usage.is_none()
        && chunk.error.is_none()
        && !chunk.is_error
        && !choice.whole
        && nothing(choice.finish_reason)
        && choice.logprobs.is_none()
        && choice.usage.is_none()
        && nothing(delta.refusal)
        && delta.tool_calls.is_none()
        && delta.function_call.is_none()
        && !lists;
    let mut reasoning = delta.reasoning.iter().filter_map(|field| field.text());
    match (delta.content, reasoning.next(), reasoning.next()) {
        _ if !idle => None,
        (Field::Str(content), None, None) => Some((Slot::Content, content)),
        (Field::Absent | Field::Null, Some(text), None) => Some((Slot::Reasoning, text)),
        (Field::Str(content), Some(text), None) if content.is_empty() => Some((Slot::Reasoning, text)),
        _ => None,
    }
}

/// What a template is made from: where the strings of a chunk lie that may change without changing anything else.
#[derive(Debug)]
pub(super) struct Marks {
    slot: Slot,
    data: Address,
    hole: Address,
    padding: Option<Address>,
}

impl Marks {
    /// The marks of a chunk that is fit to predict from. `data` is the event data it was read from.
    pub(super) fn new(data: &[u8], chunk: &Chunk<'_>) -> Option<Self> {
        let (slot, text) = live_string(chunk)?;
        let padding = match chunk.obfuscation {
            Field::Str(padding) => Some(Address::of(padding.raw)),
            _ => None,
        };
        Some(Marks {
            slot,
            data: Address::of(data),
            hole: Address::of(text.raw),
            padding,
        })
    }
}

/// Where a slice lies in memory. Only compared with others, so it may outlive what lies there.
#[derive(Debug)]
struct Address(Range<usize>);

impl Address {
    fn of(slice: &[u8]) -> Self {
        let range = slice.as_ptr_range();
        Address(range.start as usize..range.end as usize)
    }

    /// The place within `whole`, if it was cut from it.
    fn within(&self, whole: &[u8]) -> Option<Range<usize>> {
        let from = whole.as_ptr() as usize;
        let range = self.0.start.checked_sub(from)?..self.0.end.checked_sub(from)?;
        (range.end <= whole.len()).then_some(range)
    }
}
