//! Whether the index of the only choice counts the chunks of one answer whose chunks all have the same id.
//!
//! Choices that a caller asked for come back to each index, have their roles alike and end each for itself. An index that
//! counts comes once, and goes up by one with each chunk from the first on. Chunks are held back until that is certain.

use super::scan::{Choice, Chunk, Field};

/// So many chunks with indexes from 0 on, none of which comes again, are one answer.
const CERTAIN: u64 = 4;

/// The same where the first has a role and no other has: choices have one each, or none.
const CERTAIN_BY_ROLE: u64 = 3;

#[derive(Debug, Default)]
pub(super) struct Counting {
    /// The question is decided.
    is_over: bool,
    /// The index of the next chunk, if they count.
    next: u64,
    first_has_role: bool,
    /// The last chunk held back has a finish reason, and is the first that has.
    has_finished: bool,
    /// Chunks held back, as they came.
    held: Vec<Vec<u8>>,
}

/// The verdict of a chunk on those before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing: it is to be taken as it is.
    Nothing,
    /// The chunk is to be held back.
    Perhaps,
    /// Their indexes count.
    Counts,
    /// Their indexes are those of choices.
    Choices,
}

impl Counting {
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
        let goes_on = choice.index == Some(self.next) && chunk.more.is_empty() && !choice.whole && is_of_answer;
        if !goes_on || self.has_finished || self.next == 0 && ends || self.next > 0 && has_role {
            self.is_over = true;
            return Says::Choices;
        }
        self.next += 1;
        if self.next == 1 {
            self.first_has_role = has_role;
            return Says::Nothing;
        }
        let certain = if self.first_has_role { CERTAIN_BY_ROLE } else { CERTAIN };
        // A choice is not its end alone.
        if self.next >= certain || ends && is_blank(choice) {
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

    /// Whether chunks held back count, now that nothing follows them: one of several choices would have ended alone.
    pub(super) fn counts_at_end(&self) -> bool {
        self.has_finished
    }
}

/// Whether the delta of a choice has nothing in it.
fn is_blank(choice: &Choice<'_>) -> bool {
    choice.delta.as_ref().is_none_or(|delta| {
        let is_nothing = |field: &Field<'_>| field.is_blank() || field.some().is_none();
        is_nothing(&delta.content)
            && delta.reasoning.iter().all(is_nothing)
            && delta.tool_calls.is_none()
            && delta.function_call.is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    /// The verdict of each of these choices, one a chunk; at the end whether those held back count.
    fn said(choices: &[&str]) -> (Vec<Says>, bool) {
        let mut counting = Counting::default();
        let mut says = Vec::new();
        for choice in choices {
            let json = ["{\"choices\":[{", choice, "}]}"].concat();
            let chunk = Chunk::read(&mut Reader::new(json.as_bytes()), 8).unwrap();
            says.push(counting.look(&chunk, true));
        }
        (says, counting.counts_at_end())
    }

    const ROLE: &str = r#""index":0,"delta":{"role":"assistant","content":""}"#;
    const A: [&str; 4] = [
        r#""index":0,"delta":{"content":"a"}"#,
        r#""index":1,"delta":{"content":"b"}"#,
        r#""index":2,"delta":{"content":"c"}"#,
        r#""index":3,"delta":{"content":"d"}"#,
    ];
    const END: &str = r#""index":2,"delta":{},"finish_reason":"stop""#;

    #[test]
    fn an_index_that_comes_once_counts() {
        use Says::{Choices, Counts, Nothing, Perhaps};
        assert_eq!(said(&A).0, [Nothing, Perhaps, Perhaps, Counts]);
        assert_eq!(said(&[ROLE, A[1], A[2]]).0, [Nothing, Perhaps, Counts]);
        assert_eq!(said(&[A[0], A[1], END]).0, [Nothing, Perhaps, Counts]);
        let last = r#""index":1,"delta":{"content":"b"},"finish_reason":"stop""#;
        assert_eq!(said(&[A[0], last]), (vec![Nothing, Perhaps], true));
        assert_eq!(said(&[A[0], A[1]]), (vec![Nothing, Perhaps], false));
        assert_eq!(said(&[A[0], A[1], A[0]]).0, [Nothing, Perhaps, Choices]);
        assert_eq!(said(&[A[0], A[1], A[2], A[0]]).0, [Nothing, Perhaps, Perhaps, Choices]);
        let head = r#""index":1,"delta":{"role":"assistant","content":"b"}"#;
        assert_eq!(said(&[ROLE, head]).0, [Nothing, Choices]);
        assert_eq!(said(&[A[0], A[0]]).0, [Nothing, Choices]);
        let whole = r#""index":0,"delta":{"content":"a"},"finish_reason":"stop""#;
        assert_eq!(said(&[whole, last]).0, [Choices, Nothing]);
    }
}
