//! One chunk, read in place: which of the fields the engine acts on are there, and the bytes they lie in.
//!
//! A chunk is read whole before anything of it is used, so that a malformed one changes nothing.

use super::ending::Taken;
use crate::json::{Kind, MAX_MEMBERS, Malformed, Reader, Str, count, match_bytes, members};
use crate::text::{joined, lossy};

/// The names under which servers send reasoning beside the content.
pub(super) const REASONING_FIELDS: [&str; 7] = [
    "reasoning",
    "reasoning_content",
    "reasoning_text",
    "thinking",
    "thinking_content",
    "reasoningContent",
    "thought",
];

/// A field whose type servers disagree on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Field<'a> {
    #[default]
    Absent,
    Null,
    Str(Str<'a>),
    /// Any other value, as it was sent.
    Other(&'a [u8]),
}

impl<'a> Field<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        match reader.kind()? {
            Kind::String => reader.string().map(Field::Str),
            Kind::Null => reader.value().map(|_| Field::Null),
            _ => reader.value().map(Field::Other),
        }
    }

    /// The field, unless it is missing, null or a switch.
    pub(super) fn some(self) -> Option<Self> {
        match self {
            Field::Absent | Field::Null | Field::Other(b"true" | b"false") => None,
            field => Some(field),
        }
    }

    /// The same, where a word for nothing stands for the empty string.
    fn or_blank(self) -> Self {
        match self {
            Field::Str(Str {
                raw: b"null" | b"None" | b"NULL",
                ..
            }) => Field::Str(Str::default()),
            field => field,
        }
    }

    /// Whether this is the empty string.
    pub(super) fn is_blank(self) -> bool {
        matches!(self, Field::Str(text) if text.is_empty())
    }

    pub(super) fn text(self) -> Option<Str<'a>> {
        match self {
            Field::Str(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

/// A member that the engine has no use for and keeps as it is.
pub(super) type Extra<'a> = (&'a [u8], &'a [u8]);

/// Adds a member that the engine has no use for, unless there are too many.
pub(super) fn add_extra<'a>(extras: &mut Vec<Extra<'a>>, key: &'a [u8], value: &'a [u8]) {
    if extras.len() < MAX_MEMBERS {
        extras.push((key, value));
    }
}

#[derive(Debug, Default)]
pub(super) struct Delta<'a> {
    pub(super) role: Field<'a>,
    pub(super) content: Field<'a>,
    pub(super) refusal: Field<'a>,
    pub(super) reasoning: [Field<'a>; REASONING_FIELDS.len()],
    pub(super) tool_calls: Option<&'a [u8]>,
    pub(super) function_call: Option<&'a [u8]>,
    pub(super) audio: Option<&'a [u8]>,
    pub(super) extras: Vec<Extra<'a>>,
}

impl<'a> Delta<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut delta = Delta::default();
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                b"content" => delta.content = Field::read(reader)?,
                b"role" => delta.role = Field::read(reader)?,
                b"refusal" => delta.refusal = Field::read(reader)?,
                b"tool_calls" => delta.tool_calls = not_null(reader)?,
                b"function_call" => delta.function_call = not_null(reader)?,
                b"audio" if matches!(reader.kind()?, Kind::Object | Kind::Null) => delta.audio = not_null(reader)?,
                _ => match REASONING_FIELDS.iter().position(|field| field.as_bytes() == key) {
                    Some(field) => delta.reasoning[field] = Field::read(reader)?,
                    None => add_extra(&mut delta.extras, key, reader.value()?),
                },
            })
        }
        Ok(delta)
    }
}

