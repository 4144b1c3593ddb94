//! Reasoning that comes beside the content of a choice: in a field, or in parts.

use super::{Choice, Source};
use crate::json::Str;
use crate::stream::ending::Taken;
use crate::stream::ledger::Ledger;
use crate::stream::repairs::Repair;
use crate::stream::scan::{self, Delta, Field, Part};

impl Choice {
    pub(super) fn take_reasoning(&mut self, delta: &Delta<'_>, ledger: &mut Ledger) -> Taken<bool> {
        let mut taken: Option<usize> = None;
        for (field, value) in delta.reasoning.iter().enumerate() {
            let Some(value) = value.some() else { continue };
            self.expect_no_tags(ledger)?;
            let empty = matches!(value, Field::Str(text) if text.is_empty());
            if empty {
                self.empty_field.get_or_insert(field);
            }
            // A field takes precedence over tags that are empty.
            if !empty && (self.source.is_none() || !self.has_reasoned()) {
                self.source = Some(Source::Field(field));
            }
            match taken {
                Some(_) if !empty => ledger.repair(self.index, Repair::ReasoningTwice)?,
                _ if empty => {}
                _ => {
                    taken = Some(field);
                    match value {
                        Field::Str(text) => self.take_field(text, ledger)?,
                        Field::Other(raw) => {
                            ledger.repair(self.index, Repair::ContentParts)?;
                            self.take_reasoning_parts(raw, ledger)?;
                        }
                        _ => {}
                    }
                }
            }
        }
        // Some servers send reasoning in these members alone.
        let details = delta.extras.iter().find(|(name, _)| *name == b"reasoning_details");
        match details {
            Some((_, raw)) if taken.is_none() && matches!(self.source, None | Some(Source::Parts)) => {
                self.take_reasoning_parts(raw, ledger)
            }
            _ => Ok(taken.is_some()),
        }
    }

    /// Takes reasoning in a field, unless tags have said it before. Not inlined: few answers have both places.
    #[inline(never)]
    fn take_field(&mut self, text: Str<'_>, ledger: &mut Ledger) -> Taken {
        if self.source == Some(Source::Tags) && self.is_mirrored(false, &text.to_text()) {
            return ledger.repair(self.index, Repair::ReasoningTwice);
        }
        self.add_reasoning(text, ledger)
    }

    /// Whether reasoning has come before, but at the other place: in tags, or beside the content.
    pub(super) fn is_mirrored(&mut self, is_in_tags: bool, text: &str) -> bool {
        if !self.has_reasoned() || (self.source == Some(Source::Tags)) == is_in_tags {
            return false;
        }
        let told = self.reasoning.as_str();
        let rest = told.get(self.mirrored..).map(str::trim_ascii_start);
        let behind = rest.and_then(|rest| rest.strip_prefix(text.trim_ascii()));
        // With the first piece that is not said again, this is over.
        self.mirrored = behind.map_or(usize::MAX, |behind| told.len() - behind.len());
        behind.is_some()
    }

    /// Takes reasoning that is a list of parts, or a part; true when one has text.
    fn take_reasoning_parts(&mut self, raw: &[u8], ledger: &mut Ledger) -> Taken<bool> {
        let mut has_text = false;
        scan::parts(raw, &mut |part| {
            let (Part::Text(text) | Part::Reasoning(text)) = part;
            has_text |= !text.is_empty();
            self.expect_no_tags(ledger)?;
            self.add_reasoning(text, ledger)
        })?;
        Ok(has_text)
    }

    /// Reasoning comes beside the content, so the content has no tags. Text that is held back for a tag comes before the reasoning.
    pub(super) fn expect_no_tags(&mut self, ledger: &mut Ledger) -> Taken {
        if self.tags.seen_field() {
            self.flush(ledger)?;
            self.inbox.move_half_to(&mut self.content);
        }
        Ok(())
    }
}
