//! One event of a streamed answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::completion::{FinishReason, Logprobs};
use super::lenient;
use super::message::{Content, Role};
use super::tool::ToolCallDelta;
use super::usage::Usage;

/// A piece of an answer: the server's `chat.completion.chunk`.
///
/// A field that is missing, `null` or of another shape reads as absent rather than failing the chunk.
///
/// ```
/// use chatwire::chat::ChatCompletionChunk;
///
/// let chunk: ChatCompletionChunk = serde_json::from_str(r#"{"choices":[{"delta":{"content":"Hi"}}],"x":1}"#).unwrap();
/// assert_eq!(chunk.text(), "Hi");
/// assert_eq!(chunk.extra["x"], 1);
///
/// let usage_only: ChatCompletionChunk = serde_json::from_str(r#"{"choices":null}"#).unwrap();
/// assert!(usage_only.choices.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChatCompletionChunk {
    /// The completion's id, the same in every chunk.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub id: Option<String>,
    /// `chat.completion.chunk`.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub object: Option<String>,
    /// When the completion began, in seconds since 1970.
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub created: Option<u64>,
    /// The model that answers.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub model: Option<String>,
    /// The new part of each choice. Empty in the usage chunk that `stream_options.include_usage` asks for.
    #[serde(default, deserialize_with = "lenient::list")]
    pub choices: Vec<ChunkChoice>,
    /// Tokens so far; by the documentation only in the last chunk before `[DONE]`.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub usage: Option<Usage>,
    /// The tier that serves it (OpenAI).
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

impl ChatCompletionChunk {
    /// New text of choice 0; empty when this chunk has none.
    #[must_use]
    pub fn text(&self) -> String {
        let delta = self
            .choices
            .iter()
            .find(|choice| choice.index == 0)
            .and_then(|choice| choice.delta.as_ref());
        match delta.and_then(|delta| delta.content.as_ref()) {
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().filter_map(|part| part.text.as_deref()).collect(),
            _ => String::new(),
        }
    }
}

/// The new part of one choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChunkChoice {
    /// From 0; 0 where a server leaves it out.
    #[serde(default, deserialize_with = "lenient::count")]
    pub index: u64,
    /// The new pieces.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub delta: Option<Delta>,
    /// Why the choice ended, in its last chunk.
    #[serde(default, deserialize_with = "lenient::option")]
    pub finish_reason: Option<FinishReason>,
    /// Log probabilities of the new pieces.
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

/// New pieces of a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Delta {
    /// Usually in the first chunk only.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub role: Option<Role>,
    /// More content.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub content: Option<Content>,
    /// More of why the model declines (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub refusal: Option<String>,
    /// More reasoning, under ElectronHub's default name.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub reasoning: Option<String>,
    /// More reasoning, under the older name.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub reasoning_content: Option<String>,
    /// More of the tool calls.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallDelta>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