#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<u64>,
    /// The index is spelled as text.
    pub(super) is_index_text: bool,
    pub(super) delta: Option<Delta<'a>>,
    /// A delta is neither an object nor a text nor null.
    pub(super) has_odd_delta: bool,
    /// The delta came as a whole `message`, or as text: the `text` of the endpoint before chats, or in place of an object.
    pub(super) whole: bool,
    /// A `message` beside the delta: what came so far, or all of it in a document.
    pub(super) message: Option<&'a [u8]>,
    pub(super) finish_reason: Field<'a>,
    /// The finish reason came under another name, or in an object.
    pub(super) has_foreign_reason: bool,
    pub(super) logprobs: Option<&'a [u8]>,
    pub(super) usage: Option<&'a [u8]>,
    pub(super) error: Option<&'a [u8]>,
    pub(super) extras: Vec<Extra<'a>>,
}

impl<'a> Choice<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut choice = Choice::default();
        let mut text = None;
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                b"index" => {
                    let index = reader.value()?;
                    choice.index = count(index);
                    choice.is_index_text = choice.index.is_some() && index.first() == Some(&b'"');
                },
                b"delta" if reader.kind()? == Kind::Object => choice.delta = Some(Delta::read(reader)?),
                b"finish_reason" | b"finishReason" => {
                    let mut reason = Field::read(reader)?.or_blank();
                    let mut is_foreign = key == b"finishReason";
                    if let Field::Other(object) = reason {
                        reason = type_of(object);
                        is_foreign = true;
                    }
                    if !choice.has_foreign_reason || reason.text().is_some() {
                        choice.finish_reason = reason;
                        choice.has_foreign_reason = is_foreign && reason.text().is_some();
                    }
                },
                b"logprobs" => choice.logprobs = not_null(reader)?,
                b"message" if reader.kind()? == Kind::Object => choice.message = Some(reader.value()?),
                b"text" | b"delta" | b"message" if reader.kind()? == Kind::String => text = Some(reader.string()?),
                b"delta" | b"message" => choice.has_odd_delta |= not_null(reader)?.is_some(),
                b"usage" => choice.usage = not_null(reader)?,
                b"error" => choice.error = not_null(reader)?,
                _ => add_extra(&mut choice.extras, key, reader.value()?),
            })
        }
        if choice.delta.is_none() {
            choice.prefer_message()?;
            if let (None, Some(text)) = (&choice.delta, text) {
                choice.delta = Some(Delta {
                    content: Field::Str(text),
                    ..Delta::default()
                });
                choice.whole = true;
            }
        }
        Ok(choice)
    }

    /// Whether it is the end of a choice and nothing else.
    pub(super) fn is_end(&self) -> bool {
        self.finish_reason.some().is_some() && self.is_blank()
    }

    /// Whether it brings nothing of an answer, but perhaps a role and an end.
    pub(super) fn is_blank(&self) -> bool {
        let is_nothing = |field: &Field<'_>| field.is_blank() || field.some().is_none();
        let is_blank = |delta: &Delta<'_>| {
            is_nothing(&delta.content)
                && delta.reasoning.iter().all(is_nothing)
                && delta.tool_calls.is_none()
                && delta.function_call.is_none()
        };
        self.delta.as_ref().is_none_or(is_blank)
    }

    /// Takes the message, where there is one, in place of the delta.
    pub(super) fn prefer_message(&mut self) -> Result<(), Malformed> {
        if let Some(message) = self.message {
            self.delta = Some(Delta::read(&mut Reader::new(message))?);
            self.whole = true;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    /// Most chunks have one choice, so the first needs no list.
    pub(super) first: Option<Choice<'a>>,
    pub(super) more: Vec<Choice<'a>>,
    /// The chunk has more choices than are allowed.
    pub(super) has_too_many: bool,
    max_choices: usize,
    /// Whether `choices` is a list, empty or not.
    pub(super) has_choices: bool,
    /// The answer stands elsewhere than in a list of choices of its own.
    pub(super) is_foreign: bool,
    pub(super) usage: Option<&'a [u8]>,
    /// Usage inside a vendor's own object (`x_…`).
    pub(super) vendor_usage: Option<&'a [u8]>,
    /// An error, be it inside a choice or a vendor's own object.
    pub(super) error: Option<&'a [u8]>,
    /// The error of a choice or of a vendor's own object, while the chunk is read.
    inner_error: Option<&'a [u8]>,
    /// `"object": "error"` or `"type": "error"`: the whole chunk is one.
    pub(super) is_error: bool,
    pub(super) id: Field<'a>,
    pub(super) created: Option<&'a [u8]>,
    pub(super) model: Field<'a>,
    pub(super) obfuscation: Field<'a>,
    pub(super) extras: Vec<Extra<'a>>,
}

impl<'a> Chunk<'a> {
    /// Reads one chunk and what follows it must be white space.
    ///
    /// More than `max_choices` choices are noted, not collected.
    pub(super) fn read(reader: &mut Reader<'a>, max_choices: usize) -> Result<Self, Malformed> {
        Self::read_within(reader, max_choices, false)
    }

    fn read_within(reader: &mut Reader<'a>, max_choices: usize, is_enveloped: bool) -> Result<Self, Malformed> {
        let mut chunk = Chunk {
            max_choices,
            ..Chunk::default()
        };
        let (mut own_error, mut is_error, mut is_type_error) = (None, false, false);
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                // In the order in which most servers send them.
                b"id" => chunk.id = Field::read(reader)?,
                b"object" => is_error = reader.value()? == b"\"error\"",
                b"created" => chunk.created = not_null(reader)?,
                b"model" => chunk.model = Field::read(reader)?,
                b"choices" => chunk.read_choices(reader)?,
                b"usage" => chunk.usage = not_null(reader)?,
                b"error" | b"Error" => own_error = not_null(reader)?.filter(|error| is_said(error)),
                b"type" => {
                    let value = reader.value()?;
                    is_type_error = value == b"\"error\"";
                    add_extra(&mut chunk.extras, key, value);
                },
                // Padding that hides token lengths from an eavesdropper; a completion has none.
                b"obfuscation" => chunk.obfuscation = Field::read(reader)?,
                _ => chunk.read_other(key, reader.value()?),
            })
        }
        chunk.error = own_error.or(chunk.inner_error);
        chunk.is_error = is_error || is_type_error;
        if !chunk.has_choices && !chunk.extras.is_empty() {
            chunk.take_misplaced(is_enveloped)?;
        }
        Ok(chunk)
    }

    /// Takes an answer that stands elsewhere than in a list of choices.
    #[inline(never)] // a plain answer has no need of it
    fn take_misplaced(&mut self, is_enveloped: bool) -> Result<(), Malformed> {
        self.take_foreign(is_enveloped)?;
        if !is_enveloped && !self.has_choices {
            self.take_enveloped()?;
        }
        Ok(())
    }

    /// Takes an answer that stands in the chunk itself, not in a choice: `response`, or a `message`.
    #[cold]
    fn take_foreign(&mut self, is_enveloped: bool) -> Result<(), Malformed> {
        let mut choice = Choice::default();
        let mut delta = Delta::default();
        let mut is_answer = false;
        for (key, value) in &self.extras {
            let mut reader = Reader::new(value);
            match_bytes!(*key, {
                b"response" if is_enveloped || !matches!(value.first(), Some(b'{' | b'[')) => {
                    delta.content = Field::read(&mut reader)?;
                    is_answer = true;
                },
                b"tool_calls" if value.first() == Some(&b'[') => {
                    delta.tool_calls = Some(value);
                    is_answer = true;
                },
                b"message" if value.first() == Some(&b'{') => {
                    delta = Delta::read(&mut reader)?;
                    is_answer = true;
                },
                b"done_reason" => choice.finish_reason = Field::read(&mut reader)?,
                _ => {}
            })
        }
        if is_answer {
            let is_taken = |key: &[u8]| matches!(key, b"response" | b"tool_calls" | b"message" | b"done_reason");
            self.extras.retain(|(key, _)| !is_taken(key));
            choice.delta = Some(delta);
            choice.whole = true;
            self.has_choices = true;
            self.is_foreign = true;
            self.first = Some(choice);
        }
        Ok(())
    }

    /// Takes an answer or an error that a gateway put into an envelope: a chunk or a completion in one member of an object.
    #[cold]
    fn take_enveloped(&mut self) -> Result<(), Malformed> {
        const ENVELOPES: [&[u8]; 5] = [b"result", b"data", b"output", b"response", b"Response"];
        let is_envelope = |(key, value): &Extra<'_>| ENVELOPES.contains(key) && value.first() == Some(&b'{');
        let Some(at) = self.extras.iter().position(is_envelope) else {
            return Ok(());
        };
        let inner = Self::read_within(&mut Reader::new(self.extras[at].1), self.max_choices, true)?;
        if inner.first.is_none() && inner.error.is_none() {
            return Ok(());
        }
        self.extras.remove(at);
        self.usage = self.usage.or(inner.usage);
        self.vendor_usage = self.vendor_usage.or(inner.vendor_usage);
        self.error = self.error.or(inner.error);
        (self.first, self.more) = (inner.first, inner.more);
        (self.has_choices, self.has_too_many) = (inner.has_choices, inner.has_too_many);
        self.is_foreign = true;
        for (own, other) in [(&mut self.id, inner.id), (&mut self.model, inner.model)] {
            if own.text().is_none() {
                *own = other;
            }
        }
        self.created = self.created.or(inner.created);
        self.extras.extend(inner.extras);
        Ok(())
    }

    /// The counts that stand in the chunk itself, as Ollama has them, as usage.
    #[cold]
    #[inline(never)]
    pub(super) fn own_counts(&self) -> Option<Vec<u8>> {
        let output = lossy(self.extra("eval_count")?);
        let prompt = lossy(self.extra("prompt_eval_count").unwrap_or(b"null"));
        let usage = joined(&["{\"prompt_eval_count\":", &prompt, ",\"eval_count\":", &output, "}"]);
        Some(usage.into_bytes())
    }

    /// Takes a member that chunks seldom have.
    #[inline(never)] // so that its caller stays short
    fn read_other(&mut self, key: &'a [u8], value: &'a [u8]) {
        if key.starts_with(b"x_") && value.first() == Some(&b'{') {
            self.read_vendor(value);
        } else if matches!(key, b"usageMetadata" | b"usage_metadata" | b"token_usage") {
            self.vendor_usage = self
                .vendor_usage
                .or(Some(value).filter(|value| value.first() == Some(&b'{')));
        }
        add_extra(&mut self.extras, key, value);
    }

    fn read_vendor(&mut self, object: &'a [u8]) {
        for (name, value) in members(object) {
            match_bytes!(name, {
                b"usage" => self.vendor_usage = Some(value).filter(|value| *value != b"null"),
                b"error" => self.inner_error = self.inner_error.or(Some(value).filter(|error| is_said(error))),
                _ => {}
            })
        }
    }

    /// Of two lists the later counts, as for `JSON.parse`.
    fn read_choices(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        self.first = None;
        self.more.clear();
        (self.has_choices, self.has_too_many, self.inner_error) = (false, false, None);
        match reader.kind()? {
            Kind::Array => {}
            Kind::Object => {
                self.has_choices = true;
                self.is_foreign = true;
                return self.read_choice(reader);
            }
            _ => return reader.value().map(drop),
        }
        self.has_choices = true;
        let mut first = true;
        reader.array()?;
        while reader.element(&mut first)? {
            if reader.kind()? != Kind::Object {
                reader.value()?;
                continue;
            }
            self.read_choice(reader)?;
        }
        Ok(())
    }

    fn read_choice(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let choice = Choice::read(reader)?;
        self.inner_error = self.inner_error.or(choice.error.filter(|error| is_said(error)));
        if self.first.is_none() {
            self.first = Some(choice);
        } else if self.more.len() + 1 < self.max_choices {
            self.more.push(choice);
        } else {
            self.has_too_many = true;
        }
        Ok(())
    }

    /// A member by name, among those the engine keeps as they are.
    pub(super) fn extra(&self, name: &str) -> Option<&'a [u8]> {
        self.extras
            .iter()
            .find(|(key, _)| *key == name.as_bytes())
            .map(|(_, value)| *value)
    }
}

