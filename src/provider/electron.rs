//! Electron by Smallest AI: <https://docs.smallest.ai/waves/documentation/llm-electron>.
//!
//! The comments name the line of the reference page that a value comes from ("page"), of its OpenAPI part ("spec"), or
//! the section of the overview.

use super::facts::{Capabilities, Defaults, Plan, PlanLimits, ReasoningPlace};
use super::rules::{Check, MessageRules, Rule};
use crate::usage::Prices;

/// Only `electron` is public (page, "model": `Currently only "electron"`).
const MODELS: &[&str] = &["electron"];

const RULES: &[Rule] = &[
    // page: model string Required
    Rule::new(&["model"], Check::Text),
    // page: temperature double Optional 0-2
    Rule::new(&["temperature"], Check::Number(0.0, 2.0)),
    // page: top_p double Optional 0-1
    Rule::new(&["top_p"], Check::Number(0.0, 1.0)),
    // page: max_tokens integer Optional >=1
    Rule::new(&["max_tokens"], Check::Integer(1.0, f64::INFINITY)),
    // page: stream boolean
    Rule::new(&["stream"], Check::Boolean),
    // page: stream_options object; spec: ChatCompletionRequestStreamOptions.include_usage boolean
    Rule::new(&["stream_options"], Check::Object),
    Rule::new(&["stream_options", "include_usage"], Check::Boolean),
    // page: tools list of objects; spec: Tool requires type and name, ToolType enum "function"
    Rule::new(&["tools"], Check::Functions),
    // spec: ChatCompletionRequestToolChoice, one of auto, required, none or a named function
    Rule::new(&["tool_choice"], Check::ToolChoice(&["auto", "required", "none"])),
    // spec: ChatCompletionRequestResponseFormatType enum text, json_object
    Rule::new(&["response_format"], Check::Object),
    Rule::new(&["response_format", "type"], Check::Words(&["text", "json_object"])),
    // page: stop string or list of strings
    Rule::new(&["stop"], Check::TextOrTexts),
    // page: seed integer
    Rule::new(&["seed"], Check::Integer(f64::NEG_INFINITY, f64::INFINITY)),
    // page: logit_bias map from strings to doubles
    Rule::new(&["logit_bias"], Check::NumberMap),
    // page: logprobs boolean
    Rule::new(&["logprobs"], Check::Boolean),
    // page: top_logprobs integer Optional 0-20
    Rule::new(&["top_logprobs"], Check::Integer(0.0, 20.0)),
    // page: presence_penalty, frequency_penalty double Optional -2-2
    Rule::new(&["presence_penalty"], Check::Number(-2.0, 2.0)),
    Rule::new(&["frequency_penalty"], Check::Number(-2.0, 2.0)),
    // page: user string
    Rule::new(&["user"], Check::Text),
    // page, "Common gotchas": n > 1 and prompt_logprobs are rejected
    Rule::new(
        &["n"],
        Check::AtMost(
            1.0,
            "Electron gives one answer per request: send several requests instead",
        ),
    ),
    Rule::new(
        &["prompt_logprobs"],
        Check::Absent("Electron rejects prompt_logprobs: leave it out"),
    ),
];

pub(super) const DATA: Defaults = Defaults {
    name: "electron",
    // page, "Common gotchas": base URL is /waves/v1, not /v1
    base_url: "https://api.smallest.ai/waves/v1",
    hosts: &["api.smallest.ai"],
    key_variable: "SMALLEST_API_KEY",
    default_model: Some("electron"),
    models: MODELS,
    capabilities: Capabilities {
        json_schema: false,
        // page: stream_options, include_usage
        stream_usage: true,
    },
    rules: RULES,
    // spec: of all fields only message content is typed "string or null"
    nullable: false,
    messages: MessageRules {
        // spec: ElectronMessage.role, "one of system, user, assistant, or tool"
        roles: &["system", "user", "assistant", "tool"],
        // spec: ElectronMessage required: role
        role_required: true,
        // spec: ElectronMessage.content string or null, "null is permitted on assistant messages that carry only tool_calls"
        text_only: true,
        // spec: ElectronMessage.tool_call_id, `Required when role is "tool"`; ToolCall required: id, type, function
        tool_fields: true,
    },
    // overview, "Pricing"
    prices: Some(Prices {
        input: 0.40,
        cached_input: Some(0.10),
        output: 1.60,
        up_to: None,
    }),
    // overview, "Plan limits"
    plans: &[
        (
            Plan::Standard,
            PlanLimits {
                requests_per_minute: Some(10),
                concurrent: Some(3),
            },
        ),
        (
            Plan::Enterprise,
            PlanLimits {
                requests_per_minute: Some(200),
                concurrent: Some(20),
            },
        ),
    ],
    // page, "max_tokens": combined input + output context ceiling is 32,768
    context_tokens: Some(32_768),
    // Nothing is documented, so the decoder looks for reasoning everywhere.
    reasoning: ReasoningPlace::Detect,
    // spec: ElectronMessage has role, content, tool_calls and tool_call_id, and nothing beside them
    takes_reasoning: false,
    reasoning_overrides: false,
    endpoints: &[],
    // The first token is promised in 300 ms (overview): twenty seconds of nothing is a failure, not patience.
    first_token_ms: 20_000.0,
    limits_by_key: true,
    cooldown_ms: None,
};
