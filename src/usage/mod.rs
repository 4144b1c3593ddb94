//! Tokens and money: what calls used, and what that costs.

mod estimate;
mod prices;
mod tokens;
mod totals;

pub use estimate::{Estimate, prompt_tokens, tokens};
pub use prices::{HIGHEST_PRICE, Prices, TokenPrices, dollars, savings, token_prices};
pub use tokens::Tokens;
pub(crate) use tokens::{Counts, charged, write_members};
pub use totals::Totals;