/// Whether an `error` member says that there is one: good chunks have `null` there, or something as empty.
fn is_said(error: &[u8]) -> bool {
    match_bytes!(error, { b"null" | b"false" | b"0" | b"\"\"" | b"{}" | b"[]" => false, _ => true })
}

/// The type of a finish reason that is an object: with it stands the text that the answer stopped at.
/// Not inlined: it is rare, and its copies cost more bytes than calls.
#[cold]
#[inline(never)]
fn type_of(reason: &[u8]) -> Field<'_> {
    let mut members = members(reason).into_iter();
    match members.find(|(name, _)| *name == b"type") {
        Some((_, [b'"', kind @ .., b'"'])) => Field::Str(Str::spelled(kind)),
        _ => Field::Null,
    }
}

fn not_null<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    reader
        .value()
        .map(|value| Some(value).filter(|value| *value != b"null"))
}

/// A part of a content that is a list of parts.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    Text(Str<'a>),
    Reasoning(Str<'a>),
}

/// The most levels of parts within a thought within a list of parts: the text is the server's.
const MAX_PART_DEPTH: u32 = 7;

/// Gives each part of a content that was sent as a list (or as one object) to `sink`, until it fails. A part that is neither text nor
/// reasoning is passed over.
pub(super) fn parts<'a>(raw: &'a [u8], sink: &mut dyn FnMut(Part<'a>) -> Taken) -> Taken {
    let mut result = Ok(());
    // `raw` was read once already, so nothing below can fail; otherwise the parts so far count.
    let _ = read_parts(&mut Reader::new(raw), false, 0, &mut |part| {
        if result.is_ok() {
            result = sink(part);
        }
    });
    result
}

