//! The stream engine for JavaScript: one call a network chunk.

use super::memory;
use super::options::value;
use super::settings;
use crate::chat::view::View;
use crate::error::Error;
use crate::stream::{self, End, OutputKind};
use crate::usage;

const OUTPUTS: [OutputKind; 4] = [
    OutputKind::None,
    OutputKind::Text,
    OutputKind::ChunkParts,
    OutputKind::EventParts,
];

/// An outcome crosses in parts of so many bytes at the most. Memory that the module has taken is never given back, so the first part
/// is short, and each later one as long as all before it: an answer of 100 KB takes no 16 MiB.
const PART_BYTES: usize = 16 * 1024 * 1024;
const FIRST_PART_BYTES: usize = 64 * 1024;

/// One chat stream, or one JSON completion.
pub(super) struct Decoder {
    stream: stream::Decoder,
    /// How many bytes of the outcome the host has.
    told: usize,
}

// A block of the allocator is a power of two: with one byte more, each stream would hold a second KiB.
const _: () = assert!(size_of::<Decoder>() <= 1024);

impl Decoder {
    /// A decoder at the start of a body, by the JSON text of its options.
    pub(super) fn make(options: &[u8]) -> Result<Box<Decoder>, Error> {
        Ok(Decoder::new(settings::decoder(&value(options))?))
    }

    pub(super) fn new(options: stream::Options) -> Box<Decoder> {
        Box::new(Decoder {
            stream: stream::Decoder::new(options),
            told: 0,
        })
    }

    /// Chooses what each push hands out: 0 nothing, 1 text, 2 chunks, 3 events.
    pub(super) fn set_output(&mut self, kind: usize) {
        self.stream
            .set_output(OUTPUTS.get(kind).copied().unwrap_or(OutputKind::None));
        self.put_out();
    }

    /// Takes bytes.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn push(&mut self, length: usize, read_started: f64, now: f64) {
        memory::lend_output(&mut self.stream);
        memory::input(length, |bytes| self.stream.push(bytes, read_started, now));
        self.put_out();
    }

    /// The body is over: 0 closed, 1 lost, 2 aborted. The host's reason is in the input.
    pub(super) fn end(&mut self, length: usize, reason: f64, now: f64) {
        memory::lend_output(&mut self.stream);
        match reason as u32 {
            0 => self.stream.end(End::Closed, now),
            1 => memory::input(length, |reason| self.stream.lose(&crate::text::lossy(reason), now)),
            _ => self.stream.end(End::Aborted, now),
        }
        self.put_out();
    }

    /// Looks at the clock while a read is pending.
    pub(super) fn tick(&mut self, read_started: f64, now: f64) {
        memory::lend_output(&mut self.stream);
        self.stream.tick(read_started, now);
        self.put_out();
    }

    /// Whether the prompt's tokens are still uncounted: then `outcome` estimates them from the request's body.
    pub(super) fn lacks_usage(&self) -> bool {
        self.stream.lacks_usage()
    }

    /// Puts out the JSON text of the outcome; before the stream has ended, of what was used so far, and its cost. In the input
    /// is the request's body, if its tokens are to be estimated. A long outcome comes in parts: says whether there is more, which
    /// comes when `is_rest`. The stream ended at `ended`, unless that is 0 and the last push was told its time.
    pub(super) fn outcome(&mut self, length: usize, is_rest: bool, ended: f64) {
        if ended > 0.0 {
            self.stream.set_end_time(ended);
        }
        if length > 0 {
            let body = memory::input(length, View::of_body);
            self.stream.set_prompt_tokens(usage::prompt_tokens(&body));
        }
        if !is_rest {
            self.told = 0;
        }
        // The host has copied the part before this one.
        memory::set_output(Vec::new());
        let part = self
            .stream
            .host_outcome_part(self.told, self.told.clamp(FIRST_PART_BYTES, PART_BYTES));
        let (part, has_more) = part.unwrap_or_else(|| (self.stream.used_json().into_bytes(), false));
        self.told += part.len();
        memory::set_output(part);
        memory::say(has_more);
    }

    /// Puts out the JSON text of the completion.
    pub(super) fn completion(&self) {
        memory::set_output(self.stream.completion_json().into_bytes());
    }

    /// Puts out what the last call handed out, whether the outcome is decided, and when the next tick is due.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn put_out(&mut self) {
        memory::tell(&mut self.stream);
    }
}
