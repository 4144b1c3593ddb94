//! One chat stream: bytes in, text, chunks or events out after each push, and exactly one outcome at the end.
//!
//! ```
//! use chatwire::stream::{Decoder, Options, OutputKind, Status};
//!
//! let mut decoder = Decoder::new(Options { output: OutputKind::Text, ..Options::default() });
//! let body = b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
//! decoder.push(body, 0.0, 1.0);
//! assert_eq!(decoder.output(), b"Hi");
//! assert_eq!(decoder.outcome().unwrap().status, Status::Complete);
//! ```
//!
//! Time is an argument, in milliseconds on any one clock.
//!
//! # The way of a push
//!
//! `body` decides by the first byte what the body is, and `source` frames it by that. Of an event stream, the framing (`sse`)
//! gives events; `event` says what an event says; `intake` takes that into the `answer`, whose `choice`s put text, reasoning and
//! `tool_calls` together. All of them write into one `ledger`: the output, the repairs, the bytes held. Each line of JSON lines is
//! an event, too. A document or a page is kept, and taken when the body ends. `clock` knows the times. How a stream ends is a
//! value (`ending`) that each of them may return; only the decoder here
//! acts on it, once, and `outcome` is written from what they hold then.
//!
//! # What is clever, and has to change together
//!
//! - **Prediction** (`predict`). An event that equals the one before, but for a few JSON values, is not read: only those values
//!   are taken. This is right only because nothing else of the event before had an effect that counts twice. So a new field
//!   in `scan` that has an effect each time it comes has to be named in `predict::live_string`, or be one of its holes.
//! - **Prediction goes past the framing.** `sse::Events::at_event_start` says when the next byte starts an event, and `advance`
//!   leaves the framing as if it had read that event. State that is added to the framing belongs into both.
//! - **Chunks in parts** ([`OutputKind::ChunkParts`], [`OutputKind::EventParts`]) are put together again by the facade of the npm
//!   package. Their form is written down at [`OutputKind`] and nowhere else.
//! - **A half of a surrogate pair, the start of a tag and an unfinished name** are held back by the choice until the next delta
//!   decides. All that is held back has to come out in `Choice::end`, in events and in the outcome alike.
//! - **Bytes held** are counted where something is kept (`Ledger::hold`), before it is kept.

mod answer;
mod audio;
mod body;
mod choice;
mod clock;
mod code;
mod counting;
mod ending;
mod event;
mod extras;
mod failure;
mod finish;
mod fragments;
mod harmony;
mod intake;
mod ledger;
mod marks;
mod options;
mod outcome;
mod output;
mod partial_json;
mod predict;
mod reasoning;
mod repairs;
mod repeats;
mod scan;
mod sentences;
mod source;
mod speech;
mod tool_calls;

pub use crate::attempt::Attempt;
use crate::json::{Writer, is_json, typed};
use crate::text::{joined, lossy, push_number};
pub use crate::usage::{TokenPrices, Tokens};
use clock::{RanOut, Timeout};
use ending::Ending;
pub use ending::Status;
use intake::Intake;
pub use options::{Bounds, End, Options, PartialValues, Timeouts};
use outcome::Account;
pub use outcome::{Outcome, OutcomeError, RepairCount, Timing, ToolCallSummary};
pub use output::OutputKind;
pub use repairs::{Count, Repair, Repairs};
pub use sentences::{Sentence, SentenceOptions, Splitter, heard};
use source::Source;

/// The room for an outcome of a short answer, so that it need not grow in steps.
#[cfg(feature = "npm")]
const SHORT_OUTCOME: usize = 1024;

/// How long a server that has said `[DONE]`, and keeps the connection open, may take for the blank line after it.
const BLANK_LINE_MS: f64 = 100.0;

