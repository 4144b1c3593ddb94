//! The request: every field of Electron and ElectronHub, OpenAI's common ones, and room for the rest.
//!
//! Ranges in the comments are the services' documented ones. They are checked by `policy::validate`, per provider,
//! not by these types: what one server refuses another accepts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;
use super::message::Message;
use super::open_enum::open_enum;
use super::tool::{Tool, ToolChoice};

/// A chat completion request. Unset fields are not sent; unknown ones are kept in [`extra`](Self::extra) and sent as
/// they are.
///
/// ```
/// use chatwire::chat::{ChatCompletionRequest, Message};
///
/// let request = ChatCompletionRequest::new("electron", vec![Message::user("Tell me a fun fact.")])
///     .temperature(0.4)
///     .max_tokens(200)
///     .stream_with_usage();
/// assert_eq!(
///     serde_json::to_string(&request).unwrap(),
///     r#"{"model":"electron","messages":[{"role":"user","content":"Tell me a fun fact."}],"temperature":0.4,"max_tokens":200,"stream":true,"stream_options":{"include_usage":true}}"#,
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChatCompletionRequest {
    /// The model's name. Empty: left out, for the client to fill with its provider's default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Randomness, 0 to 2 (default 1).
    #[serde(default, serialize_with = "lenient::number", skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1 (default 1).
    #[serde(default, serialize_with = "lenient::number", skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sampling from the k likeliest tokens (ElectronHub).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Most output tokens, at least 1. On Electron input and output share 32,768; on ElectronHub reasoning counts too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// OpenAI's newer name for `max_tokens`, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    /// How many answers. More than 1 is refused by Electron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Whether the answer comes as an event stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// The parts that the stream carries besides the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// Tools the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Whether, and which, tool it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The shape of the answer. Electron documents `text` and `json_object`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// Where to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Asks for the same answer to the same request, as far as the server can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Token id to bias.
    #[serde(
        default,
        serialize_with = "lenient::numbers",
        skip_serializing_if = "Option::is_none"
    )]
    pub logit_bias: Option<BTreeMap<String, f64>>,
    /// Whether log probabilities come with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many likely tokens at each place, 0 to 20; needs `logprobs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u64>,
    /// Towards new subjects, -2 to 2 (default 0).
    #[serde(default, serialize_with = "lenient::number", skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Against repetition, -2 to 2 (default 0).
    #[serde(default, serialize_with = "lenient::number", skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Names the end user; not interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether the model searches the web (ElectronHub).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_search: Option<bool>,
    /// A model's own thinking settings (ElectronHub).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Map<String, Value>>,
    /// How much to reason; ignored by models that do not (ElectronHub, OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// How reasoning is done and shown (ElectronHub).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// The field reasoning comes in: shorthand for `reasoning.delta_field` (ElectronHub).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_delta_field: Option<ReasoningField>,
    /// `true` is shorthand for the field name `reasoning_content` (ElectronHub).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content_compat: Option<bool>,
    /// Labels for the stored completion (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Whether the completion is stored (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// The tier to be served by (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// `low`, `medium` or `high` (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<String>,
    /// Groups requests with one prefix for its cache (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache_key: Option<String>,
    /// Names the end user for abuse detection, best hashed (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<String>,
    /// `text`, `audio` (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modalities: Option<Vec<String>>,
    /// Any other field: sent as it is.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ChatCompletionRequest {
    /// A request with nothing but a model and a conversation.
    #[must_use]
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self {
            model: model.into(),
            messages,
            ..Self::default()
        }
    }

    /// Randomness, 0 to 2.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> Self {
        Self {
            temperature: Some(temperature),
            ..self
        }
    }

    /// Nucleus sampling, 0 to 1.
    #[must_use]
    pub fn top_p(self, top_p: f64) -> Self {
        Self {
            top_p: Some(top_p),
            ..self
        }
    }

    /// Most output tokens.
    #[must_use]
    pub fn max_tokens(self, max_tokens: u64) -> Self {
        Self {
            max_tokens: Some(max_tokens),
            ..self
        }
    }

    /// Strings to stop at; the answer does not contain them.
    #[must_use]
    pub fn stop<T: Into<String>>(self, stop: impl IntoIterator<Item = T>) -> Self {
        Self {
            stop: Some(Stop::Many(stop.into_iter().map(Into::into).collect())),
            ..self
        }
    }

    /// Asks for the same answer to the same request.
    #[must_use]
    pub fn seed(self, seed: i64) -> Self {
        Self {
            seed: Some(seed),
            ..self
        }
    }

    /// An event stream, without its usage.
    #[must_use]
    pub fn stream(self) -> Self {
        Self {
            stream: Some(true),
            ..self
        }
    }

    /// An event stream whose last chunk counts the tokens: without it, a streamed call's cost is an estimate.
    #[must_use]
    pub fn stream_with_usage(self) -> Self {
        let options = StreamOptions {
            include_usage: Some(true),
            extra: Map::new(),
        };
        Self {
            stream: Some(true),
            stream_options: Some(options),
            ..self
        }
    }

    /// Tools the model may call.
    #[must_use]
    pub fn tools(self, tools: Vec<Tool>) -> Self {
        Self {
            tools: Some(tools),
            ..self
        }
    }

    /// Whether, and which, tool it calls.
    #[must_use]
    pub fn tool_choice(self, tool_choice: ToolChoice) -> Self {
        Self {
            tool_choice: Some(tool_choice),
            ..self
        }
    }

    /// The shape of the answer.
    #[must_use]
    pub fn response_format(self, response_format: ResponseFormat) -> Self {
        Self {
            response_format: Some(response_format),
            ..self
        }
    }

    /// How much to reason.
    #[must_use]
    pub fn reasoning_effort(self, effort: ReasoningEffort) -> Self {
        Self {
            reasoning_effort: Some(effort),
            ..self
        }
    }

    /// A field this type does not know, sent as it is.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(field.into(), value.into());
        self
    }
}

