//! Text without the marks of Markdown, for a voice that would read them aloud. Blocks of code never get here.

use super::letters::{is_line_end, is_space, is_word};

/// Strips a text that comes in pieces. A mark that is cut in two between pieces may be left over.
#[derive(Debug)]
pub(super) struct Stripper {
    is_line_start: bool,
    /// Parentheses open in the address of a link.
    address: u32,
    last: char,
}

impl Default for Stripper {
    fn default() -> Self {
        Stripper {
            is_line_start: true,
            address: 0,
            last: '\n',
        }
    }
}

impl Stripper {
    pub(super) fn strip(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        let mut rest = piece;
        while let Some(c) = rest.chars().next() {
            let length = self.mark(c, rest, &mut out);
            self.last = c;
            rest = rest.get(length.max(c.len_utf8()).min(rest.len())..).unwrap_or_default();
        }
        out
    }

    /// Takes `c`, the first character of `rest`, and gives how many bytes of it were taken.
    fn mark(&mut self, c: char, rest: &str, out: &mut String) -> usize {
        let bytes = rest.as_bytes();
        let next = rest.chars().nth(1).unwrap_or(' ');
        if is_line_end(c) {
            (self.is_line_start, self.address) = (true, 0);
            out.push(c);
            return 0;
        }
        if self.address > 0 {
            self.address += u32::from(c == '(');
            self.address -= u32::from(c == ')');
            return 0;
        }
        if self.is_line_start && !is_space(c) {
            let length = |is_it: fn(&u8) -> bool| bytes.iter().position(|byte| !is_it(byte)).unwrap_or(bytes.len());
            let rule = length(|byte| b"-*_=|:+ \t".iter().any(|other| other == byte));
            if rule >= 3 && matches!(bytes.get(rule), None | Some(b'\n' | b'\r')) {
                return rule; // a line across, or the one below a table's head
            }
            let heading = length(|byte| *byte == b'#');
            if heading > 0 && matches!(bytes.get(heading), None | Some(b' ')) {
                self.is_line_start = false;
                return heading + 1;
            }
            if matches!(c, '>' | '|') || matches!(c, '-' | '+' | '*' | '•') && is_space(next) {
                return c.len_utf8() + usize::from(next == ' ');
            }
            self.is_line_start = false;
        }
        match c {
            '`' => {}
            '*' if next == '*' || self.last == '*' || is_space(self.last) != is_space(next) => {}
            '*' if is_space(next) || next.is_ascii_digit() && self.last.is_ascii_digit() => out.push(c),
            '*' => {}
            '_' if is_word(self.last) && is_word(next) => out.push(c),
            '~' if next != '~' && self.last != '~' => out.push(c),
            '_' | '~' | '[' => {}
            '!' if next == '[' => {}
            ']' if next == '(' => {
                self.address = 1;
                return 2;
            }
            ']' => {}
            '\\' if next.is_ascii_punctuation() => {
                out.push(next);
                return 2;
            }
            '<' if next.is_ascii_alphabetic() || next == '/' => match bytes.iter().position(|byte| *byte == b'>') {
                Some(end) => return end + 1,
                None => out.push(c),
            },
            '|' => {
                let is_last = rest.get(1..).unwrap_or_default().trim_ascii_start().is_empty();
                out.push_str(if is_last { "" } else { "," });
            }
            _ => out.push(c),
        }
        0
    }
}
