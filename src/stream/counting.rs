//! The meaning of the indexes of choices, where the first chunks leave it open: whether they count the chunks of one answer whose
//! chunks all have the same id, and whether a choice that is not choice 0 is the only one.
//!
//! Choices that a caller asked for come back to each index, have their roles alike and end each for itself. An index that
//! counts comes once, and goes up by one with each chunk from the first on. Chunks are held back until that is certain.

use super::scan::{Chunk, Field};

/// How many chunks with indexes from 0 on, none of which comes again, prove that the index counts chunks.
const CERTAIN: u64 = 4;

/// The same where only the first chunk has a role: choices have one each, or none.
const CERTAIN_BY_ROLE: u64 = 3;

/// After how many chunks of another choice there is no choice 0.
const LONE: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Counting {
    /// The question is decided.
    is_over: bool,
    /// The number of choices that were asked for is unknown.
    is_unknown: bool,
    /// The index of the first chunk.
    first: u64,
    /// How many chunks there are, if the index counts them.
    count: u64,
    /// The index of the last of them.
    last: u64,
    first_has_role: bool,
    /// The first chunk has nothing but a role.
    first_is_blank: bool,
    /// A chunk after the first has a role.
    has_roles: bool,
    /// The last chunk held back has a finish reason, and is the first that has.
    has_finished: bool,
    /// All chunks have the index of the first, and count nothing.
    is_same: bool,
    /// Chunks held back, as they came.
    held: Vec<Vec<u8>>,
}

/// The meaning of the indexes so far, as a chunk decides it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// The chunk is to be taken as it is.
    Nothing,
    /// The chunk is to be held back.
    Perhaps,
    /// The indexes count chunks.
    Counts,
    /// The chunks are of this choice, and there is no other.
    Lone(u64),
    /// The indexes are those of choices.
    Choices,
}

impl Counting {
    /// For so many choices as were asked for, if that is known.
    pub(super) fn new(choices: Option<u64>) -> Self {
        Counting {
            is_over: choices > Some(1),
            is_unknown: choices.is_none(),
            ..Counting::default()
        }
    }

    /// Whether the next chunk may yet change what this one is.
    pub(super) fn is_open(&self) -> bool {
        !self.is_over
    }

    /// Looks at the next chunk. `is_of_answer`: it has the id of the chunks before it, or none.
    pub(super) fn look(&mut self, chunk: &Chunk<'_>, is_of_answer: bool) -> Says {
        let Some(choice) = chunk.first.as_ref().filter(|_| !self.is_over) else {
            return Says::Nothing;
        };
        let ends = !matches!(choice.finish_reason, Field::Absent | Field::Null);
        let has_role = choice.delta.as_ref().is_some_and(|delta| delta.role.text().is_some());
        let is_one = chunk.more.is_empty();
        if self.count == 0 && !self.is_same {
            self.first = choice.index.unwrap_or(0);
            self.first_has_role = has_role;
        }
        let is_first = choice.index.unwrap_or(0) == self.first && is_one && is_of_answer && !ends;
        if self.count == 1 && self.first_is_blank && is_first && !self.may_be_lone() {
            // The first chunk had only a role, and the index counts from here on.
            self.first_is_blank = false;
            return Says::Nothing;
        }
        let is_next = match (choice.index, self.is_unknown) {
            (Some(index), false) if self.count > 0 => index > self.last,
            (index, _) => index == Some(self.first + self.count),
        };
        let goes_on = is_next && is_one && is_of_answer && !self.is_same;
        let is_odd_role = self.count > 0 && has_role && !self.first_has_role;
        if !goes_on || self.has_finished || self.count == 0 && ends || is_odd_role {
            self.is_same = self.count <= 1 && is_one && choice.index.unwrap_or(self.first) == self.first;
            let may_go_on = self.is_same && self.may_be_lone();
            self.is_over = !may_go_on || self.held.len() + 1 >= LONE;
            return match (may_go_on, self.is_over) {
                (false, _) => Says::Choices,
                (true, true) => Says::Lone(self.first),
                (true, false) => Says::Perhaps,
            };
        }
        self.count += 1;
        self.last = choice.index.unwrap_or(0);
        if self.count == 1 {
            self.first_is_blank = choice.is_blank();
            return if self.may_be_lone() {
                Says::Perhaps
            } else {
                Says::Nothing
            };
        }
        self.has_roles |= has_role;
        let certain = match (self.first_has_role, self.has_roles) {
            (true, false) => CERTAIN_BY_ROLE,
            // How many choices may begin.
            (_, true) if self.is_unknown => u64::MAX,
            _ => CERTAIN,
        };
        // A choice has more than its end.
        if self.count >= certain || choice.is_end() {
            self.is_over = true;
            return Says::Counts;
        }
        self.has_finished = ends;
        Says::Perhaps
    }

    /// Holds a chunk back.
    pub(super) fn hold(&mut self, chunk: &[u8]) {
        self.held.push(chunk.to_vec());
    }

    /// Takes out what is held back.
    pub(super) fn release(&mut self) -> Vec<Vec<u8>> {
        self.is_over = true;
        std::mem::take(&mut self.held)
    }