/// The parts that a stream carries besides the answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StreamOptions {
    /// Ends the stream with a chunk that has `usage` and no choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_usage: Option<bool>,
    /// Any other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The shape of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseFormat {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The schema of a `json_schema` format (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<JsonSchemaFormat>,
    /// Any other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ResponseFormat {
    /// Plain text, the default.
    #[must_use]
    pub fn text() -> Self {
        Self {
            kind: "text".to_owned(),
            json_schema: None,
            extra: Map::new(),
        }
    }

    /// Some JSON object; the prompt has to ask for JSON as well.
    #[must_use]
    pub fn json_object() -> Self {
        Self {
            kind: "json_object".to_owned(),
            ..Self::text()
        }
    }

    /// JSON that follows a schema. Not documented by Electron.
    #[must_use]
    pub fn json_schema(name: impl Into<String>, schema: Value) -> Self {
        let format = JsonSchemaFormat {
            name: name.into(),
            schema: Some(schema),
            description: None,
            strict: Some(true),
            extra: Map::new(),
        };
        Self {
            kind: "json_schema".to_owned(),
            json_schema: Some(format),
            extra: Map::new(),
        }
    }
}

/// A named JSON Schema for the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JsonSchemaFormat {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// The purpose of the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Whether it is followed exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Any other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Where to stop: a string or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stop {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

open_enum! {
    /// How much to reason.
    ReasoningEffort {
        /// Not at all; hides reasoning on OpenAI-shaped models only.
        None = "none",
        /// As little as possible.
        Minimal = "minimal",
        /// Little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// Much.
        High = "high",
        /// As much as possible.
        Xhigh = "xhigh",
    }
}

open_enum! {
    /// The field reasoning comes in.
    ReasoningField {
        /// `reasoning`.
        Reasoning = "reasoning",
        /// `reasoning_content`.
        ReasoningContent = "reasoning_content",
    }
}

/// How reasoning is done and shown (ElectronHub).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reasoning {
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<ReasoningEffort>,
    /// Whether reasoning is left out of the answer. Its tokens are billed all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<bool>,
    /// The field it comes in, whatever the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_field: Option<ReasoningField>,
    /// Any other field.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
