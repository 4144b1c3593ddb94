//! Tool calls put together from their deltas, however a server numbers, names and cuts them.

use super::Context;
use super::extras::Extras;
use super::output::Output;
use super::partial_json::PartialJson;
use super::repairs::Repair;
use super::scan::{Extra, Field};
use crate::json::{Kind, Malformed, Reader, Str, Text, Writer, integer, is_json, match_bytes, plain_length};
use crate::usage::Estimate;

#[derive(Debug, Default)]
pub(super) struct ToolCall {
    /// The server's own number for it, if it gave one.
    index: Option<u64>,
    id: String,
    /// The server's own id, where it came only after one had been made up.
    late_id: String,
    id_made_up: bool,
    name: String,
    arguments: Text,
    /// The arguments as a JSON value that grows, where that is wanted.
    partial: Option<Box<PartialJson>>,
    nesting: Nesting,
    /// The arguments are `{}` for want of any.
    filled: bool,
    extras: Extras,
    function_extras: Extras,
    /// `tool_call.start` is out.
    started: bool,
    /// `tool_call.done` is out.
    done: bool,
    /// The arguments are a whole JSON value.
    complete: bool,
}

/// What a call counts besides its strings. More than it takes, because all of them are looked through for each delta.
const CALL_BYTES: usize = 4096;

impl ToolCall {
    /// The call as it stands in a message; with `index`, as in a delta.
    pub(super) fn write(&self, index: Option<u64>, out: &mut Writer) {
        out.comma().raw(b"{");
        if let Some(index) = index {
            out.key("index").integer(index);
        }
        out.member("id", &self.id)
            .member("type", "function")
            .key("function")
            .raw(b"{");
        out.member("name", &self.name)
            .member("arguments", self.arguments.as_str());
        self.function_extras.write(out);
        out.raw(b"}");
        self.extras.write(out);
        out.raw(b"}");
    }

    /// The call as an outcome lists it.
    pub(super) fn write_summary(&self, out: &mut Writer) {
        out.comma().raw(b"{").member("id", &self.id).member("name", &self.name);
        out.member("arguments", self.arguments.as_str())
            .key("complete")
            .bool(self.complete)
            .raw(b"}");
    }

    /// How many tokens it probably is.
    pub(super) fn estimate(&self) -> u64 {
        let mut estimate = Estimate::default();
        estimate.tool_call();
        estimate.push(&self.name);
        estimate.push(self.arguments.as_str());
        estimate.tokens()
    }

    pub(super) fn is_whole(&self) -> bool {
        is_json(self.arguments.as_str().as_bytes())
    }

    fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    /// Whether this is the call that the server calls `id`.
    fn is_called(&self, id: &str) -> bool {
        if self.id_made_up {
            self.late_id == id
        } else {
            self.id == id
        }
    }

    /// Whether the server has not said what it calls this.
    fn has_no_id(&self) -> bool {
        if self.id_made_up {
            self.late_id.is_empty()
        } else {
            self.id.is_empty()
        }
    }

    fn push(&mut self, piece: Str<'_>) {
        let from = self.arguments.as_str().len();
        self.arguments.push(piece);
        self.follow(from);
    }

    fn push_raw(&mut self, json: &[u8]) {
        let from = self.arguments.as_str().len();
        self.arguments.push_str(&crate::text::lossy(json));
        self.follow(from);
    }

    /// Follows what was added to the arguments.
    fn follow(&mut self, from: usize) {
        let piece = self.arguments.as_str().get(from..).unwrap_or_default();
        self.nesting.feed(piece.as_bytes());
        if let Some(partial) = &mut self.partial {
            partial.feed(piece);
        }
    }

    /// Hands out what is new in the arguments of call `at`, once the call has been announced.
    fn hand_out_edits(&mut self, choice: u64, at: usize, output: &mut Output) {
        if let Some(partial) = self.partial.as_mut().filter(|_| self.started) {
            partial.hand_out(choice, Some(at as u64), output);
        }
    }
}

