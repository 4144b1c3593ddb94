//! The fast path: consecutive events of one stream differ only in a few JSON values.
//!
//! The invariant: if the bytes around the holes equal those of the event before, and each hole holds a well-formed JSON value
//! of the kind that was there before, then the event is the one before with its holes replaced. Nothing else of it needs to be
//! looked at, because nothing else of the event before has an effect when it is taken again.
//!
//! One hole is the string that grows from event to event. The others are members that were seen to change: the usage, which is
//! taken each time, and members that mean nothing after the first event.

use std::ops::Range;

use super::extras::has_list;
use super::scan::{Chunk, Field};
use super::tool_calls::lone_arguments;
use crate::json::{Reader, Str, Writer, string_body};
use crate::text::as_text;

/// Which part of the choice grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LivePart {
    Content,
    Reasoning,
    /// The arguments of the tool call with this index.
    Arguments(u64),
}

/// The use of a hole when its event is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Live,
    /// All of the usage.
    Usage,
    /// A count in the usage.
    Count,
    Nothing,
}

#[derive(Debug)]
struct Hole {
    /// Where the value lies; of a string, what is between its quotes.
    place: Range<usize>,
    role: Role,
    is_string: bool,
    /// Where the value lies in the event that was read last, quotes included.
    value: Range<usize>,
}

/// The members that may become holes: id, created, obfuscation, usage.
const MEMBERS: usize = 4;
const USAGE: usize = 3;
/// A usage of more counts than this is one hole.
const MAX_COUNTS: usize = 4;

/// How many events must have been as predicted before the host gets the template: a template that serves once gains nothing.
const TOLD_AFTER: u8 = 2;

/// The event before, with its holes.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// The whole event, line breaks included.
    bytes: Vec<u8>,
    /// Where its data lies.
    data: Range<usize>,
    /// In their order.
    holes: Vec<Hole>,
    /// The usage has a hole for each count: of later ones the names are known to be right.
    pub(super) has_counts: bool,
    /// The choice that grows.
    pub(super) choice: u64,
    /// `None` where there is nothing to predict from.
    part: Option<LivePart>,
    /// Where each member lies, and whether it was seen to change.
    members: [(Range<usize>, bool); MEMBERS],
    /// How many events were as predicted, up to `TOLD_AFTER`.
    uses: u8,
}

/// An event that is as predicted.
pub(super) struct Predicted<'a> {
    /// The whole event, or its data alone.
    pub(super) bytes: &'a [u8],
    pub(super) data: &'a [u8],
    pub(super) part: LivePart,
    pub(super) text: Str<'a>,
    /// The same as it is spelled.
    pub(super) spelled: &'a str,
    /// Where it lies, its quotes included.
    place: Range<usize>,
    pub(super) usage: Option<&'a [u8]>,
}

impl<'a> Predicted<'a> {
    /// The text with its quotes.
    #[inline]
    pub(super) fn quoted(&self) -> &'a [u8] {
        self.bytes.get(self.place.clone()).unwrap_or_default()
    }
}

impl Template {
    /// Predicts nothing from here on.
    pub(super) fn clear(&mut self) {
        self.part = None;
    }

