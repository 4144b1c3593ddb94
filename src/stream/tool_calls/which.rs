//! Which call a delta belongs to: the rule that `docs/dialects.md` has in words.

use super::item::{Item, plain_name};
use super::{ToolCall, ToolCalls};
use crate::stream::scan::Field;

impl ToolCall {
    /// Whether it was announced, and is not whole yet: arguments without a name or an id are more of it.
    pub(super) fn is_under_way(&self) -> bool {
        self.started && !self.done && !self.filled && !self.is_custom && !self.arguments.is_closed()
    }

    /// Whether it is in the middle of its arguments, and these can be more of them.
    fn is_open_to(&self, item: &Item<'_>) -> bool {
        let is_open =
            self.started && !self.done && !self.is_custom && !self.arguments.is_empty() && !self.arguments.is_closed();
        is_open
            && match item.arguments {
                Field::Str(text) => {
                    self.arguments.is_in_string()
                        || self.arguments.wants_value()
                        || matches!(text.raw.trim_ascii_start().first(), Some(first) if !b"{[<".contains(first))
                }
                _ => self.arguments.wants_value(),
            }
    }
}

impl ToolCalls {
    /// Which call an item belongs to, if it belongs to one that is known. The evidence, strongest first: arguments that are
    /// whole, names, ids, the index.
    pub(super) fn find(&self, item: &Item<'_>, id: &str, name: &str) -> Option<usize> {
        let has_id = !id.is_empty() && (name.is_empty() || plain_name(name) != id);
        let same_id = |call: &ToolCall| has_id && call.is_called(id);
        let other_id = |call: &ToolCall| has_id && !call.has_no_id() && !call.is_called(id);
        let last = |is: &dyn Fn(&ToolCall) -> bool| self.calls.iter().rposition(is);
        let by_id = last(&|call| same_id(call) && call.has_index(item.index)).or_else(|| last(&same_id));
        let by_index = || last(&|call| call.has_index(item.index));
        let at = match by_id.or_else(by_index) {
            Some(at) => at,
            // The same call again, this time without its id.
            None if id.is_empty() && item.index.is_none() && !name.is_empty() => {
                let is_again = |call: &ToolCall| {
                    !call.id.is_empty()
                        && !call.id_made_up
                        && call.has_name(name)
                        && item.has_arguments(&call.arguments)
                };
                match last(&is_again) {
                    None if item.follows => return None,
                    None => self.latest,
                    again => return again,
                }
            }
            None if item.index.is_some() && (has_id || !name.is_empty()) => return None,
            // Arguments under an index of their own belong to the call that waits for arguments.
            None if item.index.is_some() => {
                let is_open = |at: &usize| self.calls.get(*at).is_some_and(|call| !call.arguments.is_closed());
                return Some(self.latest).filter(is_open);
            }
            // More of the next call, or a call of its own.
            None if item.follows && name.is_empty() => self.latest + 1,
            None if item.follows => return None,
            None => self.latest,
        };
        let call = self.calls.get(at)?;
        let is_closed = call.arguments.is_closed();
        if name.is_empty() || !call.is_named() {
            if !is_closed {
                return Some(at);
            }
            if item.index.is_none() && other_id(call) {
                return None;
            }
            let is_certain = has_id || item.has_arguments(&call.arguments);
            return self.open_to(item).filter(|_| !is_certain).or(Some(at));
        }
        if !call.has_name(name) {
            let is_more = |call: &ToolCall| {
                call.has_name(name)
                    && !call.arguments.is_closed()
                    && !other_id(call)
                    && (same_id(call) || call.has_index(item.index))
            };
            if let Some(at) = last(&is_more) {
                return Some(at);
            }
            // A name in pieces, until there are arguments.
            let is_piece = !call.started && call.arguments.is_empty() && !other_id(call) && !item.has_whole_arguments();
            return Some(at).filter(|_| is_piece);
        }
        if is_closed {
            // The same call again, or another call of this function: the arguments decide, where no id does.
            // Two items of one list without ids are two calls.
            let is_twice = item.follows && id.is_empty() && at == self.latest;
            let is_open_to_it = !other_id(call) && (item.index.is_some() || same_id(call)) && !is_twice;
            return Some(at).filter(|_| is_open_to_it);
        }
        let is_head = item.is_head() && !call.arguments.wants_value();
        let is_other = if other_id(call) || item.index.is_some() && !call.has_index(item.index) {
            call.is_custom || call.arguments.is_empty() || is_head && !item.is_silent()
        } else {
            false
        };
        Some(at).filter(|_| !is_other)
    }

    /// The call that gets arguments under the number of another that has all of its own: one that waits for them, or is in the
    /// middle of them.
    fn open_to(&self, item: &Item<'_>) -> Option<usize> {
        let waits = |at: &usize| self.calls.get(*at).is_some_and(ToolCall::is_waiting);
        let next = || self.calls.iter().position(ToolCall::is_waiting);
        let waiting = Some(self.latest).filter(waits).or_else(next);
        waiting.filter(|_| item.is_head()).or_else(|| {
            let is_open = |call: &ToolCall| call.is_open_to(item);
            self.calls.iter().rposition(is_open)
        })
    }
}
