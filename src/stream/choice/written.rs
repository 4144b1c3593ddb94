//! A choice as JSON text: in the accumulated completion, and as the turn to send back.

use super::{Choice, Form, Source};
use crate::json::Writer;
use crate::stream::reasoning::PAIRS;
use crate::stream::scan::REASONING_FIELDS;

impl Choice {
    /// Whether it has nothing, but perhaps a role.
    pub(in crate::stream) fn is_silent(&self) -> bool {
        !self.is_let_go
            && self.text().is_empty()
            && self.reasoning().is_empty()
            && self.refusal.as_str().is_empty()
            && self.tool_calls.calls().is_empty()
            && self.delta_extras.are_silent()
            && self.audio.is_none()
            && self.finish_reason.is_none()
    }

    /// The choice of the accumulated completion, with a `message` or a `delta`. With `text_once` the text of choice 0 is the
    /// number 0.
    pub(in crate::stream) fn write(&self, form: Form, text_once: bool, out: &mut Writer) {
        out.comma().raw(b"{\"index\":").integer(self.index);
        out.raw(match form {
            Form::Delta => b",\"delta\":{",
            _ => b",\"message\":{",
        });
        self.write_members(form, text_once, out);
        out.raw(b"}");
        if !self.logprobs.is_empty() {
            out.raw(b",\"logprobs\":{");
            self.logprobs.write(false, out);
            out.raw(b"}");
        }
        out.raw(b",\"finish_reason\":").text(self.finish_reason.as_deref());
        self.extras.write(false, out);
        out.raw(b"}");
    }

    /// Writes the reasoning as the member of this number. With `text_once` that of choice 0 is the number 0 under its two common names.
    fn write_reasoning(&self, field: usize, reasoning: &str, text_once: bool, out: &mut Writer) {
        let name = REASONING_FIELDS.get(field).unwrap_or(&"reasoning");
        match text_once && field < 2 && self.index == 0 && !reasoning.is_empty() {
            true => out.raw_member(name, b"0"),
            false => out.member(name, reasoning),
        };
    }

    /// Writes content that has the reasoning in it: in tags, or as a part.
    #[inline(never)] // a plain answer has no need of it
    fn write_both(&self, is_in_tags: bool, out: &mut Writer) {
        let (reasoning, text) = (self.reasoning.as_str(), self.content.as_str());
        out.key("content");
        if is_in_tags {
            match self.pair.and_then(|pair| PAIRS.get(pair)) {
                Some((open, close)) => out.strings(&[open, reasoning, close, text]),
                // Reasoning of a channel is not sent back.
                None => out.string(text),
            };
            return;
        }
        out.raw(b"[{").member("type", "thinking").key("thinking").raw(b"[{");
        out.member("type", "text").member("text", reasoning).raw(b"}]}");
        if !text.is_empty() {
            out.raw(b",{").member("type", "text").member("text", text).raw(b"}");
        }
        out.raw(b"]");
    }

    /// The members of the message. With `text_once` the text and the reasoning of choice 0 are the number 0: each stands once,
    /// elsewhere in the same outcome.
    pub(in crate::stream) fn write_members(&self, form: Form, text_once: bool, out: &mut Writer) {
        let with_reasoning = form != Form::TurnWithoutReasoning;
        let replay = matches!(form, Form::Turn | Form::TurnWithoutReasoning);
        // The turn to send back is the assistant's, whatever role the server gave.
        let role = self.role.as_deref().filter(|_| !replay);
        out.raw(b"\"role\":").string(role.unwrap_or("assistant"));
        let reasoning = if with_reasoning { self.reasoning.as_str() } else { "" };
        let text = self.content.as_str();
        // Audio is sent back by its id.
        let audio = self.audio.as_ref().filter(|audio| !replay || audio.has_id());
        match self.source.filter(|_| replay && !reasoning.is_empty()) {
            Some(source @ (Source::Tags | Source::Parts)) => self.write_both(source == Source::Tags, out),
            source => {
                // Strict servers refuse a turn with neither content nor a call.
                let has_other = !self.tool_calls.calls().is_empty() || audio.is_some();
                if !self.has_content && (!replay || has_other) {
                    out.raw(b",\"content\":null");
                } else if text_once && self.index == 0 && !text.is_empty() {
                    // The text of choice 0, where it has any, is the text of the answer.
                    out.raw(b",\"content\":0");
                } else {
                    out.member("content", text);
                }
                // Servers with reasoning want its field back, even if it was empty.
                let empty = self.empty_field.filter(|_| replay && with_reasoning);
                if let Some(field) = source.and_then(Source::field).or(empty) {
                    self.write_reasoning(field, reasoning, text_once, out);
                }
            }
        }
        if !replay && !reasoning.is_empty() {
            self.write_reasoning(0, reasoning, text_once, out);
            if let Some(Source::Field(field @ 1..)) = self.source {
                self.write_reasoning(field, reasoning, text_once, out);
            }
        }
        if self.has_refusal && !(replay && self.refusal.as_str().is_empty()) {
            if self.refusal.as_str().is_empty() {
                out.raw_member("refusal", b"null");
            } else {
                out.member("refusal", self.refusal.as_str());
            }
        }
        if !self.tool_calls.calls().is_empty() {
            out.key("tool_calls").raw(b"[");
            for (at, call) in self.tool_calls.calls().iter().enumerate() {
                call.write(Some(at as u64).filter(|_| form == Form::Delta), replay, out);
            }
            out.raw(b"]");
        }
        if let Some(audio) = audio {
            out.key("audio").raw(b"{");
            audio.write(replay, out);
            out.raw(b"}");
        }
        // Audio is sent back by its id, or not at all; text in its place is not written beside it.
        let written = (replay || audio.is_some()).then_some(&b"audio"[..]);
        self.delta_extras.write_without(written, replay, out);
    }
}
