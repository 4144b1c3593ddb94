//! The options of a decoder.

use super::output::OutputKind;
use super::sentences::SentenceOptions;
use crate::attempt::Attempt;
use crate::provider::ReasoningPlace;
use crate::sse;
use crate::usage::TokenPrices;

/// How long to wait, in milliseconds. Only time spent waiting for the server counts, save for `total`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timeouts {
    /// For the first text, reasoning or tool call.
    pub first_token: Option<f64>,
    /// Between two of them, while nothing at all arrives.
    pub idle: Option<f64>,
    /// For both while something arrives that is no progress: comments, empty deltas, half an event. `None` stands for five
    /// times as long as without. Never less than `first_token` and `idle` themselves.
    pub keep_alive: Option<f64>,
    /// From the request to the end.
    pub total: Option<f64>,
}

/// Bounds on what one stream may hold. Past one the stream ends with a `ProtocolError` whose code names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of one event, or of a JSON document: 16 MiB.
    pub max_event_bytes: usize,
    /// Bytes of the arguments of one tool call: 16 MiB.
    pub max_tool_call_bytes: usize,
    /// Bytes of all that is kept of the stream, text, reasoning and tool calls among it: 64 MiB.
    pub max_stream_bytes: usize,
    /// Choices of one completion: 128.
    pub max_choices: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Bounds {
            max_event_bytes: sse::DEFAULT_MAX_EVENT_BYTES,
            max_tool_call_bytes: 16 * MIB,
            max_stream_bytes: 64 * MIB,
            max_choices: 128,
        }
    }
}

/// Which JSON is handed out as a value that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PartialValues {
    /// None.
    #[default]
    Off,
    /// Objects and lists: a text that starts like one.
    Containers,
    /// Any value, numbers and strings too.
    Any,
}

/// The options of a decoder, given before the first byte.
#[derive(Debug, Clone)]
pub struct Options {
    /// The kind of output that each push hands out.
    pub output: OutputKind,
    /// One JSON completion is expected, not an event stream.
    pub document: bool,
    /// How many choices the request asked for, its `n`; `None` where the request is not known.
    pub choices: Option<u64>,
    /// Where to look for reasoning.
    pub reasoning: ReasoningPlace,
    /// The server takes reasoning back: the turn to send back has it. Without, it is left out.
    pub returns_reasoning: bool,
    /// Refuse what would have to be repaired.
    pub strict: bool,
    /// Keep text and reasoning for the outcome. Without it they are only handed out.
    pub accumulate: bool,
    /// Hand out, among events, JSON values as they grow: the content of each choice, and the arguments of each tool call.
    ///
    /// Once a push at most, and for each of them, `{"type":"partial","choice":0,"edits":[…],"open":[…]}` (with the `index` of
    /// a tool call) says how to get from the value so far to the value now. An applier keeps a stack of open places, at first one list that receives the value
    /// as its only element. The first edit belongs to the top of the stack, which is popped before each further one: an edit
    /// of a list has elements to append, one of an object members to set, one of a string a string to append. Then each
    /// entry of `open` puts a child of the top onto the stack: a string names a member, `0` is the last element.
    pub partial: PartialValues,
    /// Cut the text of each choice into sentences: `sentence` events, and a time of the first.
    pub sentences: Option<SentenceOptions>,
    /// Recognise events that repeat the one before. Without it every event is read in full: slower, to the same result.
    pub predict: bool,
    /// For the cost; without them it is unknown.
    pub prices: Option<TokenPrices>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Bounds on the bytes and items held.
    pub bounds: Bounds,
    /// When the request was sent.
    pub started: f64,
    /// The time since 1970 in milliseconds when the clock stood at zero: with it the error of a stream says when to come back.
    pub epoch: Option<f64>,
    /// The attempts made until this answer came.
    pub attempts: Vec<Attempt>,
    /// Where the request went, if it was redirected, for the error of a body that is no answer.
    pub redirection: Option<String>,
    /// The server's id for the request.
    pub request_id: Option<String>,
    /// How many tokens the prompt probably has, for an estimate where the server counts nothing.
    pub prompt_tokens: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            output: OutputKind::None,
            document: false,
            choices: None,
            reasoning: ReasoningPlace::Detect,
            returns_reasoning: true,
            strict: false,
            accumulate: true,
            partial: PartialValues::Off,
            sentences: None,
            predict: true,
            prices: None,
            timeouts: Timeouts::default(),
            bounds: Bounds::default(),
            started: 0.0,
            epoch: None,
            attempts: Vec::new(),
            redirection: None,
            request_id: None,
            prompt_tokens: None,
        }
    }
}

/// Why a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server closed it.
    Closed,
    /// The connection was lost.
    Lost,
    /// The caller left.
    Aborted,
}
