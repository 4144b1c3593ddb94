//! The times of one stream, and which timeout runs out when. Reads no clock: the time is an argument, in milliseconds.

use super::options::Timeouts;

/// A timeout that ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timeout {
    FirstToken,
    Idle,
    Total,
}

/// The timeout that ran out, and its milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RanOut {
    pub(super) timeout: Timeout,
    pub(super) ms: f64,
    /// Only keep-alives came meanwhile.
    pub(super) was_kept_alive: bool,
}

#[derive(Debug)]
pub(super) struct Clock {
    timeouts: Timeouts,
    started: f64,
    pub(super) first_byte: Option<f64>,
    pub(super) first_token: Option<f64>,
    pub(super) ended: Option<f64>,
    /// Milliseconds waited for the server since the last progress, up to the last read.
    waited: f64,
}

impl Clock {
    /// The clock of a stream that was asked for at `started`.
    pub(super) fn new(timeouts: Timeouts, started: f64) -> Self {
        Clock {
            timeouts,
            started,
            first_byte: None,
            first_token: None,
            ended: None,
            waited: 0.0,
        }
    }

    /// A read that was pending from `read_started` to `now` brought these bytes.
    #[inline]
    pub(super) fn read(&mut self, bytes: &[u8], read_started: f64, now: f64) {
        if !bytes.is_empty() && self.first_byte.is_none() {
            self.first_byte = Some(now);
        }
        self.waited += (now - read_started).max(0.0);
    }

    /// Text, reasoning or a tool call arrived.
    #[inline]
    pub(super) fn progress(&mut self, now: f64) {
        self.waited = 0.0;
        self.first_token.get_or_insert(now);
    }

    /// A part of a document arrived. Its first token is known only when it is whole.
    pub(super) fn document_grew(&mut self) {
        self.waited = 0.0;
    }

    pub(super) fn end(&mut self, now: f64) {
        self.ended = Some(now);
    }

    /// The timeout that has run out while a read has been pending for `pending` more milliseconds. Nobody waits for keep-alives
    /// once all of the answer is there (`is_whole`).
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn ran_out(&self, pending: f64, now: f64, is_whole: bool) -> Option<RanOut> {
        if let Some(ms) = self.timeouts.total.filter(|limit| now - self.started >= *limit) {
            return Some(RanOut {
                timeout: Timeout::Total,
                ms,
                was_kept_alive: false,
            });
        }
        let silence = self.silence()?;
        // Each read begins a silence; `waited` adds up until there is progress.
        let kept_alive = self.kept_alive(silence, is_whole);
        let was_kept_alive = pending < silence;
        if was_kept_alive && self.waited + pending < kept_alive {
            return None;
        }
        Some(RanOut {
            timeout: match self.first_token {
                None => Timeout::FirstToken,
                Some(_) => Timeout::Idle,
            },
            ms: if was_kept_alive { kept_alive } else { silence },
            was_kept_alive,
        })
    }

