//! The way of events that repeat the one before: most of them bring a piece of text and change nothing else.

use super::Choice;
use super::repeated::is_long;
use crate::json::Str;
use crate::stream::ending::Taken;
use crate::stream::ledger::Ledger;
use crate::stream::predict::{LivePart, Predicted};

impl Choice {
    /// Takes more of the part that a delta before brought, where that delta has been recognised again.
    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(in crate::stream) fn go_on(&mut self, event: &Predicted<'_>, ledger: &mut Ledger) -> Taken<bool> {
        if self.steady == Some(event.part) && event.text.is_calm && !event.text.is_empty() {
            let is_content = event.part == LivePart::Content;
            let text = match is_content {
                true => &mut self.content,
                false => &mut self.reasoning,
            };
            if !is_long(event.text.raw, text.as_str()) {
                let piece = if event.text.escaped {
                    let from = text.as_str().len();
                    text.push(event.text);
                    text.as_str().get(from..).unwrap_or_default()
                } else {
                    text.append(event.spelled);
                    event.spelled
                };
                ledger.output.quoted(is_content, self.index, piece, event.quoted());
                if let Some(partial) = self.partial.as_mut().filter(|partial| is_content && !partial.is_dead()) {
                    let (before, after) = partial.feed(piece);
                    ledger.hold_long(before, after)?;
                }
                ledger.hold(piece.len())?;
                return Ok(true);
            }
        }
        self.go_on_watched(event.part, event.text, ledger)
    }

    /// The same where what was held back or is watched for has to be looked at. Not inlined: most events need no look.
    #[inline(never)]
    fn go_on_watched(&mut self, part: LivePart, text: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        self.steady = None;
        let progress = match part {
            LivePart::Content => self.take_content(text, ledger)?,
            LivePart::Reasoning => {
                self.add_reasoning(text, ledger)?;
                !text.is_empty()
            }
            LivePart::Arguments(index) => self.tool_calls.take_arguments(index, text, ledger)?,
        };
        if progress {
            self.finish.note(true, false);
            self.has_deltas = true;
            let is_calm = match part {
                LivePart::Content => {
                    self.has_answered && self.speech.is_none() && self.passes_calm() && !self.content.is_cut()
                }
                LivePart::Reasoning => !self.reasoning.is_cut(),
                LivePart::Arguments(_) => false,
            };
            let is_steady = is_calm
                && ledger.accumulate
                && self.repeats.is_over()
                && self.again.is_empty()
                && self.finish.is_steady();
            self.steady = Some(part).filter(|_| is_steady);
        }
        Ok(progress)
    }

    /// Whether a piece of content begins the answer, if nothing stirs in it.
    pub(super) fn may_begin(&self, content: Str<'_>) -> bool {
        self.marks.is_idle() && !self.inbox.is_cut() && self.tags.may_begin(content)
    }

    /// Whether nothing is held back that a piece of content in which nothing stirs may belong to.
    pub(super) fn passes_calm(&self) -> bool {
        self.marks.is_idle() && !self.inbox.is_cut() && self.tags.passes_calm()
    }
}
