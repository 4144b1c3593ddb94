//! OpenAI: <https://platform.openai.com/docs/api-reference/chat/create>, whose parameter ranges these are.

use super::facts::{Capabilities, Defaults, ReasoningPlace};
use super::rules::{Check, MessageRules, Rule};

const RULES: &[Rule] = &[
    Rule::new(&["model"], Check::Text),
    Rule::new(&["temperature"], Check::Number(0.0, 2.0)),
    Rule::new(&["top_p"], Check::Number(0.0, 1.0)),
    Rule::new(&["presence_penalty"], Check::Number(-2.0, 2.0)),
    Rule::new(&["frequency_penalty"], Check::Number(-2.0, 2.0)),
    Rule::new(&["top_logprobs"], Check::Integer(0.0, 20.0)),
    Rule::new(&["stream"], Check::Boolean),
    Rule::new(&["tools"], Check::Objects),
];

pub(super) const DATA: Defaults = Defaults {
    name: "openai",
    base_url: "https://api.openai.com/v1",
    hosts: &["api.openai.com"],
    key_variable: "OPENAI_API_KEY",
    default_model: None,
    models: &[],
    capabilities: Capabilities {
        json_schema: true,
        stream_usage: true,
    },
    rules: RULES,
    // its reference calls most fields "or null"
    nullable: true,
    messages: MessageRules {
        role_required: true,
        ..MessageRules::ANY
    },
    prices: None,
    plans: &[],
    context_tokens: None,
    // Its own models show none; the many servers that are addressed as "openai" with another base URL do.
    reasoning: ReasoningPlace::Detect,
    // Its messages have no such member, and unknown ones are refused.
    takes_reasoning: false,
    reasoning_overrides: false,
    endpoints: &[],
    first_token_ms: 300_000.0,
    limits_by_key: false,
    cooldown_ms: None,
};