    /// For how many milliseconds a read may be pending, and the time when [`ran_out`](Self::ran_out) is to be called anyway.
    /// Infinity stands for no limit.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub(super) fn patience(&self, is_whole: bool) -> (f64, f64) {
        let silence = self.silence().map_or(f64::INFINITY, |limit| {
            limit.min(self.kept_alive(limit, is_whole) - self.waited)
        });
        let total = self.timeouts.total.map_or(f64::INFINITY, |limit| self.started + limit);
        (silence, total)
    }

    /// How long a silence of this limit may last while keep-alives arrive.
    #[inline]
    fn kept_alive(&self, limit: f64, is_whole: bool) -> f64 {
        match is_whole {
            true => limit,
            false => self.timeouts.keep_alive.unwrap_or(limit * 5.0).max(limit),
        }
    }

    /// Milliseconds from the request to `at`.
    pub(super) fn since_start(&self, at: Option<f64>) -> Option<f64> {
        at.map(|at| (at - self.started).max(0.0))
    }

    /// How many of so many tokens there were a second, from the first one on.
    pub(super) fn rate(&self, tokens: Option<u64>) -> Option<f64> {
        match (tokens, self.first_token, self.ended) {
            (Some(tokens), Some(from), Some(to)) if to > from => Some(tokens as f64 * 1e3 / (to - from)),
            _ => None,
        }
    }

    fn silence(&self) -> Option<f64> {
        match self.first_token {
            None => self.timeouts.first_token,
            Some(_) => self.timeouts.idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The timeout that has run out, unless all of the answer is there.
    fn ran_out(clock: &Clock, pending: f64, now: f64) -> Option<Timeout> {
        clock.ran_out(pending, now, false).map(|ran_out| ran_out.timeout)
    }

    fn clock(first_token: Option<f64>, idle: Option<f64>, total: Option<f64>) -> Clock {
        let timeouts = Timeouts {
            first_token,
            idle,
            keep_alive: None,
            total,
        };
        Clock::new(timeouts, 1000.0)
    }

    #[test]
    fn only_time_spent_reading_counts_as_silence() {
        let mut clock = clock(Some(100.0), Some(50.0), None);
        clock.read(b"x", 1000.0, 1460.0);
        // The consumer takes an hour; the next read has waited for 30 ms.
        assert_eq!(ran_out(&clock, 30.0, 5000.0), None);
        assert_eq!(clock.patience(false), (40.0, f64::INFINITY));
        assert_eq!(ran_out(&clock, 40.0, 5000.0), Some(Timeout::FirstToken));
    }

    #[test]
    fn the_first_token_changes_which_timeout_counts_and_starts_anew() {
        let mut clock = clock(Some(100.0), Some(50.0), None);
        clock.read(b"x", 1000.0, 1090.0);
        clock.progress(1090.0);
        assert_eq!(clock.patience(false), (50.0, f64::INFINITY));
        assert_eq!(ran_out(&clock, 50.0, 1140.0), Some(Timeout::Idle));
        assert_eq!(clock.since_start(clock.first_token), Some(90.0));
        clock.read(b": ping\n\n", 1090.0, 1120.0);
        assert_eq!(ran_out(&clock, 49.0, 1169.0), None, "a keep-alive begins a silence");
        assert_eq!(clock.patience(false), (50.0, f64::INFINITY));
        clock.read(b": ping\n\n", 1120.0, 1320.0);
        assert_eq!(clock.patience(false), (20.0, f64::INFINITY), "and is no progress");
        assert_eq!(ran_out(&clock, 20.0, 1340.0), Some(Timeout::Idle));
    }

    #[test]
    fn a_growing_document_is_no_silence_and_no_token() {
        let mut clock = clock(Some(100.0), Some(50.0), None);
        clock.read(b"{", 1000.0, 1090.0);
        clock.document_grew();
        assert_eq!(ran_out(&clock, 99.0, 1200.0), None);
        assert_eq!(ran_out(&clock, 100.0, 1200.0), Some(Timeout::FirstToken));
    }

    #[test]
    fn total_counts_from_the_request_and_is_named_first() {
        let clock = clock(Some(100.0), None, Some(300.0));
        assert_eq!(clock.patience(false), (100.0, 1300.0));
        assert_eq!(ran_out(&clock, 0.0, 1299.0), None);
        assert_eq!(ran_out(&clock, 500.0, 1300.0), Some(Timeout::Total));
    }

    #[test]
    fn a_clock_put_back_gives_no_negative_time() {
        let mut clock = clock(Some(100.0), None, None);
        clock.read(b"x", 1050.0, 900.0);
        assert_eq!(clock.patience(false), (100.0, f64::INFINITY));
        assert_eq!(clock.since_start(clock.first_byte), Some(0.0));
    }

    #[test]
    fn the_rate_needs_a_first_token_and_time_after_it() {
        let mut clock = clock(None, None, None);
        assert_eq!(clock.rate(Some(10)), None);
        clock.progress(1500.0);
        clock.end(1500.0);
        assert_eq!(clock.rate(Some(10)), None);
        clock.end(2000.0);
        assert_eq!(clock.rate(Some(10)), Some(20.0));
        assert_eq!(clock.rate(None), None);
    }
}
