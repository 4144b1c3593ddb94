//! Tool calls put together from their deltas, however a server numbers, names and cuts them.

use super::Context;
use super::extras::Extras;
use super::repairs::Repair;
use super::scan::{Extra, Field};
use crate::json::{Kind, Malformed, Reader, Text, Writer, integer, is_json};
use crate::policy::estimate::Estimate;

#[derive(Debug, Default)]
pub(super) struct ToolCall {
    /// The server's own number for it, if it gave one.
    index: Option<u64>,
    id: String,
    name: String,
    pub(super) arguments: Text,
    extras: Extras,
    function_extras: Extras,
    /// `tool_call.start` is out.
    started: bool,
    /// `tool_call.done` is out.
    done: bool,
    /// The arguments are a whole JSON value.
    complete: bool,
}

impl ToolCall {
    /// The call as it stands in a message.
    pub(super) fn write(&self, out: &mut Writer) {
        out.comma().raw(b"{").member("id", &self.id).member("type", "function").key("function").raw(b"{");
        out.member("name", &self.name).member("arguments", self.arguments.as_str());
        self.function_extras.write(out);
        out.raw(b"}");
        self.extras.write(out);
        out.raw(b"}");
    }

    /// The call as an outcome lists it.
    pub(super) fn write_summary(&self, out: &mut Writer) {
        out.comma().raw(b"{").member("id", &self.id).member("name", &self.name);
        out.member("arguments", self.arguments.as_str()).key("complete").bool(self.complete).raw(b"}");
    }

    pub(super) fn estimate(&self, estimate: &mut Estimate) {
        estimate.tool_call();
        estimate.push(&self.name);
        estimate.push(self.arguments.as_str());
    }

    pub(super) fn is_whole(&self) -> bool {
        self.complete
    }

    fn is_named(&self) -> bool {
        !self.name.is_empty()
    }
}

/// One item of a `tool_calls` list.
#[derive(Debug, Default)]
struct Item<'a> {
    index: Option<u64>,
    id: Field<'a>,
    name: Field<'a>,
    arguments: Field<'a>,
    extras: Vec<Extra<'a>>,
    function_extras: Vec<Extra<'a>>,
}

impl<'a> Item<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut item = Item::default();
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match key {
                b"index" => item.index = integer(reader.value()?),
                b"id" => item.id = field(reader)?,
                b"type" => drop(reader.value()?),
                b"function" if reader.kind()? == Kind::Object => item.read_function(reader)?,
                _ => item.extras.push((key, reader.value()?)),
            }
        }
        Ok(item)
    }

    fn read_function(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match key {
                b"name" => self.name = field(reader)?,
                b"arguments" => self.arguments = field(reader)?,
                _ => self.function_extras.push((key, reader.value()?)),
            }
        }
        Ok(())
    }
}

fn field<'a>(reader: &mut Reader<'a>) -> Result<Field<'a>, Malformed> {
    match reader.kind()? {
        Kind::String => reader.string().map(Field::Str),
        Kind::Null => reader.value().map(|_| Field::Null),
        _ => reader.value().map(Field::Other),
    }
}

/// The tool calls of one choice.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<ToolCall>,
    /// The call that a delta without any mark belongs to.
    latest: usize,
}

impl ToolCalls {
    pub(super) fn calls(&self) -> &[ToolCall] {
        &self.calls
    }

    /// Takes a `tool_calls` value, which was read once already. `whole`: from a message, where calls have no index.
    pub(super) fn take(&mut self, raw: &[u8], whole: bool, context: &mut Context<'_>) -> Result<(), super::Refusal> {
        let mut reader = Reader::new(raw);
        let items = read_items(&mut reader).unwrap_or_default();
        for item in items {
            self.take_item(item, whole, context)?;
        }
        Ok(())
    }

    /// Takes a `function_call`, the form before tool calls: one call a choice.
    pub(super) fn take_function(&mut self, raw: &[u8], context: &mut Context<'_>) -> Result<(), super::Refusal> {
        let mut item = Item { index: Some(0), ..Item::default() };
        if item.read_function(&mut Reader::new(raw)).is_err() {
            return Ok(());
        }
        context.repair(Repair::ToolFunctionCall)?;
        self.take_item(item, true, context)
    }