/// One item of a `tool_calls` list.
#[derive(Debug, Default)]
struct Item<'a> {
    index: Option<u64>,
    id: Field<'a>,
    name: Field<'a>,
    arguments: Field<'a>,
    /// It is not the first of its list, so it is not the call of the one before.
    follows: bool,
    extras: Vec<Extra<'a>>,
    function_extras: Vec<Extra<'a>>,
}

impl<'a> Item<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut item = Item::default();
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                b"index" => item.index = integer(reader.value()?),
                b"id" => item.id = field(reader)?,
                b"type" => {
                    reader.value()?;
                },
                b"function" if reader.kind()? == Kind::Object => item.read_function(reader)?,
                _ => item.extras.push((key, reader.value()?)),
            })
        }
        Ok(item)
    }

    fn is_blank(&self) -> bool {
        let arguments = match self.arguments {
            Field::Str(text) => !text.is_empty(),
            Field::Other(_) => true,
            _ => false,
        };
        let id = self.id.text().is_some() || matches!(self.id, Field::Other(_));
        !arguments && !id && self.name.text().is_none() && self.extras.is_empty() && self.function_extras.is_empty()
    }

    fn read_function(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                b"name" => self.name = field(reader)?,
                b"arguments" => self.arguments = field(reader)?,
                _ => self.function_extras.push((key, reader.value()?)),
            })
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

    /// Takes a `tool_calls` value, which was read once already; true when it brought something. `whole`: from a message,
    /// where calls have no index.
    pub(super) fn take(&mut self, raw: &[u8], whole: bool, context: &mut Context<'_>) -> Result<bool, super::Refusal> {
        let mut reader = Reader::new(raw);
        let items = read_items(&mut reader).unwrap_or_default();
        let mut progress = false;
        for (at, mut item) in items.into_iter().enumerate() {
            item.follows = at > 0;
            progress |= self.take_item(item, whole, context)?;
        }
        Ok(progress)
    }

    /// Takes more of the arguments of the call with this index: a list of one item with nothing else in it.
    pub(super) fn take_arguments(
        &mut self,
        index: u64,
        piece: Str<'_>,
        context: &mut Context<'_>,
    ) -> Result<bool, super::Refusal> {
        let item = Item {
            index: Some(index),
            arguments: Field::Str(piece),
            ..Item::default()
        };
        self.take_item(item, false, context)
    }

    /// Takes a `function_call`, the form before tool calls: one call a choice.
    pub(super) fn take_function(&mut self, raw: &[u8], context: &mut Context<'_>) -> Result<bool, super::Refusal> {
        let mut item = Item {
            index: Some(0),
            ..Item::default()
        };
        if item.read_function(&mut Reader::new(raw)).is_err() {
            return Ok(false);
        }
        context.repair(Repair::ToolFunctionCall)?;
        self.take_item(item, true, context)
    }

    fn take_item(&mut self, item: Item<'_>, whole: bool, context: &mut Context<'_>) -> Result<bool, super::Refusal> {
        let id = match item.id {
            Field::Str(id) => id.to_text(),
            Field::Other(raw) => crate::text::lossy(raw),
            _ => String::new(),
        };
        let name = item.name.text().map(|name| name.to_text()).unwrap_or_default();
        let is_blank = item.is_blank();
        let at = match self.find(&item, &id, &name, context)? {
            Some(at) => at,
            // Nothing of a call that nobody heard of.
            None if is_blank => return Ok(false),
            None => {
                context.hold(CALL_BYTES)?;
                self.open(item.index, context)?
            }
        };
        if item.index.is_none() && !whole {
            context.repair(Repair::ToolNoIndex)?;
        }
        self.latest = at;
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(false);
        };
        if call.id.is_empty() {
            call.id = id;
        } else if call.id_made_up && call.late_id.is_empty() {
            call.late_id = id;
        }
        if call.name.is_empty() {
            call.name = name;
        } else if !name.is_empty() {
            context.repair(Repair::ToolNameRepeated)?;
            // Not announced yet, so a name in pieces can still be put together; one sent again is the same name.
            if !call.started && name.starts_with(&call.name) {
                call.name = name;
            } else if !call.started {
                call.name.push_str(&name);
            }
        }
        context.hold(call.extras.keep(&item.extras, true) + call.function_extras.keep(&item.function_extras, true))?;
        if call.filled && !is_blank {
            call.filled = false;
            call.arguments = Text::default();
        }
        let from = call.arguments.as_str().len();
        match item.arguments {
            Field::Str(piece) => call.push(piece),
            Field::Other(raw) => {
                context.repair(Repair::ToolArgumentsNotText)?;
                call.push_raw(raw);
            }
            Field::Null => context.repair(Repair::ToolArgumentsNotText)?,
            Field::Absent => {}
        }
        let length = call.arguments.as_str().len();
        if length > context.limits.max_tool_call_bytes {
            return Err(super::Refusal::limit(
                "limit.tool_call_bytes",
                "A tool call's arguments grew past `limits.maxToolCallBytes`.",
            ));
        }
        context.hold(length - from)?;
        // One that goes on after its choice had finished is done again at the end.
        call.done &= is_blank;
        // A name without arguments may be the first piece of one.
        let has_arguments = !matches!(item.arguments, Field::Absent);
        if !call.started && call.is_named() && (has_arguments && !call.id.is_empty() || length > from) {
            self.start(at, context)?;
            self.delta(at, 0, context);
        } else if call.started {
            self.delta(at, from, context);
        }
        Ok(!is_blank)
    }

    /// Which call an item belongs to, if it belongs to one.
    fn find(
        &self,
        item: &Item<'_>,
        id: &str,
        name: &str,
        context: &mut Context<'_>,
    ) -> Result<Option<usize>, super::Refusal> {
        let of_index = |call: &ToolCall| item.index.is_none() || call.index == item.index;
        if !id.is_empty()
            && let Some(at) = self.calls.iter().rposition(|call| of_index(call) && call.is_called(id))
        {
            return Ok(Some(at));
        }
        let known = match item.index {
            Some(_) => self.calls.iter().rposition(of_index),
            None => Some(self.latest).filter(|_| !item.follows),
        };
        let Some((at, call)) = known.and_then(|at| Some((at, self.calls.get(at)?))) else {
            return Ok(None);
        };
        if name.is_empty() || !call.is_named() {
            // Only a name starts another call; without one it is more of this one, whatever its id.
            let other = item.index.is_none() && !id.is_empty() && !call.has_no_id() && call.nesting.is_closed;
            return Ok(Some(at).filter(|_| !other));
        }
        // A name again: another call, unless this one is still at it.
        let going_on = name == call.name && !call.nesting.is_closed;
        let other_id = !id.is_empty() && !call.has_no_id();
        let other = match (item.index, other_id) {
            (Some(_), true) => !going_on || call.arguments.as_str().is_empty(),
            (Some(_), false) => call.nesting.is_closed,
            (None, true) => true,
            (None, false) => !going_on,
        };
        if other && item.index.is_some() {
            context.repair(Repair::ToolIndexReused)?;
        }
        Ok(Some(at).filter(|_| !other))
    }

    fn open(&mut self, index: Option<u64>, context: &mut Context<'_>) -> Result<usize, super::Refusal> {
        let at = self.calls.len();
        if let Some(before) = self.calls.last()
            && !before.started
            && before.is_named()
        {
            // So that calls start in their order.
            self.start(at - 1, context)?;
        }
        self.calls.push(ToolCall {
            index,
            partial: PartialJson::new(context.partial),
            ..ToolCall::default()
        });
        Ok(at)
    }

    fn start(&mut self, at: usize, context: &mut Context<'_>) -> Result<(), super::Refusal> {
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        call.started = true;
        if call.id.is_empty() {
            context.repair(Repair::ToolIdMadeUp)?;
            call.id_made_up = true;
            call.id = made_up_id(context, at);
        }
        if context.output.wants_events() {
            let event = context.output.event("tool_call.start", context.choice);
            event
                .key("index")
                .integer(at as u64)
                .member("id", &call.id)
                .member("name", &call.name)
                .raw(b"}");
        }
        Ok(())
    }

    fn delta(&self, at: usize, from: usize, context: &mut Context<'_>) {
        let Some(piece) = self.calls.get(at).and_then(|call| call.arguments.as_str().get(from..)) else {
            return;
        };
        if context.output.wants_events() && !piece.is_empty() {
            let event = context.output.event("tool_call.delta", context.choice);
            event
                .key("index")
                .integer(at as u64)
                .member("arguments", piece)
                .raw(b"}");
        }
    }

    /// Hands out what is new in the arguments of all calls.
    pub(super) fn hand_out_edits(&mut self, choice: u64, output: &mut Output) {
        for (at, call) in self.calls.iter_mut().enumerate() {
            call.hand_out_edits(choice, at, output);
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
            if finished && call.arguments.as_str().trim_ascii().is_empty() {
                context.repair(Repair::ToolArgumentsEmpty)?;
                call.arguments = Text::default();
                call.arguments.push_str("{}");
                call.filled = true;
            }
            call.complete = is_json(call.arguments.as_str().as_bytes());
            if !finished {
                continue;
            }
            call.done = true;
            call.hand_out_edits(context.choice, at, context.output);
            if context.output.wants_events() {
                let event = context.output.event("tool_call.done", context.choice);
                event
                    .key("index")
                    .integer(at as u64)
                    .member("id", &call.id)
                    .member("name", &call.name);
                event
                    .member("arguments", call.arguments.as_str())
                    .key("complete")
                    .bool(call.complete)
                    .raw(b"}");
            }
        }
        Ok(())
    }
}

