//! Whether a text that grows ends inside Markdown code, where a tag is only talked about.

/// So many backticks start code of several lines.
const FENCE: usize = 3;

/// Whether the text so far ends inside Markdown code.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// Backticks at the end of the text so far.
    run: usize,
    /// The run that opened the code we are in; 0 outside.
    open: usize,
}

impl Code {
    /// Takes the next text; true when it ends inside code.
    pub(super) fn feed(&mut self, text: &str) -> bool {
        if self.run > 0 || self.open > 0 || memchr::memchr(b'`', text.as_bytes()).is_some() {
            for &byte in text.as_bytes() {
                if byte == b'`' {
                    self.run += 1;
                    continue;
                }
                self.close_run();
                if byte == b'\n' && self.open < FENCE {
                    // A single backtick is as often a typing mistake as the start of code: it counts on its line only.
                    self.open = 0;
                }
            }
        }
        self.open > 0 && (self.run == 0 || self.run != self.open) || self.open == 0 && self.run > 0
    }

    /// Whether text without a backtick may make a difference.
    pub(super) fn is_changed_by_text(&self) -> bool {
        self.run > 0 || (1..FENCE).contains(&self.open)
    }

    fn close_run(&mut self) {
        if self.run > 0 {
            match self.open {
                0 => self.open = self.run,
                open if open == self.run => self.open = 0,
                _ => {}
            }
            self.run = 0;
        }
    }
}
