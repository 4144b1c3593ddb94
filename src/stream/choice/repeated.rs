//! Pieces of a choice's text and reasoning that may have been sent before.

use super::Choice;
use crate::json::{Reader, Str};
use crate::stream::ending::Taken;
use crate::stream::ledger::Ledger;
use crate::stream::reasoning::PAIRS;
use crate::stream::repairs::Repair;
use crate::stream::repeats::{self, LONG, is_telling};
use crate::text::joined;

/// How many bytes of white space at its ends a repetition may have more or less than the text.
const SLACK: usize = 8;

impl Choice {
    /// Whether a piece may be the whole text once more.
    #[inline]
    pub(super) fn is_doubtful(&self, piece: Str<'_>, before: &str) -> bool {
        !self.repeats.is_over() || is_long(piece.raw, before) || !self.again.is_empty()
    }

    /// Takes a piece that may have been sent before. Not inlined: hardly a piece is, and the way of the others stays short.
    #[inline(never)]
    pub(super) fn take_doubtful(&mut self, kind: repeats::Kind, piece: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        let text = match kind {
            repeats::Kind::Content => &self.content,
            repeats::Kind::Reasoning => &self.reasoning,
            repeats::Kind::Refusal => &self.refusal,
        };
        if self.repeats.may_end_so() && (is_again(text.as_str(), piece) || self.is_all_with_tags(kind, piece)) {
            ledger.hold_long(0, piece.raw.len())?;
            self.again.push((kind, piece.raw.to_vec()));
            return Ok(true);
        }
        if !piece.is_empty() && !self.again.is_empty() {
            self.release_again(kind == repeats::Kind::Content, ledger)?;
        }
        if self.repeats.is_over() {
            return self.add(kind, piece, ledger);
        }
        let (before, after) = self.repeats.grows_to(kind, piece.raw.len());
        ledger.hold_long(before, after)?;
        let verdict = self.repeats.take(kind, piece.raw);
        let is_new = verdict.is_new;
        if verdict.repeated || !verdict.before.is_empty() {
            self.take_repeats(verdict, ledger)?;
        }
        if is_new {
            self.add(kind, piece, ledger)?;
        }
        Ok(!piece.is_empty())
    }

    /// Whether a piece is all of the content, its reasoning in tags included.
    fn is_all_with_tags(&self, kind: repeats::Kind, piece: Str<'_>) -> bool {
        let may_be = kind == repeats::Kind::Content && piece.raw.len() > self.reasoning().len();
        let pair = self.pair.and_then(|pair| PAIRS.get(pair)).filter(|_| may_be);
        pair.is_some_and(|(open, close)| is_again(&joined(&[open, self.reasoning(), close, self.text()]), piece))
    }

    fn take_repeats(&mut self, verdict: repeats::Verdict, ledger: &mut Ledger) -> Taken {
        if verdict.repeated {
            ledger.repair(self.index, Repair::Repeated)?;
        }
        for (kind, piece) in verdict.before {
            self.add(kind, Str::spelled(&piece), ledger)?;
        }
        Ok(())
    }

    fn add(&mut self, kind: repeats::Kind, piece: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        match kind {
            repeats::Kind::Content => self.add_content(piece, ledger),
            repeats::Kind::Reasoning => self.push_reasoning(piece, ledger).map(|()| !piece.is_empty()),
            repeats::Kind::Refusal => self.push_refusal(piece, ledger),
        }
    }

    /// Nothing more comes: settles what may have been sent before. `complete`: and this is all of the answer.
    pub(super) fn end_repeats(&mut self, complete: bool, ledger: &mut Ledger) -> Taken {
        match self.repeats.is_over() && self.again.is_empty() {
            true => Ok(()),
            false => self.settle_repeats(complete, ledger),
        }
    }

    #[inline(never)] // a plain answer has no need of it
    fn settle_repeats(&mut self, complete: bool, ledger: &mut Ledger) -> Taken {
        let taken = self.repeats.end();
        self.take_repeats(taken, ledger)?;
        if !complete {
            return self.release_again(false, ledger);
        }
        for _ in self.again.drain(..) {
            ledger.repair(self.index, Repair::Repeated)?;
        }
        Ok(())
    }

    /// More has come after a piece that equalled all of the text, so that the piece is text; unless that is reasoning, and more
    /// is content (`is_content`), with which reasoning is over.
    fn release_again(&mut self, is_content: bool, ledger: &mut Ledger) -> Taken {
        for (kind, piece) in std::mem::take(&mut self.again) {
            match is_content && kind == repeats::Kind::Reasoning {
                true => ledger.repair(self.index, Repair::Repeated)?,
                false => drop(self.add(kind, Str::spelled(&piece), ledger)?),
            }
        }
        Ok(())
    }

    pub(super) fn push_refusal(&mut self, text: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        let from = self.refusal.as_str().len();
        self.refusal.push(text);
        let piece = self.refusal.as_str().get(from..).unwrap_or_default();
        ledger.output.text_event("refusal", self.index, piece);
        ledger.hold(piece.len())?;
        Ok(!text.is_empty())
    }

    pub(super) fn note_repeated_extras(&mut self, ledger: &mut Ledger) -> Taken {
        match self.delta_extras.take_repeated() {
            true => ledger.repair(self.index, Repair::Repeated),
            false => Ok(()),
        }
    }
}

/// Whether a piece is long enough to be the whole text before it once more.
#[inline]
pub(super) fn is_long(piece: &[u8], before: &str) -> bool {
    piece.len() + SLACK >= before.len().max(LONG)
}

/// Whether a piece is all of a text again: as it is, without the white space at its ends, or encoded once more as a JSON string.
fn is_again(text: &str, piece: Str<'_>) -> bool {
    if piece.raw.len() + SLACK < text.len() || !is_telling(text) {
        return false;
    }
    let (own, piece) = (text.trim(), piece.to_text());
    let piece = piece.trim();
    let mut reader = Reader::new(piece.as_bytes());
    piece == own
        || piece.starts_with('"')
            && reader.string().is_ok_and(|inner| inner.to_text().trim() == own)
            && reader.finish().is_ok()
}