    /// Takes an event to predict the next from; `marks` are of its chunk.
    #[inline(never)] // so that its caller stays short
    pub(super) fn learn(&mut self, event: &[u8], marks: &Marks) {
        let (Some(data), Some(live)) = (marks.data.within(event), marks.live.within(event)) else {
            return;
        };
        self.holes.clear();
        self.has_counts = false;
        self.holes.push(Hole {
            place: live,
            role: Role::Live,
            is_string: true,
            value: 0..0,
        });
        for ((place, changes), (mark, role, is_string)) in self.members.iter_mut().zip(&marks.members) {
            let now = mark.as_ref().and_then(|mark| mark.within(event)).unwrap_or(0..0);
            let before = self.bytes.get(place.clone()).unwrap_or_default();
            *changes |= !before.is_empty() && !now.is_empty() && event.get(now.clone()) != Some(before);
            *place = now.clone();
            if !*changes || now.is_empty() {
                continue;
            }
            let counts = if *role == Role::Usage {
                counts(event, &now)
            } else {
                None
            };
            self.has_counts |= counts.is_some();
            let (role, places) = counts.map_or_else(|| (*role, vec![now]), |places| (Role::Count, places));
            for place in places {
                let after = self.holes.iter().position(|other| other.place.start > place.start);
                let hole = Hole {
                    place,
                    role,
                    is_string: *is_string,
                    value: 0..0,
                };
                self.holes.insert(after.unwrap_or(self.holes.len()), hole);
            }
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(event);
        self.data = data;
        self.choice = marks.choice;
        self.part = Some(marks.part);
        self.uses = 0;
    }

    /// Reads an event off the start of `rest`, if it is as predicted.
    #[inline]
    pub(super) fn read<'a>(&mut self, rest: &'a [u8]) -> Option<Predicted<'a>> {
        self.walk(0..self.bytes.len(), rest)
    }

    /// The same for an event of which only the data is at hand.
    pub(super) fn read_data<'a>(&mut self, data: &'a [u8]) -> Option<Predicted<'a>> {
        self.walk(self.data.clone(), data)
            .filter(|event| event.bytes.len() == data.len())
    }

    /// Goes along `span` of the template and along `rest` at once.
    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn walk<'a>(&mut self, span: Range<usize>, rest: &'a [u8]) -> Option<Predicted<'a>> {
        let part = self.part?;
        let mut from = span.start;
        let mut at = 0;
        let (mut text, mut spelled, mut live) = (Str::default(), "", 0..0);
        let mut usage: Option<Range<usize>> = None;
        let (whole_usage, _) = &self.members[USAGE];
        let mut holes = self.holes.iter_mut();
        loop {
            let hole = holes.next();
            let to = hole.as_ref().map_or(span.end, |hole| hole.place.start);
            at += same(self.bytes.get(from..to)?, rest.get(at..)?)?;
            let Some(hole) = hole else { break };
            from = hole.place.end;
            let here = rest.get(at..)?;
            let value = if hole.is_string {
                let body = string_body(here)?;
                // Bytes that are not UTF-8 need a repair, which only the slow path makes.
                let body_text = as_text(body.raw)?;
                hole.value = at - 1..at + body.raw.len() + 1;
                if hole.role == Role::Live {
                    (text, spelled, live) = (body, body_text, hole.value.clone());
                }
                body.raw
            } else {
                let value = match hole.role {
                    Role::Usage => object(here).filter(|object| as_text(object).is_some())?,
                    _ => digits(here)?,
                };
                if hole.role != Role::Nothing {
                    let start = usage.map_or(at + whole_usage.start - hole.place.start, |usage| usage.start);
                    usage = Some(start..at + value.len() + whole_usage.end - hole.place.end);
                }
                hole.value = at..at + value.len();
                value
            };
            at += value.len();
        }
        let behind = span.end - self.data.end;
        Some(Predicted {
            bytes: rest.get(..at)?,
            data: rest.get(self.data.start - span.start..at - behind)?,
            part,
            text,
            spelled,
            place: live,
            usage: usage.and_then(|usage| rest.get(usage)),
        })
    }

    /// Hands out an event as the host builds its chunk from: its holes, once the host knows the template.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn hand_out(&mut self, event: &Predicted<'_>, out: &mut Writer) {
        if self.uses < TOLD_AFTER {
            self.uses += 1;
            if self.uses < TOLD_AFTER {
                out.comma().raw(b"null,").raw(event.data);
                return;
            }
            self.write_pieces(out);
        }
        for hole in &self.holes {
            out.element(event.bytes.get(hole.value.clone()).unwrap_or_default());
        }
    }

    /// Writes the JSON text around the holes, as a list of strings.
    fn write_pieces(&self, out: &mut Writer) {
        out.comma().raw(b"[");
        let mut from = self.data.start;
        for hole in &self.holes {
            let quote = usize::from(hole.is_string);
            out.comma().string(self.piece(from..hole.place.start - quote));
            from = hole.place.end + quote;
        }
        out.comma().string(self.piece(from..self.data.end)).raw(b"]");
    }

    fn piece(&self, place: Range<usize>) -> &str {
        self.bytes.get(place).and_then(as_text).unwrap_or_default()
    }
}

/// The length of `expected`, if `found` starts with it. Compares sixteen bytes at a time.
#[inline]
#[cfg_attr(chatwire_speed, optimize(speed))]
fn same(expected: &[u8], found: &[u8]) -> Option<usize> {
    let length = expected.len();
    let found = found.get(..length)?;
    let (Some(a), Some(b)) = (expected.last_chunk(), found.last_chunk()) else {
        return (expected == found).then_some(length);
    };
    // The last sixteen may have been compared among those before. Nearly all is the same: to stop where it is not would cost more.
    let mut difference = word(a) ^ word(b);
    for (a, b) in expected.as_chunks().0.iter().zip(found.as_chunks().0) {
        difference |= word(a) ^ word(b);
    }
    (difference == 0).then_some(length)
}

