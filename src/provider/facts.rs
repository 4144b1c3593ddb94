//! The vocabulary of a provider's file: what it can do, what it sells, where its reasoning appears.

use super::rules::{MessageRules, Rule};
use crate::usage::Prices;

/// A built-in provider, as its file writes it down.
pub(super) struct Defaults {
    pub(super) name: &'static str,
    pub(super) base_url: &'static str,
    pub(super) hosts: &'static [&'static str],
    pub(super) key_variable: &'static str,
    pub(super) default_model: Option<&'static str>,
    pub(super) models: &'static [&'static str],
    pub(super) capabilities: Capabilities,
    pub(super) rules: &'static [Rule],
    pub(super) nullable: bool,
    pub(super) messages: MessageRules,
    pub(super) prices: Option<Prices>,
    pub(super) plans: &'static [(Plan, PlanLimits)],
    pub(super) context_tokens: Option<u64>,
    pub(super) reasoning: ReasoningPlace,
    pub(super) takes_reasoning: bool,
    pub(super) reasoning_overrides: bool,
    pub(super) endpoints: &'static [Endpoint],
    pub(super) first_token_ms: f64,
    pub(super) limits_by_key: bool,
    pub(super) cooldown_ms: Option<f64>,
}

/// The capabilities of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// `response_format: { type: "json_schema" }`.
    pub json_schema: bool,
    /// `stream_options: { include_usage: true }`.
    pub stream_usage: bool,
}

/// A plan by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// `standard`.
    Standard,
    /// `enterprise`.
    Enterprise,
}

/// How much may be asked at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// Requests within any 60 seconds.
    pub requests_per_minute: Option<u32>,
    /// Requests being answered at one time.
    pub concurrent: Option<u32>,
}

/// A variant of a provider's base URL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Endpoint {
    /// The name that the option `endpoint` has for it, and the last part of its path.
    pub name: &'static str,
    /// Where it is.
    pub base_url: &'static str,
    /// Where reasoning appears there.
    pub reasoning: ReasoningPlace,
}

/// Where reasoning appears in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningPlace {
    /// Nowhere: the request hides it. A text that looks like a tag is text.
    None,
    /// In this field, beside `content`.
    Field(&'static str),
    /// In `content`, between `<think>` and `</think>`.
    Tags,
    /// Unknown: the decoder looks for all of these.
    Detect,
}

impl ReasoningPlace {
    /// The place by the word that options use: `reasoning`, `reasoning_content`, `tags`, `none`, `detect`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "reasoning" => Self::Field("reasoning"),
            "reasoning_content" => Self::Field("reasoning_content"),
            "tags" => Self::Tags,
            "none" => Self::None,
            "detect" => Self::Detect,
            _ => return None,
        })
    }

    /// The word that options use for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Field(name) => name,
            Self::Tags => "tags",
            Self::Detect => "detect",
        }
    }
}
