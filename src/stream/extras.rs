//! Members that the engine has no use for: kept as they were sent, so that they can be read and sent back.

use super::fragments::{Fragments, indexed};
use super::scan::Extra;
use crate::json::{Str, Writer, members};

/// Lists sent in several deltas are joined, and objects member by member; of anything else the last that is not null stays. Of one name twice in one delta,
/// the last counts.
#[derive(Debug, Default)]
pub(super) struct Extras {
    members: Vec<Member>,
    /// The server is not known to send everything once.
    watches: bool,
    /// A text in fragments was sent again, since that was last asked for.
    repeated: bool,
}

#[derive(Debug)]
struct Member {
    name: Box<[u8]>,
    value: Vec<u8>,
    /// The most bytes it has had.
    most: usize,
    /// The value, where it is a list whose items come in fragments.
    fragments: Option<Fragments>,
    /// The value, where it is an object that came in several deltas.
    members: Option<Box<Extras>>,
}

/// No more names than this are kept: they are looked through for each member that comes.
pub(super) const MAX_NAMES: usize = 256;

impl Extras {
    /// No members yet. `watches`: texts that come in fragments may be sent again.
    pub(super) fn new(watches: bool) -> Self {
        Extras {
            watches,
            ..Extras::default()
        }
    }

    /// Whether a text in fragments was sent again, since that was last asked for.
    pub(super) fn take_repeated(&mut self) -> bool {
        std::mem::take(&mut self.repeated)
    }

    /// Nothing more comes: settles which texts were sent again.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn end(&mut self) {
        for member in &mut self.members {
            self.repeated |= member.fragments.as_mut().is_some_and(Fragments::end);
            if let Some(members) = &mut member.members {
                members.end();
                self.repeated |= members.repeated;
            }
        }
    }

    /// Takes the members of one delta. Gives by how many bytes what is held grew. `repeats`: a list that equals all that is
    /// kept is that list again; without it even such a list is joined.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn keep(&mut self, extras: &[Extra<'_>], repeats: bool) -> usize {
        self.take(extras, true, |kept, value| match (kept.last(), value) {
            _ if repeats && kept == value => {}
            (Some(b']'), [b'[', items @ ..]) => append_items(kept, items),
            _ => replace(kept, value),
        })
    }

    /// As [`keep`](Self::keep), but a list replaces the one before: for the top level of a chunk, where lists are repeated.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn replace(&mut self, extras: &[Extra<'_>]) -> usize {
        self.take(extras, false, |kept, value| {
            if kept != value {
                replace(kept, value);
            }
        })
    }

    fn take(&mut self, extras: &[Extra<'_>], joins: bool, put: impl Fn(&mut Vec<u8>, &[u8])) -> usize {
        let mut grown = 0;
        for (at, (name, value)) in extras.iter().enumerate() {
            let mut later = extras.iter().skip(at + 1);
            if later.any(|(other, _)| other == name) {
                continue;
            }
            let at = self.members.iter().position(|member| *member.name == **name);
            let items = Some(*value)
                .filter(|value| joins && value.first() == Some(&b'['))
                .and_then(indexed);
            let Some(member) = at.and_then(|at| self.members.get_mut(at)) else {
                if self.members.len() < MAX_NAMES {
                    grown += name.len() + value.len();
                    let fragments = items.map(|items| {
                        let mut fragments = Fragments::new(self.watches);
                        fragments.take(items);
                        fragments
                    });
                    self.members.push(Member {
                        name: Box::from(*name),
                        value: if fragments.is_some() {
                            Vec::new()
                        } else {
                            value.to_vec()
                        },
                        fragments,
                        members: None,
                        most: value.len(),
                    });
                }
                continue;
            };
            if *value == b"null" {
                continue;
            }
            if let Some(fragments) = &mut member.fragments {
                if let Some(items) = items {
                    let (more, repeated) = fragments.take(items);
                    grown += more;
                    self.repeated |= repeated;
                    continue;
                }
                // From here on it is a list, or a value, like any other.
                let mut out = Writer::default();
                fragments.write(&mut out);
                member.value = out.bytes;
                member.fragments = None;
            }
            if let [b'{', ..] = value
                && joins
                && self.watches
                && (member.members.is_some() || member.value != *value || has_list(value))
            {
                let mut inner = member.members.take().unwrap_or_default();
                inner.watches = true;
                grown += inner.keep(&members(&std::mem::take(&mut member.value)), true);
                grown += inner.keep(&members(value), true);
                self.repeated |= inner.take_repeated();
                member.members = Some(inner);
                continue;
            }
            member.members = None;
            put(&mut member.value, value);
            grown += member.value.len().saturating_sub(member.most);
            member.most = member.most.max(member.value.len());
        }
        grown
    }

    /// The text of a member, where it is a string.
    pub(super) fn text(&self, name: &[u8]) -> Option<String> {
        let member = self.members.iter().find(|member| *member.name == *name)?;
        let text = member.value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(Str::spelled(text).to_text())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether all of them are empty.
    pub(super) fn are_silent(&self) -> bool {
        const NOTHING: [&[u8]; 4] = [b"null", b"\"\"", b"[]", b"{}"];
        self.members.iter().all(|member| NOTHING.contains(&&*member.value))
    }

    /// `replay`: in a turn to send back, where a null means nothing and strict servers refuse it.
    pub(super) fn write(&self, replay: bool, out: &mut Writer) {
        if !self.is_empty() {
            self.write_without(None, replay, out);
        }
    }

    /// The same without the member of this name.
    pub(super) fn write_without(&self, name: Option<&[u8]>, replay: bool, out: &mut Writer) {
        for member in &self.members {
            if replay && member.value == b"null" || name == Some(&*member.name) {
                continue;
            }
            out.spelled_key(&member.name);
            match (&member.fragments, &member.members) {
                (Some(fragments), _) => fragments.write(out),
                (_, Some(members)) => {
                    out.raw(b"{");
                    members.write(false, out);
                    out.raw(b"}");
                }
                _ => drop(out.raw(&member.value)),
            }
        }
    }
}

/// Whether a list may be in a value: it is joined to the one before each time.
pub(super) fn has_list(value: &[u8]) -> bool {
    matches!(value, [b'[' | b'{', ..]) && memchr::memchr(b'[', value).is_some() && value != b"[]"
}

fn replace(kept: &mut Vec<u8>, value: &[u8]) {
    kept.clear();
    kept.extend_from_slice(value);
}

/// Appends the items of a list (given without its opening bracket) to a list.
pub(super) fn append_items(list: &mut Vec<u8>, items: &[u8]) {
    if items.trim_ascii_start() == b"]" {
        return;
    }
    list.pop();
    if list.trim_ascii_end() != b"[" {
        list.push(b',');
    }
    list.extend_from_slice(items);
}
