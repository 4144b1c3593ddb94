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

/// One chat stream, or one JSON completion.
pub(super) struct Decoder(stream::Decoder);

impl Decoder {
    /// A decoder at the start of a body, by the JSON text of its options.
    pub(super) fn make(options: &[u8]) -> Result<Decoder, Error> {
        Ok(Decoder(stream::Decoder::new(settings::decoder(&value(options))?)))
    }

    /// Chooses what each push hands out: 0 nothing, 1 text, 2 chunks, 3 events.
    pub(super) fn set_output(&mut self, kind: usize) {
        self.0
            .set_output(OUTPUTS.get(kind).copied().unwrap_or(OutputKind::None));
        memory::set_deadline(self.0.patience(), self.0.has_token());
    }

    /// Takes bytes.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn push(&mut self, length: usize, read_started: f64, now: f64) {
        memory::lend_output(&mut self.0);
        memory::input(length, |bytes| self.0.push(bytes, read_started, now));
        self.put_out();
    }

    /// The body is over: 0 closed, 1 lost, 2 aborted. What the host says of it is in the input.
    pub(super) fn end(&mut self, length: usize, reason: f64, now: f64) {
        memory::lend_output(&mut self.0);
        match reason as u32 {
            0 => self.0.end(End::Closed, now),
            1 => memory::input(length, |reason| self.0.lose(&crate::text::lossy(reason), now)),
            _ => self.0.end(End::Aborted, now),
        }
        self.put_out();
    }

    /// Looks at the clock while a read is pending.
    pub(super) fn tick(&mut self, read_started: f64, now: f64) {
        memory::lend_output(&mut self.0);
        self.0.tick(read_started, now);
        self.put_out();
    }

    /// Whether nobody has counted the prompt's tokens: then `outcome` estimates them from the request's body.
    pub(super) fn lacks_usage(&self) -> bool {
        self.0.lacks_usage()
    }

    /// Puts out the JSON text of the outcome; before the stream has ended, of what was used so far, and its cost. In the input
    /// is the request's body, if its tokens are to be estimated.
    pub(super) fn outcome(&mut self, length: usize) {
        if length > 0 {
            let body = memory::input(length, View::of_body);
            self.0.set_prompt_tokens(usage::prompt_tokens(&body));
        }
        let json = self.0.outcome_json().unwrap_or_else(|| self.0.used_json());
        memory::set_output(json.into_bytes());
    }

    /// Puts out the JSON text of the completion.
    pub(super) fn completion(&self) {
        memory::set_output(self.0.completion_json().into_bytes());
    }

    /// Puts out what the last call handed out, whether the outcome is decided, and when the next tick is due.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn put_out(&mut self) {
        memory::set_output(self.0.take_output());
        memory::say(self.0.has_ended());
        memory::set_deadline(self.0.patience(), self.0.has_token());
    }
}
