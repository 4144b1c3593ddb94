//! Options as callers give them: plain objects, doubted member by member.

use serde::Deserialize;
use wasm_bindgen::JsValue;

use crate::chat::view::Value;
use crate::policy::Problem;
use crate::provider::{Prices, ReasoningPlace};
use crate::stream::Attempt;

/// Reads any JavaScript value. What JSON cannot carry is [`Value::Other`].
pub(super) fn value(js: JsValue) -> Value {
    let reader = serde_wasm_bindgen::Deserializer::from(js);
    Value::deserialize(reader).unwrap_or(Value::Other)
}

/// The members of one options object.
pub(super) struct Options<'a>(pub(super) &'a Value);

impl<'a> Options<'a> {
    /// A member that is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.set(name)
    }

    /// A member that has to be text.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&'a str>, Problem> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| wrong(name, "must be a string"));
        self.get(name).map(text).transpose()
    }

    /// A member that has to be a number, not NaN.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<f64>, Problem> {
        let number = |value: &Value| {
            value.as_number().filter(|number| !number.is_nan()).ok_or_else(|| wrong(name, "must be a number"))
        };
        self.get(name).map(number).transpose()
    }

    /// A member that has to be `true` or `false`.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        let flag = |value: &Value| value.as_bool().ok_or_else(|| wrong(name, "must be true or false"));
        self.get(name).map(flag).transpose()
    }

    /// A member that has to be a size or a count, at least 1.
    pub(super) fn size(&self, name: &'static str) -> Result<Option<usize>, Problem> {
        let size = self.number(name)?;
        match size {
            Some(size) if size < 1.0 => Err(wrong(name, "must be at least 1")),
            size => Ok(size.map(|size| size as usize)),
        }
    }

    /// A member that has to be one of some words.
    pub(super) fn one_of(&self, name: &'static str, words: &[&'static str]) -> Result<Option<usize>, Problem> {
        let Some(word) = self.text(name)? else { return Ok(None) };
        match words.iter().position(|known| *known == word) {
            Some(at) => Ok(Some(at)),
            None => Err(wrong(name, &["must be one of ", &words.join(", ")].concat())),
        }
    }

    /// `decoding`: whether it is strict.
    pub(super) fn strict(&self) -> Result<Option<bool>, Problem> {
        Ok(self.one_of("decoding", &["tolerant", "strict"])?.map(|word| word == 1))
    }

    /// `reasoning`: where to look for it.
    pub(super) fn reasoning(&self) -> Result<Option<ReasoningPlace>, Problem> {
        let place = |word| {
            ReasoningPlace::from_name(word).ok_or_else(|| {
                wrong("reasoning", "must be one of reasoning, reasoning_content, tags, none, detect")
            })
        };
        self.text("reasoning")?.map(place).transpose()
    }

    /// `prices`, in US dollars per million tokens.
    pub(super) fn prices(&self) -> Result<Option<Prices>, Problem> {
        let Some(prices) = self.get("prices").map(Options) else { return Ok(None) };
        let needed = |name| prices.number(name)?.ok_or_else(|| wrong("prices", "must have input and output"));
        Ok(Some(Prices { input: needed("input")?, cached_input: prices.number("cachedInput")?, output: needed("output")? }))
    }

    /// `attempts`, as [`crate::stream::Outcome`] lists them.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        let Some(Value::Array(attempts)) = self.get("attempts") else { return Vec::new() };
        let text = |attempt: &Value, name| attempt.set(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let status = |attempt: &Value| attempt.set("status").and_then(Value::as_number).map(|status| status as u16);
        let read = |attempt| Attempt { provider: text(attempt, "provider"), status: status(attempt), reason: text(attempt, "reason") };
        attempts.iter().map(read).collect()
    }

    /// A record of text; a member that is null or undefined has no value.
    pub(super) fn pairs(&self, name: &'static str) -> Result<Vec<(String, Option<String>)>, Problem> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Object(members)) => members.iter().map(|(key, value)| {
                let value = match value {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    Value::Bool(flag) => Some(if *flag { "true" } else { "false" }.to_owned()),
                    Value::Number(number) => Some(number_text(*number)),
                    _ => return Err(wrong(name, "must have text for values")),
                };
                Ok((key.clone(), value))
            }).collect(),
            Some(_) => Err(wrong(name, "must be an object of names and values")),
        }
    }
}

fn number_text(number: f64) -> String {
    js_sys::Number::from(number).to_string_with_radix(10).map(String::from).unwrap_or_default()
}

/// An option with a value that it cannot have.
pub(super) fn wrong(name: &'static str, message: &str) -> Problem {
    Problem::refused("invalid_option", &[name], [name, " ", message].concat())
}
