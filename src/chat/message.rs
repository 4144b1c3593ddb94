//! One turn of a conversation, as sent and as received.
//!
//! One flat type for every role: servers mix fields freely (a filler sentence beside tool calls, reasoning beside
//! content), and a turn that came from one server must go back to it with nothing lost.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;
use super::open_enum::open_enum;
use super::tool::ToolCall;

open_enum! {
    /// The author of a message. Electron documents `system`, `user`, `assistant` and `tool`; OpenAI adds `developer`.
    Role {
        /// Instructions that hold for the whole conversation.
        System = "system",
        /// OpenAI's newer name for instructions.
        Developer = "developer",
        /// The person.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// The result of a tool call.
        Tool = "tool",
    }
}

/// A message in a request or an answer.
///
/// ```
/// use chatwire::chat::{Message, Role};
///
/// let turns = [Message::system("Answer in one sentence."), Message::user("Why is the sky blue?")];
/// assert_eq!(turns[1].role, Role::User);
/// assert_eq!(turns[1].text(), "Why is the sky blue?");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The author. Some servers leave the role out of answers, which are then the assistant's.
    #[serde(default = "assistant", deserialize_with = "role")]
    pub role: Role,
    /// The content. `None` leaves the field out; [`Content::Null`] writes `null`, which Electron permits only on an
    /// assistant turn that carries tool calls.
    #[serde(default, deserialize_with = "content", skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The speaker's name, where one role has several speakers.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    /// The calls this assistant turn asks for. Empty: left out.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call a `tool` message answers. Required there.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tool_call_id: Option<String>,
    /// Why the model declined, in its words (OpenAI).
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub refusal: Option<String>,
    /// Reasoning under ElectronHub's default field name.
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub reasoning: Option<String>,
    /// Reasoning under the older field name (DeepSeek, ElectronHub's `/v1legacy`).
    #[serde(
        default,
        deserialize_with = "lenient::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub reasoning_content: Option<String>,
    /// Every other field, as it came; goes back with the turn.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn assistant() -> Role {
    Role::Assistant
}

fn role<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    Ok(lenient::option(deserializer)?.unwrap_or(Role::Assistant))
}

/// Without this, serde reads `null` as `None` and the difference between null and absent is gone.
fn content<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Content>, D::Error> {
    Content::deserialize(deserializer).map(Some)
}

impl Message {
    /// A message of any role.
    #[must_use]
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        Self {
            content: Some(content.into()),
            ..Self::empty(role)
        }
    }

    /// Instructions for the whole conversation.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, text.into())
    }

    /// Instructions for the whole conversation, by OpenAI's newer name for them.
    #[must_use]
    pub fn developer(text: impl Into<String>) -> Self {
        Self::new(Role::Developer, text.into())
    }

    /// A message of the user. For parts, such as images, see [`ContentPart`].
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, text.into())
    }

    /// An earlier turn of the model.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, text.into())
    }

    /// An earlier assistant turn that asked for tools and said nothing. Set `content` as well when it did.
    #[must_use]
    pub fn calls(tool_calls: Vec<ToolCall>) -> Self {
        Self {
            content: Some(Content::Null),
            tool_calls,
            ..Self::empty(Role::Assistant)
        }
    }

    /// The result of the call with this id.
    #[must_use]
    pub fn tool(tool_call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            tool_call_id: Some(tool_call_id.into()),
            ..Self::new(Role::Tool, text.into())
        }
    }

    /// The same message with a speaker's name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// All text of the content, parts joined; empty when there is none.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.content {
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().filter_map(|part| part.text.as_deref()).collect(),
            _ => String::new(),
        }
    }

    fn empty(role: Role) -> Self {
        Self {
            role,
            content: None,
            name: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            refusal: None,
            reasoning: None,
            reasoning_content: None,
            extra: Map::new(),
        }
    }
}

/// The content of a message.
///
/// Electron takes text or `null`; OpenAI and ElectronHub's vision models take parts too; Mistral answers in parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// `null`.
    Null,
    /// Plain text.
    Text(String),
    /// Typed parts.
    Parts(Vec<ContentPart>),
    /// Something else, kept as it came.
    Other(Value),
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<ContentPart>> for Content {
    fn from(parts: Vec<ContentPart>) -> Self {
        Self::Parts(parts)
    }
}

/// One part of a message: text, an image, reasoning, or what a server invents next.
///
/// ```
/// use chatwire::chat::{ContentPart, Message, Role};
///
/// let parts = vec![
///     ContentPart::text("What is in this picture?"),
///     ContentPart::image_url("https://example.com/cat.png"),
/// ];
/// let message = Message::new(Role::User, parts);
/// assert_eq!(message.text(), "What is in this picture?");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentPart {
    /// `text`, `image_url`, `input_audio`, `file`, `refusal`, `thinking`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The text of a `text` part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The image of an `image_url` part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<ImageUrl>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ContentPart {
    /// A text part.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: "text".to_owned(),
            text: Some(text.into()),
            image_url: None,
            extra: Map::new(),
        }
    }

    /// An image part, from a web address or a `data:` URL.
    #[must_use]
    pub fn image_url(url: impl Into<String>) -> Self {
        let image_url = ImageUrl {
            url: url.into(),
            detail: None,
            extra: Map::new(),
        };
        Self {
            kind: "image_url".to_owned(),
            text: None,
            image_url: Some(image_url),
            extra: Map::new(),
        }
    }
}

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageUrl {
    /// A web address or a `data:` URL.
    pub url: String,
    /// `auto`, `low` or `high` (OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every other field, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
