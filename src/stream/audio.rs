//! Audio of an answer, put together from its deltas: the data (base64) and the transcript come in pieces.

use super::ending::Taken;
use super::extras::Extras;
use super::ledger::Ledger;
use super::scan::Extra;
use crate::json::{Kind, Reader, Text, Writer, match_bytes};

#[derive(Debug, Default)]
pub(super) struct Audio {
    id: String,
    data: Text,
    transcript: Text,
    extras: Extras,
}

impl Audio {
    /// Takes the `audio` of a delta, which was read once already, and hands out what is new; true when it brought some of it.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn take(&mut self, raw: &[u8], choice: u64, ledger: &mut Ledger) -> Taken<bool> {
        let mut reader = Reader::new(raw);
        let mut extras: Vec<Extra<'_>> = Vec::new();
        let (mut id, mut data, mut transcript) = (String::new(), String::new(), String::new());
        let mut first = true;
        if reader.object().is_err() {
            return Ok(false);
        }
        while let Ok(Some(name)) = reader.member(&mut first) {
            let is_text = reader.kind() == Ok(Kind::String);
            match_bytes!(name, {
                b"id" if is_text => id = reader.string().unwrap_or_default().to_text(),
                b"data" if is_text => {
                    data = piece(&mut self.data, reader.string().unwrap_or_default(), ledger.accumulate);
                },
                b"transcript" if is_text => {
                    transcript = piece(&mut self.transcript, reader.string().unwrap_or_default(), ledger.accumulate);
                },
                b"id" | b"data" | b"transcript" => {
                    let _ = reader.value();
                },
                _ => {
                    let Ok(value) = reader.value() else { break };
                    extras.push((name, value));
                }
            })
        }
        ledger.grow(data.len() + transcript.len())?;
        ledger.hold(self.extras.keep(&extras, true) + id.len())?;
        if !id.is_empty() {
            self.id.clone_from(&id);
        }
        let has_news = !data.is_empty() || !transcript.is_empty();
        if ledger.output.wants_events() && (has_news || !id.is_empty()) {
            let event = ledger.output.event("audio", choice);
            for (name, text) in [("id", &id), ("data", &data), ("transcript", &transcript)] {
                if !text.is_empty() {
                    event.member(name, text);
                }
            }
            event.raw(b"}");
        }
        Ok(has_news)
    }

    pub(super) fn has_id(&self) -> bool {
        !self.id.is_empty()
    }

    /// Its members; of a turn to send back, the id alone.
    pub(super) fn write(&self, replay: bool, out: &mut Writer) {
        if !self.id.is_empty() {
            out.member("id", &self.id);
        }
        if replay {
            return;
        }
        for (name, text) in [("data", &self.data), ("transcript", &self.transcript)] {
            if !text.as_str().is_empty() {
                out.member(name, text.as_str());
            }
        }
        self.extras.write(false, out);
    }
}

/// Adds a piece to a text; gives what is new.
fn piece(text: &mut Text, piece: crate::json::Str<'_>, accumulate: bool) -> String {
    let from = text.as_str().len();
    text.push(piece);
    let new = text.as_str().get(from..).unwrap_or_default().to_owned();
    if !accumulate {
        text.truncate(0);
    }
    new
}