fn read_parts<'a>(
    reader: &mut Reader<'a>,
    reasoning: bool,
    depth: u32,
    sink: &mut dyn FnMut(Part<'a>),
) -> Result<(), Malformed> {
    let kind = reader.kind()?;
    if depth > MAX_PART_DEPTH {
        return reader.value().map(drop);
    }
    match kind {
        Kind::String => {
            let text = reader.string()?;
            sink(if reasoning {
                Part::Reasoning(text)
            } else {
                Part::Text(text)
            });
        }
        Kind::Array => {
            let mut first = true;
            reader.array()?;
            while reader.element(&mut first)? {
                read_parts(reader, reasoning, depth + 1, sink)?;
            }
        }
        Kind::Object => {
            let mut thought = reasoning;
            // Members of one name count once, by the last.
            let mut bodies: Vec<Extra<'a>> = Vec::new();
            let mut first = true;
            reader.object()?;
            while let Some(key) = reader.member(&mut first)? {
                let value = reader.value()?;
                match key {
                    b"type" => {
                        thought |= matches!(value, b"\"thinking\"" | b"\"reasoning\"" | b"\"reasoning_text\"");
                    }
                    b"text" | b"thinking" | b"reasoning" | b"content" => {
                        bodies.retain(|(known, _)| *known != key);
                        bodies.push((key, value));
                    }
                    _ => {}
                }
            }
            for (_, body) in bodies {
                if !matches!(body.first(), Some(b'n' | b't' | b'f' | b'-' | b'0'..=b'9')) {
                    read_parts(&mut Reader::new(body), thought, depth + 1, sink)?;
                }
            }
        }
        Kind::Null => drop(reader.value()?),
        // A token that a gateway has read as JSON.
        Kind::Number | Kind::Bool => sink(Part::Text(Str::spelled(reader.value()?))),
    }
    Ok(())
}
