//! The bytes of a body on their way to the intake: framed as the events of an event stream or as JSON lines, or kept until the
//! body ends, as a document or a page is.

use super::body::{self, Body};
use super::ending::{Ending, Taken};
use super::event::{self, is_done};
use super::intake::Intake;
use super::options::Options;
use super::repairs::Repair;
use crate::json::{Reader, is_json};
use crate::sse;
use crate::text::lossy;

#[derive(Debug)]
pub(super) struct Source {
    sse: sse::Decoder,
    body: Body,
    /// One JSON completion is expected.
    is_document: bool,
    max_event_bytes: usize,
}

impl Source {
    pub(super) fn new(options: &Options) -> Self {
        let mut sse = sse::Decoder::with_limit(options.bounds.max_event_bytes);
        sse.set_lenient();
        Source {
            sse,
            body: Body::Unknown,
            is_document: options.document,
            max_event_bytes: options.bounds.max_event_bytes,
        }
    }

    /// Takes the next bytes. The first of them say what the body is.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn take(&mut self, bytes: &[u8], intake: &mut Intake, now: f64) -> Taken {
        match self.body {
            Body::EventStream => intake.take_events(&mut self.sse, bytes, now),
            _ => self.take_rare(bytes, intake, now),
        }
    }

    /// Takes the first bytes, or those of a body that is no event stream.
    #[inline(never)] // so that its caller stays short
    fn take_rare(&mut self, mut bytes: &[u8], intake: &mut Intake, now: f64) -> Taken {
        if matches!(self.body, Body::Unknown) {
            let (mut body, start) = Body::sniff(bytes);
            if matches!(body, Body::Document(_) | Body::Html(_)) {
                bytes = bytes.get(start..).unwrap_or_default();
            }
            match (&body, self.is_document) {
                (Body::Document(_), is_document) => {
                    if !is_document {
                        intake.ledger.repair(0, Repair::Json)?;
                    }
                    body = Body::Lines(Vec::new());
                }
                (Body::EventStream, true) => intake.ledger.repair(0, Repair::EventStream)?,
                _ => {}
            }
            self.body = body;
        }
        match &mut self.body {
            Body::Unknown | Body::EventStream => intake.take_events(&mut self.sse, bytes, now),
            Body::Document(document) => {
                body::grow_document(document, bytes, self.max_event_bytes)?;
                if !bytes.trim_ascii().is_empty() {
                    intake.clock.document_grew();
                }
                Ok(())
            }
            Body::Lines(_) => self.take_lines(bytes, intake, now),
            Body::Html(page) => {
                body::grow_page(page, bytes);
                Ok(())
            }
        }
    }

    /// Takes the lines of JSON that these bytes complete. The first of them may show that the body is a document.
    ///
    /// Not inlined: hardly a body has such lines, and `take` is on the way of every read.
    #[inline(never)]
    fn take_lines(&mut self, mut bytes: &[u8], intake: &mut Intake, now: f64) -> Taken {
        while let Body::Lines(line) = &mut self.body {
            let end = memchr::memchr(b'\n', bytes);
            let part = end.map_or(bytes, |at| bytes.get(..=at).unwrap_or_default());
            body::grow_document(line, part, self.max_event_bytes)?;
            let is_first = intake.ledger.event == 0;
            let Some(end) = end else {
                if is_first {
                    intake.clock.document_grew();
                }
                return Ok(());
            };
            bytes = bytes.get(end + 1..).unwrap_or_default();
            let line = std::mem::take(line);
            if is_first && !body::is_first_of_lines(&line, self.is_document) {
                self.body = Body::Document(line);
                return self.take(bytes, intake, now);
            }
            if is_first && self.is_document {
                intake.ledger.repair(0, Repair::EventStream)?;
            }
            let data = line.trim_ascii();
            if !data.is_empty() {
                let event = sse::Event {
                    event: "message",
                    data,
                    id: "",
                    unfinished: false,
                };
                intake.take_event(&event, now)?;
            }
        }
        Ok(())
    }

    /// How the stream ends now that its body is over: takes what was kept until then.
    pub(super) fn end(&mut self, is_lost: bool, intake: &mut Intake, now: f64) -> Box<Ending> {
        let mut end_unsaid = Some(Repair::NoDone);
        if let Body::Lines(line) = &mut self.body {
            end_unsaid = None;
            if intake.ledger.event == 0 {
                self.body = Body::Document(std::mem::take(line));
            } else if (is_done(line.trim_ascii()) || is_json(line))
                && let Err(ending) = self.take_lines(b"\n", intake, now)
            {
                return ending;
            }
        }
        let taken = match &mut self.body {
            Body::Document(document) => {
                // A character cut short at the very end is the end of the document, and no damage.
                if std::str::from_utf8(document).is_err_and(|error| error.error_len().is_some()) {
                    *document = lossy(document).into_bytes();
                    if let Err(refusal) = intake.ledger.repair(0, Repair::InvalidUtf8) {
                        return refusal;
                    }
                }
                while let Some((plain, repair)) = body::respelled(document) {
                    *document = plain;
                    if let Err(refusal) = intake.ledger.repair(0, repair) {
                        return refusal;
                    }
                }
                return intake.take_document(document, is_lost, now);
            }
            Body::Html(page) => return body::html(page),
            Body::Unknown | Body::EventStream | Body::Lines(_) => {
                self.take_last_event(intake, now).and_then(|()| intake.settle(now))
            }
        };
        match taken {
            Err(ending) => ending,
            Ok(()) if intake.answer.is_finished() => intake.complete(end_unsaid),
            Ok(()) if is_lost => Ending::lost(),
            Ok(()) if intake.is_empty() => intake.empty(),
            Ok(()) => Ending::truncated(),
        }
    }

    /// Takes the event that no blank line has closed, as far as it is whole.
    fn take_last_event(&mut self, intake: &mut Intake, now: f64) -> Taken {
        let Some(event) = self.sse.end() else {
            return match self.sse.unknown_line() {
                Some(words) if intake.ledger.event == 0 => Err(Ending::unknown(words)),
                _ => Ok(()),
            };
        };
        // Half an event of a cut stream is no repair, but the end. Where blank lines are missing, what is whole counts.
        let data = event.data.trim_ascii();
        let starts_whole = starts_whole(data);
        if event.event == "error" && (starts_whole || data.first() != Some(&b'{')) {
            intake.take_event(&event, now)?;
        } else if is_done(data) || starts_whole {
            intake.ledger.repair(0, Repair::UnfinishedEvent)?;
            intake.take_event(&event, now)?;
        }
        Ok(())
    }

    /// Whether `[DONE]` is there, all but the blank line after it.
    pub(super) fn awaits_blank_line(&self) -> bool {
        self.sse.pending().is_some_and(|data| is_done(data.trim_ascii()))
    }

    /// The document so far, where the body is one.
    pub(super) fn document(&self) -> Option<&[u8]> {
        self.body.document()
    }

    /// Gives back the memory of an event that has begun.
    pub(super) fn close(&mut self) {
        self.sse = sse::Decoder::default();
    }
}

/// Whether a text starts with a JSON value that is whole, as it is or once it is put right.
fn starts_whole(data: &[u8]) -> bool {
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Reader::new(data).value().is_ok() || event::respelled(line).is_some_and(|(plain, _)| is_json(&plain))
}
