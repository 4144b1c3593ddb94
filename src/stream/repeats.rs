//! Text that a server sends again: all so far in each delta, or all of it once more at the end.
//!
//! Nothing is certain from one delta alone: an answer may say a word twice. So pieces that may be a repetition are held back
//! until the next one decides. Strings are compared as they are spelled, so that nothing has to be decoded.

use crate::text::lossy;

/// Which text of a choice a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Content,
    Reasoning,
    Refusal,
}

const KINDS: [Kind; 3] = [Kind::Content, Kind::Reasoning, Kind::Refusal];

/// How often a piece must have been all before it and more, until every piece is taken for that.
pub(super) const CERTAIN: u8 = 2;

/// How many pieces are held back at most: a piece that comes again and again is text.
pub(super) const MOST_HELD: usize = 4;

/// A text shorter than this, in bytes, may well be said twice.
pub(super) const LONG: usize = 16;

/// No server that sends all so far in each delta begins with more than this, in bytes.
const LONGEST_START: usize = 4096;

/// A piece to be taken, of the text of a kind.
pub(super) type Piece = (Kind, Vec<u8>);

/// The texts to take when a piece has come.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Pieces that were held back, or what is new in those that were sent again.
    pub(super) before: Vec<Piece>,
    /// The piece itself, after them.
    pub(super) is_new: bool,
    /// Something was sent again.
    pub(super) repeated: bool,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last piece, if all pieces so far may have been all so far.
    last: Vec<u8>,
    /// How much of it has been given out.
    told: usize,
    /// Pieces held back, as they came.
    held: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Repeats {
    seen: [Seen; 3],
    /// How often a piece was all before it and more.
    steps: u8,
    is_cumulative: bool,
    is_over: bool,
    /// The server is known to send nothing again.
    is_off: bool,
}

impl Repeats {
    /// `watch`: the server is not known to send everything once.
    pub(super) fn new(watch: bool) -> Self {
        Repeats {
            is_off: !watch,
            seen: Default::default(),
            steps: 0,
            is_cumulative: false,
            is_over: !watch,
        }
    }

    /// Whether pieces are simply new, from here on.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether a piece that is all of a text may be that text again.
    pub(super) fn may_end_so(&self) -> bool {
        self.is_over && !self.is_off
    }

    /// How many bytes are kept of a text, now and with the next piece of so many bytes. Until it is known whether each piece is all
    /// so far, every piece is kept.
    pub(super) fn grows_to(&self, kind: Kind, length: usize) -> (usize, usize) {
        let kept = self.seen[kind as usize].last.len();
        match kept {
            0 => (0, 0),
            _ if self.is_cumulative => (kept, length),
            _ => (0, length),
        }
    }

    /// Takes the next piece; gives what is to be taken of it and of those before it.
    pub(super) fn take(&mut self, kind: Kind, piece: &[u8]) -> Verdict {
        let seen = &mut self.seen[kind as usize];
        if piece.is_empty() {
            return Verdict::default();
        }
        if seen.last.is_empty() && piece.len() > LONGEST_START {
            return self.be_over();
        }
        if seen.last.is_empty() {
            seen.last = piece.to_vec();
            seen.told = piece.len();
            return Verdict {
                is_new: true,
                ..Verdict::default()
            };
        }
        if self.is_cumulative {
            return self.go_on(kind, piece);
        }
        let is_blank = is_blank(&seen.last);
        if is_blank || !piece.starts_with(&seen.last) || is_multiple(piece, &seen.last) {
            return self.be_over();
        }
        if piece.len() > seen.last.len() {
            self.steps += 1;
            seen.last = piece.to_vec();
        }
        seen.held.push(piece.to_vec());
        if self.steps < CERTAIN {
            if seen.held.len() <= MOST_HELD {
                return Verdict::default();
            }
            return Verdict {
                is_new: false,
                ..self.be_over()
            };
        }
        self.is_cumulative = true;
        self.rest()
    }

    /// From this piece on all pieces are simply new.
    fn be_over(&mut self) -> Verdict {
        self.is_over = true;
        Verdict {
            before: self.release(),
            is_new: true,
            repeated: false,
        }
    }

    /// Nothing more comes: what is held back is text, or all before it and more after all.
    pub(super) fn end(&mut self) -> Verdict {
        let is_long = |seen: &Seen| {
            let is_more = seen.last.len() > seen.told;
            !seen.held.is_empty() && seen.told >= LONG && (is_more || is_telling(&lossy(&seen.last)))
        };
        if self.is_over || self.is_cumulative {
            return Verdict::default();
        }
        if self.seen.iter().any(is_long) {
            self.is_cumulative = true;
            return self.rest();
        }
        Verdict {
            before: self.release(),
            ..Verdict::default()
        }
    }

    /// A piece of a text of which each is all so far.
    fn go_on(&mut self, kind: Kind, piece: &[u8]) -> Verdict {
        let seen = &mut self.seen[kind as usize];
        if piece.starts_with(&seen.last) {
            seen.last = piece.to_vec();
            return self.rest();
        }
        let repeated = seen.last.starts_with(piece);
        self.is_over = !repeated;
        Verdict {
            before: Vec::new(),
            is_new: !repeated,
            repeated,
        }
    }

