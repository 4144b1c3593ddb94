//! The text of a choice on its way past the tags of reasoning and the marks of templates.

use super::{Choice, Source, hand_out};
use crate::stream::ending::Taken;
use crate::stream::ledger::Ledger;
use crate::stream::marks::HeldText;
use crate::stream::reasoning::{Piece, Tags};
use crate::stream::repairs::Repair;

impl Choice {
    /// Takes a piece of content, as the watch for tags of reasoning splits it.
    pub(super) fn take_piece(&mut self, piece: Piece<'_>, ledger: &mut Ledger) -> Taken {
        match piece {
            Piece::Text(text) => self.take_text(text, ledger),
            _ => self.take_rare(piece, ledger),
        }
    }

    /// Takes a piece that is no text of the answer.
    #[inline(never)] // a plain answer has no need of it
    fn take_rare(&mut self, piece: Piece<'_>, ledger: &mut Ledger) -> Taken {
        match piece {
            Piece::Text(_) => {}
            Piece::Call(text) => self.marks.hold_call(text),
            Piece::Reasoning(text) => {
                if self.is_mirrored(true, text) {
                    return ledger.repair(self.index, Repair::ReasoningTwice);
                }
                // The half of a surrogate pair that was held back from another field is emitted with it.
                let from = self.reasoning.as_str().len();
                self.reasoning.push_str(text);
                let piece = self.reasoning.as_str().get(from..).unwrap_or_default();
                ledger.output.text_event("reasoning", self.index, piece);
                self.let_go(ledger);
            }
            Piece::Opened(pair) => {
                self.pair = pair;
                if !self.has_reasoned() {
                    self.source.get_or_insert(Source::Tags);
                }
                if !self.tags_known {
                    self.tags_known = true;
                    ledger.repair(self.index, Repair::ReasoningTags)?;
                }
            }
            Piece::Reclassified(pair) => {
                self.pair.get_or_insert(pair);
                ledger.repair(self.index, Repair::ReasoningReclassified)?;
                self.source.get_or_insert(Source::Tags);
                let text = std::mem::take(&mut self.content);
                self.behind.clear();
                self.marks.restart();
                self.reasoning.push_str(text.as_str());
                if let Some(HeldText::Text(held) | HeldText::Call(held)) = self.marks.end() {
                    self.take_rare(Piece::Reasoning(&held), ledger)?;
                }
                if let Some(partial) = &mut self.partial {
                    partial.restart();
                }
                if let Some(speech) = &mut self.speech {
                    speech.restart();
                }
            }
        }
        Ok(())
    }

    /// Takes text in which marks of a template may be.
    pub(super) fn take_text(&mut self, text: &str, ledger: &mut Ledger) -> Taken {
        let mut marks = std::mem::take(&mut self.marks);
        let before = std::mem::take(&mut self.content);
        let mut found = String::new();
        let known = Some(before.as_str())
            .filter(|text| !text.is_empty())
            .unwrap_or(&self.behind);
        marks.feed(text, known, |piece| found.push_str(piece));
        self.content = before;
        self.marks = marks;
        self.add_text(&found, true, ledger)
    }

    pub(super) fn add_text(&mut self, text: &str, is_spoken: bool, ledger: &mut Ledger) -> Taken {
        self.has_answered |= !text.trim_ascii().is_empty();
        // The half of a surrogate pair that was held back is emitted with it.
        let from = self.content.as_str().len();
        self.content.push_str(text);
        let piece = self.content.as_str().get(from..).unwrap_or_default();
        let mut nobody = None;
        let speech = if is_spoken { &mut self.speech } else { &mut nobody };
        hand_out(piece, self.index, &mut self.partial, speech, ledger)?;
        self.let_go(ledger);
        Ok(())
    }

    /// A tool call has come: what stands before it in the text in raw form is that call.
    pub(super) fn drop_raw_call(&mut self, ledger: &mut Ledger) -> Taken {
        match self.marks.call_came() {
            true => ledger.repair(self.index, Repair::TemplateMarks),
            false => Ok(()),
        }
    }

    /// Hands out what was held back for a tag.
    pub(super) fn flush(&mut self, ledger: &mut Ledger) -> Taken {
        self.flush_tags(ledger)?;
        match self.marks.end() {
            None => Ok(()),
            Some(HeldText::Tokens) => ledger.repair(self.index, Repair::TemplateMarks),
            Some(HeldText::Text(text)) => self.add_text(&text, true, ledger),
            Some(HeldText::Call(text)) => self.add_text(&text, false, ledger),
        }
    }

    pub(super) fn flush_tags(&mut self, ledger: &mut Ledger) -> Taken {
        match self.tags.is_idle() {
            true => Ok(()),
            false => self.release_tags(ledger),
        }
    }

    #[inline(never)] // a plain answer has no need of it
    fn release_tags(&mut self, ledger: &mut Ledger) -> Taken {
        let mut result = Ok(());
        let mut tags = std::mem::replace(&mut self.tags, Tags::new(false));
        tags.end(|piece| result = self.take_piece(piece, ledger));
        self.tags = tags;
        result
    }
}
