//! Keeping keys in, and header injection out.
//!
//! A key's literal value is replaced wherever text leaves the crate: server messages, response headers, error texts.

use crate::problem::Problem;
use crate::text::find;

/// The placeholder that replaces a key.
pub const PLACEHOLDER: &str = "[key]";

/// Shorter values are no secrets, and replacing them would garble every sentence.
const SHORTEST_KEY: usize = 4;

/// Replaces every occurrence of the key.
///
/// ```
/// use chatwire::redact::scrub;
///
/// assert_eq!(scrub("Incorrect API key: sk-123456.".into(), Some("sk-123456")), "Incorrect API key: [key].");
/// ```
#[must_use]
pub fn scrub(text: String, key: Option<&str>) -> String {
    match secret(key) {
        Some(key) => replaced(&text, key).unwrap_or(text),
        None => text,
    }
}

/// The text with each `key` replaced; `None` where there is none.
fn replaced(text: &str, key: &str) -> Option<String> {
    let mut rest = text;
    let mut scrubbed = String::new();
    while let Some(at) = find(rest, key) {
        scrubbed.push_str(rest.get(..at).unwrap_or_default());
        scrubbed.push_str(PLACEHOLDER);
        rest = rest.get(at + key.len()..).unwrap_or_default();
    }
    if rest.len() == text.len() {
        return None;
    }
    scrubbed.push_str(rest);
    Some(scrubbed)
}

/// [`scrub`], for text that was cut off: the start of a key at its end goes too.
#[must_use]
pub fn scrub_cut(text: String, key: Option<&str>) -> String {
    let mut text = scrub(text, key);
    let Some(key) = secret(key) else { return text };
    let mut start = key.as_bytes();
    while let [shorter @ .., _] = start
        && shorter.len() >= SHORTEST_KEY
    {
        start = shorter;
        if text.as_bytes().ends_with(start) {
            text.truncate(text.len() - start.len());
            text.push_str(PLACEHOLDER);
            break;
        }
    }
    text
}

/// Whether JSON text still spells the key, in escapes that [`scrub`] cannot see.
pub(crate) fn is_spelled_in(json: &str, key: Option<&str>) -> bool {
    let Some(key) = secret(key) else { return false };
    let text = crate::json::Str::spelled(json.as_bytes());
    text.escaped && find(&text.to_text(), key).is_some()
}

fn secret(key: Option<&str>) -> Option<&str> {
    key.filter(|key| key.len() >= SHORTEST_KEY)
}

/// Whether a key can be sent.
///
/// # Errors
/// A [`Problem`] at `apiKey`, which does not quote the key.
pub fn check_key(key: &str) -> Result<(), Problem> {
    let message = if key.is_empty() {
        "apiKey is empty: give the key, or null to send none"
    } else if key.trim_ascii() != key {
        "apiKey has white space or a line break around it: trim it"
    } else if !key.as_bytes().iter().all(u8::is_ascii_graphic) {
        "apiKey contains white space, a control character or a letter outside ASCII: a key has none, so this is not one"
    } else {
        return Ok(());
    };
    Err(Problem::refused("invalid_api_key", &["apiKey"], message))
}

/// Whether a header can be sent: a token for a name (RFC 9110 §5.6.2), and no control character in its value, through
/// which one header could become two.
///
/// # Errors
/// A [`Problem`] at the header, which quotes its name only.
pub fn check_header(option: &str, name: &str, value: &str) -> Result<(), Problem> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".iter().any(|other| other == byte);
    if name.is_empty() || !name.as_bytes().iter().all(is_token) {
        let message = "a header name is made of letters, digits and - only";
        return Err(Problem::refused("invalid_header", &[option], message));
    }
    let message = if value.chars().any(|letter| letter != '\t' && letter.is_control()) {
        "this header's value contains a line break or another control character: remove it"
    } else if value.chars().any(|letter| letter > '\u{FF}') {
        "this header's value contains a letter that headers cannot carry: encode it"
    } else {
        return Ok(());
    };
    Err(Problem::refused("invalid_header", &[option, name], message))
}
