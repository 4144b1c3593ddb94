//! The repairs that the decoder made, counted by kind.

/// One kind of repair. The code is what users see; `docs/dialects.md` says who needs it and what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Repair {
    /// The last event lacked the blank line that closes it.
    UnfinishedEvent,
    /// An event's data was not UTF-8.
    InvalidUtf8,
    /// A keep-alive was sent as data.
    KeepAliveData,
    /// An event had empty data.
    EmptyData,
    /// The field name again within the data: `data: data: …`.
    DoubledField,
    /// Several values in one event: the blank lines between events are missing.
    NoBlankLine,
    /// JSON without a field name before it.
    NoFieldName,
    /// `[DONE]` with white space or quotes around it, or in other case.
    PaddedDone,
    /// The body ended after every finish reason, without `[DONE]`.
    NoDone,
    /// `[DONE]` came without any finish reason.
    NoFinishReason,
    /// A JSON document where an event stream was asked for.
    Json,
    /// An event stream where a JSON document was asked for.
    EventStream,
    /// An event that is not JSON.
    Malformed,
    /// A number that is none: `NaN` or `Infinity`.
    NotFinite,
    /// An event that is JSON, but no object.
    NotAnObject,
    /// No list of choices.
    NoChoices,
    /// A choice without a delta.
    NoDelta,
    /// A choice without an index among several.
    NoChoiceIndex,
    /// `message`, `text` or `response` in place of `delta`.
    MessageForDelta,
    /// Content that is a list of parts, or some other value than text.
    ContentParts,
    /// An empty finish reason, where `null` was meant.
    EmptyFinishReason,
    /// Text or reasoning that had been sent before.
    Repeated,
    /// The index of a choice numbers the chunks, or the blocks, of one answer.
    IndexCounts,
    /// Marks of a chat template in a name or in the text.
    TemplateMarks,
    /// Usage inside a choice or a vendor's own object.
    UsageMisplaced,
    /// Usage under other names than OpenAI's.
    UsageRenamed,
    /// A tool call without an index, or with one that is spelled as text.
    ToolNoIndex,
    /// One index for several tool calls, or several for one.
    ToolIndexReused,
    /// No id, none in time, or one that another call has: one was made up.
    ToolIdMadeUp,
    /// A name sent in pieces or again.
    ToolNameRepeated,
    /// Arguments that are not a string.
    ToolArgumentsNotText,
    /// No arguments at all, taken as `{}`.
    ToolArgumentsEmpty,
    /// Arguments that had been sent before.
    ToolArgumentsRepeated,
    /// Argument text that was no JSON, or JSON within a string.
    ToolArgumentsMended,
    /// A call of another form: `function_call`, or name and arguments without `function` around them.
    ToolFunctionCall,
    /// Another finish reason than `tool_calls` with tool calls.
    ToolFinishReason,
    /// Reasoning in more than one field.
    ReasoningTwice,
    /// Reasoning in `<think>` tags from a server not known for it.
    ReasoningTags,
    /// `</think>` without an opening tag: what was text so far is reasoning.
    ReasoningReclassified,
}

const CODES: [&str; 39] = [
    "framing.unfinished_event",
    "framing.invalid_utf8",
    "framing.keep_alive_data",
    "framing.empty_data",
    "framing.doubled_field",
    "framing.no_blank_line",
    "framing.no_field_name",
    "end.padded_done",
    "end.no_done",
    "end.no_finish_reason",
    "body.json",
    "body.event_stream",
    "chunk.malformed",
    "chunk.not_finite",
    "chunk.not_an_object",
    "chunk.no_choices",
    "chunk.no_delta",
    "chunk.no_index",
    "chunk.message_for_delta",
    "chunk.content_parts",
    "chunk.empty_finish_reason",
    "chunk.repeated",
    "chunk.index_counts",
    "chunk.template_marks",
    "usage.misplaced",
    "usage.renamed",
    "tool_call.no_index",
    "tool_call.index_reused",
    "tool_call.id_made_up",
    "tool_call.name_repeated",
    "tool_call.arguments_not_text",
    "tool_call.arguments_empty",
    "tool_call.arguments_repeated",
    "tool_call.arguments_mended",
    "tool_call.function_call",
    "tool_call.finish_reason",
    "reasoning.twice",
    "reasoning.tags",
    "reasoning.reclassified",
];

impl Repair {
    /// The codes of all repairs there are.
    pub const CODES: &'static [&'static str] = &CODES;

    /// The code in events, outcomes and errors.
    pub fn code(self) -> &'static str {
        CODES[self as usize]
    }
}

/// How often one repair was made, and at which event first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The kind of the repair.
    pub repair: Repair,
    /// The ordinal of the first event that needed it, from 0.
    pub at: u64,
    /// How often.
    pub count: u64,
}

/// The repairs of one stream. Bounded: one entry a kind.
#[derive(Debug, Default)]
pub struct Repairs(Vec<Count>);

impl Repairs {
    pub(super) fn add(&mut self, repair: Repair, at: u64) {
        match self.0.iter_mut().find(|entry| entry.repair == repair) {
            Some(entry) => entry.count += 1,
            None => self.0.push(Count { repair, at, count: 1 }),
        }
    }

    /// How many were made.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|entry| entry.count).sum()
    }

    /// One entry a kind, in the order they first occurred.
    pub fn counts(&self) -> &[Count] {
        &self.0
    }
}
