//! The answer to a request without `stream`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;
use super::message::Message;
use super::open_enum::open_enum;
use super::usage::Usage;

open_enum! {
    /// Why a choice ended.
    FinishReason {
        /// The model was done, or reached a stop string.
        Stop = "stop",
        /// `max_tokens`, or the context, was used up.
        Length = "length",
        /// The model asks for tools. Some servers say `stop` even then.
        ToolCalls = "tool_calls",
        /// A content filter cut the answer.
        ContentFilter = "content_filter",
    }
}

/// A whole answer: the server's `chat.completion`.
///
/// ```
/// use chatwire::chat::ChatCompletion;
///
/// let answer: ChatCompletion = serde_json::from_str(
///     r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"4"},"finish_reason":"stop"}],"usage":null}"#,
/// ).unwrap();
/// assert_eq!(answer.text(), "4");
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChatCompletion {
    /// The completion's id.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub id: Option<String>,
    /// `chat.completion`.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub object: Option<String>,
    /// When it was made, in seconds since 1970.
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub created: Option<u64>,
    /// The model that answered.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub model: Option<String>,
    /// The answers: one, unless `n` asked for more.
    #[serde(default, deserialize_with = "lenient::list")]
    pub choices: Vec<Choice>,
    /// The tokens that the completion used.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub usage: Option<Usage>,
    /// The tier that served it (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub service_tier: Option<String>,
    /// The backend's configuration (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub system_fingerprint: Option<String>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ChatCompletion {
    /// The first choice's text; empty when there is none.
    #[must_use]
    pub fn text(&self) -> String {
        self.choices
            .first()
            .and_then(|choice| choice.message.as_ref())
            .map(Message::text)
            .unwrap_or_default()
    }
}

/// One answer of a completion.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Choice {
    /// The index of the choice, from 0.
    #[serde(default, deserialize_with = "lenient::count")]
    pub index: u64,
    /// The assistant's turn.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub message: Option<Message>,
    /// Why it ended.
    #[serde(default, deserialize_with = "lenient::option")]
    pub finish_reason: Option<FinishReason>,
    /// Log probabilities, when `logprobs` asked for them.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub logprobs: Option<Logprobs>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Log probabilities of a choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Logprobs {
    /// The log probabilities of the content's tokens.
    #[serde(default, deserialize_with = "lenient::option")]
    pub content: Option<Vec<TokenLogprob>>,
    /// The log probabilities of the refusal's tokens.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub refusal: Option<Vec<TokenLogprob>>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A token and how likely it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// Its bytes in UTF-8: a token may be part of a character.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
    /// The other likely tokens at this place, when `top_logprobs` asked.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub top_logprobs: Option<Vec<TokenLogprob>>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
