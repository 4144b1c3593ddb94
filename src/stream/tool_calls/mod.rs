//! Tool calls put together from their deltas, however a server numbers, names and cuts them.

mod arguments;
mod equal;
mod item;
mod shape;
mod which;

use super::ending::{self, Ending};
use super::extras::Extras;
use super::ledger::Ledger;
use super::output::Output;
use super::partial_json::PartialJson;
use super::repairs::Repair;
use super::scan::Field;
use crate::json::{Reader, Str, Writer, is_json};
use crate::usage::Estimate;
pub(super) use arguments::mended;
use arguments::{Arguments, Taken};
pub(super) use item::lone_arguments;
use item::{Item, items, plain_name};

#[derive(Debug, Default)]
pub(super) struct ToolCall {
    /// The server's index for the call, if it gave one.
    index: Option<u64>,
    /// The index under which its arguments came, where that is another.
    tail_index: Option<u64>,
    id: String,
    /// The server's own id, where it came only after one had been made up, or is another call's.
    late_id: String,
    id_made_up: bool,
    name: String,
    /// A custom tool: the arguments are its input, plain text.
    is_custom: bool,
    /// The server's word for what sort of call it is, where it is neither a function nor a custom tool.
    kind: String,
    arguments: Arguments,
    /// How much of the arguments was emitted in deltas.
    told: usize,
    /// The arguments as a JSON value that grows, where that is wanted.
    partial: Option<Box<PartialJson>>,
    /// How much of the arguments that value has.
    shown: usize,
    /// The arguments are `{}` for want of any.
    filled: bool,
    extras: Extras,
    function_extras: Extras,
    /// `tool_call.start` is out.
    started: bool,
    /// `tool_call.done` is out.
    done: bool,
    /// More of the call came after its `tool_call.done`, which is therefore given once more at the end.
    has_gone_on: bool,
    /// The arguments are a whole JSON value.
    complete: bool,
}

/// The bytes that a call counts besides its strings. More than it takes, because all of them are looked through for each delta.
const CALL_BYTES: usize = 4096;

impl ToolCall {
    /// The call as it stands in a message; with `index`, as in a delta. In a turn to send back (`replay`), arguments that are no
    /// JSON object are `{}`: servers refuse them, their own included.
    pub(super) fn write(&self, index: Option<u64>, replay: bool, out: &mut Writer) {
        out.comma().raw(b"{");
        if let Some(index) = index {
            out.key("index").integer(index);
        }
        let (kind, body, text) = match self.is_custom {
            true => ("custom", "custom", "input"),
            false if self.kind.is_empty() => ("function", "function", "arguments"),
            false => (self.kind.as_str(), "function", "arguments"),
        };
        out.member("id", &self.id).member("type", kind).key(body).raw(b"{");
        let is_object = self.complete && self.arguments.as_str().trim_ascii_start().starts_with('{');
        let is_sendable = !replay || self.is_custom || is_object;
        let arguments = if is_sendable { self.arguments.as_str() } else { "{}" };
        out.member("name", &self.name).member(text, arguments);
        self.function_extras.write(replay, out);
        out.raw(b"}");
        self.extras.write(replay, out);
        out.raw(b"}");
    }

    /// The call as an outcome lists it.
    pub(super) fn write_summary(&self, out: &mut Writer) {
        out.comma().raw(b"{").member("id", &self.id).member("name", &self.name);
        out.member("arguments", self.arguments.as_str())
            .key("complete")
            .bool(self.complete);
        self.write_custom(out);
        out.raw(b"}");
    }

    /// Writes that this is a custom tool, where it is one.
    fn write_custom(&self, out: &mut Writer) {
        if self.is_custom {
            out.key("custom").bool(true);
        }
    }

    /// How many tokens it probably is.
    pub(super) fn estimate(&self) -> u64 {
        let mut estimate = Estimate::default();
        estimate.tool_call();
        estimate.push(&self.name);
        estimate.push(self.arguments.as_str());
        estimate.tokens()
    }

    /// Whether the arguments look whole.
    pub(super) fn is_whole(&self) -> bool {
        self.arguments.is_usable()
    }

    fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    /// The bytes of its ids and names.
    fn named_bytes(&self) -> usize {
        self.id.len() + self.late_id.len() + self.name.len() + self.kind.len()
    }

    fn has_name(&self, name: &str) -> bool {
        plain_name(&self.name) == plain_name(name)
    }

    /// Whether this is the call that the server calls `id`. A name is no id: calls of one function share it.
    fn is_called(&self, id: &str) -> bool {
        let own = if self.id_made_up { &self.late_id } else { &self.id };
        !own.is_empty() && own == id && plain_name(&self.name) != id
    }

    /// Whether the server gave no id.
    fn has_no_id(&self) -> bool {
        if self.id_made_up {
            self.late_id.is_empty()
        } else {
            self.id.is_empty()
        }
    }

    /// Whether it waits for its arguments.
    fn is_waiting(&self) -> bool {
        self.arguments.is_empty() && !self.done
    }

    fn has_index(&self, index: Option<u64>) -> bool {
        index.is_some() && (self.index == index || self.tail_index == index)
    }

    /// Hands out what is new in the arguments of call `at`, once the call has been announced.
    fn hand_out_edits(&mut self, choice: u64, at: usize, output: &mut Output) {
        if let Some(partial) = self.partial.as_mut().filter(|_| self.started) {
            partial.hand_out(choice, Some(at as u64), output);
        }
    }
}

/// The tool calls of one choice.
#[derive(Debug)]
pub(super) struct ToolCalls {
    /// The index of the choice they belong to.
    choice: u64,
    calls: Vec<ToolCall>,
    /// The call that a delta without any mark belongs to.
    latest: usize,
}

impl ToolCalls {
    /// No calls yet, for the choice with this index.
    pub(super) fn new(choice: u64) -> Self {
        ToolCalls {
            choice,
            calls: Vec::new(),
            latest: 0,
        }
    }

    pub(super) fn calls(&self) -> &[ToolCall] {
        &self.calls
    }

