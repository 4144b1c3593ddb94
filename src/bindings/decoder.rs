//! The stream engine for JavaScript: one call a network chunk.

use std::cell::RefCell;

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;

use super::descriptor::describe;
use super::memory;
use super::options::{Options, value};
use crate::chat::view::{Value, View};
use crate::error::Error;
use crate::policy::{cost, estimate};
use crate::provider::{Provider, ReasoningPlace};
use crate::stream::{self, End, OutputKind};

const OUTPUTS: [(&str, OutputKind); 4] = [
    ("none", OutputKind::None),
    ("text", OutputKind::Text),
    ("chunks", OutputKind::ChunkParts),
    ("events", OutputKind::Events),
];

fn read(options: &Value) -> Result<stream::Options, Error> {
    let problems = RefCell::default();
    let options = Options::new(options, &problems);
    let mut provider = None;
    if let Some(name) = options.text("provider").filter(|name| *name != "custom") {
        provider = options.checked(Provider::named(name));
    }
    if let (Some(known), Some(endpoint)) = (&mut provider, options.text("endpoint")) {
        options.checked(known.choose_endpoint(endpoint));
    }
    let provider = provider.as_ref();
    let prices = options.prices().or(provider.and_then(|provider| provider.prices));
    let prices = prices.and_then(|prices| {
        cost::token_prices(&prices)
            .map_err(|problems| options.note(problems))
            .ok()
    });
    let (limits, timeouts) = (options.of("limits"), options.of("timeouts"));
    let default = stream::Limits::default();
    let read = stream::Options {
        output: options
            .one_of("output", &OUTPUTS.map(|(name, _)| name))
            .map_or(OutputKind::None, |at| OUTPUTS[at].1),
        document: options.flag("document").unwrap_or(false),
        reasoning: options
            .reasoning()
            .or(provider.map(|known| known.reasoning))
            .unwrap_or(ReasoningPlace::Detect),
        strict: options.strict().unwrap_or(false),
        partial: match options.flag("partial") {
            None => stream::PartialValues::Containers,
            Some(true) => stream::PartialValues::Any,
            Some(false) => stream::PartialValues::Off,
        },
        accumulate: options.flag("accumulate").unwrap_or(true),
        predict: options.flag("predict").unwrap_or(true),
        prices,
        timeouts: stream::Timeouts {
            first_token: timeouts.number("firstToken"),
            idle: timeouts.number("idle"),
            total: timeouts.number("total"),
        },
        limits: stream::Limits {
            max_event_bytes: limits.size("maxEventBytes", default.max_event_bytes),
            max_tool_call_bytes: limits.size("maxToolCallBytes", default.max_tool_call_bytes),
            max_stream_bytes: limits.size("maxStreamBytes", default.max_stream_bytes),
            max_choices: limits.size("maxChoices", default.max_choices),
        },
        started: options.number("started").unwrap_or(0.0),
        attempts: options.attempts(),
        request_id: options.text("requestId").map(str::to_owned),
        prompt_tokens: None,
    };
    let problems = problems.into_inner();
    if problems.is_empty() {
        Ok(read)
    } else {
        Err(problems.into())
    }
}

/// One chat stream, or one JSON completion.
#[wasm_bindgen]
pub struct Decoder {
    stream: stream::Decoder,
    /// Gives the request's body as JSON text. Asked only where nobody else has counted its tokens.
    prompt: Option<Function>,
}

#[wasm_bindgen]
impl Decoder {
    /// A decoder at the start of a body.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue) -> Result<Decoder, JsValue> {
        let prompt = Reflect::get(&options, &"prompt".into())
            .ok()
            .and_then(|prompt| prompt.dyn_into().ok());
        let options = value(options);
        match read(&options) {
            Ok(options) => Ok(Decoder {
                stream: stream::Decoder::new(options),
                prompt,
            }),
            Err(error) => Err(describe(&error)),
        }
    }

    /// Chooses what each push hands out: 0 nothing, 1 text, 2 chunks, 3 events.
    #[wasm_bindgen(js_name = setOutput)]
    pub fn set_output(&mut self, kind: u32) {
        self.stream
            .set_output(OUTPUTS.get(kind as usize).map_or(OutputKind::None, |(_, kind)| *kind));
    }

    /// Takes bytes from the input buffer.
    pub fn push(&mut self, length: usize, read_started: f64, now: f64) -> i32 {
        self.run(|decoder| {
            memory::input(length, |bytes| decoder.push(bytes, read_started, now));
        })
    }

    /// The body is over: 0 closed, 1 lost, 2 aborted.
    pub fn end(&mut self, reason: u32, now: f64) -> i32 {
        let reason = match reason {
            0 => End::Closed,
            1 => End::Lost,
            _ => End::Aborted,
        };
        self.run(|decoder| decoder.end(reason, now))
    }

    /// The connection was lost, and the host says why.
    pub fn fail(&mut self, error: &str, now: f64) -> i32 {
        self.run(|decoder| decoder.lose(error, now))
    }

    /// Looks at the clock while a read is pending.
    pub fn tick(&mut self, read_started: f64, now: f64) -> i32 {
        self.run(|decoder| {
            decoder.tick(read_started, now);
        })
    }

    /// When the next look at the clock is due.
    pub fn deadline(&self, read_started: f64) -> f64 {
        self.stream.deadline(read_started).unwrap_or(f64::INFINITY)
    }

    /// JSON text of the outcome; empty until the stream has ended.
    pub fn outcome(&mut self) -> String {
        self.count_prompt();
        self.stream.outcome_json().unwrap_or_default()
    }

    /// JSON text of what was used so far, and its cost.
    pub fn used(&mut self) -> String {
        self.count_prompt();
        self.stream.used_json()
    }

    /// Estimates the tokens of the prompt where an estimate is all there is.
    fn count_prompt(&mut self) {
        if self.stream.lacks_usage()
            && let Some(prompt) = self.prompt.take()
            && let Some(body) = prompt.call0(&JsValue::UNDEFINED).ok().and_then(|body| body.as_string())
        {
            self.stream
                .set_prompt_tokens(estimate::prompt_tokens(&View::of_body(&body)));
        }
    }

    /// JSON text of the completion.
    pub fn completion(&self) -> String {
        self.stream.completion_json()
    }

    fn run(&mut self, run: impl FnOnce(&mut stream::Decoder)) -> i32 {
        let length = memory::with_output(&mut self.stream, run) as i32;
        if self.stream.has_ended() { !length } else { length }
    }
}