/// Decodes one chat stream, or one JSON completion.
///
/// A decoder is a state machine without I/O: it reads no clock and asks for no bytes. Its methods are of these kinds.
///
/// - **Set up**: [`new`](Self::new), then [`set_output`](Self::set_output) at most once, before the first push.
/// - **Input**: [`push`](Self::push) for bytes, [`tick`](Self::tick) when a deadline has passed, and once
///   [`end`](Self::end) or [`lose`](Self::lose) when the body is over. `now` must not go back from one to the next. Each of them
///   starts a new output and may end the stream; after the end each does nothing but start an empty output.
/// - **Output**, to be taken after each input: [`output`](Self::output) is that of the last input.
///   [`deadline`](Self::deadline) and [`patience`](Self::patience) say when the next tick is due, and hold until the next input.
///   [`take_output`](Self::take_output) and [`lend_buffer`](Self::lend_buffer) move the buffer of the output, for a host that has
///   one buffer for many decoders.
/// - **State**, at any time: [`has_ended`](Self::has_ended), [`repairs`](Self::repairs), [`used`](Self::used). They change with
///   inputs only, and no more after the end; but [`set_prompt_tokens`](Self::set_prompt_tokens) changes what an estimate says.
/// - **Outcome**: [`outcome`](Self::outcome), [`outcome_json`](Self::outcome_json) and [`failure`](Self::failure) are `None` until
///   the stream has ended. A stream ends once: by `[DONE]`, an error, a refusal, a timeout, or the end of its body.
#[derive(Debug)]
pub struct Decoder {
    options: Options,
    source: Source,
    intake: Intake,
    /// `None` while the stream goes on.
    ending: Option<Box<Ending>>,
}

impl Decoder {
    /// A decoder at the start of a body.
    pub fn new(options: Options) -> Self {
        Decoder {
            source: Source::new(&options),
            intake: Intake::new(&options),
            ending: None,
            options,
        }
    }

    /// Chooses what each push hands out. To be called before the first one.
    pub fn set_output(&mut self, kind: OutputKind) {
        self.intake.ledger.output.kind = kind;
    }

