//! A request as validation sees it: any value in any place, nothing refused while reading.
//!
//! Not a request type: it is only read, never written, and never sent. The types beside it fail as a whole at the first
//! wrong field; here a wrong type is a value like any other, for `policy::validate` to name with its path.
//! Containers nested deeper than any documented field are not kept, so a hostile depth costs no stack.

use crate::json::{Kind, Malformed, Reader, Str};
use crate::text::is;

/// Containers below this level are [`Value::Deep`]. The deepest field read is
/// `messages[i].tool_calls[j].function.arguments`, a string in a container at level 5.
const LEVELS: u8 = 5;

/// A value of any type, as far as validation needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Text.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object's members in order. A repeated name counts as its last.
    Object(Vec<(String, Value)>),
    /// An array or object deeper than any documented field.
    Deep,
}

impl Value {
    /// A member of an object; `None` for anything else.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find(|(key, _)| is(key.as_bytes(), name.as_bytes()))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// [`get`](Self::get) with `null` counted as absent, as these services do for optional fields.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of an array; empty for anything else.
    #[must_use]
    pub fn elements(&self) -> &[Value] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }
}

/// A request, read but not judged.
///
/// ```
/// use chatwire::chat::view::View;
///
/// let view = View::from_json(br#"{"model":"electron","temperature":"hot"}"#).unwrap();
/// assert_eq!(view.model(), Some("electron"));
/// assert_eq!(view.get("temperature").and_then(|value| value.as_number()), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    root: Value,
}

impl View {
    /// Reads the body that will be sent.
    ///
    /// # Errors
    /// [`Malformed`] when it is not JSON, or nests deeper than [`crate::json::MAX_DEPTH`].
    pub fn from_json(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let root = read(&mut reader, 0)?;
        reader.finish()?;
        Ok(Self { root })
    }

    /// [`from_json`](Self::from_json) for a body that is sent whatever it is: one that cannot be read is a
    /// [`Value::Deep`], which validation refuses by name.
    ///
    /// Of a JavaScript request this reads what `JSON.stringify` made of it, and so sees what the server will see: no
    /// `undefined`, and a `NaN` as `null`. Reading the object itself cannot tell `undefined` from `null`.
    #[must_use]
    pub fn of_body(body: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        Self::from_json(body.as_ref()).unwrap_or(Self { root: Value::Deep })
    }

    /// The values of JSON texts that follow one another; what cannot be read is one [`Value::Deep`] at the end.
    #[cfg(all(target_arch = "wasm32", feature = "npm"))]
    pub(crate) fn sequence(texts: &[u8]) -> Vec<Value> {
        let (mut reader, mut values) = (Reader::new(texts), Vec::new());
        while reader.finish().is_err() {
            let value = read(&mut reader, 0);
            let is_broken = value.is_err();
            values.push(value.unwrap_or(Value::Deep));
            if is_broken {
                break;
            }
        }
        values
    }

    /// The whole value, taken out.
    #[must_use]
    pub fn into_root(self) -> Value {
        self.root
    }

    /// The whole value: anything but an object is no request.
    #[must_use]
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// A field, unless it is absent or `null`.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.root.set(field)
    }

    /// How many choices are asked for.
    #[must_use]
    pub fn choices(&self) -> u64 {
        self.get("n").and_then(Value::as_number).map_or(1.0, |n| n.max(1.0)) as u64
    }

    /// The model's name.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.get("model").and_then(Value::as_str)
    }

    /// The conversation; empty when there is none.
    #[must_use]
    pub fn messages(&self) -> &[Value] {
        self.get("messages").map(Value::elements).unwrap_or_default()
    }
}

impl From<Value> for View {
    fn from(root: Value) -> Self {
        Self { root }
    }
}

impl From<&super::ChatCompletionRequest> for View {
    fn from(request: &super::ChatCompletionRequest) -> Self {
        // A request of these types always writes; were it not so, an empty view would be refused with a reason.
        let body = serde_json::to_vec(request).unwrap_or_default();
        Self::from_json(&body).unwrap_or(Self { root: Value::Null })
    }
}

fn read(reader: &mut Reader<'_>, level: u8) -> Result<Value, Malformed> {
    Ok(match reader.kind()? {
        Kind::Object | Kind::Array if level > LEVELS => {
            reader.value()?;
            Value::Deep
        }
        Kind::Object => {
            reader.object()?;
            let (mut first, mut members) = (true, Vec::new());
            while let Some(name) = reader.member(&mut first)? {
                members.push((Str::spelled(name).to_text(), read(reader, level + 1)?));
            }
            Value::Object(members)
        }
        Kind::Array => {
            reader.array()?;
            let (mut first, mut elements) = (true, Vec::new());
            while reader.element(&mut first)? {
                elements.push(read(reader, level + 1)?);
            }
            Value::Array(elements)
        }
        Kind::String => Value::String(reader.string()?.to_text()),
        Kind::Number => Value::Number(number(reader.value()?)),
        Kind::Bool => Value::Bool(reader.value()?.first() == Some(&b't')),
        Kind::Null => {
            reader.value()?;
            Value::Null
        }
    })
}

/// The value of a JSON number. Exact for what people write (up to 15 digits, exponents up to 22), within a few units in
/// the last place for the rest: it is only compared with bounds, and the standard library's exact reader is 10 KB.
fn number(text: &[u8]) -> f64 {
    let (mut mantissa, mut exponent, mut negative) = (0u64, 0i32, false);
    let (mut fraction, mut bytes) = (false, text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'-' => negative = true,
            b'.' => fraction = true,
            b'e' | b'E' => {
                let rest = bytes.as_slice();
                let digits = rest.iter().filter(|byte| byte.is_ascii_digit());
                let value = digits.fold(0i32, |sum, digit| {
                    sum.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
                });
                exponent = exponent.saturating_add(if rest.first() == Some(&b'-') { -value } else { value });
                break;
            }
            digit => {
                // Digits beyond the 18th no longer fit; they only move the point.
                if mantissa < 100_000_000_000_000_000 {
                    mantissa = mantissa * 10 + u64::from(digit.wrapping_sub(b'0'));
                    exponent -= i32::from(fraction);
                } else {
                    exponent += i32::from(!fraction);
                }
            }
        }
    }
    let mut value = mantissa as f64;
    let mut power = 1.0f64;
    for _ in 0..exponent.unsigned_abs().min(700) {
        power *= 10.0;
        if power > 1e300 {
            value = if exponent < 0 { value / power } else { value * power };
            power = 1.0;
        }
    }
    value = if exponent < 0 { value / power } else { value * power };
    if negative { -value } else { value }
}
