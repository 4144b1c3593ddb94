//! Which key a client sends: given, asked for with each attempt, from the environment, or none; and whether a page may have it.

use crate::problem::Problem;
use crate::provider::{BaseUrl, Provider, is_own_host};
use crate::redact::check_key;
use crate::text::joined;

/// Where the key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// No `Authorization` header.
    None,
    /// This key.
    Value(String),
    /// The shell gets the key from the caller's function, for each attempt.
    Asked,
}

/// The caller's value for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenKey<'a> {
    /// The option was left out.
    Absent,
    /// `null`: no key is to be sent.
    Null,
    /// The key.
    Text(&'a str),
    /// A function that gives it.
    Function,
}

/// The state of the host's environment variable that a provider's key is usually in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment<'a> {
    /// The host has none.
    Absent,
    /// The host has not read the variable yet.
    Unread,
    /// The variable's value; empty where it is not set.
    Value(&'a str),
}

/// The input of [`choose_key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyQuestion<'a> {
    /// The caller's value.
    pub given: GivenKey<'a>,
    /// The variable [`Provider::key_variable`].
    pub environment: Environment<'a>,
    /// Whether every visitor of a page could read the key.
    pub in_page: bool,
    /// Whether the caller wants that.
    pub allowed_in_page: bool,
}

/// The code of a missing key where the host has no environment variables.
pub const MISSING_KEY: &str = "missing_key";

/// The answer of [`choose_key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChoice {
    /// This key is to be sent.
    Key(Key),
    /// This variable has to be read first; then choose again.
    Read(&'static str),
}

/// Chooses the key for a server. The caller's own value, `null` too, takes precedence over the environment. Only at a built-in
/// provider's own host is a key required, read from the environment, and guarded in pages.
///
/// # Errors
/// Every [`Problem`] with `apiKey`: it is missing, cannot be sent, or would be readable in a page.
///
/// ```
/// use chatwire::policy::keys::{Environment, GivenKey, Key, KeyChoice, KeyQuestion, choose_key};
/// use chatwire::provider::{BaseUrl, Provider};
///
/// let provider = Provider::named("electron").unwrap();
/// let base = BaseUrl::parse(&provider.base_url, None).unwrap();
/// let question = KeyQuestion {
///     given: GivenKey::Absent,
///     environment: Environment::Value("sk-1"),
///     in_page: false,
///     allowed_in_page: false,
/// };
/// assert_eq!(choose_key(&provider, &base, question), Ok(KeyChoice::Key(Key::Value("sk-1".into()))));
/// ```
pub fn choose_key(provider: &Provider, base: &BaseUrl, question: KeyQuestion<'_>) -> Result<KeyChoice, Vec<Problem>> {
    let is_own = is_own_host(base.host());
    let mut problems = Vec::new();
    let key = match question.given {
        GivenKey::Null => return Ok(KeyChoice::Key(Key::None)),
        GivenKey::Function => Key::Asked,
        GivenKey::Text(text) => {
            problems.extend(check_key(text).err());
            Key::Value(text.to_owned())
        }
        GivenKey::Absent if !is_own => Key::None,
        GivenKey::Absent => match (question.environment, provider.key_variable) {
            (Environment::Unread, Some(variable)) => return Ok(KeyChoice::Read(variable)),
            (Environment::Value(text), Some(_)) if !text.trim_ascii().is_empty() => {
                Key::Value(text.trim_ascii().to_owned())
            }
            (Environment::Value(_), Some(variable)) => {
                let message = joined(&["apiKey is missing: this server needs one (or set ", variable, ")"]);
                return Err(vec![Problem::refused("invalid_option", &["apiKey"], message)]);
            }
            (Environment::Absent, _) => {
                let message = "apiKey is missing: this server needs one";
                return Err(vec![Problem::refused(MISSING_KEY, &["apiKey"], message)]);
            }
            // A caller's own provider at a built-in one's host: whether it wants a key is the caller's affair.
            (_, None) => Key::None,
        },
    };
    if is_own && key != Key::None && question.in_page && !question.allowed_in_page {
        let message = "apiKey would be readable by every visitor of this page: send requests through a server of yours \
                       (baseURL: \"/v1\"), or set dangerouslyAllowBrowser if you mean it";
        problems.push(Problem::refused("key_in_page", &["apiKey"], message));
    }
    match problems.is_empty() {
        true => Ok(KeyChoice::Key(key)),
        false => Err(problems),
    }
}
