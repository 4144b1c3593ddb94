//! JSON text as a typed value, where serde_json alone would refuse what `JSON.parse` takes: half a surrogate pair, a number out
//! of range, one name twice in an object, deep nesting.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use super::reader::{Kind, Malformed, Reader};
use super::text::with_whole_surrogates;
use super::writer::Writer;

/// Reads a value of a JSON text whose nesting the [`Reader`](super::Reader) has bounded. Numbers out of range are `null`, and of
/// one name twice the last counts.
///
/// # Errors
/// Where the type takes no such value.
pub(crate) fn typed<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    let json = with_whole_surrogates(json);
    parse(&json).or_else(|error| match tidied(&json) {
        Some(tidy) => parse(&tidy),
        None => Err(error),
    })
}

/// The elements of a list that was put together here, as they are spelled.
#[cfg(all(target_arch = "wasm32", feature = "client"))]
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(list);
    let mut has_more = reader.array().is_ok();
    let mut first = true;
    std::iter::from_fn(move || {
        has_more = has_more && reader.element(&mut first) == Ok(true);
        if has_more { reader.own_value().ok() } else { None }
    })
}

fn parse<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.disable_recursion_limit();
    let value = T::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The same JSON text without what serde_json refuses; `None` where it is not well-formed.
fn tidied(json: &str) -> Option<String> {
    let mut out = Writer::default();
    tidy(&mut Reader::new(json.as_bytes()), &mut out).ok()?;
    Some(out.into_string())
}

fn tidy(reader: &mut Reader<'_>, out: &mut Writer) -> Result<(), Malformed> {
    let mut first = true;
    match reader.kind()? {
        Kind::Object => {
            let mut places: HashMap<&[u8], usize> = HashMap::new();
            let mut members: Vec<(&[u8], &[u8])> = Vec::new();
            reader.object()?;
            while let Some(name) = reader.member(&mut first)? {
                let value = reader.own_value()?;
                let place = *places.entry(name).or_insert(members.len());
                match members.get_mut(place) {
                    Some((_, kept)) => *kept = value,
                    None => members.push((name, value)),
                }
            }
            out.raw(b"{");
            for (name, value) in members {
                out.spelled_key(name);
                tidy(&mut Reader::new(value), out)?;
            }
            out.raw(b"}");
        }
        Kind::Array => {
            reader.array()?;
            out.raw(b"[");
            while reader.element(&mut first)? {
                out.comma();
                tidy(reader, out)?;
            }
            out.raw(b"]");
        }
        Kind::Number => {
            let number = reader.value()?;
            let text = std::str::from_utf8(number)
                .ok()
                .and_then(|text| text.parse::<f64>().ok());
            match text.is_some_and(f64::is_finite) {
                true => out.raw(number),
                false => out.raw(b"null"),
            };
        }
        _ => drop(out.raw(reader.value()?)),
    }
    Ok(())
}