#[inline]
fn word(bytes: &[u8; 16]) -> u128 {
    u128::from_ne_bytes(*bytes)
}

/// Where the counts lie in an object within `event`, if there is nothing else in it and they are few.
#[inline(never)] // a plain answer has no need of it
fn counts(event: &[u8], object: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let mut reader = Reader::new(event.get(object.clone())?);
    let mut places = Vec::new();
    let mut first = true;
    reader.object().ok()?;
    while reader.member(&mut first).ok()?.is_some() {
        let value = reader.value().ok()?;
        if places.len() == MAX_COUNTS || digits(value) != Some(value) {
            return None;
        }
        let end = object.start + reader.at();
        places.push(end - value.len()..end);
    }
    Some(places).filter(|places| !places.is_empty())
}

/// The count at the start of `bytes`: digits alone, so few that they are a number that any reader can hold.
fn digits(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_number = length == 1 || length < 16 && *bytes.first()? != b'0';
    let is_whole = matches!(bytes.get(length), None | Some(b',' | b'}' | b' '));
    bytes.get(..length).filter(|_| length > 0 && is_number && is_whole)
}

/// The object at the start of `bytes`.
fn object(bytes: &[u8]) -> Option<&[u8]> {
    let value = Reader::new(bytes).value().ok()?;
    bytes.starts_with(b"{").then_some(value)
}

/// The one string of a chunk that grows, if all the rest of the chunk has no effect when it is taken again.
fn live_string<'a>(chunk: &Chunk<'a>) -> Option<(LivePart, Str<'a>)> {
    let choice = chunk.first.as_ref()?;
    let delta = choice.delta.as_ref()?;
    let nothing = |field: Field<'_>| matches!(field, Field::Absent | Field::Null);
    let lists = choice
        .extras
        .iter()
        .chain(&delta.extras)
        .any(|(_, value)| has_list(value));
    let idle = chunk.more.is_empty()
        && chunk.vendor_usage.is_none()
        && chunk.error.is_none()
        && !chunk.is_error
        && !choice.whole
        && nothing(choice.finish_reason)
        && choice.logprobs.is_none()
        && choice.usage.is_none()
        && nothing(delta.refusal)
        && delta.function_call.is_none()
        && delta.audio.is_none()
        && !lists;
    if !idle {
        return None;
    }
    let content = match delta.content {
        Field::Str(content) => Some(content),
        Field::Absent | Field::Null => None,
        Field::Other(_) => return None,
    };
    let no_content = content.is_none_or(|content| content.is_empty());
    let mut reasoning = delta.reasoning.iter().filter_map(|field| field.text());
    let calls = delta.tool_calls.filter(|calls| *calls != b"[]");
    match (reasoning.next(), reasoning.next(), calls) {
        (None, None, None) => content.map(|content| (LivePart::Content, content)),
        (Some(text), None, None) if no_content => Some((LivePart::Reasoning, text)),
        (None, None, Some(calls)) if no_content => {
            lone_arguments(calls).map(|(index, arguments)| (LivePart::Arguments(index), arguments))
        }
        _ => None,
    }
}

/// The marks that a template is made from: where the values of a chunk lie that may change without changing anything else.
#[derive(Debug)]
pub(super) struct Marks {
    choice: u64,
    part: LivePart,
    data: Address,
    live: Address,
    members: [(Option<Address>, Role, bool); MEMBERS],
}

impl Marks {
    /// The marks of a chunk that is fit to predict from. `data` is the event data it was read from, `choice` the number of its
    /// first choice.
    pub(super) fn new(data: &[u8], chunk: &Chunk<'_>, choice: u64) -> Option<Self> {
        let (part, live) = live_string(chunk)?;
        let text = |field: Field<'_>| field.text().map(|text| Address::of(text.raw));
        // Only the first that is no zero counts.
        let is_time = |created: &&[u8]| digits(created) == Some(created) && *created != b"0";
        let is_object = |usage: &&[u8]| usage.first() == Some(&b'{');
        Some(Marks {
            choice,
            part,
            data: Address::of(data),
            live: Address::of(live.raw),
            members: [
                (text(chunk.id), Role::Nothing, true),
                (chunk.created.filter(is_time).map(Address::of), Role::Nothing, false),
                (text(chunk.obfuscation), Role::Nothing, true),
                (chunk.usage.filter(is_object).map(Address::of), Role::Usage, false),
            ],
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