    /// Whether the first choice may be the only one, by its index.
    fn may_be_lone(&self) -> bool {
        self.is_unknown && self.first > 0
    }

    /// The verdict on chunks held back, now that nothing follows them. They count if the last is an end: one of several choices
    /// would have ended alone.
    pub(super) fn at_end(&self) -> Says {
        match self.held.is_empty() {
            true => Says::Nothing,
            false if self.has_finished => Says::Counts,
            false if self.may_be_lone() && (self.is_same || self.count == 1) => Says::Lone(self.first),
            false => Says::Choices,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    /// The verdict of each of these choices, one a chunk, and the one at the end.
    fn said(choices: &[&str]) -> (Vec<Says>, Says) {
        let mut counting = Counting::new(None);
        let mut says = Vec::new();
        for choice in choices {
            let json = ["{\"choices\":[{", choice, "}]}"].concat();
            let chunk = Chunk::read(&mut Reader::new(json.as_bytes()), 8).unwrap();
            let verdict = counting.look(&chunk, true);
            match verdict {
                Says::Perhaps => counting.hold(json.as_bytes()),
                Says::Nothing => {}
                _ => drop(counting.release()),
            }
            says.push(verdict);
        }
        (says, counting.at_end())
    }

    const ROLE: &str = r#""index":0,"delta":{"role":"assistant","content":""}"#;
    const A: [&str; 4] = [
        r#""index":0,"delta":{"content":"a"}"#,
        r#""index":1,"delta":{"content":"b"}"#,
        r#""index":2,"delta":{"content":"c"}"#,
        r#""index":3,"delta":{"content":"d"}"#,
    ];
    const END: &str = r#""index":2,"delta":{},"finish_reason":"stop""#;

    const END3: &str = r#""index":3,"delta":{},"finish_reason":"stop""#;

    #[test]
    fn an_index_that_comes_once_counts() {
        use Says::{Choices, Counts, Nothing, Perhaps};
        assert_eq!(said(&A).0, [Nothing, Perhaps, Perhaps, Counts]);
        assert_eq!(said(&[ROLE, A[1], A[2]]).0, [Nothing, Perhaps, Counts]);
        assert_eq!(said(&[A[0], A[1], END]).0, [Nothing, Perhaps, Counts]);
        let last = r#""index":1,"delta":{"content":"b"},"finish_reason":"stop""#;
        assert_eq!(said(&[A[0], last]), (vec![Nothing, Perhaps], Counts));
        assert_eq!(said(&[A[0], A[1]]), (vec![Nothing, Perhaps], Choices));
        assert_eq!(said(&[A[0], A[1], A[0]]).0, [Nothing, Perhaps, Choices]);
        assert_eq!(said(&[A[0], A[1], A[2], A[0]]).0, [Nothing, Perhaps, Perhaps, Choices]);
        let head = r#""index":1,"delta":{"role":"assistant","content":"b"}"#;
        assert_eq!(said(&[ROLE, A[0], A[1], END]).0, [Nothing, Nothing, Perhaps, Counts]);
        assert_eq!(said(&[ROLE, A[0], A[0]]).0, [Nothing, Nothing, Choices]);
        assert_eq!(said(&[ROLE, head, ROLE]).0, [Nothing, Perhaps, Choices]);
        let third = r#""index":2,"delta":{"role":"assistant","content":"b"}"#;
        assert_eq!(said(&[ROLE, head, third, END3]).0, [Nothing, Perhaps, Perhaps, Counts]);
        assert_eq!(said(&[A[0], A[0]]).0, [Nothing, Choices]);
        let whole = r#""index":0,"delta":{"content":"a"},"finish_reason":"stop""#;
        assert_eq!(said(&[whole, last]).0, [Choices, Nothing]);
    }

    #[test]
    fn a_choice_alone_is_the_answer_whatever_its_index() {
        use Says::{Choices, Counts, Lone, Nothing, Perhaps};
        let last = r#""index":1,"delta":{},"finish_reason":"stop""#;
        assert_eq!(said(&[A[1], A[1], last]), (vec![Perhaps, Perhaps, Perhaps], Lone(1)));
        assert_eq!(said(&[A[1]]), (vec![Perhaps], Lone(1)));
        assert_eq!(said(&[last]), (vec![Perhaps], Lone(1)));
        assert_eq!(said(&[A[1]; LONE]).0.last(), Some(&Lone(1)));
        assert_eq!(said(&[A[1], A[1], A[0]]).0, [Perhaps, Perhaps, Choices]);
        assert_eq!(said(&[A[1], A[1], A[2]]).0, [Perhaps, Perhaps, Choices]);
        assert_eq!(said(&[A[1], A[0]]).0, [Perhaps, Choices]);
        assert_eq!(
            said(&[A[1], A[2], A[3], r#""index":4,"delta":{"content":"e"}"#]).0[3],
            Counts
        );
        let mut known = Counting::new(Some(2));
        let json = ["{\"choices\":[{", A[1], "}]}"].concat();
        let chunk = Chunk::read(&mut Reader::new(json.as_bytes()), 8).unwrap();
        assert_eq!(known.look(&chunk, true), Nothing);
    }
}
