//! The text of a choice on its way past the tags of reasoning and the marks of templates.

use super::{Choice, hand_out};
use crate::stream::ending::Taken;
use crate::stream::ledger::Ledger;
use crate::stream::marks::HeldText;
use crate::stream::reasoning::Tags;
use crate::stream::repairs::Repair;

impl Choice {
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
        let mut result = Ok(());
        let mut tags = std::mem::replace(&mut self.tags, Tags::new(false));
        tags.end(|piece| result = self.take_piece(piece, ledger));
        self.tags = tags;
        result
    }
}
