//! Tokens as a server counts them.

use crate::json::{Kind, Malformed, Reader, Writer, count, match_bytes};

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
    /// Reads them from a `usage` object; what is missing or no [count] is left out.
    ///
    /// [count]: crate::json::count
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
                b"prompt_tokens" => self.prompt = count(reader.value()?),
                b"completion_tokens" => self.completion = count(reader.value()?),
                b"prompt_cache_hit_tokens" => {
                    self.cached = count(reader.value()?).unwrap_or(self.cached)
                },
                b"prompt_tokens_details" if reader.kind()? == Kind::Object => {
                    let mut first = true;
                    reader.object()?;
                    while let Some(key) = reader.member(&mut first)? {
                        let value = reader.value()?;
                        if key == b"cached_tokens" {
                            self.cached = count(value).unwrap_or(self.cached);
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

/// Writes the members of a `usage` object, without its brackets: each name once, the last value of it, and counts that were
/// sent as text as numbers. `estimated` is left out, for that is ours to say.
pub(crate) fn write_members(usage: &[u8], out: &mut Writer) {
    let mut members: Vec<(&[u8], &[u8])> = Vec::new();
    let mut reader = Reader::new(usage);
    let mut first = true;
    if reader.object().is_err() {
        return;
    }
    while let Ok(Some(name)) = reader.member(&mut first) {
        let Ok(value) = reader.value() else { break };
        if let Some((_, kept)) = members.iter_mut().find(|(known, _)| *known == name) {
            *kept = value;
        } else if name != b"estimated" && members.len() < MAX_MEMBERS {
            members.push((name, value));
        }
    }
    for (name, value) in members {
        out.spelled_key(name);
        match value.first() {
            Some(b'{') if name.ends_with(b"_details") => {
                out.raw(b"{");
                write_members(value, out);
                out.raw(b"}");
            }
            Some(b'"') if name.ends_with(b"tokens") => match count(value) {
                Some(number) => drop(out.integer(number)),
                None => drop(out.raw(value)),
            },
            _ => drop(out.raw(value)),
        }
    }
}

/// No more members than this are kept of a `usage` object: they are looked through for each one that comes.
const MAX_MEMBERS: usize = 256;
