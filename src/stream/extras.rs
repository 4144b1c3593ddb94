//! Members that the engine has no use for: kept as they were sent, so that they can be read and sent back.

use super::scan::Extra;
use crate::json::Writer;

/// Name and raw value. Lists sent in several deltas are joined; of anything else the last that is not null stays.
#[derive(Debug, Default)]
pub(super) struct Extras(Vec<(Box<[u8]>, Vec<u8>)>);

/// No more names than this are kept: they are looked through for each member that comes.
const MAX_NAMES: usize = 256;

impl Extras {
    ///
    /// Gives the bytes that were added to what is held. `repeats`: a list that equals all that is kept is that list again;
    /// without it even such a list is joined.
    pub(super) fn keep(&mut self, extras: &[Extra<'_>], repeats: bool) -> usize {
        let mut added = 0;
        for (key, value) in extras {
            let Some((_, kept)) = self.0.iter_mut().find(|(name, _)| **name == **key) else {
                added += self.add(key, value);
                continue;
            };
            if repeats && kept == value || *value == b"null" {
                continue;
            }
            match (kept.last(), value) {
                (Some(b']'), [b'[', items @ ..]) => {
                    append_items(kept, items);
                    added += items.len();
                }
                _ => {
                    kept.clear();
                    kept.extend_from_slice(value);
                }
            }
        }
        added
    }

    /// As [`keep`](Self::keep), but a list replaces the one before: for the top level of a chunk, where lists are repeated.
    pub(super) fn replace(&mut self, extras: &[Extra<'_>]) -> usize {
        let mut added = 0;
        for (key, value) in extras {
            match self.0.iter_mut().find(|(name, _)| **name == **key) {
                None => {
                    added += self.add(key, value);
                }
                Some((_, kept)) if kept != value && *value != b"null" => {
                    kept.clear();
                    kept.extend_from_slice(value);
                }
                Some(_) => {}
            }
        }
        added
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> usize {
        if self.0.len() >= MAX_NAMES {
            return 0;
        }
        self.0.push((Box::from(key), value.to_vec()));
        key.len() + value.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, out: &mut Writer) {
        for (key, value) in &self.0 {
            out.spelled_key(key).raw(value);
        }
    }
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
