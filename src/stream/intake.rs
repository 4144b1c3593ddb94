//! Takes events and documents into the answer. Everything of a decoder but the framing, whose events borrow from it.

use super::answer::Answer;
use super::body::{self, Value};
use super::clock::Clock;
use super::counting::{Counting, Says as Indexes};
use super::ending::{Ending, Taken};
use super::event::{self, Event, Line, Says};
use super::ledger::Ledger;
use super::options::Options;
use super::predict::{Marks, Predicted, Template};
use super::repairs::Repair;
use super::scan::Chunk;
use crate::json::{Reader, Writer, is_json, with_plain_names};
use crate::sse;
use crate::text::lossy;

#[derive(Debug)]
pub(super) struct Intake {
    pub(super) answer: Answer,
    pub(super) clock: Clock,
    pub(super) ledger: Ledger,
    counting: Counting,
    template: Template,
    /// Whether to recognise events that repeat the one before.
    predict: bool,
    /// A document is expected: an answer with messages in place of deltas.
    expects_document: bool,
    /// The body is one object with a list of choices that each have a message, as a caller expects it.
    pub(super) is_completion: bool,
    /// How many bytes at the end of the last input are events that were as predicted, and perhaps the beginning of one more.
    pub(super) repeated: usize,
    /// The last input brought text, reasoning or a tool call.
    pub(super) has_progressed: bool,
    /// The only words that came in place of JSON; empty where others followed, which may be an answer in plain text.
    words: Option<String>,
}

impl Intake {
    pub(super) fn new(options: &Options) -> Self {
        Intake {
            answer: Answer::new(options),
            clock: Clock::new(options.timeouts, options.started),
            ledger: Ledger::new(options),
            counting: Counting::new(options.choices),
            template: Template::default(),
            predict: options.predict,
            expects_document: options.document,
            is_completion: false,
            repeated: 0,
            has_progressed: false,
            words: None,
        }
    }

    #[inline]
    fn progress(&mut self, now: f64) {
        self.clock.progress(now);
        self.has_progressed = true;
    }

    /// How a stream ends that answered nothing.
    pub(super) fn empty(&self) -> Box<Ending> {
        Ending::empty(self.words.as_deref().unwrap_or_default())
    }

    /// Whether nothing has come that a reader waits for: no text, no call, no finish reason.
    pub(super) fn is_empty(&self) -> bool {
        self.clock.first_token.is_none()
    }

    /// The ending of a stream after `[DONE]`.
    fn done(&mut self, now: f64) -> Box<Ending> {
        if let Err(refusal) = self.settle(now) {
            return refusal;
        }
        if self.answer.is_mid_call() {
            return Ending::truncated();
        }
        let lacks_reason = !self.answer.has_choices() || self.answer.is_open();
        self.complete(lacks_reason.then_some(Repair::NoFinishReason))
    }

    /// The ending of a stream whose answer is whole. With this repair the stream is complete, unless nothing was answered or
    /// the server says that it failed.
    pub(super) fn complete(&mut self, repair: Option<Repair>) -> Box<Ending> {
        if self.is_empty() {
            return self.empty();
        }
        if let Some(reason) = self.answer.failed() {
            return Ending::failed(&reason);
        }
        match repair.map(|repair| self.ledger.repair(0, repair)) {
            Some(Err(refusal)) => refusal,
            _ => Ending::complete(),
        }
    }

