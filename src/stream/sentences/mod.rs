//! Sentences of a text that arrives in pieces, each as soon as it is certainly complete, so that it can be spoken.
//!
//! ```
//! use chatwire::stream::{SentenceOptions, Splitter};
//!
//! let mut splitter = Splitter::new(&SentenceOptions::default());
//! let mut spoken = Vec::new();
//! for piece in ["Dr. Rao is in. He", " sees you at 3.30 p.m. today", "."] {
//!     splitter.feed(piece, |sentence| spoken.push(sentence.text.to_owned()));
//! }
//! splitter.flush(|sentence| spoken.push(sentence.text.to_owned()));
//! assert_eq!(spoken, ["Dr. Rao is in.", " He sees you at 3.30 p.m. today."]);
//! ```
//!
//! White space goes with the sentence after it, so where a text is cut does not depend on how it arrived, save for
//! [`settle`](Splitter::settle), which gives up waiting. No dictionary, no model, no table of Unicode: the marks of each
//! script, a few lists of words, and one look at the next word where only that can decide.

mod heard;
mod letters;
mod markdown;
mod open;
mod options;
mod tokens;
mod words;

pub use heard::heard;
pub use options::{Sentence, SentenceOptions};

use letters::{
    CLAUSE, CLOSING, CLOSING_PAIRS, OPENING, STRONG, SURE, WIDE_CLAUSE, among, is_cut, is_digit, is_line_end, is_lower,
    is_picture, is_space, is_upper, is_word,
};
use markdown::Stripper;
use open::{Kind, Open, Stop, Verdict};
use tokens::{
    BULLETS, FIRST_LETTER, among_bytes, ends_quotation, first_word, has_but_begun, is_next_on_line, is_quote, is_small,
    item_letter, item_number,
};
use words::Meaning;

/// Cuts a text into [`Sentence`]s while it arrives.
#[derive(Debug)]
pub struct Splitter {
    min_length: usize,
    max_length: usize,
    is_eager: bool,
    quiet: Option<f64>,
    strips: bool,
    has_ordinals: bool,
    is_greek: bool,
    /// English, for all that is known.
    is_english: bool,
    /// The part of the text that is not given out yet.
    text: String,
    /// Where the open sentence starts: in `text`, and in all of the text.
    from: usize,
    offset: u64,
    /// How far `text` has been read.
    read: usize,
    /// Where the next sentence given out starts: before `offset` where the text between has no words.
    start: u64,
    open: Open,
    /// The number of the last item of a list, also where the list is on one line; 0 where none was seen.
    item: u32,
    markdown: Stripper,
    /// In Markdown: a block of code is open; nothing but white space so far on this line, or that and so many backticks.
    is_code: bool,
    is_line_start: bool,
    ticks: usize,
    /// Something has been given out.
    pub(super) has_spoken: bool,
}

impl Splitter {
    /// A splitter at the start of a text.
    pub fn new(options: &SentenceOptions) -> Self {
        let language = options
            .locale
            .get(..2)
            .filter(|_| !matches!(options.locale.as_bytes().get(2), Some(b'a'..=b'z')));
        let language = language.unwrap_or_default();
        Splitter {
            min_length: options.min_length,
            max_length: options.max_length.max(1),
            is_eager: options.eager,
            quiet: options.quiet,
            strips: options.strip_markdown,
            has_ordinals: words::has_ordinals(language),
            is_greek: language.eq_ignore_ascii_case("el"),
            is_english: language.is_empty() || language.eq_ignore_ascii_case("en"),
            text: String::new(),
            read: 0,
            from: 0,
            offset: 0,
            start: 0,
            open: Open::default(),
            item: 0,
            markdown: Stripper::default(),
            is_code: false,
            is_line_start: true,
            ticks: 0,
            has_spoken: false,
        }
    }

