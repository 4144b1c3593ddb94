//! Money, in millionths of a millionth of a US dollar (pico-dollars): whole numbers, so that sums are exact.
//!
//! Adding up `f64` dollars drifts by the thousandth call; a price of $0.40 per million tokens is 400,000 pico-dollars a
//! token and stays that. The multiplication itself is [`TokenPrices::cost`].

use super::Problem;
use crate::provider::Prices;
use crate::stream::{TokenPrices, Tokens, product};

/// The highest price taken for meant: a dollar a token.
pub const HIGHEST_PRICE: f64 = 1e6;

/// Checked prices, ready to multiply with.
///
/// # Errors
/// A [`Problem`] for each price that is negative, `NaN`, or above [`HIGHEST_PRICE`] dollars per million tokens.
///
/// ```
/// use chatwire::{policy::cost, provider::Provider};
///
/// let prices = cost::token_prices(&Provider::electron("key").prices.unwrap()).unwrap();
/// assert_eq!((prices.input, prices.cached_input, prices.output), (400_000, 100_000, 1_600_000));
/// ```
pub fn token_prices(prices: &Prices) -> Result<TokenPrices, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut pico = |name: &str, price: f64| {
        if (0.0..=HIGHEST_PRICE).contains(&price) {
            return (price * 1e6 + 0.5) as u64;
        }
        let message = "a price is in US dollars per million tokens, from 0 to 1000000; leave prices out if unknown";
        problems.push(Problem::refused("invalid_price", &["prices", name], message));
        0
    };
    let token = TokenPrices {
        input: pico("input", prices.input),
        // Without a price of their own, cached tokens cost what others do.
        cached_input: pico("cachedInput", prices.cached_input.unwrap_or(prices.input)),
        output: pico("output", prices.output),
    };
    if problems.is_empty() { Ok(token) } else { Err(problems) }
}

/// What the cache saved on these tokens, in pico-dollars.
#[must_use]
pub fn savings(prices: &TokenPrices, tokens: &Tokens) -> Option<u64> {
    let cached = tokens.cached.min(tokens.prompt?);
    product(cached, prices.input.saturating_sub(prices.cached_input))
}

/// Pico-dollars as dollars.
#[must_use]
pub fn dollars(pico: u64) -> f64 {
    pico as f64 / 1e12
}

/// What many calls used together.
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
    /// Calls whose tokens nobody counted.
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
        self.requests += 1;
        let (Some(prompt), Some(completion)) = (tokens.prompt, tokens.completion) else {
            self.uncounted += 1;
            self.unpriced += 1;
            return;
        };
        self.estimated += u64::from(estimated);
        self.prompt = self.prompt.saturating_add(prompt);
        self.cached = self.cached.saturating_add(tokens.cached.min(prompt));
        self.completion = self.completion.saturating_add(completion);
        match prices.and_then(|prices| Some((prices.cost(tokens)?, savings(prices, tokens)?))) {
            Some((cost, saved)) => {
                self.cost = self.cost.saturating_add(cost);
                self.saved = self.saved.saturating_add(saved);
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
