//! Tokens as a server counts them.

use crate::json::{Kind, Malformed, Reader, integer, match_bytes};

/// The token counts of a `usage` object that the engine acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Input tokens, cached ones among them.
    pub prompt: Option<u64>,
    /// Those of them that came from a cache.
    pub cached: u64,
    /// Output tokens.
    pub completion: Option<u64>,
}

impl Tokens {
    /// Reads them from a `usage` object; what is missing or no whole number is left out.
    pub fn read(usage: &[u8]) -> Self {
        let mut tokens = Tokens::default();
        let _ = tokens.read_members(&mut Reader::new(usage));
        tokens
    }

    fn read_members(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                b"prompt_tokens" => self.prompt = integer(reader.value()?),
                b"completion_tokens" => self.completion = integer(reader.value()?),
                b"prompt_cache_hit_tokens" => {
                    self.cached = integer(reader.value()?).unwrap_or(self.cached)
                },
                b"prompt_tokens_details" if reader.kind()? == Kind::Object => {
                    let mut first = true;
                    reader.object()?;
                    while let Some(key) = reader.member(&mut first)? {
                        let value = reader.value()?;
                        if key == b"cached_tokens" {
                            self.cached = integer(value).unwrap_or(self.cached);
                        }
                    }
                },
                _ => {
                    reader.value()?;
                }
            })
        }
        Ok(())
    }
}
