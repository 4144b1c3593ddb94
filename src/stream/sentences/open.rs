//! The sentence that is being read: what is known of it, and where it would end.

use super::words::Meaning;

/// The characters that a sentence may end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line without any mark.
    Line,
    /// `!`, `?` and their like.
    Strong,
    /// A full stop, and what it means where it stands.
    Full(Meaning),
    /// `…`
    Ellipsis,
}

/// Where the open sentence would end, if what follows agrees.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) kind: Kind,
    /// A quotation or bracket closed with it.
    pub(super) is_closed: bool,
    /// Within the number of a note, `[1]`.
    pub(super) is_note: bool,
    /// White space has followed.
    pub(super) has_gap: bool,
    /// Where the word begins that decides whether the sentence has ended.
    pub(super) next: Option<usize>,
}

pub(super) enum Verdict {
    Cut,
    Drop,
    Wait,
}

/// The state of the open sentence. Places are offsets into its bytes.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) units: usize,
    pub(super) stop: Option<Stop>,
    /// There is a word to say.
    pub(super) has_words: bool,
    /// Where the word at hand and the one before it begin.
    pub(super) word: usize,
    pub(super) before: Option<usize>,
    /// The end of the last character that is no white space.
    pub(super) solid: usize,
    /// The last places to cut at, should it grow too long.
    pub(super) clause: usize,
    pub(super) space: usize,
    pub(super) last: Option<char>,
    /// Quotations and brackets that are open.
    pub(super) depth: i32,
    pub(super) is_quoted: bool,
    /// Where the item of a list begins, if white space follows its number.
    pub(super) item: Option<usize>,
    /// The last character is the first half of a flag.
    pub(super) half_flag: bool,
    /// All of it is a block of code that is not spoken.
    pub(super) is_code: bool,
}