    /// Takes a `tool_calls` value, read once already; true when it brought something. `whole`: of a message, whose calls have no index.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn take(&mut self, raw: &[u8], whole: bool, ledger: &mut Ledger) -> ending::Taken<bool> {
        if raw.first() != Some(&b'[') {
            ledger.repair(self.choice, Repair::ToolFunctionCall)?;
        }
        if let Ok(text) = Reader::new(raw).string() {
            // The list as JSON text.
            let list = text.to_text();
            return match is_json(list.as_bytes()) {
                true => self.take_list(list.as_bytes(), whole, ledger),
                false => Ok(false),
            };
        }
        self.take_list(raw, whole, ledger)
    }

    fn take_list(&mut self, raw: &[u8], whole: bool, ledger: &mut Ledger) -> ending::Taken<bool> {
        let (mut progress, mut first) = (false, None);
        for (at, mut item) in items(raw).enumerate() {
            item.follows = at > 0;
            progress |= self.take_item(item, whole, ledger)?;
            first.get_or_insert(self.latest);
        }
        // A list without marks after this one begins with the same call.
        self.latest = first.unwrap_or(self.latest);
        Ok(progress)
    }

    /// Takes more of the arguments of the call with this index: a list of one item. Not inlined, so that the way of text stays short.
    #[inline(never)]
    pub(super) fn take_arguments(&mut self, index: u64, piece: Str<'_>, ledger: &mut Ledger) -> ending::Taken<bool> {
        let at = self.calls.iter().rposition(|call| call.has_index(Some(index)));
        let call = at.and_then(|at| self.calls.get_mut(at));
        if let (Some(at), Some(call)) = (at, call.filter(|call| call.is_under_way())) {
            self.latest = at;
            let held = call.arguments.size();
            if call.arguments.push_in_string(piece) {
                self.took(at, held, true, &Taken::default(), ledger)?;
            } else {
                let taken = call.arguments.push(piece, true);
                self.took_all(at, held, true, taken, (Some(index), ""), ledger)?;
            }
            return Ok(!piece.is_empty());
        }
        let item = Item {
            index: Some(index),
            arguments: Field::Str(piece),
            ..Item::default()
        };
        self.take_item(item, false, ledger)
    }

    /// Takes a `function_call`, the form before tool calls: one call a choice.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn take_function(&mut self, raw: &[u8], ledger: &mut Ledger) -> ending::Taken<bool> {
        let mut item = Item {
            index: Some(0),
            ..Item::default()
        };
        if item.read_function(&mut Reader::new(raw)).is_err() {
            return Ok(false);
        }
        ledger.repair(self.choice, Repair::ToolFunctionCall)?;
        self.take_item(item, true, ledger)
    }

    fn take_item(&mut self, item: Item<'_>, whole: bool, ledger: &mut Ledger) -> ending::Taken<bool> {
        let id = match item.id {
            Field::Str(id) => id.to_text(),
            Field::Other(raw) => {
                ledger.repair(self.choice, Repair::ToolIdMadeUp)?;
                crate::text::lossy(raw)
            }
            _ => String::new(),
        };
        let name = item.name.text().map(|name| name.to_text()).unwrap_or_default();
        let is_blank = item.is_blank();
        let at = match self.find(&item, &id, &name) {
            // A call that is there twice gets its arguments where it was announced.
            Some(at) => self
                .twin(at)
                .filter(|twin| self.calls.get(*twin).is_some_and(ToolCall::is_waiting))
                .unwrap_or(at),
            // An empty delta for a call that is unknown.
            None if is_blank => return Ok(false),
            None => self.open(item.index, ledger)?,
        };
        if !whole && (item.index.is_none() || item.is_index_text) {
            ledger.repair(self.choice, Repair::ToolNoIndex)?;
        }
        if item.is_flat {
            ledger.repair(self.choice, Repair::ToolFunctionCall)?;
        }
        self.latest = at;
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(false);
        };
        let is_own_index = item.index.is_none() || call.has_index(item.index);
        if !is_own_index {
            call.tail_index = item.index;
            ledger.repair(self.choice, Repair::ToolIndexReused)?;
        }
        let named = call.named_bytes();
        if call.id.is_empty() {
            call.id.clone_from(&id);
        } else if call.id_made_up && call.late_id.is_empty() {
            call.late_id.clone_from(&id);
        }
        if call.name.is_empty() {
            call.name = name;
        } else if !name.is_empty() {
            // The delta may repeat the whole arguments, or be another call: a later one decides.
            if !call.arguments.is_closed() || item.is_silent() {
                ledger.repair(self.choice, Repair::ToolNameRepeated)?;
            }
            // Not announced yet, so a name in pieces can still be put together; one sent again is the same name.
            if !call.started && name.starts_with(&call.name) {
                call.name = name;
            } else if !call.started {
                call.name.push_str(&name);
            }
        }
        if let Some(kind) = item.kind.text().map(|kind| kind.to_text()) {
            call.is_custom |= kind == "custom" && call.arguments.is_empty();
            if !matches!(kind.as_str(), "function" | "custom") {
                call.kind = kind;
            }
        }
        if (item.is_custom || call.is_custom) && call.arguments.is_empty() {
            call.is_custom = true;
            call.arguments.set_plain();
        }
        ledger.hold_long(named, call.named_bytes())?;
        if call.filled && !is_blank {
            call.filled = false;
            call.arguments.clear();
            call.told = 0;
            call.shown = 0;
        }
        // A call that grows after its choice has finished ends anew at the end.
        call.has_gone_on |= call.done && !is_blank;
        call.done &= is_blank;
        let held = call.arguments.size();
        let is_nameless = item.name.text().is_none();
        let of_call = is_nameless || is_own_index && !id.is_empty() && call.is_called(&id);
        let taken = match item.arguments {
            Field::Str(piece) if call.is_custom && !is_nameless && call.arguments.is(piece) => Taken {
                // The whole call once more.
                repeated: !piece.is_empty(),
                ..Taken::default()
            },
            Field::Str(piece) => call.arguments.push(piece, of_call),
            Field::Other(raw) => {
                ledger.repair(self.choice, Repair::ToolArgumentsNotText)?;
                call.arguments.set_object();
                call.arguments.push_text(&crate::text::lossy(raw), of_call)
            }
            Field::Null => {
                ledger.repair(self.choice, Repair::ToolArgumentsNotText)?;
                Taken::default()
            }
            Field::Absent => Taken::default(),
        };
        // A name without arguments may be the first piece of one.
        let has_arguments = !matches!(item.arguments, Field::Absent);
        self.took_all(at, held, has_arguments, taken, (item.index, &id), ledger)?;
        // Further members belong to the call whose arguments came last.
        if let Some(call) = self.calls.get_mut(self.latest) {
            ledger
                .hold(call.extras.keep(&item.extras, true) + call.function_extras.keep(&item.function_extras, true))?;
        }
        Ok(!is_blank)
    }

    /// Counts and hands out what a piece has added to the arguments of call `at`, which held so many bytes before. Text after
    /// whole arguments is of other calls of the same function, with this index and id.
    fn took_all(
        &mut self,
        at: usize,
        held: usize,
        has_arguments: bool,
        mut taken: Taken,
        (index, id): (Option<u64>, &str),
        ledger: &mut Ledger,
    ) -> ending::Taken {
        self.took(at, held, has_arguments, &taken, ledger)?;
        while let Some(arguments) = taken.other.take() {
            let name = self.calls.get(self.latest).map(|call| call.name.clone());
            if index.is_some() {
                ledger.repair(self.choice, Repair::ToolIndexReused)?;
            }
            self.latest = self.open(index, ledger)?;
            let Some(call) = self.calls.get_mut(self.latest) else {
                break;
            };
            id.clone_into(&mut call.id);
            call.name = name.unwrap_or_default();
            ledger.hold_long(0, call.named_bytes())?;
            taken = call.arguments.push_text(&arguments, false);
            self.took(self.latest, 0, true, &taken, ledger)?;
        }
        Ok(())
    }

    /// Counts and hands out what a piece has added to the arguments of call `at`, which held so many bytes before.
    fn took(
        &mut self,
        at: usize,
        held: usize,
        has_arguments: bool,
        taken: &Taken,
        ledger: &mut Ledger,
    ) -> ending::Taken {
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        if taken.repeated {
            ledger.repair(self.choice, Repair::ToolArgumentsRepeated)?;
        }
        if taken.mended {
            ledger.repair(self.choice, Repair::ToolArgumentsMended)?;
        }
        let size = call.arguments.size();
        if call.arguments.length() > ledger.bounds.max_tool_call_bytes {
            return Err(Ending::refused(
                "limit.tool_call_bytes",
                "A tool call's arguments grew past `limits.maxToolCallBytes`.",
            ));
        }
        ledger.hold(size.saturating_sub(held))?;
        let may_start = has_arguments && !call.id.is_empty() || size > held;
        if !call.started && call.is_named() && may_start && self.twin(at).is_none() {
            self.start(at, ledger)?;
        }
        self.delta(at, ledger);
        Ok(())
    }

    fn open(&mut self, index: Option<u64>, ledger: &mut Ledger) -> ending::Taken<usize> {
        ledger.hold(CALL_BYTES)?;
        if self.calls.iter().any(|call| call.has_index(index)) {
            ledger.repair(self.choice, Repair::ToolIndexReused)?;
        }
        let at = self.calls.len();
        if let Some(before) = self.calls.last()
            && !before.started
            && before.is_named()
        {
            // Calls are announced in their order.
            self.start(at - 1, ledger)?;
        }
        self.calls.push(ToolCall {
            index,
            partial: PartialJson::new(ledger.partial()),
            ..ToolCall::default()
        });
        Ok(at)
    }

    /// The call that has the id and the name of call `at`, of which nothing else has come.
    fn twin(&self, at: usize) -> Option<usize> {
        let call = self.calls.get(at)?;
        if call.started || !call.arguments.is_empty() {
            return None;
        }
        let is_twin =
            |(other, known): (usize, &ToolCall)| other != at && known.is_called(&call.id) && known.has_name(&call.name);
        self.calls.iter().enumerate().position(is_twin)
    }

    fn start(&mut self, at: usize, ledger: &mut Ledger) -> ending::Taken {
        let Some(call) = self.calls.get(at) else {
            return Ok(());
        };
        let name = plain_name(&call.name);
        let marked = (!name.is_empty() && name.len() < call.name.len()).then(|| name.to_owned());
        let is_taken = !call.id.is_empty()
            && self
                .calls
                .iter()
                .enumerate()
                .any(|(other, known)| other != at && known.started && known.id == call.id);
        let mut made_up = String::new();
        if call.id.is_empty() || is_taken {
            ledger.repair(self.choice, Repair::ToolIdMadeUp)?;
            let mut salt = at;
            while made_up.is_empty() || self.calls.iter().any(|call| call.id == made_up) {
                made_up = ledger.made_up_id(self.choice, salt);
                salt += self.calls.len();
            }
        }
        if marked.is_some() {
            ledger.repair(self.choice, Repair::TemplateMarks)?;
        }
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        call.started = true;
        if let Some(name) = marked {
            call.name = name;
        }
        if !made_up.is_empty() {
            call.id_made_up = true;
            call.late_id = std::mem::replace(&mut call.id, made_up);
        }
        if ledger.output.wants_events() {
            let event = ledger.output.event("tool_call.start", self.choice);
            event
                .key("index")
                .integer(at as u64)
                .member("id", &call.id)
                .member("name", &call.name);
            call.write_custom(event);
            event.raw(b"}");
        }
        Ok(())
    }

    /// Hands out what is settled of the arguments of call `at`.
    fn delta(&mut self, at: usize, ledger: &mut Ledger) {
        let Some(call) = self.calls.get_mut(at) else { return };
        let text = call.arguments.as_str();
        let settled = call.arguments.settled();
        if let Some(partial) = &mut call.partial
            && let Some(piece) = text.get(call.shown..settled)
        {
            partial.feed(piece);
            call.shown = settled;
        }
        if !call.started {
            return;
        }
        let Some(piece) = text.get(call.told..settled).filter(|piece| !piece.is_empty()) else {
            return;
        };
        if ledger.output.wants_events() {
            let event = ledger.output.event("tool_call.delta", self.choice);
            event
                .key("index")
                .integer(at as u64)
                .member("arguments", piece)
                .raw(b"}");
        }
        call.told = settled;
    }

    /// Hands out what is new in the arguments of all calls.
    pub(super) fn hand_out_edits(&mut self, choice: u64, output: &mut Output) {
        for (at, call) in self.calls.iter_mut().enumerate() {
            call.hand_out_edits(choice, at, output);
        }
    }

    /// The choice has finished (`finished`) or its stream has: settles every call, and says so where the choice finished.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn end(&mut self, finished: bool, ledger: &mut Ledger) -> ending::Taken {
        if let Some(last) = self.calls.len().checked_sub(1)
            && self.twin(last).is_some()
        {
            // The same call under another number.
            ledger.repair(self.choice, Repair::ToolIndexReused)?;
            self.calls.truncate(last);
            self.latest = self.latest.min(last - 1);
        }
        for at in 0..self.calls.len() {
            let Some(call) = self.calls.get_mut(at).filter(|call| !call.done) else {
                continue;
            };
            if !call.started {
                self.start(at, ledger)?;
            }
            let Some(call) = self.calls.get_mut(at) else { continue };
            let held = call.arguments.size();
            let taken = call.arguments.end();
            let is_nothing = matches!(call.arguments.as_str().trim_ascii(), "" | "[]");
            if finished && !call.is_custom && is_nothing {
                ledger.repair(self.choice, Repair::ToolArgumentsEmpty)?;
                call.arguments.fill();
                call.filled = true;
            } else {
                self.took(at, held, true, &taken, ledger)?;
            }
            let Some(call) = self.calls.get_mut(at) else { continue };
            call.complete = if call.is_custom {
                finished
            } else {
                is_json(call.arguments.as_str().as_bytes())
            };
            if !finished && !call.has_gone_on {
                continue;
            }
            call.done = true;
            call.hand_out_edits(self.choice, at, &mut ledger.output);
            if ledger.output.wants_events() {
                let event = ledger.output.event("tool_call.done", self.choice);
                event
                    .key("index")
                    .integer(at as u64)
                    .member("id", &call.id)
                    .member("name", &call.name);
                event
                    .member("arguments", call.arguments.as_str())
                    .key("complete")
                    .bool(call.complete);
                call.write_custom(event);
                event.raw(b"}");
            }
        }
        Ok(())
    }
}