    /// Of each text what has not been given out, where each piece is all so far.
    fn rest(&mut self) -> Verdict {
        let mut before = Vec::new();
        for kind in KINDS {
            let seen = &mut self.seen[kind as usize];
            seen.held.clear();
            let rest = seen.last.get(seen.told..).unwrap_or_default();
            if !rest.is_empty() {
                before.push((kind, rest.to_vec()));
            }
            seen.told = seen.last.len();
        }
        Verdict {
            before,
            is_new: false,
            repeated: true,
        }
    }

    /// All pieces held back, as they came.
    fn release(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for kind in KINDS {
            let seen = &mut self.seen[kind as usize];
            pieces.extend(std::mem::take(&mut seen.held).into_iter().map(|piece| (kind, piece)));
            *seen = Seen::default();
        }
        pieces
    }
}

/// Whether a string, as it is spelled, is white space.
pub(super) fn is_blank(piece: &[u8]) -> bool {
    let mut rest = piece;
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after.first()) {
            (b' ', _) => after,
            (b'\\', Some(b'n' | b'r' | b't')) => after.get(1..).unwrap_or_default(),
            _ => return false,
        };
    }
    true
}

/// Whether a piece is nothing but the one before, several times.
pub(super) fn is_multiple(piece: &[u8], last: &[u8]) -> bool {
    piece.len() > last.len()
        && piece.len().is_multiple_of(last.len())
        && piece.chunks(last.len()).all(|part| part == last)
}

/// Whether a text is long enough, and does not itself repeat, so that all of it again is a repetition.
pub(super) fn is_telling(text: &str) -> bool {
    let (text, length) = (text.as_bytes(), text.len());
    let repeats_after =
        |period: usize| length.is_multiple_of(period) && text.get(period..) == text.get(..length - period);
    length >= LONG && !(1..=length / 2).any(repeats_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that pieces of content become, and whether something was sent again.
    fn taken(pieces: &[&str]) -> (String, bool) {
        let mut repeats = Repeats::new(true);
        let (mut text, mut repeated) = (String::new(), false);
        let mut add = |verdict: Verdict, piece: &str| {
            repeated |= verdict.repeated;
            for (_, piece) in verdict.before {
                text.push_str(std::str::from_utf8(&piece).unwrap());
            }
            if verdict.is_new {
                text.push_str(piece);
            }
        };
        for piece in pieces {
            let verdict = match repeats.is_over() {
                true => Verdict {
                    is_new: true,
                    ..Verdict::default()
                },
                false => repeats.take(Kind::Content, piece.as_bytes()),
            };
            add(verdict, piece);
        }
        add(repeats.end(), "");
        (text, repeated)
    }

    #[test]
    fn all_so_far_in_each_delta_is_taken_once() {
        for pieces in [
            &["The sky", "The sky is", "The sky is blue", "The sky is blue."][..],
            &[
                "The sky",
                "The sky",
                "The sky is",
                "The sky is blue.",
                "The sky is blue.",
            ],
            &["T", "The", "The sky is blue", "The sky", "The sky is blue."],
            &["The sky is blue.", "The sky is blue."],
        ] {
            assert_eq!(taken(pieces), ("The sky is blue.".to_owned(), true), "{pieces:?}");
        }
    }

    #[test]
    fn one_long_piece_and_all_of_it_and_more_is_taken_once() {
        let pieces = ["The sky is blue, and so", "The sky is blue, and so is the sea."];
        assert_eq!(taken(&pieces), (pieces[1].to_owned(), true));
    }

    #[test]
    fn what_an_answer_says_twice_is_kept() {
        for pieces in [
            &["ha", "ha"][..],
            &["\\n", "\\n", "ha", "ha", "haha", " ok"],
            &["ha", "haha", "hahahaha"],
            &["very ", "very good"],
            &["1", "10", " and 100"],
            &[" ", "  ", "   x"],
            &["\\n", "\\nHello", "\\nHello again"],
            &["No", "No", "No!", " Yes"],
            &["ha"; 100],
        ] {
            assert_eq!(taken(pieces), (pieces.concat(), false), "{pieces:?}");
        }
    }

    #[test]
    fn a_piece_that_is_said_again_and_again_is_not_held_back() {
        let mut repeats = Repeats::new(true);
        let given = (0..20)
            .map(|_| {
                let verdict = repeats.take(Kind::Content, b"ha");
                verdict.before.len() + usize::from(verdict.is_new)
            })
            .sum::<usize>();
        assert!(repeats.is_over() && given > MOST_HELD);
    }

    #[test]
    fn a_text_that_repeats_itself_tells_nothing() {
        assert!(is_telling("The sky is blue."));
        for text in ["The sky", "hahahahahahahahahaha", "No. No. No. No. No. "] {
            assert!(!is_telling(text), "{text}");
        }
    }
}
