//! When a second request is worth its cost: once the first has been silent for longer than nearly all were before.

/// How many of the last calls are remembered.
const REMEMBERED: usize = 64;
/// Fewer calls than these give no percentile.
const FEWEST: usize = 10;

/// How long the first tokens of the last calls took, in milliseconds.
///
/// ```
/// use chatwire::policy::hedge::Latencies;
///
/// let mut latencies = Latencies::default();
/// for ms in 1..=100 {
///     latencies.add(f64::from(ms));
/// }
/// // Of the last 64: 37 to 100.
/// assert_eq!(latencies.p95(), Some(97.0));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    last: Vec<f64>,
    next: usize,
}

impl Latencies {
    /// Remembers one. A value that is no time is passed over.
    pub fn add(&mut self, ms: f64) {
        if !(ms >= 0.0 && ms.is_finite()) {
            return;
        }
        match self.last.get_mut(self.next) {
            Some(oldest) => *oldest = ms,
            None => self.last.push(ms),
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// The time that 95 of 100 were below; `None` while fewer than ten are known.
    #[must_use]
    pub fn p95(&self) -> Option<f64> {
        if self.last.len() < FEWEST {
            return None;
        }
        let mut sorted = self.last.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get((sorted.len() * 95).div_ceil(100).saturating_sub(1)).copied()
    }
}
