//! The chat completions wire format: what is sent and what comes back.
//!
//! Two shapes of a request live here. The types round-trip for Rust callers: they know every documented field and
//! keep the rest. [`view`] only reads, accepts any value anywhere, and is what validation works on, so that a wrong
//! type becomes a problem with a path instead of a failure to read.
//!
//! A `null` in a known optional field reads as absent, which these APIs take for the same. Message content is the
//! exception, because there they do not.

mod chunk;
mod completion;
mod lenient;
mod message;
mod open_enum;
mod request;
mod tool;
mod usage;
pub mod view;

pub use chunk::{ChatCompletionChunk, ChunkChoice, Delta};
pub use completion::{ChatCompletion, Choice, FinishReason, Logprobs, TokenLogprob};
pub use message::{Content, ContentPart, ImageUrl, Message, Role};
pub use request::{
    ChatCompletionRequest, JsonSchemaFormat, Reasoning, ReasoningEffort, ReasoningField, ResponseFormat, Stop,
    StreamOptions,
};
pub use tool::{
    FunctionCall, FunctionCallDelta, FunctionDefinition, FunctionName, NamedToolChoice, Tool, ToolCall, ToolCallDelta,
    ToolChoice, ToolChoiceMode,
};
pub use usage::{CompletionTokensDetails, PromptTokensDetails, Usage};
