//! ElectronHub, a gateway to many models (unrelated to Electron): <https://docs.electronhub.ai>.
//!
//! The comments name the section of its "Create Chat Completion" page that a value comes from.

use super::facts::{Capabilities, Defaults, Endpoint, ReasoningPlace};
use super::rules::{Check, MessageRules, Rule};

/// "Body", reasoning_effort: available options.
const EFFORTS: Check = Check::Words(&["none", "minimal", "low", "medium", "high", "xhigh"]);

/// "Body", reasoning_delta_field: available options.
const FIELDS: Check = Check::Words(&["reasoning", "reasoning_content"]);

const RULES: &[Rule] = &[
    // "Body": model string, required
    Rule::new(&["model"], Check::Text),
    // "Body": stream boolean
    Rule::new(&["stream"], Check::Boolean),
    // "Body": max_tokens integer
    Rule::new(&["max_tokens"], Check::Integer(f64::NEG_INFINITY, f64::INFINITY)),
    // "Body": temperature, required range 0 <= x <= 2
    Rule::new(&["temperature"], Check::Number(0.0, 2.0)),
    // "Body": top_p, required range 0 <= x <= 1
    Rule::new(&["top_p"], Check::Number(0.0, 1.0)),
    // "Body": top_k integer
    Rule::new(&["top_k"], Check::Integer(f64::NEG_INFINITY, f64::INFINITY)),
    // "Body": frequency_penalty, presence_penalty, required range -2 <= x <= 2
    Rule::new(&["frequency_penalty"], Check::Number(-2.0, 2.0)),
    Rule::new(&["presence_penalty"], Check::Number(-2.0, 2.0)),
    // "Body": tools object[]
    Rule::new(&["tools"], Check::Objects),
    // "Body": tool_choice, available options none, auto
    Rule::new(&["tool_choice"], Check::Words(&["none", "auto"])),
    // request example: "web_search": false
    Rule::new(&["web_search"], Check::Boolean),
    // "Body": thinking object
    Rule::new(&["thinking"], Check::Object),
    Rule::new(&["reasoning_effort"], EFFORTS),
    // "Request Body": reasoning.effort is the same enum, reasoning.exclude boolean, reasoning.delta_field a field name
    Rule::new(&["reasoning"], Check::Object),
    Rule::new(&["reasoning", "effort"], EFFORTS),
    Rule::new(&["reasoning", "exclude"], Check::Boolean),
    Rule::new(&["reasoning", "delta_field"], FIELDS),
    Rule::new(&["reasoning_delta_field"], FIELDS),
    // "Body": reasoning_content_compat boolean
    Rule::new(&["reasoning_content_compat"], Check::Boolean),
];

pub(super) const DATA: Defaults = Defaults {
    name: "electronhub",
    base_url: "https://api.electronhub.ai/v1",
    hosts: &["api.electronhub.ai"],
    key_variable: "ELECTRONHUB_API_KEY",
    default_model: None,
    models: &[],
    capabilities: Capabilities {
        json_schema: true,
        stream_usage: false, // not documented
    },
    rules: RULES,
    // "Body" types no field as nullable
    nullable: false,
    messages: MessageRules::ANY,
    prices: None,
    plans: &[],
    context_tokens: None,
    reasoning: ReasoningPlace::Field("reasoning"),
    takes_reasoning: true,
    reasoning_overrides: true,
    // "Endpoint Variants (Reasoning Output)"
    endpoints: &[
        Endpoint {
            name: "v1",
            base_url: "https://api.electronhub.ai/v1",
            reasoning: ReasoningPlace::Field("reasoning"),
        },
        Endpoint {
            name: "v1legacy",
            base_url: "https://api.electronhub.ai/v1legacy",
            reasoning: ReasoningPlace::Field("reasoning_content"),
        },
        Endpoint {
            name: "v1thinking",
            base_url: "https://api.electronhub.ai/v1thinking",
            reasoning: ReasoningPlace::Tags,
        },
    ],
    first_token_ms: 300_000.0,
    // Not on its page, seen in practice: three minutes of refusal after the limit, and failed calls count.
    limits_by_key: true,
    cooldown_ms: Some(180_000.0),
};
