//! Tools a model may call, how it is made to, and the calls it makes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;
use super::open_enum::open_enum;

/// A tool the model may call.
///
/// Electron's reference contradicts itself: its schema puts `name` beside `type`, its prose and every example nest it
/// under `function`, as OpenAI does. Both are read and written back as they came; [`Tool::function`] makes the nested
/// one.
///
/// ```
/// use chatwire::chat::Tool;
/// use serde_json::json;
///
/// let tool = Tool::function("get_weather", json!({ "type": "object", "properties": { "city": { "type": "string" } } }))
///     .described("Current weather in a city");
/// assert_eq!(tool.name(), Some("get_weather"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// `function`; OpenAI also knows `custom`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The nested definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionDefinition>,
    /// The flat shape's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The flat shape's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The flat shape's JSON Schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Tool {
    /// A function with a JSON Schema for its parameters.
    #[must_use]
    pub fn function(name: impl Into<String>, parameters: Value) -> Self {
        let function = FunctionDefinition {
            name: name.into(),
            description: None,
            parameters: Some(parameters),
            strict: None,
            extra: Map::new(),
        };
        Self {
            kind: "function".to_owned(),
            function: Some(function),
            name: None,
            description: None,
            parameters: None,
            extra: Map::new(),
        }
    }

    /// The same tool with a description for the model.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        match &mut self.function {
            Some(function) => function.description = Some(description.into()),
            None => self.description = Some(description.into()),
        }
        self
    }

    /// The name, in whichever shape the tool is.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.function
            .as_ref()
            .map(|function| function.name.as_str())
            .or(self.name.as_deref())
    }
}

/// A function's name, what it is for, and its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionDefinition {
    /// The name the model calls it by.
    pub name: String,
    /// The purpose of the function, for the model to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of the parameters. Absent: no parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Whether the arguments must follow the schema exactly (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

open_enum! {
    /// Whether the model calls tools. ElectronHub documents only `none` and `auto`.
    ToolChoiceMode {
        /// The model decides.
        Auto = "auto",
        /// At least one call.
        Required = "required",
        /// No calls.
        None = "none",
    }
}

/// Whether, and which, tool the model calls.
///
/// ```
/// use chatwire::chat::ToolChoice;
///
/// let forced = serde_json::to_string(&ToolChoice::function("get_weather")).unwrap();
/// assert_eq!(forced, r#"{"type":"function","function":{"name":"get_weather"}}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolChoice {
    /// `auto`, `required` or `none`.
    Mode(ToolChoiceMode),
    /// This one.
    Named(NamedToolChoice),
    /// Something else (OpenAI's `allowed_tools`), kept as it came.
    Other(Value),
}

impl ToolChoice {
    /// The model decides.
    pub const AUTO: Self = Self::Mode(ToolChoiceMode::Auto);
    /// At least one call.
    pub const REQUIRED: Self = Self::Mode(ToolChoiceMode::Required);
    /// No calls.
    pub const NONE: Self = Self::Mode(ToolChoiceMode::None);

    /// The function with this name must be called.
    #[must_use]
    pub fn function(name: impl Into<String>) -> Self {
        Self::Named(NamedToolChoice {
            kind: "function".to_owned(),
            function: FunctionName { name: name.into() },
        })
    }
}

/// `{ "type": "function", "function": { "name": … } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedToolChoice {
    /// `function`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which.
    pub function: FunctionName,
}

/// A function, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionName {
    /// As in the request's `tools`.
    pub name: String,
}

/// A call the model asks for, whole.
///
/// ```
/// use chatwire::chat::{Message, ToolCall};
///
/// let call = ToolCall::function("call_1", "get_weather", r#"{"city":"Pune"}"#);
/// let turns = [Message::calls(vec![call]), Message::tool("call_1", "31 degrees, dry")];
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Names the call; its result carries it as `tool_call_id`.
    #[serde(default, deserialize_with = "text")]
    pub id: String,
    /// `function`.
    #[serde(rename = "type", default = "function")]
    pub kind: String,
    /// The function to call, and its arguments.
    pub function: FunctionCall,
    /// Every other field, as it came: some servers want theirs back (`thought_signature`).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn function() -> String {
    "function".to_owned()
}

fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(lenient::option(deserializer)?.unwrap_or_default())
}

impl ToolCall {
    /// A function call; `arguments` is JSON text.
    #[must_use]
    pub fn function(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: function(),
            function: FunctionCall {
                name: name.into(),
                arguments: arguments.into(),
                extra: Map::new(),
            },
            extra: Map::new(),
        }
    }
}

/// A function's name and its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// As in the request's `tools`.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// JSON text, as the model wrote it: it may not be valid JSON. A server that sends an object gives its JSON here.
    #[serde(default, deserialize_with = "lenient::arguments")]
    pub arguments: String,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A piece of a tool call in a stream. Pieces with one `index` belong to one call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ToolCallDelta {
    /// Which call of this choice, from 0. Some servers leave it out.
    #[serde(
        default,
        deserialize_with = "lenient::whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub index: Option<u64>,
    /// The call's id, in its first piece.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub id: Option<String>,
    /// `function`, in its first piece.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<String>,
    /// More of the name or the arguments.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub function: Option<FunctionCallDelta>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// More of a function call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FunctionCallDelta {
    /// The name, in the first piece.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    /// The next piece of JSON text.
    #[serde(default, deserialize_with = "piece", skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn piece<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    lenient::arguments(deserializer).map(Some)
}