    /// Takes the events that these bytes complete.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn take_events(&mut self, sse: &mut sse::Decoder, bytes: &[u8], now: f64) -> Taken {
        let limit = self.ledger.bounds.max_event_bytes;
        let mut events = sse.feed(bytes);
        loop {
            // Events for as long as each is the one before with other values in its holes.
            let mut start = events.at_event_start();
            let from_here = start.unwrap_or_default().len();
            while let Some(rest @ [_, ..]) = start
                && let Some(event) = self.template.read(rest)
                && event.bytes.len() <= limit
            {
                start = events.advance(event.bytes.len());
                self.take_predicted(&event, now)?;
            }
            let is_mid_event = match start {
                Some([]) => {
                    self.repeated = from_here;
                    return Ok(());
                }
                start => start.is_none(),
            };
            let whole = events.whole();
            let event = match events.next() {
                Some(Ok(event)) => event,
                Some(Err(sse::Overflow { .. })) => return Err(Ending::event_too_large()),
                None => {
                    // A blank line here ends lines that are no event.
                    let has_lines = events.whole() != whole;
                    self.repeated = if has_lines { 0 } else { from_here };
                    return Ok(());
                }
            };
            // An event that began in an earlier push may be as predicted, too.
            let predicted = Some(event.data)
                .filter(|_| is_mid_event && event.event == "message")
                .and_then(|data| self.template.read_data(data));
            if let Some(event) = predicted {
                self.take_predicted(&event, now)?;
                continue;
            }
            let marks = self.take_event(&event, now)?;
            self.template.clear();
            if let (Some(marks), Some(event), true) = (marks, events.last_event(), self.predict) {
                self.template.learn(event, &marks);
            }
        }
    }

    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn take_predicted(&mut self, event: &Predicted<'_>, now: f64) -> Taken {
        if self.ledger.output.wants_chunks() {
            self.hand_out_predicted(event);
        }
        let ledger = &mut self.ledger;
        let Some(choice) = self.answer.choice_mut(self.template.choice) else {
            return Ok(());
        };
        let progress = choice.go_on(event, ledger)?;
        if let Some(usage) = event.usage {
            self.answer.take_usage(usage, self.template.has_counts, ledger)?;
        }
        if progress {
            self.progress(now);
        }
        self.ledger.event += 1;
        Ok(())
    }

    /// Hands out a chunk that is as predicted. Not inlined: readers of text and events have no use for it.
    #[inline(never)]
    fn hand_out_predicted(&mut self, event: &Predicted<'_>) {
        match self.ledger.output.parts() {
            Some(parts) => self.template.hand_out(event, parts),
            None => self.ledger.output.chunk(event.data),
        }
    }

    /// Takes one event. Gives what the next may be predicted from, if this one was as it should be.
    pub(super) fn take_event(&mut self, event: &sse::Event<'_>, now: f64) -> Taken<Option<Marks>> {
        let marks = self.take_said(event::read(event.event, event.data, self.max_choices()), now)?;
        self.ledger.event += 1;
        Ok(marks)
    }

    /// Takes an event of any kind. Nothing is predicted from an event of several values, or from one that was repaired.
    fn take_said(&mut self, event: Event<'_>, now: f64) -> Taken<Option<Marks>> {
        let is_clean = event.doubled == 0 && event.repair.is_none();
        for _ in 0..event.doubled {
            self.ledger.repair(0, Repair::DoubledField)?;
        }
        if let Some(repair) = event.repair {
            self.ledger.repair(0, repair)?;
        }
        match &event.says {
            Says::Chunk(data, chunk) => {
                let marks = self.take_chunk(data, chunk, now)?;
                return Ok(marks.filter(|_| is_clean));
            }
            Says::Done => return Err(self.done(now)),
            _ => self.take_other(event.says, now)?,
        }
        Ok(None)
    }

    /// Takes all that is neither a chunk nor the end.
    #[inline(never)] // a plain answer has no need of it
    fn take_other(&mut self, says: Says<'_>, now: f64) -> Taken {
        match says {
            Says::Chunk(..) | Says::Done | Says::Nothing => {}
            Says::Words(words) => {
                self.words = Some(self.words.as_ref().map_or_else(|| lossy(words), |_| String::new()))
            }
            Says::Error(json) => return Err(Ending::in_band(&json, &json)),
            Says::Respelled(text) => {
                self.take_said(event::object(&text, self.max_choices()), now)?;
            }
            Says::Lines(data) => {
                for line in event::lines(data) {
                    self.take_line(line, now)?;
                }
            }
            Says::List(data) => {
                for item in event::objects(data) {
                    self.take_said(event::object(item, self.max_choices()), now)?;
                }
            }
        }
        Ok(())
    }

    fn max_choices(&self) -> usize {
        self.ledger.bounds.max_choices
    }

    /// Not inlined: most events are chunks, whose way stays short.
    #[inline(never)]
    fn take_line(&mut self, line: Line<'_>, now: f64) -> Taken {
        match line {
            Line::Object { data, is_first } => {
                if !is_first {
                    self.ledger.repair(0, Repair::NoBlankLine)?;
                }
                self.take_said(event::object(data, self.max_choices()), now).map(drop)
            }
            Line::Done => {
                self.ledger.repair(0, Repair::NoBlankLine)?;
                Err(self.done(now))
            }
            Line::Other(data) => self
                .take_said(event::read("message", data, self.max_choices()), now)
                .map(drop),
        }
    }

    fn take_chunk(&mut self, data: &[u8], chunk: &Chunk<'_>, now: f64) -> Taken<Option<Marks>> {
        let repairs = self.ledger.repairs.total();
        let mut error = event::error_in(data, chunk);
        if error.is_none() && !chunk.has_choices {
            error = event::error_within(chunk, self.is_empty());
        }
        let is_held = self.counting.is_open() && self.look_at_index(data, chunk, error.is_some(), now)?;
        if error.is_none() || chunk.first.is_some() {
            self.ledger.output.chunk(data);
            if is_held {
                return Ok(None);
            }
            if self.answer.take(chunk, self.expects_document, &mut self.ledger)? {
                self.progress(now);
            }
        }
        match error {
            Some(error) => Err(Ending::in_band(error, data)),
            // The next chunk may be of another choice, or of the same.
            None if self.counting.is_open() => Ok(None),
            None if self.ledger.repairs.total() == repairs => {
                let index = chunk.first.as_ref().and_then(|choice| choice.index);
                Ok(Marks::new(
                    data,
                    chunk,
                    index.map_or(0, |index| self.answer.number(index)),
                ))
            }
            None => Ok(None),
        }
    }

    /// Finds out whether the indexes of chunks count them. True where this chunk is held back. Not inlined: only the first
    /// chunks of a stream come here.
    #[inline(never)]
    fn look_at_index(&mut self, data: &[u8], chunk: &Chunk<'_>, is_error: bool, now: f64) -> Taken<bool> {
        let says = match is_error {
            true => self.counting.at_end(),
            false => self.counting.look(chunk, self.answer.is_of(chunk.id)),
        };
        match says {
            Indexes::Nothing => return Ok(false),
            Indexes::Perhaps => {
                self.ledger.hold_long(0, data.len())?;
                self.counting.hold(data);
                return Ok(true);
            }
            Indexes::Counts => self.answer.set_index_counts(),
            Indexes::Lone(index) => {
                self.answer.be_main(index);
            }
            Indexes::Choices => {}
        }
        self.take_held(now)?;
        Ok(false)
    }

    /// Nothing more comes: takes the chunks held back.
    pub(super) fn settle(&mut self, now: f64) -> Taken {
        match self.counting.at_end() {
            Indexes::Counts => self.answer.set_index_counts(),
            Indexes::Lone(index) => {
                self.answer.be_main(index);
            }
            _ => {}
        }
        self.take_held(now)
    }

    fn take_held(&mut self, now: f64) -> Taken {
        match self.counting.release() {
            held if held.is_empty() => Ok(()),
            held => self.take_chunks(&held, now),
        }
    }

    /// Takes chunks that were held back.
    #[inline(never)] // a plain answer has no need of it
    fn take_chunks(&mut self, held: &[Vec<u8>], now: f64) -> Taken {
        for data in held {
            // Each was read once already.
            let Ok(chunk) = Chunk::read(&mut Reader::new(data), self.max_choices()) else {
                continue;
            };
            if self.answer.take(&chunk, self.expects_document, &mut self.ledger)? {
                self.progress(now);
            }
        }
        Ok(())
    }

    /// Takes a JSON document: a completion, an error, or several values in a row. Gives how the stream ends.
    pub(super) fn take_document(&mut self, document: &[u8], is_lost: bool, now: f64) -> Box<Ending> {
        match self.take_values(document, is_lost, now) {
            Ok(()) => self.complete(None),
            Err(ending) => ending,
        }
    }

    fn take_values(&mut self, document: &[u8], is_lost: bool, now: f64) -> Taken {
        // A document becomes a chunk with all that it says.
        self.ledger.accumulate |= self.ledger.output.wants_chunks();
        let mut is_damaged = false;
        for value in body::values(document) {
            self.is_completion = false;
            match value {
                Value::Object(object) => self.take_document_value(object, now)?,
                Value::Done => {
                    if self.answer.has_begun() {
                        self.repair_document(Repair::PaddedDone)?;
                    }
                    return Err(self.done(now));
                }
                Value::Other(other) => {
                    for object in event::objects(other) {
                        self.repair_document(Repair::NotAnObject)?;
                        self.take_document_value(object, now)?;
                        self.is_completion = false;
                    }
                }
                Value::CutShort => return Err(Ending::truncated()),
                // Lines of JSON, the first of which is damaged.
                Value::Malformed { is_value: true } if !self.answer.has_begun() && event::has_lines(document) => {
                    for line in document.split(|byte| *byte == b'\n') {
                        match line.first() {
                            Some(b'{') if is_json(line) => self.take_document_value(line, now)?,
                            Some(b'{') => is_damaged = true,
                            _ => {}
                        }
                    }
                }
                Value::Malformed { is_value: true } if is_lost => return Err(Ending::truncated()),
                Value::Malformed { .. } if self.answer.has_begun() => is_damaged = true,
                Value::Malformed { is_value: true } => {
                    return Err(Ending::refused(
                        "body.malformed",
                        "The server's answer is not valid JSON.",
                    ));
                }
                Value::Malformed { is_value: false } => {}
            }
        }
        self.settle(now)?;
        if !self.answer.has_begun() {
            return Err(no_completion());
        }
        if is_damaged {
            self.is_completion = false;
            self.ledger.repair(0, Repair::Malformed)?;
        }
        if self.answer.is_cut() {
            // Chunks in a row, of which the last ones are missing.
            return Err(if is_lost { Ending::lost() } else { Ending::truncated() });
        }
        if self.answer.is_open() && !self.is_empty() {
            self.ledger.repair(0, Repair::NoFinishReason)?;
        }
        self.answer.end_choices(true, &mut self.ledger)?;
        if !self.expects_document && self.ledger.output.wants_chunks() {
            let mut chunk = Writer::default();
            self.answer.write_chunk(&mut chunk);
            self.ledger.output.chunk(&chunk.bytes);
        }
        Ok(())
    }

    /// Records a repair of the form of a document, where one was asked for: of a stream, that it is a document is recorded already.
    fn repair_document(&mut self, repair: Repair) -> Taken {
        match self.expects_document {
            true => self.ledger.repair(0, repair),
            false => Ok(()),
        }
    }

    fn take_document_value(&mut self, value: &[u8], now: f64) -> Taken {
        let mut reader = Reader::new(value);
        let Ok(mut chunk) = Chunk::read(&mut reader, self.max_choices()) else {
            return Err(no_completion());
        };
        if reader.has_escaped_names()
            && let Some(plain) = with_plain_names(value)
        {
            let taken = self.take_document_value(&plain, now);
            self.is_completion = false;
            return taken;
        }
        let mut error = event::error_in(value, &chunk);
        if error.is_none() && !chunk.has_choices {
            error = event::error_within(&chunk, self.is_empty());
        }
        self.is_completion = chunk.first.is_some() && !chunk.is_foreign && !self.answer.has_begun();
        for choice in chunk.first.iter_mut().chain(&mut chunk.more) {
            self.is_completion &= choice.message.is_some();
            // Beside deltas that others came before, a message is what came so far.
            if !self.answer.has_begun() {
                // The message was scanned with its chunk, so this cannot fail.
                let _ = choice.prefer_message();
            }
        }
        if chunk
            .first
            .as_ref()
            .is_some_and(|choice| choice.delta.is_some() && !choice.whole)
        {
            self.repair_document(Repair::MessageForDelta)?;
        }
        let is_held = self.counting.is_open() && self.look_at_index(value, &chunk, error.is_some(), now)?;
        let is_taken = !is_held && (error.is_none() || chunk.first.is_some());
        if is_taken && self.answer.take(&chunk, true, &mut self.ledger)? {
            self.progress(now);
        }
        match error {
            Some(error) => Err(Ending::in_band(error, value)),
            None => Ok(()),
        }
    }
}

fn no_completion() -> Box<Ending> {
    Ending::refused("body.malformed", "The server's answer is not a chat completion.")
}