/// The index and the arguments in a `tool_calls` list of one item that says nothing else.
pub(super) fn lone_arguments(raw: &[u8]) -> Option<(u64, Str<'_>)> {
    let items = read_items(&mut Reader::new(raw)).ok()?;
    let [item] = items.as_slice() else { return None };
    let says_else = item.id.some().is_some_and(|id| !id.is_blank())
        || item.name.some().is_some_and(|name| !name.is_blank())
        || !item.extras.is_empty()
        || !item.function_extras.is_empty();
    match (item.index, item.arguments) {
        (Some(index), Field::Str(arguments)) if !says_else => Some((index, arguments)),
        _ => None,
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

/// An id that is the same each time this stream is read, and another one in other streams. Nine letters and digits, which
/// the pickiest server takes back.
fn made_up_id(context: &Context<'_>, at: usize) -> String {
    const LENGTH: usize = 9;
    let mut seed = Writer::default();
    seed.raw(context.completion_id.as_bytes())
        .raw(b" ")
        .milliseconds(Some(context.started));
    seed.raw(b" ").integer(context.choice).raw(b" ").integer(at as u64);
    // FNV-1a.
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let mut rest = seed.bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash);
    let mut id = String::new();
    for _ in 0..LENGTH {
        let digit = (rest % 36) as u8;
        rest /= 36;
        id.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
    }
    id
}

/// Follows arguments as they grow, to know without reading them again whether they are a whole object.
#[derive(Debug, Default)]
struct Nesting {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// The object or list that was opened first is closed.
    is_closed: bool,
}

impl Nesting {
    fn feed(&mut self, mut bytes: &[u8]) {
        if self.is_closed {
            return;
        }
        loop {
            if self.in_string && !self.escaped {
                bytes = &bytes[plain_length(bytes)..];
            }
            let Some((byte, rest)) = bytes.split_first() else {
                return;
            };
            bytes = rest;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'"' => self.in_string = !self.in_string,
                b'\\' => self.escaped = self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.is_closed = true;
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}
