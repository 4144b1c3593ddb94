//! How a stream ended, and all that arrived: one JSON text, read by JavaScript and by the Rust [`Outcome`] alike.

use serde::Deserialize;

use super::Decoder;
use crate::attempt::{Attempt, write_attempts};
use crate::chat::{ChatCompletion, Content, Message, Usage};
use crate::json::{Writer, with_whole_surrogates};
use crate::text::joined;
use crate::usage::Tokens;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// `[DONE]`, or the body ended after every choice had its finish reason.
    Complete,
    /// The body ended, or the connection was lost, before that.
    Truncated,
    /// A timeout for the first token, for silence or for the whole ran out.
    Stalled,
    /// The caller left.
    Aborted,
    /// The server reported an error within the stream, or the decoder refused what came.
    Error,
}

impl Status {
    /// The word in the outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Truncated => "truncated",
            Status::Stalled => "stalled",
            Status::Aborted => "aborted",
            Status::Error => "error",
        }
    }
}

/// How a stream ended, and all that arrived until then.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The accumulated completion, as the call without `stream` would have returned it; reasoning is in `reasoning` too.
    pub completion: Option<ChatCompletion>,
    /// The assistant turn of choice 0, as this server wants it sent back.
    pub message: Option<Message>,
    /// The text of choice 0.
    pub text: String,
    /// The reasoning of choice 0.
    pub reasoning: String,
    /// The tool calls of choice 0.
    pub tool_calls: Vec<ToolCallSummary>,
    /// The finish reason of choice 0.
    pub finish_reason: Option<String>,
    /// Tokens used: the server's count, or an estimate that says so.
    pub usage: Option<Usage>,
    /// Cost in US dollars; `None` where tokens or prices are unknown.
    pub cost: Option<f64>,
    /// When things happened.
    pub timing: Timing,
    /// What had to be put right, one entry a kind.
    pub repairs: Vec<RepairCount>,
    /// Who was asked, and what came of it.
    pub attempts: Vec<Attempt>,
    /// The server's id for the request.
    pub request_id: Option<String>,
    /// What went wrong, unless the stream is complete.
    pub error: Option<OutcomeError>,
}

impl Outcome {
    /// The assistant turn as far as a listener heard it, ready to be sent back: cut after the last whole word within so many
    /// UTF-16 units of the text, and without tool calls, which come after it.
    ///
    /// ```
    /// use chatwire::stream::{Decoder, End, Options};
    ///
    /// let mut decoder = Decoder::new(Options::default());
    /// decoder.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"One two three\"}}]}\n\n", 0.0, 1.0);
    /// decoder.end(End::Aborted, 2.0);
    /// let turn = decoder.outcome().and_then(|outcome| outcome.heard(9)).unwrap();
    /// assert_eq!(turn.text(), "One two");
    /// ```
    pub fn heard(&self, units: u64) -> Option<Message> {
        let turn = self.message.as_ref()?;
        let said = super::heard(&self.text, units);
        let content = match turn.content.as_ref() {
            // Some servers want what the model thought before it, in tags.
            Some(Content::Text(content)) => joined(&[content.strip_suffix(&*self.text).unwrap_or_default(), said]),
            _ => said.to_owned(),
        };
        Some(Message {
            content: Some(content.into()),
            tool_calls: Vec::new(),
            ..turn.clone()
        })
    }
}

/// A tool call of an [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ToolCallSummary {
    /// The id to answer it with.
    pub id: String,
    /// The function to call.
    pub name: String,
    /// The arguments, as JSON text if `complete`.
    pub arguments: String,
    /// Whether the arguments arrived whole and are valid JSON.
    pub complete: bool,
}

/// When things happened, in milliseconds since the request was sent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// The first byte of the body.
    pub first_byte: Option<f64>,
    /// The first text, reasoning or tool call.
    pub first_token: Option<f64>,
    /// The first sentence, where [`Options::sentences`](super::Options::sentences) are wanted.
    pub first_sentence: Option<f64>,
    /// The end of the stream.
    pub total: Option<f64>,
    /// Completion tokens per second from the first token on.
    pub tokens_per_second: Option<f64>,
}

