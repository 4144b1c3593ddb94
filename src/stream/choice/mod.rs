//! One choice of a completion, put together from its deltas.

mod beside;
mod marked;
mod repeated;
mod steady;
mod written;

use super::audio::Audio;
use super::ending::Taken;
use super::extras::Extras;
use super::finish::{Finish, is_end_of_calls, is_failure};
use super::ledger::Ledger;
use super::marks::Marks;
use super::options::PartialValues;
use super::output::Output;
use super::partial_json::PartialJson;
use super::predict::LivePart;
use super::reasoning::{Tags, stirs};
use super::repairs::Repair;
use super::repeats::{self, Repeats};
use super::scan::{self, Delta, Field, Part};
use super::speech::Speech;
use super::tool_calls::ToolCalls;
use crate::json::{Str, Text, Writer, members};
use crate::provider::ReasoningPlace;
use crate::text::lossy;
use crate::usage::tokens;

/// Where a message is written to, which decides its form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The `message` of a completion.
    Message,
    /// The `delta` of a chunk.
    Delta,
    /// The turn to send back.
    Turn,
    /// The turn to send back, to a server that refuses reasoning in it.
    TurnWithoutReasoning,
}

/// How this server sends reasoning: known from its provider, or learnt from its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Field(usize),
    Tags,
    Parts,
}

