//! The stream engine for JavaScript: one call a network chunk.

use super::memory;
use super::options::{Findings, Options, Refused, value};
use super::rest::is_away;
use crate::chat::view::{Value, View};
use crate::policy::{cost, estimate};
use crate::provider::{Provider, ReasoningPlace};
use crate::stream::{self, End, OutputKind};

const OUTPUTS: [OutputKind; 4] = [
    OutputKind::None,
    OutputKind::Text,
    OutputKind::ChunkParts,
    OutputKind::EventParts,
];

/// The options that a plain stream can do without.
const NOT_PLAIN: [&str; 8] = [
    "provider",
    "endpoint",
    "prices",
    "limits",
    "reasoning",
    "decoding",
    "partial",
    "sentences",
];

fn read(options: &Value) -> Result<stream::Options, Refused> {
    let findings = Findings::default();
    let options = Options::new(options, &findings);
    let timeouts = options.of("timeouts");
    let mut read = stream::Options {
        document: options.flag("document").unwrap_or(false),
        accumulate: options.flag("accumulate").unwrap_or(true),
        timeouts: stream::Timeouts {
            first_token: timeouts.number("firstToken"),
            idle: timeouts.number("idle"),
            total: timeouts.number("total"),
        },
        started: options.number("started").unwrap_or(0.0),
        attempts: options.attempts(),
        request_id: options.text("requestId").map(str::to_owned),
        // Only a recording knows them beforehand.
        prompt_tokens: options.number("promptTokens").map(|tokens| tokens as u64),
        partial: stream::PartialValues::Containers,
        ..Default::default()
    };
    if options.has_any(&NOT_PLAIN) && options.has_rest() {
        read_more(&mut read, &options);
    }
    match findings.refused() {
        None => Ok(read),
        Some(refused) => Err(refused),
    }
}

#[inline(never)]
fn read_more(read: &mut stream::Options, options: &Options<'_>) {
    let mut provider = None;
    if let Some(name) = options.text("provider").filter(|name| *name != "custom") {
        provider = options.checked(Provider::named(name));
    }
    if let (Some(known), Some(endpoint)) = (&mut provider, options.text("endpoint")) {
        options.checked(known.choose_endpoint(endpoint));
    }
    let provider = provider.as_ref();
    let prices = options.prices().or(provider.and_then(|provider| provider.prices));
    read.prices = prices.and_then(|prices| options.all_checked(cost::token_prices(&prices)));
    read.reasoning = options
        .reasoning()
        .or(provider.map(|known| known.reasoning))
        .unwrap_or(ReasoningPlace::Detect);
    read.strict = options.strict().unwrap_or(false);
    read.partial = match options.flag("partial") {
        None => stream::PartialValues::Containers,
        Some(true) => stream::PartialValues::Any,
        Some(false) => stream::PartialValues::Off,
    };
    read.sentences = options.sentences();
    let (limits, default) = (options.of("limits"), stream::Limits::default());
    read.limits = stream::Limits {
        max_event_bytes: limits.size("maxEventBytes", default.max_event_bytes),
        max_tool_call_bytes: limits.size("maxToolCallBytes", default.max_tool_call_bytes),
        max_stream_bytes: limits.size("maxStreamBytes", default.max_stream_bytes),
        max_choices: limits.size("maxChoices", default.max_choices),
    };
}

/// One chat stream, or one JSON completion.
pub(super) struct Decoder(stream::Decoder);

impl Decoder {
    /// A decoder at the start of a body, by the JSON text of its options.
    pub(super) fn make(options: &[u8]) -> Result<Decoder, Refused> {
        Ok(Decoder(stream::Decoder::new(read(&value(options))?)))
    }

    /// Chooses what each push hands out: 0 nothing, 1 text, 2 chunks, 3 events. Says whether it waits.
    pub(super) fn set_output(&mut self, kind: usize) -> usize {
        self.0.set_plain_only(is_away());
        self.0
            .set_output(OUTPUTS.get(kind).copied().unwrap_or(OutputKind::None));
        memory::set_deadline(self.0.patience());
        usize::from(self.0.is_waiting())
    }

    /// Takes bytes.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn push(&mut self, length: usize, read_started: f64, now: f64) -> f64 {
        self.begin();
        memory::input(length, |bytes| self.0.push(bytes, read_started, now));
        self.put_out()
    }

    /// The body is over: 0 closed, 1 lost, 2 aborted. What the host says of it is in the input.
    pub(super) fn end(&mut self, length: usize, reason: f64, now: f64) -> f64 {
        self.begin();
        match reason as u32 {
            0 => self.0.end(End::Closed, now),
            1 => memory::input(length, |reason| self.0.lose(&crate::json::lossy(reason), now)),
            _ => self.0.end(End::Aborted, now),
        }
        self.put_out()
    }

    /// Looks at the clock while a read is pending.
    pub(super) fn tick(&mut self, read_started: f64, now: f64) -> f64 {
        self.begin();
        self.0.tick(read_started, now);
        self.put_out()
    }

    /// Puts out the JSON text of the outcome; before the stream has ended, of what was used so far, and its cost. Where
    /// `asks`, nothing is put out if the request's body is needed first: it is then to be put into the input.
    pub(super) fn outcome(&mut self, length: usize, asks: bool) -> usize {
        if self.0.lacks_usage() {
            if asks {
                return 0;
            }
            if length > 0 {
                let body = memory::input(length, View::of_body);
                self.0.set_prompt_tokens(estimate::prompt_tokens(&body));
            }
        }
        let json = self.0.outcome_json().unwrap_or_else(|| self.0.used_json());
        memory::set_output(json.into_bytes())
    }

    /// Puts out the JSON text of the completion.
    pub(super) fn completion(&self) -> usize {
        memory::set_output(self.0.completion_json().into_bytes())
    }

    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn begin(&mut self) {
        memory::lend_output(&mut self.0);
        self.0.set_plain_only(is_away());
    }

    /// How many bytes are put out; the complement of that once the outcome is decided; 2^32 more while the decoder waits.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn put_out(&mut self) -> f64 {
        memory::set_deadline(self.0.patience());
        let length = memory::set_output(self.0.take_output()) as i32;
        if self.0.has_ended() {
            f64::from(!length)
        } else if self.0.is_waiting() {
            f64::from(length) + 4_294_967_296.0
        } else {
            f64::from(length)
        }
    }
}