/// How often one repair was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepairCount {
    /// The repair's code, such as `tool_call.no_index`.
    pub code: String,
    /// The ordinal of the first event that needed it, from 0.
    pub at: u64,
    /// How often.
    pub count: u64,
}

/// The error of an [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OutcomeError {
    /// The error's class name, such as `TruncatedError`.
    pub name: String,
    /// What happened and what to do.
    pub message: String,
    /// A code: the server's, or the decoder's.
    pub code: Option<String>,
}

impl Decoder {
    /// The outcome as JSON text; `None` until the stream has ended.
    pub fn outcome_json(&self) -> Option<String> {
        let status = self.status?;
        let mut out = Writer::default();
        out.raw(b"{").member("status", status.as_str());
        out.key("completion");
        self.write_completion(&mut out);
        let first = self.choices.iter().find(|choice| choice.index == 0);
        out.key("message");
        match first {
            Some(choice) => {
                out.raw(b"{");
                choice.write_message(&mut out);
                out.raw(b"}");
            }
            None => drop(out.raw(b"null")),
        }
        out.member("text", first.map_or("", |choice| choice.text()));
        out.member("reasoning", first.map_or("", |choice| choice.reasoning()));
        out.key("toolCalls").raw(b"[");
        for call in first.map_or(&[][..], |choice| choice.tool_calls.calls()) {
            call.write_summary(&mut out);
        }
        out.raw(b"]").key("finishReason");
        match first.and_then(|choice| choice.finish_reason.as_deref()) {
            Some(reason) => out.string(reason),
            None => out.raw(b"null"),
        };
        let tokens = self.write_used(&mut out);
        self.write_timing(tokens, &mut out);
        out.key("repairs").raw(b"[");
        for count in self.repairs.counts() {
            out.comma().raw(b"{").member("code", count.repair.code());
            out.key("at")
                .integer(count.at)
                .key("count")
                .integer(count.count)
                .raw(b"}");
        }
        out.raw(b"]").key("attempts");
        write_attempts(&self.options.attempts, &mut out);
        out.key("requestId");
        match &self.options.request_id {
            Some(id) => out.string(id),
            None => out.raw(b"null"),
        };
        if let Some(failure) = &self.failure {
            out.key("error");
            failure.write(&mut out);
        }
        out.raw(b"}");
        Some(out.into_string())
    }

    /// The outcome; `None` until the stream has ended.
    pub fn outcome(&self) -> Option<Outcome> {
        serde_json::from_str(&with_whole_surrogates(&self.outcome_json()?)).ok()
    }

    /// The completion as JSON text: a JSON document as the server sent it, else what was accumulated.
    pub fn completion_json(&self) -> String {
        if let Some(document) = self.document() {
            return crate::text::lossy(document);
        }
        let mut out = Writer::default();
        self.write_completion(&mut out);
        out.into_string()
    }

    pub(super) fn write_completion(&self, out: &mut Writer) {
        if !self.seen_chunk {
            out.raw(b"null");
            return;
        }
        self.write_completion_as("chat.completion", "message", out);
    }

    pub(super) fn write_completion_as(&self, object: &str, member: &str, out: &mut Writer) {
        out.raw(b"{").member("id", &self.id).member("object", object);
        if let Some(created) = &self.created {
            out.key("created").raw(created);
        }
        out.member("model", &self.model).key("choices").raw(b"[");
        for choice in &self.choices {
            choice.write(member, out);
        }
        out.raw(b"]");
        if let Some(usage) = &self.usage {
            out.key("usage").raw(usage);
        }
        self.extras.write(out);
        out.raw(b"}");
    }

    /// Whatever the server said of usage, and `estimated: false`.
    pub(super) fn write_usage(&self, out: &mut Writer) {
        match self
            .usage
            .as_deref()
            .and_then(|usage| usage.trim_ascii_end().strip_suffix(b"}"))
        {
            Some(members) => {
                out.raw(members)
                    .raw(if members.trim_ascii_end() == b"{" { b"" } else { b"," });
                out.raw(b"\"estimated\":false}");
            }
            None => drop(out.raw(b"null")),
        }
    }