impl Source {
    fn field(self) -> Option<usize> {
        match self {
            Source::Field(field) => Some(field),
            Source::Tags | Source::Parts => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Choice {
    pub(super) index: u64,
    role: Option<String>,
    /// A delta had a content that was not null.
    has_content: bool,
    content: Text,
    /// The content as a JSON value that grows, where that is wanted.
    partial: Option<Box<PartialJson>>,
    /// The content in sentences, where they are wanted.
    pub(super) speech: Option<Box<Speech>>,
    /// Content not yet split into text and reasoning; keeps a surrogate half between deltas.
    inbox: Text,
    repeats: Repeats,
    /// Pieces that are all text or all reasoning before them, spelled as they came: dropped if nothing follows them.
    again: Vec<repeats::Piece>,
    tags: Tags,
    tags_known: bool,
    /// Which tags the reasoning stood in; `None` for channels.
    pair: Option<usize>,
    marks: Marks,
    reasoning: Text,
    /// How much of the reasoning has come at another place again.
    mirrored: usize,
    source: Option<Source>,
    /// A delta, not a message, brought something.
    has_deltas: bool,
    /// A message came, all at once.
    has_message: bool,
    has_refusal: bool,
    refusal: Text,
    pub(super) tool_calls: ToolCalls,
    filler_told: bool,
    pub(super) finish_reason: Option<String>,
    finish: Finish,
    /// The finish reason was emitted.
    finish_told: bool,
    /// Text of the answer came, not only reasoning.
    pub(super) has_answered: bool,
    /// Text or reasoning came, and was not kept.
    is_let_go: bool,
    /// Reasoning among it.
    reasoning_let_go: bool,
    /// The end of the text that was not kept.
    behind: String,
    /// Lists inside `logprobs`, joined: name and raw value.
    logprobs: Extras,
    extras: Extras,
    audio: Option<Box<Audio>>,
    /// The reasoning field that came empty.
    empty_field: Option<usize>,
    delta_extras: Extras,
    /// A plain piece of this part is to be added to its text, and changes nothing else.
    steady: Option<LivePart>,
}

impl Choice {
    pub(super) fn new(index: u64, place: ReasoningPlace, partial: PartialValues) -> Self {
        // Providers with another place are known to leave no marks and to send nothing twice.
        let is_unknown = matches!(place, ReasoningPlace::Tags | ReasoningPlace::Detect);
        Choice {
            index,
            role: None,
            has_content: false,
            content: Text::default(),
            partial: PartialJson::new(partial),
            speech: None,
            inbox: Text::default(),
            repeats: Repeats::new(is_unknown),
            again: Vec::new(),
            tags: Tags::new(is_unknown),
            tags_known: place == ReasoningPlace::Tags,
            pair: None,
            marks: Marks::new(is_unknown),
            reasoning: Text::default(),
            mirrored: 0,
            source: None,
            has_deltas: false,
            has_message: false,
            has_refusal: false,
            refusal: Text::default(),
            tool_calls: ToolCalls::new(index),
            filler_told: false,
            finish_reason: None,
            finish: Finish::default(),
            finish_told: false,
            has_answered: false,
            is_let_go: false,
            reasoning_let_go: false,
            behind: String::new(),
            logprobs: Extras::default(),
            extras: Extras::default(),
            audio: None,
            empty_field: None,
            delta_extras: Extras::new(is_unknown),
            steady: None,
        }
    }

    pub(super) fn text(&self) -> &str {
        self.content.as_str()
    }

    /// Whether more deltas have to come: it was not sent as a message, and has no finish reason.
    pub(super) fn is_cut(&self) -> bool {
        (self.has_deltas || !self.has_message) && !self.is_finished()
    }

    /// Whether it came all at once, with its finish reason.
    pub(super) fn is_whole(&self) -> bool {
        self.has_message && !self.has_deltas && self.finish_reason.is_some()
    }

    pub(super) fn reasoning(&self) -> &str {
        self.reasoning.as_str()
    }

    /// Whether reasoning came, be it kept or not.
    fn has_reasoned(&self) -> bool {
        self.reasoning_let_go || !self.reasoning().is_empty()
    }

    /// How many tokens all of it probably is.
    pub(super) fn estimate(&self) -> u64 {
        let mut sum = tokens(self.reasoning()) + tokens(self.text()) + tokens(self.refusal.as_str());
        for call in self.tool_calls.calls() {
            sum += call.estimate();
        }
        sum
    }

    /// Takes one choice of a chunk; true when it brought something a reader waits for.
    pub(super) fn take(&mut self, choice: &scan::Choice<'_>, ledger: &mut Ledger) -> Taken<bool> {
        let mut progress = false;
        self.steady = None;
        self.has_message |= choice.whole;
        // A message after deltas says all of it again.
        if let Some(delta) = choice.delta.as_ref().filter(|_| !(choice.whole && self.has_deltas)) {
            progress = self.take_delta(delta, choice.whole, ledger)?;
            self.has_deltas |= progress && !choice.whole;
        }
        if let Some(logprobs) = choice.logprobs {
            self.take_logprobs(logprobs, ledger)?;
        }
        if !choice.extras.is_empty() {
            ledger.hold(self.extras.keep(&choice.extras, true))?;
        }
        if choice.finish_reason.is_blank() {
            ledger.repair(self.index, Repair::EmptyFinishReason)?;
        }
        let reason = choice.finish_reason.text();
        let counts = self.finish.note(progress, reason.is_some());
        if let Some(reason) = reason.filter(|_| counts) {
            progress |= self.finish_reason.is_none();
            ledger.hold_long(0, reason.raw.len())?;
            self.finish_reason = Some(reason.to_text());
            if !self.finish_told {
                self.tell_finish(ledger)?;
            }
        }
        Ok(progress)
    }

    /// Whether a finish reason has come after which nothing more of the answer did.
    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some() && self.finish.is_proof
    }

    /// The finish reason, where it says that the server failed: its own, or that of the model behind it where nothing was
    /// answered.
    pub(super) fn failed(&self) -> Option<String> {
        if let Some(reason) = self.finish_reason.as_ref().filter(|reason| is_failure(reason)) {
            return Some(reason.clone());
        }
        let has_answered =
            self.has_answered || !self.refusal.as_str().is_empty() || !self.tool_calls.calls().is_empty();
        let native = self.extras.text(b"native_finish_reason").filter(|_| !has_answered)?;
        Some(native).filter(|reason| is_failure(reason))
    }

    /// Whether its finish reason says that the server failed, before anything was answered.
    pub(super) fn failed_in_silence(&self) -> bool {
        let is_silent = !self.has_answered
            && !self.is_let_go
            && self.refusal.as_str().is_empty()
            && self.reasoning.as_str().is_empty()
            && self.tool_calls.calls().is_empty();
        is_silent && self.finish_reason.is_some() && self.failed().is_some()
    }

    #[inline(never)] // so that its caller stays short
    fn take_delta(&mut self, delta: &Delta<'_>, whole: bool, ledger: &mut Ledger) -> Taken<bool> {
        let mut progress = false;
        if let (None, Some(role)) = (&self.role, delta.role.text()) {
            let role = role.to_text();
            ledger.hold_long(0, role.len())?;
            self.role = Some(role);
        }
        progress |= self.take_reasoning(delta, ledger)?;
        match delta.content {
            Field::Absent | Field::Null => {}
            Field::Str(content) => {
                self.has_content = true;
                progress |= self.take_content(content, ledger)?;
            }
            Field::Other(raw) => {
                self.has_content = true;
                ledger.repair(self.index, Repair::ContentParts)?;
                progress |= self.take_parts(raw, ledger)?;
            }
        }
        match delta.refusal {
            Field::Absent => {}
            Field::Str(refusal) => {
                self.has_refusal = true;
                progress |= match self.is_doubtful(refusal, self.refusal.as_str()) {
                    true => self.take_doubtful(repeats::Kind::Refusal, refusal, ledger)?,
                    false => self.push_refusal(refusal, ledger)?,
                };
            }
            _ => self.has_refusal = true,
        }
        if let Some(calls) = delta.tool_calls.filter(|calls| *calls != b"[]") {
            self.tell_filler(ledger)?;
            progress |= self.tool_calls.take(calls, whole, ledger)?;
        }
        // The older form beside the newer one is the same call.
        if let Some(call) = delta.function_call.filter(|_| delta.tool_calls.is_none()) {
            self.tell_filler(ledger)?;
            progress |= self.tool_calls.take_function(call, ledger)?;
        }
        if !delta.extras.is_empty() {
            ledger.hold(self.delta_extras.keep(&delta.extras, true))?;
            self.note_repeated_extras(ledger)?;
        }
        if let Some(audio) = delta.audio {
            let has_news = self.audio.get_or_insert_default().take(audio, self.index, ledger)?;
            self.has_answered |= has_news;
            progress |= has_news;
        }
        Ok(progress)
    }

    /// Takes a piece of the content.
    pub(super) fn take_content(&mut self, content: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        if self.is_doubtful(content, self.content.as_str()) {
            return self.take_doubtful(repeats::Kind::Content, content, ledger);
        }
        self.add_content(content, ledger)
    }

    /// Adds to the content and hands the new text out.
    fn add_content(&mut self, content: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        // One search of the piece serves both: a tag and a mark may begin with the same character.
        let is_plain = (self.passes_calm() || self.may_begin(content)) && (content.is_calm || !stirs(content));
        if is_plain {
            self.tags.begin();
        } else if !self.content.is_cut() {
            return self.take_tagged(content, ledger);
        }
        self.has_answered |= !content.is_empty();
        let from = self.content.as_str().len();
        self.content.push(content);
        let piece = self.content.as_str().get(from..).unwrap_or_default();
        hand_out(piece, self.index, &mut self.partial, &mut self.speech, ledger)?;
        ledger.grow(piece.len())?;
        self.let_go(ledger);
        Ok(!content.is_empty())
    }

    /// Keeps nothing of what was handed out, where nothing is to be kept, but for what the judgement of later text needs.
    #[inline]
    fn let_go(&mut self, ledger: &Ledger) {
        if !ledger.accumulate {
            self.forget();
        }
    }

    #[inline(never)] // a plain answer has no need of it
    fn forget(&mut self) {
        self.reasoning_let_go |= !self.reasoning.as_str().is_empty();
        self.is_let_go |= self.reasoning_let_go || !self.content.as_str().is_empty();
        self.marks.go_on(&mut self.behind, self.content.as_str());
        self.content.truncate(0);
        self.reasoning.truncate(0);
    }

    /// Takes content that may have tags of reasoning in it. Not inlined: most content has none, and its way stays short.
    #[inline(never)]
    fn take_tagged(&mut self, content: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        self.inbox.push(content);
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut tags = std::mem::replace(&mut self.tags, Tags::new(false));
        let mut result = ledger.grow(content.raw.len());
        let last = self.content.as_str().chars().next_back();
        let last = last.or_else(|| self.behind.chars().next_back());
        tags.feed(inbox.as_str(), last, |piece| {
            if result.is_ok() {
                result = self.take_piece(piece, ledger);
            }
        });
        self.tags = tags;
        inbox.truncate(0);
        if self.tags.is_off() {
            // From here on content is taken directly: a half of a surrogate pair moves along.
            inbox.move_half_to(&mut self.content);
        }
        self.inbox = inbox;
        result.map(|()| !content.is_empty())
    }

    pub(super) fn add_reasoning(&mut self, text: Str<'_>, ledger: &mut Ledger) -> Taken {
        if self.is_doubtful(text, self.reasoning.as_str()) {
            return self.take_doubtful(repeats::Kind::Reasoning, text, ledger).map(drop);
        }
        self.push_reasoning(text, ledger)
    }

    fn push_reasoning(&mut self, text: Str<'_>, ledger: &mut Ledger) -> Taken {
        let from = self.reasoning.as_str().len();
        self.reasoning.push(text);
        let piece = self.reasoning.as_str().get(from..).unwrap_or_default();
        ledger.output.text_event("reasoning", self.index, piece);
        ledger.grow(piece.len())?;
        self.let_go(ledger);
        Ok(())
    }

    #[inline(never)] // a plain answer has no need of it
    fn take_parts(&mut self, raw: &[u8], ledger: &mut Ledger) -> Taken<bool> {
        let mut progress = false;
        scan::parts(raw, &mut |part| {
            progress = true;
            match part {
                Part::Text(text) => self.take_content(text, ledger).map(drop),
                Part::Reasoning(text) => {
                    self.source.get_or_insert(Source::Parts);
                    self.expect_no_tags(ledger)?;
                    self.add_reasoning(text, ledger)
                }
            }
        })?;
        if !progress && raw.first() == Some(&b'{') {
            // An object that is no part is the answer to a request for JSON.
            let mut text = Writer::default();
            text.string(&lossy(raw));
            return self.take_content(
                Str::spelled(text.bytes.get(1..text.bytes.len() - 1).unwrap_or_default()),
                ledger,
            );
        }
        Ok(progress)
    }

    fn take_logprobs(&mut self, raw: &[u8], ledger: &mut Ledger) -> Taken {
        ledger.hold(self.logprobs.keep(&members(raw), false))
    }

    /// The text before a tool call is there to be spoken while the tool runs.
    fn tell_filler(&mut self, ledger: &mut Ledger) -> Taken {
        self.flush_tags(ledger)?;
        self.drop_raw_call(ledger)?;
        self.flush(ledger)?;
        self.flush_speech(&mut ledger.output);
        if !self.filler_told {
            self.filler_told = true;
            if !self.text().trim_ascii().is_empty() {
                ledger.output.text_event("filler", self.index, self.content.as_str());
            }
        }
        Ok(())
    }

    /// Nothing of the answer is to come: settles its parts, and emits the finish reason.
    fn tell_finish(&mut self, ledger: &mut Ledger) -> Taken {
        self.finish_told = true;
        self.end_repeats(true, ledger)?;
        self.flush(ledger)?;
        self.flush_speech(&mut ledger.output);
        self.end_edits(&mut ledger.output);
        self.end_calls(true, ledger)?;
        let reason = self.finish_reason.take().unwrap_or_default();
        let reason = self.normal_reason(reason, ledger)?;
        if ledger.output.wants_events() {
            ledger
                .output
                .event("finish", self.index)
                .member("finishReason", &reason)
                .raw(b"}");
        }
        self.finish_reason = Some(reason);
        Ok(())
    }

    fn end_calls(&mut self, finished: bool, ledger: &mut Ledger) -> Taken {
        match self.tool_calls.calls().is_empty() {
            true => Ok(()),
            false => self.tool_calls.end(finished, ledger),
        }
    }

    /// A choice with tool calls finishes with `tool_calls`, unless it was cut short.
    fn normal_reason(&self, reason: String, ledger: &mut Ledger) -> Taken<String> {
        if self.tool_calls.calls().is_empty() || !is_end_of_calls(&reason) {
            return Ok(reason);
        }
        ledger.repair(self.index, Repair::ToolFinishReason)?;
        Ok("tool_calls".to_owned())
    }

    /// Hands out what is new in the values of the content and of the tool calls.
    pub(super) fn hand_out_edits(&mut self, output: &mut Output) {
        if let Some(partial) = &mut self.partial {
            partial.hand_out(self.index, None, output);
        }
        self.tool_calls.hand_out_edits(self.index, output);
    }

    fn end_edits(&mut self, output: &mut Output) {
        if let Some(partial) = &mut self.partial {
            partial.end();
            partial.hand_out(self.index, None, output);
        }
    }

    /// Hands out the sentence that is open, as far as it is there.
    pub(super) fn flush_speech(&mut self, output: &mut Output) {
        if let Some(speech) = &mut self.speech {
            speech.flush(output);
        }
    }

    /// The stream is over: nothing more comes for any part of this choice. `complete`: and it was all of it.
    pub(super) fn end(&mut self, complete: bool, ledger: &mut Ledger) -> Taken {
        if !complete && !self.finish.is_proof {
            // The finish reason does not count: more came after it, or was to come.
            self.finish_reason = None;
        }
        if self.finish_reason.is_some() && !self.finish_told {
            self.tell_finish(ledger)?;
        }
        self.end_repeats(complete, ledger)?;
        if !self.delta_extras.is_empty() {
            self.delta_extras.end();
            self.note_repeated_extras(ledger)?;
        }
        self.flush(ledger)?;
        self.inbox.move_half_to(&mut self.content);
        let from = self.content.as_str().len();
        self.content.end();
        let last = self.content.as_str().get(from..).unwrap_or_default();
        hand_out(last, self.index, &mut self.partial, &mut self.speech, ledger)?;
        self.end_edits(&mut ledger.output);
        for (kind, text) in [("reasoning", &mut self.reasoning), ("refusal", &mut self.refusal)] {
            let from = text.as_str().len();
            text.end();
            let last = text.as_str().get(from..).unwrap_or_default();
            ledger.output.text_event(kind, self.index, last);
        }
        self.end_calls(complete || self.finish_reason.is_some(), ledger)?;
        if let Some(reason) = self.finish_reason.take() {
            // Calls may have come after the finish reason.
            self.finish_reason = Some(self.normal_reason(reason, ledger)?);
        }
        Ok(())
    }
}

/// Hands out new content: as text, as edits of a value that grows, in sentences.
fn hand_out(
    piece: &str,
    choice: u64,
    partial: &mut Option<Box<PartialJson>>,
    speech: &mut Option<Box<Speech>>,
    ledger: &mut Ledger,
) -> Taken {
    ledger.output.text(choice, piece);
    if let Some(speech) = speech {
        speech.feed(piece, &mut ledger.output);
    }
    match partial {
        Some(partial) => {
            let (before, after) = partial.feed(piece);
            ledger.hold_long(before, after)
        }
        None => Ok(()),
    }
}