    fn take_item(&mut self, item: Item<'_>, whole: bool, context: &mut Context<'_>) -> Result<(), super::Refusal> {
        if item.index.is_none() && !whole {
            context.repair(Repair::ToolNoIndex)?;
        }
        let at = self.find(&item, context)?;
        self.latest = at;
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if call.id.is_empty() {
            match item.id {
                Field::Str(id) => call.id = id.to_text(),
                Field::Other(raw) => call.id = String::from_utf8_lossy(raw).into_owned(),
                _ => {}
            }
        }
        if let Field::Str(name) = item.name {
            let name = name.to_text();
            if call.name.is_empty() {
                call.name = name;
            } else if !name.is_empty() && !call.started {
                // Not announced yet, so a name in pieces can still be put together; one sent again is the same name.
                context.repair(Repair::ToolNameRepeated)?;
                if name.starts_with(&call.name) {
                    call.name = name;
                } else {
                    call.name.push_str(&name);
                }
            } else if !name.is_empty() {
                context.repair(Repair::ToolNameRepeated)?;
            }
        }
        call.extras.keep(&item.extras);
        call.function_extras.keep(&item.function_extras);
        let from = call.arguments.as_str().len();
        match item.arguments {
            Field::Str(piece) => call.arguments.push(piece),
            Field::Other(raw) => {
                context.repair(Repair::ToolArgumentsNotText)?;
                call.arguments.push_str(&String::from_utf8_lossy(raw));
            }
            Field::Null => context.repair(Repair::ToolArgumentsNotText)?,
            Field::Absent => {}
        }
        if call.arguments.as_str().len() > context.limits.max_tool_call_bytes {
            return Err(super::Refusal::limit("limit.tool_call_bytes", "A tool call's arguments grew past `limits.maxToolCallBytes`."));
        }
        let announce = call.is_named() && (!call.id.is_empty() || call.arguments.as_str().len() > from);
        if !call.started && announce {
            self.start(at, context)?;
            self.delta(at, 0, context);
        } else if self.calls[at].started {
            self.delta(at, from, context);
        }
        Ok(())
    }

    /// Which call an item belongs to; a new one where it belongs to none.
    fn find(&mut self, item: &Item<'_>, context: &mut Context<'_>) -> Result<usize, super::Refusal> {
        let id = match item.id {
            Field::Str(id) if !id.is_empty() => Some(id.to_text()),
            _ => None,
        };
        let named = item.name.text().is_some();
        let known = match (item.index, &id) {
            (Some(index), _) => self.calls.iter().rposition(|call| call.index == Some(index)),
            (None, Some(id)) => self.calls.iter().rposition(|call| call.id == *id),
            (None, None) => {
                let latest = self.latest;
                self.calls.get(latest).filter(|call| !named || !call.is_named()).map(|_| latest)
            }
        };
        let Some(at) = known else {
            return Ok(self.open(item.index));
        };
        let call = &self.calls[at];
        let other_id = id.as_ref().is_some_and(|id| !call.id.is_empty() && call.id != *id && named);
        let second = id.is_none() && named && call.is_named() && is_object(call.arguments.as_str());
        if item.index.is_some() && (other_id || second) {
            context.repair(Repair::ToolIndexReused)?;
            return Ok(self.open(item.index));
        }
        Ok(at)
    }

    fn open(&mut self, index: Option<u64>) -> usize {
        self.calls.push(ToolCall { index, ..ToolCall::default() });
        self.calls.len() - 1
    }

    fn start(&mut self, at: usize, context: &mut Context<'_>) -> Result<(), super::Refusal> {
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        call.started = true;
        if call.id.is_empty() {
            context.repair(Repair::ToolIdMadeUp)?;
            // Unique within a conversation because the completion's id is in it.
            let mut id = Writer::default();
            id.raw(b"call_").raw(context.completion_id.as_bytes()).raw(b"_").integer(context.choice).raw(b"_");
            call.id = id.integer(at as u64).take_string();
        }
        if context.output.wants_events() {
            let event = context.output.event("tool_call.start", context.choice);
            event.key("index").integer(at as u64).member("id", &call.id).member("name", &call.name).raw(b"}");
        }
        Ok(())
    }

    fn delta(&self, at: usize, from: usize, context: &mut Context<'_>) {
        let Some(piece) = self.calls.get(at).and_then(|call| call.arguments.as_str().get(from..)) else { return };
        if context.output.wants_events() && !piece.is_empty() {
            let event = context.output.event("tool_call.delta", context.choice);
            event.key("index").integer(at as u64).member("arguments", piece).raw(b"}");
        }
    }

    /// The choice has finished (`finished`) or its stream has: settles every call, and says so where the choice finished.
    pub(super) fn end(&mut self, finished: bool, context: &mut Context<'_>) -> Result<(), super::Refusal> {
        for at in 0..self.calls.len() {
            if self.calls[at].done {
                continue;
            }
            if !self.calls[at].started && (finished || !self.calls[at].name.is_empty()) {
                self.start(at, context)?;
            }
            let call = &mut self.calls[at];
            call.arguments.end();
            if finished && call.arguments.as_str().trim().is_empty() {
                context.repair(Repair::ToolArgumentsEmpty)?;
                call.arguments = Text::default();
                call.arguments.push_str("{}");
            }
            call.complete = is_json(call.arguments.as_str().as_bytes());
            if !finished {
                continue;
            }
            call.done = true;
            if context.output.wants_events() {
                let event = context.output.event("tool_call.done", context.choice);
                event.key("index").integer(at as u64).member("id", &call.id).member("name", &call.name);
                event.member("arguments", call.arguments.as_str()).key("complete").bool(call.complete).raw(b"}");
            }
        }
        Ok(())
    }
}

fn read_items<'a>(reader: &mut Reader<'a>) -> Result<Vec<Item<'a>>, Malformed> {
    let mut items = Vec::new();
    if reader.kind()? == Kind::Object {
        items.push(Item::read(reader)?);
        return Ok(items);
    }
    let mut first = true;
    reader.array()?;
    while reader.element(&mut first)? {
        match reader.kind()? {
            Kind::Object => items.push(Item::read(reader)?),
            _ => drop(reader.value()?),
        }
    }
    Ok(items)
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && is_json(text.as_bytes())
}
