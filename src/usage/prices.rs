//! Money, in millionths of a millionth of a US dollar (pico-dollars): whole numbers, so that sums are exact.
//!
//! Adding up `f64` dollars drifts by the thousandth call; a price of $0.40 per million tokens is 400,000 pico-dollars a
//! token and stays that.

use super::tokens::Tokens;
use crate::problem::Problem;

/// Prices in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// Input not served from the cache.
    pub input: f64,
    /// Input served from the cache; `None`: the same as other input.
    pub cached_input: Option<f64>,
    /// Output, reasoning included.
    pub output: f64,
    /// Input tokens up to which these prices hold; the cost of a longer prompt is not known. `None`: they hold for all.
    pub up_to: Option<u64>,
}

/// The highest price that is accepted: a dollar a token.
pub const HIGHEST_PRICE: f64 = 1e6;

/// Prices in millionths of a millionth of a US dollar a token, so that costs add up exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPrices {
    /// An input token.
    pub input: u64,
    /// An input token served from a cache.
    pub cached_input: u64,
    /// An output token.
    pub output: u64,
    /// Input tokens up to which these prices hold.
    pub up_to: Option<u64>,
}

impl TokenPrices {
    /// The cost of these tokens in the same unit; `None` where their number is not known, or the prompt is longer than these
    /// prices are for.
    pub fn cost(&self, tokens: &Tokens) -> Option<u64> {
        let prompt = tokens.prompt?;
        if self.up_to.is_some_and(|most| prompt > most) {
            return None;
        }
        let cached = tokens.cached.min(prompt);
        let input = product(prompt - cached, self.input)?.checked_add(product(cached, self.cached_input)?)?;
        product(tokens.completion?, self.output)?.checked_add(input)
    }
}

/// Checked prices, ready to multiply with.
///
/// # Errors
/// A [`Problem`] for each price that is negative, `NaN`, or above [`HIGHEST_PRICE`] dollars per million tokens.
///
/// ```
/// use chatwire::{provider::Provider, usage};
///
/// let prices = usage::token_prices(&Provider::electron("key").prices.unwrap()).unwrap();
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
        up_to: prices.up_to,
    };
    if problems.is_empty() { Ok(token) } else { Err(problems) }
}

/// The amount that the cache saved on these tokens, in pico-dollars.
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

/// Like `checked_mul`, but without 128-bit arithmetic; `None` above 1e19, more than any real cost.
pub(crate) fn product(one: u64, other: u64) -> Option<u64> {
    (one as f64 * other as f64 <= 1e19).then(|| one.wrapping_mul(other))
}
