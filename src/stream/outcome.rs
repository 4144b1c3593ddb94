//! How a stream ended, and all that arrived: one JSON text, read by JavaScript and by the Rust [`Outcome`] alike.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::answer::{Answer, write_usage};
use super::choice::Form;
use super::clock::Clock;
use super::ending::{Ending, Status};
use super::options::Options;
use super::repairs::Repairs;
use super::sentences::heard;
use crate::attempt::{Attempt, write_attempts};
use crate::chat::{ChatCompletion, Content, Message, Usage};
use crate::json::Writer;
use crate::text::joined;
use crate::usage::Tokens;

/// How a stream ended, and all that arrived until then.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The accumulated completion, as the call without `stream` would have returned it; reasoning is in `reasoning` too.
    #[serde(deserialize_with = "typed_if_possible")]
    pub completion: Option<ChatCompletion>,
    /// The assistant turn of choice 0, as this server wants it sent back.
    #[serde(deserialize_with = "typed_if_possible")]
    pub message: Option<Message>,
    /// The text of choice 0, or of the only choice.
    pub text: String,
    /// The reasoning of choice 0.
    pub reasoning: String,
    /// The tool calls of choice 0.
    pub tool_calls: Vec<ToolCallSummary>,
    /// The finish reason of choice 0.
    pub finish_reason: Option<String>,
    /// Tokens used: the server's count, or an estimate that says so.
    #[serde(deserialize_with = "typed_if_possible")]
    pub usage: Option<Usage>,
    /// Cost in US dollars; `None` where tokens or prices are unknown.
    pub cost: Option<f64>,
    /// When things happened.
    pub timing: Timing,
    /// The repairs made, one entry a kind.
    pub repairs: Vec<RepairCount>,
    /// The attempts made, and the result of each.
    pub attempts: Vec<Attempt>,
    /// The server's id for the request.
    pub request_id: Option<String>,
    /// The error, unless the stream is complete.
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
        let said = heard(&self.text, units);
        let content = match turn.content.as_ref() {
            // Some servers want the reasoning before the text, in tags.
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
    /// The arguments, as JSON text if `complete`; of a custom tool its input, which is plain text.
    pub arguments: String,
    /// Whether the arguments arrived whole and are valid JSON.
    pub complete: bool,
    /// Whether this is a custom tool.
    #[serde(default)]
    pub custom: bool,
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
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct OutcomeError {
    /// The error's class name, such as `TruncatedError`.
    pub name: String,
    /// A sentence: the cause, and how to fix it.
    pub message: String,
    /// A code: the server's, or the decoder's.
    pub code: Option<String>,
    /// When to come back, in milliseconds since 1970, where the server's error names a time and [`Options::epoch`] is known.
    #[serde(default, rename = "retryAt")]
    pub retry_at: Option<f64>,
}

/// `None` for what a server sent in a shape that the type has no place for: the rest of the outcome is there all the same.
fn typed_if_possible<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(serde_json::Value::deserialize(deserializer)?).ok())
}

/// The parts of a decoder that an outcome is written from.
pub(super) struct Account<'a> {
    pub(super) options: &'a Options,
    pub(super) answer: &'a Answer,
    pub(super) clock: &'a Clock,
    pub(super) repairs: &'a Repairs,
    /// `None` while the stream goes on.
    pub(super) ending: Option<&'a Ending>,
}

