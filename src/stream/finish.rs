//! Which finish reason of a choice counts, and whether it proves that the answer is whole.
//!
//! Some servers set a finish reason on every chunk. The last one counts; and a finish reason that was followed by more, or came
//! with each piece of the answer, does not prove that the answer is whole.

#[derive(Debug, Default)]
pub(super) struct Finish {
    /// How many chunks brought something of the answer: none, one, or more.
    pieces: u8,
    /// One of them had no finish reason.
    has_plain_piece: bool,
    /// A reason came, and nothing of the answer since.
    is_settled: bool,
    /// Something of the answer came after a reason, so the last one counts, whatever came before it.
    is_loose: bool,
    /// The reason so far says that the answer is whole.
    pub(super) is_proof: bool,
}

impl Finish {
    /// Takes note of a chunk. `progress`: it brought something of the answer; `has_reason`: it has a finish reason. True when
    /// that reason counts: it is the first, or something of the answer has come after the first.
    pub(super) fn note(&mut self, progress: bool, has_reason: bool) -> bool {
        if progress {
            self.pieces = self.pieces.saturating_add(1);
            self.is_proof = has_reason && (self.has_plain_piece || self.pieces == 1);
            self.has_plain_piece |= !has_reason;
            self.is_loose |= self.is_settled;
            self.is_settled = false;
        } else {
            self.is_proof |= has_reason;
        }
        let counts = has_reason && (!self.is_settled || self.is_loose);
        self.is_settled |= has_reason;
        counts
    }

    /// Whether one more chunk like the last one, which brought something of the answer and had no finish reason, changes nothing
    /// here.
    pub(super) fn is_steady(&self) -> bool {
        self.pieces > 1
    }
}

/// Whether a finish reason says that the server failed, in whatever spelling. Unknown reasons are not among these.
pub(super) fn is_failure(reason: &str) -> bool {
    const WORDS: [&str; 17] = [
        "error",
        "malformed",
        "unexpected_",
        "too_many_",
        "missing_",
        "rate_limit",
        "connect",
        "preempt",
        "exception",
        "fail",
        "abort",
        "cancel",
        "interrupt",
        "timeout",
        "timed_out",
        "unavailable",
        "load",
    ];
    reason != "stop" && has_word(reason, &WORDS)
}

/// Whether a finish reason is another word for the end of a turn with calls.
pub(super) fn is_end_of_calls(reason: &str) -> bool {
    reason != "tool_calls" && has_word(reason, &["stop", "function", "tool", "end_turn", "eos"])
}

fn has_word(reason: &str, words: &[&str]) -> bool {
    let reason = reason.to_ascii_lowercase();
    words.iter().any(|word| crate::text::find(&reason, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of the notes of chunks: proof, and which of their reasons counted.
    fn noted(chunks: &[(bool, bool)]) -> (bool, Vec<bool>) {
        let mut finish = Finish::default();
        let told = chunks
            .iter()
            .map(|(progress, reason)| finish.note(*progress, *reason))
            .collect();
        (finish.is_proof, told)
    }

    #[test]
    fn a_reason_proves_the_end_unless_each_piece_had_one_or_more_came_after_it() {
        assert_eq!(noted(&[(true, false), (false, true)]), (true, vec![false, true]));
        assert_eq!(noted(&[(true, false), (true, true)]), (true, vec![false, true]));
        assert_eq!(noted(&[(true, true)]), (true, vec![true]));
        assert_eq!(noted(&[(true, true), (true, true)]), (false, vec![true, true]));
        assert_eq!(
            noted(&[(true, true), (true, true), (false, true)]),
            (true, vec![true, true, true])
        );
        assert_eq!(
            noted(&[(true, false), (false, true), (false, true)]),
            (true, vec![false, true, false])
        );
        assert_eq!(noted(&[(false, true), (true, false)]), (false, vec![true, false]));
    }

    #[test]
    fn reasons_that_stand_for_a_failure() {
        for reason in [
            "error",
            "network_error",
            "function_call_filter: MALFORMED_FUNCTION_CALL",
            "abort",
            "timeout",
            "connection_lost",
            "load",
        ] {
            assert!(is_failure(reason), "{reason}");
        }
        for reason in [
            "stop",
            "length",
            "content_filter",
            "sensitive",
            "tool_calls",
            "insufficient_system_resource",
        ] {
            assert!(!is_failure(reason), "{reason}");
        }
    }
}
