//! The vocabulary a provider's documentation is written down in. The judge is `policy::validate`; this is the law.

/// One documented restriction of one request field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The field, from the outside in: `["reasoning", "effort"]`.
    pub path: &'static [&'static str],
    /// The check of the value, when the field is there and not `null`.
    pub check: Check,
}

impl Rule {
    /// A rule for a field.
    #[must_use]
    pub const fn new(path: &'static [&'static str], check: Check) -> Self {
        Self { path, check }
    }
}

/// The check of a field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// A number, both ends included.
    Number(f64, f64),
    /// A whole number, both ends included.
    Integer(f64, f64),
    /// `true` or `false`.
    Boolean,
    /// A string.
    Text,
    /// One of these strings.
    Words(&'static [&'static str]),
    /// A string, or an array of strings.
    TextOrTexts,
    /// An object.
    Object,
    /// An object whose values are numbers.
    NumberMap,
    /// An array of objects.
    Objects,
    /// An array of function tools, each nested or flat.
    Functions,
    /// One of these strings, or a function by name.
    ToolChoice(&'static [&'static str]),
    /// Not there at all; the text says what to do instead.
    Absent(&'static str),
    /// Not above this number; the text says what to do instead.
    AtMost(f64, &'static str),
}

/// The documented rules for messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MessageRules {
    /// The roles there are; empty where any will do.
    pub roles: &'static [&'static str],
    /// Whether a message has to have a role.
    pub role_required: bool,
    /// Whether content is text or `null` only, and `null` only beside tool calls.
    pub text_only: bool,
    /// Whether a `tool` message needs `tool_call_id`, and a tool call its id, type, name and textual arguments.
    pub tool_fields: bool,
}

impl MessageRules {
    /// Nothing documented.
    pub const ANY: Self = Self {
        roles: &[],
        role_required: false,
        text_only: false,
        tool_fields: false,
    };
}

/// A range of a request field that a custom provider names.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// The field.
    pub field: String,
    /// Least value allowed.
    pub min: f64,
    /// Greatest value allowed.
    pub max: f64,
}
