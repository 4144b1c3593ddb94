//! Field readers for what servers really send: a null list, a number written as text, arguments given as an object.
//!
//! Requests are read strictly, because we write them; answers go through these, because one odd field must not cost
//! the caller the whole chunk.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value;

/// `null`, or a value of another shape, reads as absent.
pub(super) fn option<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(Value::deserialize(deserializer)?).ok())
}

/// `null`, or a value that is no list, reads as an empty list; elements of another shape are left out.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(items) => items.into_iter().filter_map(|item| T::deserialize(item).ok()).collect(),
        _ => Vec::new(),
    })
}

/// A count or a time: integers, floats without their fraction, digits in quotes. Anything else reads as absent.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().or_else(|| match number.as_f64() {
            Some(float) if float >= 0.0 => Some(float as u64),
            _ => None,
        }),
        Value::String(text) => crate::json::count(text.as_bytes()),
        _ => None,
    })
}

/// [`whole`] with 0 for what is absent.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(whole(deserializer)?.unwrap_or(0))
}

/// Tool-call arguments: text as it is, `null` as empty text, an object as its JSON (llama.cpp#20198).
pub(super) fn arguments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    })
}

/// Writes `1`, not `1.0`: what a JavaScript client sends for the same setting, and what came in.
pub(super) fn number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => whole_or_float(*value, serializer),
        None => serializer.serialize_none(),
    }
}

/// [`number`] for the values of a map.
pub(super) fn numbers<S: Serializer>(
    values: &Option<std::collections::BTreeMap<String, f64>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    struct Number(f64);
    impl serde::Serialize for Number {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            whole_or_float(self.0, serializer)
        }
    }
    match values {
        Some(values) => serializer.collect_map(values.iter().map(|(key, value)| (key, Number(*value)))),
        None => serializer.serialize_none(),
    }
}

fn whole_or_float<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if value.trunc() == value && value.abs() < EXACT {
        serializer.serialize_i64(value as i64)
    } else {
        serializer.serialize_f64(value)
    }
}