    /// What the server counted, as far as it did.
    pub(super) fn counted(&self) -> Option<Tokens> {
        self.usage.as_deref().map(Tokens::read)
    }

    /// What was used so far and what it costs, as JSON text: `{"usage":…,"cost":…}`, as in an outcome.
    pub fn used_json(&self) -> String {
        let mut out = Writer::default();
        out.raw(b"{");
        self.write_used(&mut out);
        out.raw(b"}");
        out.into_string()
    }

    fn write_used(&self, out: &mut Writer) -> Option<Tokens> {
        let tokens = self.counted().or_else(|| self.estimate());
        out.key("usage");
        match &tokens {
            Some(Tokens {
                prompt: Some(prompt),
                completion: Some(completion),
                ..
            }) if self.usage.is_none() => {
                out.raw(b"{")
                    .key("prompt_tokens")
                    .integer(*prompt)
                    .key("completion_tokens")
                    .integer(*completion);
                out.key("total_tokens")
                    .integer(prompt.saturating_add(*completion))
                    .raw(b",\"estimated\":true}");
            }
            _ => self.write_usage(out),
        }
        out.key("cost");
        self.write_cost(tokens, out);
        tokens
    }

    /// What was used so far: the server's count, or an estimate of what has arrived, and then `true`.
    pub fn used(&self) -> Option<(Tokens, bool)> {
        match self.counted() {
            Some(tokens) => Some((tokens, false)),
            None => self.estimate().map(|tokens| (tokens, true)),
        }
    }

    /// Whether the server has not counted anything yet, so that [`Options::prompt_tokens`] is needed to know what was used.
    ///
    /// [`Options::prompt_tokens`]: super::Options::prompt_tokens
    pub fn lacks_usage(&self) -> bool {
        self.usage.is_none()
    }

    /// [`Options::prompt_tokens`](super::Options::prompt_tokens), when they are looked at only now.
    pub fn set_prompt_tokens(&mut self, tokens: u64) {
        self.options.prompt_tokens = Some(tokens);
    }

    /// What all that arrived has probably cost. `None` for an answer that was not kept, and for one that failed before it
    /// began; one that is left or falls silent before that is billed all the same.
    fn estimate(&self) -> Option<Tokens> {
        let began = self.seen_chunk || matches!(self.status, Some(Status::Aborted | Status::Stalled));
        let prompt = self
            .options
            .prompt_tokens
            .filter(|_| began && self.options.accumulate)?;
        let mut completion = 0;
        for choice in &self.choices {
            completion += choice.estimate();
        }
        Some(Tokens {
            prompt: Some(prompt),
            cached: 0,
            completion: Some(completion),
        })
    }

    pub(super) fn write_cost(&self, tokens: Option<Tokens>, out: &mut Writer) {
        match tokens
            .zip(self.options.prices)
            .and_then(|(tokens, prices)| prices.cost(&tokens))
        {
            Some(cost) => out.decimal(cost, 12),
            None => out.raw(b"null"),
        };
    }

    fn write_timing(&self, tokens: Option<Tokens>, out: &mut Writer) {
        let since = |at: Option<f64>| at.map(|at| (at - self.options.started).max(0.0));
        out.key("timing").raw(b"{");
        out.key("firstByte").milliseconds(since(self.first_byte));
        out.key("firstToken").milliseconds(since(self.first_token));
        let first = self.choices.iter().find(|choice| choice.index == 0);
        let first_sentence = first.and_then(|choice| choice.speech.as_ref()?.first);
        out.key("firstSentence").milliseconds(since(first_sentence));
        out.key("total").milliseconds(since(self.ended));
        let rate = match (
            tokens.and_then(|tokens| tokens.completion),
            self.first_token,
            self.ended,
        ) {
            (Some(tokens), Some(from), Some(to)) if to > from => Some(tokens as f64 * 1e3 / (to - from)),
            _ => None,
        };
        out.key("tokensPerSecond").milliseconds(rate).raw(b"}");
    }
}
