//! Tokens as a server counts them.

use crate::json::{Kind, Malformed, Reader, Writer, count, integer, match_bytes, members};
use crate::text::is;

/// The token counts of a `usage` object that the engine acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Input tokens, cached ones among them.
    pub prompt: Option<u64>,
    /// Input tokens that came from a cache.
    pub cached: u64,
    /// Output tokens.
    pub completion: Option<u64>,
}

impl Tokens {
    /// Reads them from a `usage` object, under whichever names; what is missing or no [count] is left out. Reasoning that the
    /// server counts on top of the output, as the total shows, is output.
    ///
    /// [count]: crate::json::count
    pub fn read(usage: &[u8]) -> Self {
        Counts::read(usage).tokens()
    }
}

/// The counts of a `usage` object, by what they count.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    /// The same under the names of other services.
    input: Option<u64>,
    output: Option<u64>,
    sum: Option<u64>,
    cached: u64,
    /// Input tokens that were read from a cache, or written to it, and are not among `input`.
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
    /// Output tokens of thoughts, which are not among `output`.
    thoughts: u64,
    /// A count was sent as text.
    has_text: bool,
    /// A member may be what the server charged, be it an amount that can be or not.
    pub(crate) names_cost: bool,
}

impl Counts {
    pub(crate) fn read(usage: &[u8]) -> Self {
        let mut counts = Counts::default();
        let _ = counts.read_members(&mut Reader::new(usage), 0);
        counts
    }

    fn read_members(&mut self, reader: &mut Reader<'_>, depth: u8) -> Result<(), Malformed> {
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            if key.ends_with(b"_details") && depth == 0 && reader.kind()? == Kind::Object {
                self.read_members(reader, depth + 1)?;
                continue;
            }
            // Where a usage has both counted and billed tokens, the counted ones are taken.
            if matches!(key, b"tokens" | b"billed_units") && depth == 0 && reader.kind()? == Kind::Object {
                let before = (self.input, self.output);
                self.read_members(reader, depth)?;
                if key == b"billed_units" && before.0.is_some() {
                    (self.input, self.output) = before;
                }
                continue;
            }
            let value = reader.value()?;
            let number = count(value);
            self.has_text |= is_text_count(key, value);
            match_bytes!(key, {
                b"prompt_tokens" if depth == 0 => self.prompt = number,
                b"completion_tokens" if depth == 0 => self.completion = number,
                b"total_tokens" if depth == 0 => self.total = number,
                _ => self.note_other(key, number, depth),
            })
        }
        Ok(())
    }

    /// Notes a member that is none of the three that every usage has.
    #[inline(never)] // a plain answer has no need of it
    fn note_other(&mut self, key: &[u8], number: Option<u64>, depth: u8) {
        self.names_cost |= is_cost(key) || is(key, COST_IN_TICKS);
        let some = number.unwrap_or(0);
        match_bytes!(key, {
            b"cached_tokens" | b"num_cached_tokens" | b"prompt_cache_hit_tokens" | b"cachedContentTokenCount"
            | b"cached_content_token_count" => self.cached = self.cached.max(some),
            b"reasoning_tokens" => self.reasoning = self.reasoning.max(some),
            _ => {}
        });
        if depth == 0 {
            match_bytes!(key, {
                b"input_tokens" | b"inputTokens" | b"promptTokens" | b"promptTokenCount" | b"prompt_token_count"
                | b"prompt_eval_count" => {
                    self.input = number.or(self.input)
                },
                b"output_tokens" | b"outputTokens" | b"completionTokens" | b"candidatesTokenCount"
                | b"candidates_token_count" | b"eval_count" => self.output = number.or(self.output),
                b"totalTokens" | b"totalTokenCount" | b"total_token_count" => self.sum = number.or(self.sum),
                b"thoughtsTokenCount" | b"thoughts_token_count" => self.thoughts = some,
                b"cache_read_input_tokens" | b"cacheReadInputTokens" => self.cache_read = some,
                b"cache_creation_input_tokens" | b"cacheWriteInputTokens" => self.cache_write = some,
                _ => {}
            })
        }
    }

    /// Whether counts stand under other names than OpenAI's, or as text.
    pub(crate) fn is_odd(&self) -> bool {
        self.is_renamed() || self.has_text
    }

    /// Whether a count that callers look for stands under another name.
    fn is_renamed(&self) -> bool {
        self.prompt.is_none() && self.input.is_some() || self.completion.is_none() && self.output.is_some()
    }

    fn all_prompt(&self) -> Option<u64> {
        let input = self
            .input
            .map(|input| input.saturating_add(self.cache_read).saturating_add(self.cache_write));
        self.prompt.or(input)
    }

    fn all_completion(&self) -> Option<u64> {
        self.completion
            .or(self.output.map(|output| output.saturating_add(self.thoughts)))
    }

    pub(crate) fn tokens(&self) -> Tokens {
        let prompt = self.all_prompt();
        let mut completion = self.all_completion();
        if let (Some(input), Some(output), Some(total)) = (prompt, &mut completion, self.total.or(self.sum)) {
            let on_top = total.saturating_sub(input.saturating_add(*output));
            let caches = [
                self.cached,
                self.cache_read,
                self.cache_write,
                self.cache_read + self.cache_write,
            ];
            let is_reasoning = match self.reasoning {
                0 => !caches.contains(&on_top),
                reasoning => on_top == reasoning,
            };
            if is_reasoning {
                *output = output.saturating_add(on_top);
            }
        }
        Tokens {
            prompt,
            cached: self.cached.max(self.cache_read),
            completion,
        }
    }
}