impl Account<'_> {
    /// Writes the outcome as JSON text; false while the stream goes on. With `text_once` the text of the answer stands under
    /// `text` alone: its copies in the completion and the message are the number 0.
    pub(super) fn write(&self, text_once: bool, out: &mut Writer) -> bool {
        let Some(ending) = self.ending else { return false };
        let usage = self.answer.usage_members();
        out.raw(b"{\"status\":").string(ending.status.as_str());
        out.raw(b",\"completion\":");
        self.answer.write_completion(text_once, usage.as_deref(), out);
        let first = self.answer.main_choice();
        out.raw(b",\"message\":");
        match first {
            Some(choice) => {
                out.raw(b"{");
                let form = match self.options.returns_reasoning {
                    true => Form::Turn,
                    false => Form::TurnWithoutReasoning,
                };
                choice.write_members(form, text_once, out);
                out.raw(b"}");
            }
            None => drop(out.raw(b"null")),
        }
        out.raw(b",\"text\":").string(first.map_or("", |choice| choice.text()));
        out.raw(b",\"reasoning\":")
            .string(first.map_or("", |choice| choice.reasoning()));
        out.raw(b",\"toolCalls\":[");
        for call in first.map_or(&[][..], |choice| choice.tool_calls.calls()) {
            call.write_summary(out);
        }
        out.raw(b"],\"finishReason\":");
        out.text(first.and_then(|choice| choice.finish_reason.as_deref()));
        let tokens = self.write_used(usage.as_deref(), out);
        self.write_timing(tokens, out);
        out.raw(b",\"repairs\":[");
        for count in self.repairs.counts() {
            out.comma().raw(b"{").member("code", count.repair.code());
            out.key("at")
                .integer(count.at)
                .key("count")
                .integer(count.count)
                .raw(b"}");
        }
        out.raw(b"],\"attempts\":");
        write_attempts(&self.options.attempts, out);
        out.raw(b",\"requestId\":").text(self.options.request_id.as_deref());
        if let Some(failure) = &ending.failure {
            out.key("error");
            let wall = self.options.epoch.zip(self.clock.ended);
            failure.write(wall.map(|(epoch, ended)| epoch + ended), out);
        }
        out.raw(b"}");
        true
    }

    /// `"usage":…,"cost":…`: the server's count, whose members these are, else an estimate. Gives the tokens.
    pub(super) fn write_used(&self, usage: Option<&[u8]>, out: &mut Writer) -> Option<Tokens> {
        let used = self.used();
        let tokens = used.map(|(tokens, _)| tokens);
        out.key("usage");
        match used {
            Some((tokens, true)) => {
                let (prompt, completion) = (tokens.prompt.unwrap_or(0), tokens.completion.unwrap_or(0));
                out.raw(b"{").key("prompt_tokens").integer(prompt);
                out.key("completion_tokens").integer(completion);
                out.key("total_tokens")
                    .integer(prompt.saturating_add(completion))
                    .raw(b",\"estimated\":true}");
            }
            _ => write_usage(usage, out),
        }
        out.raw(b",\"cost\":");
        self.answer.write_cost(tokens, out);
        tokens
    }

    /// The tokens used so far: the server's count, or an estimate of what has arrived, and then `true`.
    pub(super) fn used(&self) -> Option<(Tokens, bool)> {
        match self.answer.counted() {
            Some(tokens) => Some((tokens, false)),
            None => self.estimate().map(|tokens| (tokens, true)),
        }
    }

    /// The estimated tokens of all that arrived. `None` for an answer that was not kept, and for one that failed before it
    /// began; one that is left or falls silent before that is billed all the same.
    fn estimate(&self) -> Option<Tokens> {
        let is_billed = |ending: &Ending| matches!(ending.status, Status::Aborted | Status::Stalled);
        let began = self.answer.has_begun() || self.ending.is_some_and(is_billed);
        let prompt = self
            .options
            .prompt_tokens
            .filter(|_| began && self.options.accumulate)?;
        Some(Tokens {
            prompt: Some(prompt),
            cached: 0,
            completion: Some(self.answer.estimate()),
        })
    }

    fn write_timing(&self, tokens: Option<Tokens>, out: &mut Writer) {
        let clock = self.clock;
        let since = |at| clock.since_start(at);
        out.raw(b",\"timing\":{\"firstByte\":")
            .milliseconds(since(clock.first_byte));
        out.raw(b",\"firstToken\":").milliseconds(since(clock.first_token));
        let first = self.answer.main_choice();
        let first_sentence = first.and_then(|choice| choice.speech.as_ref()?.first);
        out.raw(b",\"firstSentence\":").milliseconds(since(first_sentence));
        out.raw(b",\"total\":").milliseconds(since(clock.ended));
        let rate = clock.rate(tokens.and_then(|tokens| tokens.completion));
        out.raw(b",\"tokensPerSecond\":").milliseconds(rate).raw(b"}");
    }
}
