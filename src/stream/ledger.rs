//! The ledger that every part of a decoder writes into: the output of the push, the repairs, and the account of the bytes held.

use super::ending::{Ending, Taken};
use super::options::{Bounds, Options, PartialValues};
use super::output::Output;
use super::repairs::{Repair, Repairs};
use crate::json::Writer;

/// Ids, names, roles and the like of up to so many bytes do not count towards the bytes held.
const SHORT_BYTES: usize = 1024;

/// The most repairs that are emitted for one event, which may need one for each of its bytes. All are counted.
const MOST_TOLD: u32 = 256;

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) output: Output,
    pub(super) repairs: Repairs,
    pub(super) bounds: Bounds,
    /// Ordinal of the event at hand.
    pub(super) event: u64,
    /// Whether text and reasoning are kept for the outcome.
    pub(super) accumulate: bool,
    strict: bool,
    /// The stream is refused already. The repairs that settling its parts still needs are counted, not refused.
    is_refused: bool,
    partial: PartialValues,
    pub(super) held_bytes: usize,
    /// The last event that needed repairs, and how many.
    told: (u64, u32),
    started: f64,
    id_seed: u64,
}

impl Ledger {
    pub(super) fn new(options: &Options) -> Self {
        Ledger {
            output: Output::new(options.output),
            repairs: Repairs::default(),
            bounds: options.bounds,
            event: 0,
            accumulate: options.accumulate,
            strict: options.strict,
            is_refused: false,
            partial: options.partial,
            held_bytes: 0,
            told: (0, 0),
            started: options.started,
            id_seed: HASH_OF_NOTHING,
        }
    }

    /// Records a repair at this choice, or 0 where it concerns no choice. Strict decoding refuses the stream instead.
    pub(super) fn repair(&mut self, choice: u64, repair: Repair) -> Taken {
        if self.strict && !self.is_refused {
            return Err(Ending::strict(repair));
        }
        self.repairs.add(repair, self.event);
        if self.output.wants_events() && self.may_tell() {
            self.output
                .event("repair", choice)
                .member("code", repair.code())
                .key("at")
                .integer(self.event)
                .raw(b"}");
        }
        Ok(())
    }

    /// Whether one more repair of the event at hand may be emitted.
    fn may_tell(&mut self) -> bool {
        let (event, told) = &mut self.told;
        if *event != self.event {
            (*event, *told) = (self.event, 0);
        }
        *told += 1;
        *told <= MOST_TOLD
    }

    /// Notes that the stream is refused: no later repair refuses it a second time.
    pub(super) fn set_refused(&mut self) {
        self.is_refused = true;
    }

    /// Counts text that is kept if anything is.
    #[inline]
    pub(super) fn grow(&mut self, bytes: usize) -> Taken {
        if self.accumulate { self.hold(bytes) } else { Ok(()) }
    }

    /// Counts bytes that are held until the end.
    #[inline]
    pub(super) fn hold(&mut self, bytes: usize) -> Taken {
        self.held_bytes += bytes;
        if self.held_bytes > self.bounds.max_stream_bytes {
            return Err(Ending::refused(
                "limit.stream_bytes",
                "The answer grew past `limits.maxStreamBytes`.",
            ));
        }
        Ok(())
    }

    /// Counts the bytes of a value that there is one of, such as an id, as far as it is longer than such values are. The value had
    /// `before` bytes until now, and has `after`.
    pub(super) fn hold_long(&mut self, before: usize, after: usize) -> Taken {
        self.hold(after.saturating_sub(before.max(SHORT_BYTES)))
    }

    /// Which JSON is handed out as a value that grows.
    #[inline]
    pub(super) fn partial(&self) -> PartialValues {
        match self.output.wants_events() {
            true => self.partial,
            false => PartialValues::Off,
        }
    }

    /// Makes ids depend on the completion's id.
    pub(super) fn seed_ids(&mut self, completion_id: &str) {
        self.id_seed = hash(HASH_OF_NOTHING, completion_id.as_bytes());
    }

    /// An id for tool call `at` of a choice: the same each time this stream is read, and another one in other streams. Nine
    /// letters and digits, which the pickiest server takes back.
    pub(super) fn made_up_id(&self, choice: u64, at: usize) -> String {
        const LENGTH: usize = 9;
        let mut text = Writer::default();
        // Ids depend on when the completion was asked for, too.
        text.raw(b" ").milliseconds(Some(self.started));
        text.raw(b" ").integer(choice).raw(b" ").integer(at as u64);
        let mut rest = hash(self.id_seed, &text.bytes);
        let mut id = String::new();
        for _ in 0..LENGTH {
            let digit = (rest % 36) as u8;
            rest /= 36;
            id.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
        }
        id
    }
}

/// The hash of no bytes, from which others are made.
const HASH_OF_NOTHING: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, from a seed on.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}