/// Whether a member of a `usage` object is a count that was sent as text, which is written as a number.
fn is_text_count(name: &[u8], value: &[u8]) -> bool {
    value.first() == Some(&b'"') && name.ends_with(b"tokens") && count(value).is_some()
}

/// Whether a member of a usage is an amount that the server charged, in dollars or as an object with such members.
fn is_cost(name: &[u8]) -> bool {
    is(name, b"cost") || is(name, b"total_cost") || is(name, b"estimated_cost")
}

/// The same in xAI's ticks, each a ten-thousandth of a millionth of a dollar.
const COST_IN_TICKS: &[u8] = b"cost_in_usd_ticks";

/// The amount that the server says it charged for the call (`cost`, or its `total_cost`, under whichever name), in pico-dollars.
pub(crate) fn charged(usage: &[u8]) -> Option<u64> {
    let mut cost = None;
    for (name, value) in members(usage) {
        if is_cost(name) {
            cost = match value.first() {
                Some(b'{') => charged(value),
                _ => pico_dollars(value),
            }
            .or(cost);
        } else if name == COST_IN_TICKS {
            cost = count(value).and_then(|ticks| ticks.checked_mul(100)).or(cost);
        }
    }
    cost
}

/// A number of dollars, perhaps in quotes, in pico-dollars. Smaller fractions are cut off.
#[inline(never)] // a plain answer has no need of it
fn pico_dollars(raw: &[u8]) -> Option<u64> {
    let text = raw
        .strip_prefix(b"\"")
        .and_then(|raw| raw.strip_suffix(b"\""))
        .unwrap_or(raw);
    let mut number: u64 = 0;
    // Places that are still to come.
    let mut places: i32 = 12;
    let mut is_fraction = false;
    let mut digits = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                // No more digits than a u64 holds: further ones are worth less than a pico-dollar, or no charge is so high.
                if number < 100_000_000_000_000_000 {
                    number = number * 10 + u64::from(byte - b'0');
                    places -= i32::from(is_fraction);
                } else {
                    places += i32::from(!is_fraction);
                }
            }
            b'.' if !is_fraction => is_fraction = true,
            b'e' | b'E' if digits > 0 => {
                let exponent = text.get(at + 1..)?;
                let (sign, exponent) = match exponent.split_first()? {
                    (b'-', rest) => (-1, rest),
                    (b'+', rest) => (1, rest),
                    _ => (1, exponent),
                };
                places += sign * integer(exponent).filter(|exponent| *exponent < 100)? as i32;
                break;
            }
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    for _ in 0..places.unsigned_abs() {
        number = match places {
            0.. => number.checked_mul(10)?,
            _ => number / 10,
        };
        if number == 0 {
            break;
        }
    }
    Some(number)
}

