//! Totals over many calls.

use super::prices::{TokenPrices, dollars, savings};
use super::tokens::Tokens;

/// Totals over many calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Calls that were answered.
    pub requests: u64,
    /// Input tokens, cached ones among them.
    pub prompt: u64,
    /// Input tokens from the cache.
    pub cached: u64,
    /// Output tokens.
    pub completion: u64,
    /// Calls whose tokens were not counted.
    pub uncounted: u64,
    /// Calls whose tokens are an estimate.
    pub estimated: u64,
    /// Pico-dollars of the calls whose cost is known.
    pub cost: u64,
    /// Pico-dollars the cache saved on them.
    pub saved: u64,
    /// Calls whose cost is not known: while there is one, the cost of all is not.
    pub unpriced: u64,
}

impl Totals {
    /// Adds a call.
    pub fn add(&mut self, tokens: &Tokens, estimated: bool, prices: Option<&TokenPrices>) {
        self.add_charged(tokens, estimated, prices, None);
    }

    /// [`add`](Self::add), for a call of which the server says what it charged, in pico-dollars: that is its cost.
    pub fn add_charged(
        &mut self,
        tokens: &Tokens,
        estimated: bool,
        prices: Option<&TokenPrices>,
        charged: Option<u64>,
    ) {
        self.requests += 1;
        let (Some(prompt), Some(completion)) = (tokens.prompt, tokens.completion) else {
            self.uncounted += 1;
            match charged {
                Some(cost) => self.cost = self.cost.saturating_add(cost),
                None => self.unpriced += 1,
            }
            return;
        };
        self.estimated += u64::from(estimated);
        self.prompt = self.prompt.saturating_add(prompt);
        self.cached = self.cached.saturating_add(tokens.cached.min(prompt));
        self.completion = self.completion.saturating_add(completion);
        let saved = prices.and_then(|prices| savings(prices, tokens));
        match charged.or_else(|| prices?.cost(tokens)) {
            Some(cost) => {
                self.cost = self.cost.saturating_add(cost);
                self.saved = self.saved.saturating_add(saved.unwrap_or(0));
            }
            None => self.unpriced += 1,
        }
    }

    /// The cost of all calls in dollars; `None` once one of them is not known. Never 0 for "unknown".
    #[must_use]
    pub fn cost(&self) -> Option<f64> {
        (self.unpriced == 0).then(|| dollars(self.cost))
    }
}
