//! The sentences of one choice as events, and when they were given out.

use super::output::Output;
use super::sentences::{Sentence, SentenceOptions, Splitter};

#[derive(Debug)]
pub(super) struct Speech {
    choice: u64,
    splitter: Splitter,
    /// Text has come since the time was last noted.
    is_fresh: bool,
    /// When the last text came.
    since: f64,
    /// When the first sentence was given out.
    pub(super) first: Option<f64>,
}

impl Speech {
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn new(choice: u64, options: &SentenceOptions) -> Self {
        Speech {
            choice,
            splitter: Splitter::new(options),
            is_fresh: false,
            since: 0.0,
            first: None,
        }
    }

    pub(super) fn feed(&mut self, piece: &str, output: &mut Output) {
        self.is_fresh = true;
        self.splitter
            .feed(piece, |sentence| write(sentence, self.choice, output));
    }

    /// Nothing more is to come for now.
    #[inline(never)] // a plain answer has no need of it
    pub(super) fn flush(&mut self, output: &mut Output) {
        self.splitter.flush(|sentence| write(sentence, self.choice, output));
    }

    /// The text that came so far was no part of the answer.
    pub(super) fn restart(&mut self) {
        self.splitter.restart();
    }

    /// When [`tick`](Self::tick) is due.
    pub(super) fn deadline(&self) -> Option<f64> {
        Some(self.since + self.splitter.wait()?)
    }

    pub(super) fn tick(&mut self, now: f64, output: &mut Output) {
        if self.deadline().is_some_and(|due| due <= now) {
            self.splitter.settle(|sentence| write(sentence, self.choice, output));
        }
    }

    /// Notes the time, once a push.
    pub(super) fn note_time(&mut self, now: f64) {
        if std::mem::take(&mut self.is_fresh) {
            self.since = now;
        }
        if self.splitter.has_spoken {
            self.first.get_or_insert(now);
        }
    }
}

fn write(sentence: Sentence<'_>, choice: u64, output: &mut Output) {
    if output.wants_events() {
        let event = output.event("sentence", choice).member("text", sentence.text);
        event
            .key("start")
            .integer(sentence.start)
            .key("end")
            .integer(sentence.end)
            .raw(b"}");
    }
}