    /// Takes the next piece of the text and gives out the sentences that are complete with it.
    pub fn feed(&mut self, piece: &str, mut out: impl FnMut(Sentence<'_>)) {
        self.text.push_str(piece);
        self.run(&mut out);
    }

    /// Nothing has come for a while: gives out what waits for the next word only. [`wait`](Self::wait) says after how long.
    pub fn settle(&mut self, mut out: impl FnMut(Sentence<'_>)) {
        if let Some(at) = self.pausing_at() {
            self.cut(at, &mut out);
            self.run(&mut out);
        }
    }

    /// Milliseconds to wait for more text before [`settle`](Self::settle); `None` where more text changes nothing.
    pub fn wait(&self) -> Option<f64> {
        self.quiet.filter(|_| self.pausing_at().is_some())
    }

    /// Where a sentence ends, if nothing comes for a while: not within what may be one word.
    fn pausing_at(&self) -> Option<usize> {
        let stop = self.open.stop.as_ref()?;
        let is_apart = stop.has_gap || stop.next.is_none();
        Some(stop.at).filter(|at| is_apart && self.is_long_enough(*at))
    }

    /// The text is over, or pauses for long: gives out what is left of it.
    pub fn flush(&mut self, mut out: impl FnMut(Sentence<'_>)) {
        if let Some(Stop {
            at,
            kind,
            next: Some(next),
            has_gap: true,
            ..
        }) = self.open.stop
            && (matches!(kind, Kind::Strong | Kind::Full(Meaning::EndBeforeWords))
                || words::is_starter(self.open_text().get(next..).unwrap_or_default()))
            && self.is_long_enough(at)
        {
            self.cut(at, &mut out);
            self.run(&mut out);
        }
        self.cut(self.open_text().len(), &mut out);
        self.drop_given();
    }

    /// The text given so far turned out to be no part of the answer, which starts anew.
    pub(super) fn restart(&mut self) {
        self.text.clear();
        (self.read, self.from, self.offset, self.start) = (0, 0, 0, 0);
        self.open = Open::default();
    }

    fn run(&mut self, out: &mut dyn FnMut(Sentence<'_>)) {
        while let Some(c) = self.open_text().get(self.read..).and_then(|rest| rest.chars().next()) {
            match self.read_one(c, self.read) {
                Some(at) => self.cut(at, out),
                None => self.read += c.len_utf8(),
            }
        }
        self.drop_given();
    }

    fn open_text(&self) -> &str {
        self.text.get(self.from..).unwrap_or_default()
    }

    /// Drops text that was given out.
    fn drop_given(&mut self) {
        self.text.drain(..std::mem::take(&mut self.from));
    }

    /// Gives out the open sentence up to `at`. The text beyond it is read again, as the start of the next.
    fn cut(&mut self, at: usize, out: &mut dyn FnMut(Sentence<'_>)) {
        let text = self.text.get(self.from..self.from + at).unwrap_or_default();
        if text.is_empty() {
            return;
        }
        self.offset += text.chars().map(|c| c.len_utf16() as u64).sum::<u64>();
        let stripped = match self.strips {
            true if self.open.is_code => Some(String::new()),
            true => Some(self.markdown.strip(text)),
            false => None,
        };
        let text = stripped.as_deref().unwrap_or(text);
        let is_blank = text.trim_ascii().is_empty();
        if !(self.strips && is_blank) {
            out(Sentence {
                text,
                start: self.start,
                end: self.offset,
            });
            self.start = self.offset;
            self.has_spoken |= !is_blank;
        }
        self.from += at;
        self.read = 0;
        self.open = Open {
            is_code: self.is_code,
            ..Open::default()
        };
    }

    fn is_long_enough(&self, at: usize) -> bool {
        let sentence = self.open_text().get(..at).unwrap_or_default();
        self.min_length <= 1 || sentence.chars().map(char::len_utf16).sum::<usize>() >= self.min_length
    }

    /// Reads the character at `at`. Gives the end of the sentence that ends before it or with it, if one does.
    fn read_one(&mut self, c: char, at: usize) -> Option<usize> {
        if self.open.units + c.len_utf16() > self.max_length
            && let Some(cut) = self.cut_of_long(c, at)
        {
            return Some(cut);
        }
        if self.strips
            && let Some(cut) = self.read_fence(c, at)
        {
            return Some(cut);
        }
        match (self.judge(c, at), &self.open.stop) {
            (Verdict::Cut, Some(stop)) if self.is_long_enough(stop.at) => return Some(stop.at),
            (Verdict::Wait, _) => {}
            _ => self.open.stop = None,
        }
        self.note(c, at).filter(|cut| self.is_long_enough(*cut))
    }

    /// Where a sentence that would grow too long with `c` is cut; `None` where that would be within a character.
    fn cut_of_long(&self, c: char, at: usize) -> Option<usize> {
        let open = &self.open;
        let is_flag = |c: char| matches!(c, '\u{1F1E6}'..='\u{1F1FF}');
        let can = open.last.is_some_and(|last| match c {
            _ if is_flag(c) => !open.half_flag && is_cut(last, ' '),
            _ if is_space(c) => last != '\r' && is_cut(last, ' '),
            _ => is_cut(last, c),
        });
        let clause = Some(open.clause).filter(|clause| clause * 2 >= at);
        let places = [
            open.stop.as_ref().map(|stop| stop.at),
            clause,
            Some(open.clause.max(open.space)),
            Some(at),
        ];
        places
            .into_iter()
            .flatten()
            .find(|place| *place > 0 && (*place < at || can))
    }

    /// Notices where a block of code begins and ends, and cuts there.
    fn read_fence(&mut self, c: char, at: usize) -> Option<usize> {
        if c == '`' && (self.is_line_start || self.ticks > 0) {
            self.ticks += 1;
            self.is_line_start = false;
            return None;
        }
        let ticks = std::mem::take(&mut self.ticks);
        self.is_line_start = is_line_end(c) || self.is_line_start && is_space(c);
        if ticks < 3 {
            return None;
        }
        if self.is_code {
            self.is_code = false;
            return Some(at);
        }
        if self.open.has_words {
            self.is_line_start = true; // the ticks are read again, as the start of the next sentence
            return Some(at - ticks);
        }
        self.is_code = true;
        self.open.is_code = true;
        None
    }

    /// The meaning that `c` gives to the stop before it.
    fn judge(&mut self, c: char, at: usize) -> Verdict {
        let text = self.text.get(self.from..).unwrap_or_default();
        let word = text.get(self.open.word..at).unwrap_or_default();
        let Some(stop) = &mut self.open.stop else {
            return Verdict::Drop;
        };
        if let Some(next) = stop.next {
            if is_word(c) {
                return Verdict::Wait;
            }
            let next = text.get(next..at).unwrap_or_default();
            let is_starter = match stop.kind {
                // The letter or number of a list's item.
                Kind::Line => next.len() <= 4 && matches!(c, '.' | ')'),
                // "a thousand.That is": more likely the name of something, such as `Math.PI`.
                Kind::Full(Meaning::End) => {
                    words::is_starter(next) && (is_space(c) || c == '.' && words::is_title(next))
                }
                // "I thought... I would go.": a capital wherever it stands.
                Kind::Ellipsis => next != "I" || !self.is_english,
                Kind::Strong | Kind::Full(Meaning::EndBeforeWords) => {
                    !words::is_more(next, c, stop.kind == Kind::Strong)
                }
                // Not an initial.
                _ => {
                    words::is_starter(next)
                        && (c != '.' || next.chars().count() > 1 && next != "No")
                        && !words::goes_on(first_word(text), next)
                }
            };
            return if is_starter { Verdict::Cut } else { Verdict::Drop };
        }
        if is_line_end(c) {
            return Verdict::Cut;
        }
        if is_space(c) {
            // A quotation mark between spaces ends what was said before it, unless it opens the next.
            let is_mark = stop.has_gap && self.open.last.is_some_and(is_quote);
            if is_mark && !stop.is_closed && ends_quotation(text.get(..stop.at).unwrap_or_default()) {
                stop.at = at;
            }
            stop.has_gap = true;
            return Verdict::Wait;
        }
        if stop.kind == Kind::Line {
            if !is_lower(c) {
                return Verdict::Cut;
            }
            stop.next = Some(at);
            return Verdict::Wait;
        }
        let is_end = |set| among(set, c);
        if !stop.has_gap {
            let is_attached = self.open.last.is_some_and(|last| !is_cut(last, c)) || is_picture(c);
            let is_note = c == '[' || stop.is_note && (is_digit(c) || c == ',');
            if among(CLOSING, c) || is_attached || is_note {
                stop.is_note = is_note;
                stop.is_closed |= among(CLOSING, c) && !among("*_`~", c);
                stop.at = at + c.len_utf8();
                return Verdict::Wait;
            }
            if c == '.' || c == '…' || is_end(STRONG) {
                stop.at = at + c.len_utf8();
                stop.kind = if is_end(STRONG) || stop.kind == Kind::Strong {
                    Kind::Strong
                } else {
                    Kind::Ellipsis
                };
                return Verdict::Wait;
            }
            let is_address = self.open.last.is_none_or(|last| last.is_ascii()) && among_bytes(word, b"/@");
            return match stop.kind {
                _ if stop.is_closed || is_address || !is_word(c) => Verdict::Drop,
                Kind::Strong if is_upper(c) || !is_lower(c) && !is_digit(c) => Verdict::Cut,
                // `one.Two`, but neither `a.B` nor `java.util.List`.
                Kind::Full(Meaning::End) if is_upper(c) && word.len() > 3 && is_small(word) => Verdict::Cut,
                Kind::Full(Meaning::End) if is_upper(c) => {
                    stop.next = Some(at);
                    Verdict::Wait
                }
                _ => Verdict::Drop,
            };
        }
        // A note after the white space, `. [1]`, belongs to the sentence before it.
        let is_in_note = self.open.last == Some('[') || stop.is_note;
        if is_in_note && (is_digit(c) || c == ',' && stop.is_note) {
            stop.is_note = true;
            return Verdict::Wait;
        }
        if c == ']' && stop.is_note {
            (stop.at, stop.is_note, stop.has_gap) = (at + 1, false, false);
            return Verdict::Wait;
        }
        if !is_word(c) {
            if c == '»' && self.open.depth > 0 {
                // French puts a space before it.
                (stop.at, stop.is_closed, stop.has_gap) = (at + c.len_utf8(), true, false);
            }
            return if c == '.' || c == ',' || c == '…' || is_end(STRONG) {
                Verdict::Drop
            } else {
                Verdict::Wait
            };
        }
        if is_lower(c) {
            return Verdict::Drop;
        }
        match stop.kind {
            Kind::Full(Meaning::Unclear | Meaning::EndBeforeWords | Meaning::Era) if is_digit(c) => Verdict::Drop,
            Kind::Full(Meaning::Era) if has_but_begun(text.get(..stop.at).unwrap_or_default()) => Verdict::Drop,
            kind if match kind {
                Kind::Full(Meaning::Unclear | Meaning::Time) => !stop.is_closed && !is_digit(c),
                Kind::Full(Meaning::EndBeforeWords) => matches!(c, 'N' | 'T' | 'H'),
                Kind::Strong | Kind::Ellipsis => c == 'I',
                _ => false,
            } =>
            {
                stop.next = Some(at);
                Verdict::Wait
            }
            _ => Verdict::Cut,
        }
    }

    /// Reads `c` as a part of the open sentence. Gives the end of the sentence, if it certainly ends with `c`.
    fn note(&mut self, c: char, at: usize) -> Option<usize> {
        let end = at + c.len_utf8();
        let is_first = self.is_eager && !self.has_spoken;
        let open = &mut self.open;
        let last = open.last.replace(c);
        open.units += c.len_utf16();
        open.half_flag = matches!(c, '\u{1F1E6}'..='\u{1F1FF}') && !open.half_flag;
        let item = open.item.take().filter(|_| is_space(c) && !is_line_end(c));
        if item.is_some() {
            return item;
        }
        if is_space(c) {
            if is_line_end(c) {
                (open.depth, open.is_quoted) = (0, false);
                if open.has_words && open.stop.is_none() && !open.is_code {
                    open.stop = Some(Stop {
                        at: open.solid,
                        kind: Kind::Line,
                        is_closed: false,
                        is_note: false,
                        has_gap: true,
                        next: None,
                    });
                }
            }
            if open.has_words && last.is_some_and(|last| !is_space(last)) {
                open.space = at;
                if last.is_some_and(|last| among(CLAUSE, last)) {
                    open.clause = at;
                    return Some(at).filter(|_| is_first);
                }
            }
            return None;
        }
        open.solid = end;
        if last.is_none_or(is_space) {
            open.before = Some(open.word).filter(|_| open.has_words);
            open.word = at;
        }
        if open.is_code {
            return None;
        }
        if is_word(c) {
            open.has_words = true;
            return None;
        }
        if c == '"' {
            open.is_quoted = !open.is_quoted;
        } else if among(OPENING, c) {
            open.depth += 1;
        } else if among(CLOSING_PAIRS, c) {
            open.depth -= 1;
        }
        if !open.has_words {
            return None;
        }
        if among(BULLETS, c) && last.is_some_and(is_space) {
            let text = self.text.get(self.from..).unwrap_or_default();
            let is_list = text.trim_start().starts_with(|first| among(BULLETS, first));
            return text.get(..at).filter(|_| is_list).map(|before| before.trim_end().len());
        }
        if among(WIDE_CLAUSE, c) {
            open.clause = end;
            return Some(end).filter(|_| is_first);
        }
        let kind = match c {
            '.' => {
                let text = self.text.get(self.from..).unwrap_or_default();
                let token = text.get(open.word..at).unwrap_or_default();
                // The mark of text that a quotation leaves out: `[...]`.
                if token
                    .strip_prefix('[')
                    .is_some_and(|rest| rest.trim_end_matches('.').is_empty())
                {
                    return None;
                }
                // Without quotation marks and French articles before it.
                let is_mark = |c: char| !is_word(c) && !matches!(c, '.' | '-' | '/');
                // The last run of what is no mark.
                let (mut start, mut end, mut is_in_word) = (0, 0, false);
                for (at, c) in token.char_indices() {
                    let is_letter = !is_mark(c);
                    if is_letter {
                        start = if is_in_word { start } else { at };
                        end = at + c.len_utf8();
                    }
                    is_in_word = is_letter;
                }
                // `C#` and `A+` are no initials.
                let is_letters = !token.ends_with(['#', '+']);
                let word = token.get(start..end).filter(|_| is_letters).unwrap_or_default();
                let before = open
                    .before
                    .and_then(|from| text.get(from..open.word))
                    .unwrap_or_default();
                let lead = text.get(..open.word).unwrap_or_default();
                let number = item_number(word).or_else(|| item_letter(word));
                let is_next = number.is_some_and(|number| {
                    matches!(number, 1 | FIRST_LETTER) || self.item > 0 && number == self.item + 1
                });
                let is_item = match open.before {
                    None => self.offset == 0 || among_bytes(lead, b"\n") || is_next,
                    // "Do this: 1. Boil the water."
                    Some(_) => matches!(number, Some(1 | FIRST_LETTER)) && before.trim_ascii_end().ends_with(':'),
                };
                if let Some(number) = number.filter(|_| is_item) {
                    self.item = number;
                }
                match words::full_stop(word, before.trim_ascii(), is_item, self.has_ordinals) {
                    Meaning::Part => return None,
                    // The full stop of a number that is unclear is that of a day: "am 2. Mai".
                    meaning
                        if (meaning == Meaning::End || meaning == Meaning::Unclear && item_letter(word).is_some())
                            && is_next_on_line(lead, self.item, word) =>
                    {
                        open.item = Some(lead.trim_end().len());
                        return None;
                    }
                    meaning => Kind::Full(meaning),
                }
            }
            ')' => {
                // "1) Boil the water 2) Add the tea leaves": the next number begins a sentence.
                let text = self.text.get(self.from..).unwrap_or_default();
                let token = text.get(open.word..at).unwrap_or_default().trim_end_matches('.');
                let number = item_number(token).or_else(|| item_letter(token))?;
                let is_first = matches!(number, 1 | FIRST_LETTER) && open.before.is_none();
                if !is_first && (self.item == 0 || number != self.item + 1) {
                    return None;
                }
                if open.before.is_some() {
                    open.item = text.get(..open.word).map(|before| before.trim_end().len());
                } else {
                    self.item = number;
                }
                return None;
            }
            '…' if last == Some('[') => return None,
            '…' => Kind::Ellipsis,
            ';' if self.is_greek => Kind::Strong,
            // Armenian writes its full stop as two points, and on keyboards as a colon.
            ':' if matches!(last, Some('\u{531}'..='\u{588}')) => Kind::Strong,
            _ if among(STRONG, c) => Kind::Strong,
            _ if !among(SURE, c) => return None,
            _ if open.depth <= 0 && !open.is_quoted => return Some(end),
            _ => Kind::Strong,
        };
        if open.stop.is_none() {
            open.stop = Some(Stop {
                at: end,
                kind,
                is_closed: false,
                is_note: false,
                has_gap: false,
                next: None,
            });
        }
        None
    }
}
