//! In place of `src/stream/sentences`: nothing is cut. The module is built with this too, to tell what the rules weigh.
#![allow(missing_docs, dead_code, unused_variables, clippy::all)]

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SentenceOptions {
    pub locale: String,
    pub min_length: usize,
    pub max_length: usize,
    pub eager: bool,
    pub quiet: Option<f64>,
    pub strip_markdown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence<'a> {
    pub text: &'a str,
    pub start: u64,
    pub end: u64,
}

#[derive(Debug)]
pub struct Splitter {
    pub(super) has_spoken: bool,
}

impl Splitter {
    pub fn new(options: &SentenceOptions) -> Self {
        Splitter { has_spoken: false }
    }

    pub fn feed(&mut self, piece: &str, out: impl FnMut(Sentence<'_>)) {}

    pub fn settle(&mut self, out: impl FnMut(Sentence<'_>)) {}

    pub fn wait(&self) -> Option<f64> {
        None
    }

    pub fn flush(&mut self, out: impl FnMut(Sentence<'_>)) {}

    pub(super) fn restart(&mut self) {}
}

pub fn heard(text: &str, units: u64) -> &str {
    text
}