/// Writes the members of a `usage` object, without its brackets: each name once, the last value of it, and counts that were
/// sent as text as numbers; then those that callers look for, where they stand under other names. `estimated` is left out, for
/// that is ours to say.
pub(crate) fn write_members(usage: &[u8], out: &mut Writer) {
    let all = members(usage);
    let last = |wanted: &[u8]| all.iter().rfind(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let has = |wanted: &[u8]| last(wanted).and_then(count).is_some();
    // Nearly every usage has its counts under the names that callers look for.
    let renamed = Some(usage)
        .filter(|_| !has(b"prompt_tokens") || !has(b"completion_tokens"))
        .map(Counts::read)
        .filter(Counts::is_renamed);
    for (at, (name, _)) in all.iter().enumerate() {
        let is_again = all.iter().take(at).any(|(before, _)| before == name);
        let Some(value) = last(name).filter(|_| !is_again && *name != b"estimated") else {
            continue;
        };
        let is_count = matches!(*name, b"prompt_tokens" | b"completion_tokens" | b"total_tokens");
        if renamed.is_some() && is_count && count(value).is_none() {
            continue;
        }
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
    if let Some(counts) = renamed {
        write_renamed(&counts, out);
        let cached = counts.cached.max(counts.cache_read);
        if cached > 0 && last(b"prompt_tokens_details").is_none() {
            out.key("prompt_tokens_details")
                .raw(b"{\"cached_tokens\":")
                .integer(cached)
                .raw(b"}");
        }
    }
}

/// Writes the counts that callers look for, which a `usage` object has under other names.
fn write_renamed(counts: &Counts, out: &mut Writer) {
    let (prompt, completion) = (counts.all_prompt(), counts.all_completion());
    let sum = prompt
        .zip(completion)
        .map(|(prompt, completion)| prompt.saturating_add(completion));
    for (name, own, other) in [
        ("prompt_tokens", counts.prompt, prompt),
        ("completion_tokens", counts.completion, completion),
        ("total_tokens", counts.total, counts.sum.or(sum)),
    ] {
        if let (None, Some(number)) = (own, other) {
            out.key(name).integer(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_under_any_name() {
        let cases: [(&str, u64, u64, u64); 12] = [
            (
                r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#,
                10,
                0,
                2,
            ),
            (r#"{"prompt_tokens":"10","completion_tokens":2.0}"#, 10, 0, 2),
            (
                r#"{"prompt_tokens":10,"completion_tokens":2,"cached_tokens":8}"#,
                10,
                8,
                2,
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":8}}"#,
                10,
                8,
                2,
            ),
            (
                r#"{"input_tokens":10,"output_tokens":2,"input_tokens_details":{"cached_tokens":"8"}}"#,
                10,
                8,
                2,
            ),
            (
                r#"{"input_tokens":10,"output_tokens":2,"cache_read_input_tokens":8,"cache_creation_input_tokens":3}"#,
                21,
                8,
                2,
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":5}}"#,
                10,
                0,
                7,
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":5}}"#,
                10,
                0,
                7,
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":17}"#,
                10,
                0,
                7,
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":20,"cache_read_input_tokens":8}"#,
                10,
                8,
                2,
            ),
            (
                r#"{"promptTokenCount":10,"candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":17}"#,
                10,
                0,
                7,
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":3}"#,
                10,
                0,
                2,
            ),
        ];
        for (usage, prompt, cached, completion) in cases {
            let expected = Tokens {
                prompt: Some(prompt),
                cached,
                completion: Some(completion),
            };
            assert_eq!(Tokens::read(usage.as_bytes()), expected, "{usage}");
        }
    }

    #[test]
    fn what_the_server_charged_is_read_exactly() {
        for (usage, pico) in [
            (r#"{"cost":0.000001979964,"cost_details":{"cost":7}}"#, Some(1_979_964)),
            (r#"{"cost":1.5e-6}"#, Some(1_500_000)),
            (r#"{"cost":"0.25"}"#, Some(250_000_000_000)),
            (
                r#"{"cost":{"input_tokens_cost":1,"total_cost":0.5}}"#,
                Some(500_000_000_000),
            ),
            (r#"{"cost":0}"#, Some(0)),
            (r#"{"estimated_cost":8.775e-06}"#, Some(8_775_000)),
            (
                r#"{"prompt_tokens":198,"cost_in_usd_ticks":2709000}"#,
                Some(270_900_000),
            ),
            (r#"{"cost":2}"#, Some(2_000_000_000_000)),
            (r#"{"cost":0.0000000000001234567890123456789}"#, Some(0)),
            (r#"{"cost":null}"#, None),
            (r#"{"cost":-1}"#, None),
            (r#"{"cost":"free"}"#, None),
            (r#"{"cost":1e40}"#, None),
            (r#"{"prompt_tokens":1}"#, None),
        ] {
            assert_eq!(charged(usage.as_bytes()), pico, "{usage}");
        }
    }
}
