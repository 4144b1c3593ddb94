//! The tokens that a call used. Their cost is in [`crate::usage`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;

/// Tokens of one call, counted by the server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens, cached and uncached together.
    #[serde(default, deserialize_with = "lenient::count")]
    pub prompt_tokens: u64,
    /// Output tokens, reasoning included.
    #[serde(default, deserialize_with = "lenient::count")]
    pub completion_tokens: u64,
    /// The sum.
    #[serde(default, deserialize_with = "lenient::count")]
    pub total_tokens: u64,
    /// The prompt tokens by kind.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub prompt_tokens_details: Option<PromptTokensDetails>,
    /// The completion tokens by kind.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub completion_tokens_details: Option<CompletionTokensDetails>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Usage {
    /// Prompt tokens served from the cache; 0 when the server names no number.
    ///
    /// Never more than `prompt_tokens`, of which they are a subset (Electron's reference, `UsagePromptTokensDetails`).
    #[must_use]
    pub fn cached_tokens(&self) -> u64 {
        let cached = self
            .prompt_tokens_details
            .as_ref()
            .and_then(|details| details.cached_tokens)
            .unwrap_or(0);
        cached.min(self.prompt_tokens)
    }

    /// Whether this is an estimate of the engine, for an answer whose tokens no server counted.
    #[must_use]
    pub fn is_estimated(&self) -> bool {
        self.extra.get("estimated") == Some(&Value::Bool(true))
    }

    /// Completion tokens spent on reasoning; 0 when the server names no number.
    #[must_use]
    pub fn reasoning_tokens(&self) -> u64 {
        self.completion_tokens_details
            .as_ref()
            .and_then(|details| details.reasoning_tokens)
            .unwrap_or(0)
    }
}

/// The prompt tokens by kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PromptTokensDetails {
    /// Prompt tokens served from the prefix cache, and billed at its price.
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub cached_tokens: Option<u64>,
    /// Prompt tokens of spoken input (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub audio_tokens: Option<u64>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The completion tokens by kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CompletionTokensDetails {
    /// Completion tokens of reasoning, billed whether shown or not.
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub reasoning_tokens: Option<u64>,
    /// Completion tokens of spoken output (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub audio_tokens: Option<u64>,
    /// Completion tokens of a prediction that came true (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub accepted_prediction_tokens: Option<u64>,
    /// Completion tokens of a prediction that did not come true, billed as well (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub rejected_prediction_tokens: Option<u64>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