    /// Takes the next bytes of the body, read from `read_started` to `now`. True once the stream has ended: what follows
    /// is not looked at.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn push(&mut self, bytes: &[u8], read_started: f64, now: f64) -> bool {
        self.intake.ledger.output.begin();
        self.intake.repeated = 0;
        self.intake.has_progressed = false;
        if self.ending.is_none() {
            self.intake.clock.read(bytes, read_started, now);
            match self.source.take(bytes, &mut self.intake, now) {
                Ok(()) => self.check_timeouts(0.0, now),
                Err(ending) => self.conclude(ending, now),
            }
        }
        self.close_output(now);
        self.has_ended()
    }

    /// The body is over. Does nothing where the stream has ended already.
    pub fn end(&mut self, reason: End, now: f64) {
        self.end_body(reason, "", now);
    }

    /// The connection was lost; `reason` is what the host says of it.
    pub fn lose(&mut self, reason: &str, now: f64) {
        self.end_body(End::Lost, reason, now);
    }

    /// Looks at the clock while a read has been pending since `read_started`. True once the stream has ended.
    pub fn tick(&mut self, read_started: f64, now: f64) -> bool {
        if self.source.awaits_blank_line() && now - read_started >= BLANK_LINE_MS {
            self.end(End::Closed, now);
            return true;
        }
        self.intake.ledger.output.begin();
        if self.ending.is_none() {
            self.check_timeouts(now - read_started, now);
        }
        self.intake.answer.tick_sentences(now, &mut self.intake.ledger);
        self.close_output(now);
        self.has_ended()
    }

    /// When [`tick`](Self::tick) is due for a read that has been pending since `read_started`.
    pub fn deadline(&self, read_started: f64) -> Option<f64> {
        let (patience, due) = self.patience();
        Some((read_started + patience).min(due)).filter(|due| due.is_finite())
    }

    /// The same for any read to come: for how many milliseconds it may be pending, and the time when a tick is due anyway.
    /// Infinity stands for no limit. Both hold until the next call.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn patience(&self) -> (f64, f64) {
        if self.ending.is_some() {
            return (f64::INFINITY, f64::INFINITY);
        }
        if self.source.awaits_blank_line() {
            return (BLANK_LINE_MS, f64::INFINITY);
        }
        let (patience, due) = self.intake.clock.patience(self.intake.answer.is_finished());
        (patience, due.min(self.intake.answer.sentence_due()))
    }

    /// The output of the last call: UTF-8 text, or a JSON array.
    pub fn output(&self) -> &[u8] {
        self.intake.ledger.output.bytes()
    }

    /// Takes what the last call handed out, and with it the buffer it lies in.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.intake.ledger.output.take()
    }

    /// Gives the next call a buffer to write to, so that many decoders can share one.
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.intake.ledger.output.lend(buffer);
    }

    /// Whether the outcome is decided.
    pub fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// Takes out the attempts made until this answer came.
    #[cfg(all(target_arch = "wasm32", feature = "client"))]
    pub(crate) fn take_attempts(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.options.attempts)
    }

    /// Corrects the attempts, once their results are known.
    #[cfg(all(target_arch = "wasm32", feature = "client"))]
    pub(crate) fn set_attempts(&mut self, attempts: Vec<Attempt>) {
        self.options.attempts = attempts;
    }

    /// Whether the first text, reasoning or tool call has come, or an end that is no failure.
    #[inline]
    pub fn has_token(&self) -> bool {
        self.intake.clock.first_token.is_some() && !self.intake.answer.failed_in_silence()
    }

    /// Whether the last push brought text, reasoning or a tool call, and not the end. The time of such a push, and how long it was
    /// waited for, change nothing but when a sentence is due.
    #[cfg(feature = "npm")]
    #[inline]
    pub(crate) fn has_progressed(&self) -> bool {
        self.intake.has_progressed && self.ending.is_none()
    }

    /// Corrects the time when the stream ended, for a host that looks at its clock only then.
    #[cfg(feature = "npm")]
    pub(crate) fn set_end_time(&mut self, now: f64) {
        self.intake.clock.end(now);
    }

    /// How many bytes at the end of the last push are whole events of the kind before them, and perhaps the beginning of one more: each
    /// differs from the event before it in a piece of text, an id, a time or counts, and in nothing else. A reader that has looked
    /// at all events before them need not look at these.
    #[inline]
    pub fn repeated_bytes(&self) -> usize {
        self.intake.repeated
    }

    /// Whether one JSON completion is expected, of which nothing is handed out before it is whole.
    #[cfg(all(target_arch = "wasm32", feature = "client"))]
    pub(crate) fn is_document(&self) -> bool {
        self.options.document
    }

    /// The repairs so far.
    pub fn repairs(&self) -> &Repairs {
        &self.intake.ledger.repairs
    }

    /// The class name and the message of what ended the stream.
    pub fn failure(&self) -> Option<(&'static str, &str)> {
        let failure = self.ending.as_ref()?.failure.as_ref()?;
        Some((failure.name, failure.message.as_str()))
    }

    /// The code of what ended the stream, for programs: the server's, or the decoder's.
    pub fn failure_code(&self) -> Option<&str> {
        let failure = self.ending.as_ref()?.failure.as_ref()?;
        Some(failure.code.as_str()).filter(|code| !code.is_empty())
    }

    /// The outcome as JSON text; `None` until the stream has ended.
    pub fn outcome_json(&self) -> Option<String> {
        let mut out = Writer::default();
        self.account().write(false, &mut out).then(|| out.into_string())
    }

    /// A part of [`outcome_json`](Self::outcome_json), from this byte on and of so many bytes at the most, and whether more
    /// comes after it: the texts of the answer stand in an outcome up to three times, which is too much to hold at once. A part
    /// ends with a whole character.
    pub fn outcome_part(&self, from: usize, length: usize) -> Option<(Vec<u8>, bool)> {
        let mut out = Writer::of_part(from, length);
        self.account().write(false, &mut out).then(|| out.into_part())
    }

    /// The same for a host that copies the text of the answer to its other places itself: the content of choice 0, and that of
    /// the message, is the number 0 where it equals `text`.
    #[cfg(feature = "npm")]
    pub(crate) fn host_outcome_part(&self, from: usize, length: usize) -> Option<(Vec<u8>, bool)> {
        // The outcome of a short answer is written as one: to look at each piece for whether it is in the part takes as long again.
        let is_short = from == 0 && self.intake.ledger.held_bytes < length;
        let mut out = if is_short {
            Writer::with_room(SHORT_OUTCOME)
        } else {
            Writer::of_part(from, length)
        };
        self.account().write(true, &mut out).then(|| out.into_part())
    }

    /// The outcome; `None` until the stream has ended.
    pub fn outcome(&self) -> Option<Outcome> {
        typed(&self.outcome_json()?).ok()
    }

    /// The completion as JSON text: a JSON document as the server sent it, if it is one completion with choices, else what was
    /// accumulated.
    pub fn completion_json(&self) -> String {
        // More than the completion may be in the body.
        let is_whole = |document: &&[u8]| self.intake.is_completion && is_json(document);
        if let Some(document) = self.source.document().filter(is_whole) {
            return lossy(document);
        }
        let mut out = Writer::default();
        let usage = self.intake.answer.usage_members();
        self.intake.answer.write_completion(false, usage.as_deref(), &mut out);
        out.into_string()
    }

    /// Usage and cost so far, and the names of the answer, as JSON text: `{"usage":…,"cost":…,"completion":…}`, as in an outcome.
    /// Of the completion there are `id`, `created` and `model`; it is null until a chunk has named one of the two texts.
    #[inline(never)] // a plain answer has no need of it
    pub fn used_json(&self) -> String {
        let mut out = Writer::default();
        out.raw(b"{");
        let usage = self.intake.answer.usage_members();
        self.account().write_used(usage.as_deref(), &mut out);
        out.key("completion");
        self.intake.answer.write_head(&mut out);
        out.raw(b"}");
        out.into_string()
    }

    /// The tokens used so far: the server's count, or an estimate of what has arrived, and then `true`.
    pub fn used(&self) -> Option<(Tokens, bool)> {
        self.account().used()
    }

    /// The amount that the server says it charged for the call, in pico-dollars.
    pub fn charged(&self) -> Option<u64> {
        self.intake.answer.charged()
    }

    /// Whether the server has not counted anything yet, so that [`Options::prompt_tokens`] is needed to know what was used.
    pub fn lacks_usage(&self) -> bool {
        self.intake.answer.counted().is_none()
    }

    /// [`Options::prompt_tokens`], when they are looked at only now.
    pub fn set_prompt_tokens(&mut self, tokens: u64) {
        self.options.prompt_tokens = Some(tokens);
    }

    fn account(&self) -> Account<'_> {
        Account {
            options: &self.options,
            answer: &self.intake.answer,
            clock: &self.intake.clock,
            repairs: &self.intake.ledger.repairs,
            ending: self.ending.as_deref(),
        }
    }

    fn end_body(&mut self, reason: End, lost_because: &str, now: f64) {
        self.intake.ledger.output.begin();
        if self.ending.is_none() {
            let mut ending = match reason {
                End::Aborted => Ending::aborted(),
                End::Closed | End::Lost => self.source.end(reason == End::Lost, &mut self.intake, now),
            };
            if let (Status::Truncated, Some(failure)) = (ending.status, &mut ending.failure) {
                failure.add_reason(lost_because);
            }
            self.conclude(ending, now);
        }
        self.close_output(now);
    }

    fn check_timeouts(&mut self, pending: f64, now: f64) {
        if let Some(timeout) = self
            .intake
            .clock
            .ran_out(pending, now, self.intake.answer.is_finished())
        {
            let ending = self.timed_out(timeout, now);
            self.conclude(ending, now);
        }
    }

    /// How the stream ends now that this timeout has run out.
    #[cold]
    fn timed_out(&mut self, ran_out: RanOut, now: f64) -> Box<Ending> {
        if let Err(refusal) = self.intake.settle(now) {
            return refusal;
        }
        if self.intake.answer.is_finished() {
            // All of the answer is there: the server has sent neither `[DONE]` nor closed the connection.
            return self.intake.complete(Some(Repair::NoDone));
        }
        let (code, before) = match ran_out.timeout {
            Timeout::Total => ("timeout.total", "The whole request took longer than "),
            Timeout::FirstToken => ("timeout.firstToken", "No token arrived within "),
            Timeout::Idle => ("timeout.idle", "The answer did not go on for "),
        };
        let mut message = before.to_owned();
        push_number(&mut message, ran_out.ms);
        // The code names the phase, the message names the setting that ran out.
        let (setting, after) = match ran_out.was_kept_alive {
            true => ("timeout.keepAlive", ", only keep-alives"),
            false => (code, ""),
        };
        message.push_str(&joined(&[" ms (", setting, ")", after, "."]));
        Ending::stalled(code, &message)
    }

    /// Ends the stream: the only place that does. The parts are settled, which strict decoding may refuse: then that is how
    /// the stream ends, and they are settled as those of a refused stream.
    fn conclude(&mut self, mut ending: Box<Ending>, now: f64) {
        // A stream that ends otherwise than by its body may hold chunks back: none is to be lost.
        let _ = self.intake.settle(now);
        let Intake {
            answer, clock, ledger, ..
        } = &mut self.intake;
        if ending.is_refusal {
            ledger.set_refused();
        }
        if let Err(refusal) = answer.end(ending.status, ledger) {
            ledger.set_refused();
            // A limit that is passed here as well changes nothing any more.
            let _ = answer.end(refusal.status, ledger);
            ending = refusal;
        }
        if let (Some(failure), Some(note)) = (&mut ending.failure, &self.options.redirection)
            && (matches!(failure.name, "ProtocolError" | "APIError") || failure.code == "empty_answer")
        {
            failure.message.push_str(note);
        }
        clock.end(now);
        self.source.close();
        self.ending = Some(ending);
    }

    /// Closes the output of this call.
    fn close_output(&mut self, now: f64) {
        let Intake { answer, ledger, .. } = &mut self.intake;
        answer.close_output(now, ledger);
        ledger.output.close();
    }
}
