//! Pieces of a choice's text and reasoning that may have been sent before.

use super::Choice;
use crate::json::Str;
use crate::stream::ending::Taken;
use crate::stream::ledger::Ledger;
use crate::stream::repairs::Repair;
use crate::stream::repeats::{self, is_telling};

impl Choice {
    /// Takes a piece that may have been sent before.
    #[inline(never)]
    pub(super) fn take_doubtful(&mut self, kind: repeats::Kind, piece: Str<'_>, ledger: &mut Ledger) -> Taken<bool> {
        if let Some((kind, before)) = self.again.take_if(|_| !piece.is_empty()) {
            self.add(kind, &before, ledger)?;
        }
        let text = match kind {
            repeats::Kind::Content => &self.content,
            repeats::Kind::Reasoning => &self.reasoning,
        };
        let is_same = piece.raw.len() >= text.as_str().len() && is_telling(text.as_str()) && text.is_same(piece);
        if is_same && self.repeats.may_end_so() {
            ledger.hold_long(0, piece.raw.len())?;
            self.again = Some((kind, piece.raw.to_vec()));
            return Ok(true);
        }
        if self.repeats.is_over() {
            return self.add(kind, piece.raw, ledger);
        }
        let (before, after) = self.repeats.grows_to(kind, piece.raw.len());
        ledger.hold_long(before, after)?;
        let taken = self.repeats.take(kind, piece.raw);
        self.take_repeats(taken, ledger)?;
        Ok(!piece.is_empty())
    }

    fn take_repeats(&mut self, (pieces, repeated): (Vec<repeats::Piece>, bool), ledger: &mut Ledger) -> Taken {
        if repeated {
            ledger.repair(self.index, Repair::Repeated)?;
        }
        for (kind, piece) in pieces {
            self.add(kind, &piece, ledger)?;
        }
        Ok(())
    }

    fn add(&mut self, kind: repeats::Kind, piece: &[u8], ledger: &mut Ledger) -> Taken<bool> {
        let piece = Str::spelled(piece);
        match kind {
            repeats::Kind::Content => self.add_content(piece, ledger),
            repeats::Kind::Reasoning => self.push_reasoning(piece, ledger).map(|()| !piece.is_empty()),
        }
    }

    /// Nothing more comes: settles what may have been sent before. `complete`: and this is all of the answer.
    pub(super) fn end_repeats(&mut self, complete: bool, ledger: &mut Ledger) -> Taken {
        let taken = self.repeats.end();
        self.take_repeats(taken, ledger)?;
        match self.again.take() {
            Some(_) if complete => ledger.repair(self.index, Repair::Repeated),
            Some((kind, piece)) => self.add(kind, &piece, ledger).map(drop),
            None => Ok(()),
        }
    }
}
