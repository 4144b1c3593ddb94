//! Providers: each is data, and a few pure functions over it.
//!
//! A built-in provider is a file of constants beside this one, each citing its documentation; nothing else in the crate knows a
//! server's name. A fourth provider is one more such file. A user's own is [`Provider::custom`].

mod base_url;
mod electron;
mod electronhub;
mod facts;
mod openai;
mod rules;

use std::borrow::Cow;
use std::fmt;

pub use base_url::BaseUrl;
use facts::Defaults;
pub use facts::{Capabilities, Endpoint, Plan, PlanLimits, ReasoningPlace};
pub use rules::{Check, MessageRules, Range, Rule};

use crate::chat::view::{Value, View};
use crate::problem::Problem;
use crate::text::joined;
pub use crate::usage::Prices;

const BUILT_IN: [&Defaults; 3] = [&electron::DATA, &electronhub::DATA, &openai::DATA];

/// The facts about a server before the first request.
///
/// ```
/// use chatwire::provider::Provider;
///
/// let provider = Provider::electron("key");
/// assert_eq!(provider.base_url, "https://api.smallest.ai/waves/v1");
/// assert_eq!(provider.default_model.as_deref(), Some("electron"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// `electron`, `electronhub`, `openai`, or a custom one's own name. Appears in attempts and outcomes.
    pub name: Cow<'static, str>,
    /// Where requests go, up to `/chat/completions`. Checked by [`BaseUrl::parse`] when a client is made.
    pub base_url: Cow<'static, str>,
    /// The key, sent as `Authorization: Bearer …`.
    pub api_key: Option<ApiKey>,
    /// The environment variable its key is usually in.
    pub key_variable: Option<&'static str>,
    /// The model used when a request names none.
    pub default_model: Option<Cow<'static, str>>,
    /// The only models there are; empty where unknown.
    pub models: &'static [&'static str],
    /// The capabilities of the server.
    pub capabilities: Capabilities,
    /// Documented restrictions of request fields.
    pub rules: &'static [Rule],
    /// Whether `null` stands for an absent field; where it does not, it is a value of the wrong type.
    pub nullable: bool,
    /// Documented restrictions of messages.
    pub messages: MessageRules,
    /// Ranges a custom provider adds.
    pub ranges: Vec<Range>,
    /// The prices of a million tokens; `None` where unknown.
    pub prices: Option<Prices>,
    /// The plans it sells.
    pub plans: &'static [(Plan, PlanLimits)],
    /// Most input and output tokens together.
    pub context_tokens: Option<u64>,
    /// Where reasoning appears, unless a request says otherwise.
    pub reasoning: ReasoningPlace,
    /// Whether it takes reasoning back in an assistant's turn.
    pub takes_reasoning: bool,
    /// Whether a request can say otherwise, by ElectronHub's fields.
    pub reasoning_overrides: bool,
    /// Its endpoint variants.
    pub endpoints: &'static [Endpoint],
    /// How long to wait for response headers and for a stream's first token, in milliseconds.
    pub first_token_ms: f64,
    /// Whether a 429 stands for all that a key asks for, not for one model.
    pub limits_by_key: bool,
    /// How long it refuses everything after a 429 that names no time, in milliseconds.
    pub cooldown_ms: Option<f64>,
}

/// A key, which no `{:?}` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for ApiKey {
    fn from(key: T) -> Self {
        Self(key.into())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}

impl Provider {
    /// Electron by Smallest AI.
    #[must_use]
    pub fn electron(api_key: impl Into<ApiKey>) -> Self {
        Self::built_in(&electron::DATA).with_key(api_key)
    }

    /// ElectronHub, under `/v1`.
    #[must_use]
    pub fn electronhub(api_key: impl Into<ApiKey>) -> Self {
        Self::built_in(&electronhub::DATA).with_key(api_key)
    }

    /// OpenAI.
    #[must_use]
    pub fn openai(api_key: impl Into<ApiKey>) -> Self {
        Self::built_in(&openai::DATA).with_key(api_key)
    }

    /// Any compatible server. Nothing is assumed about it: no prices, no ranges, reasoning looked for everywhere.
    ///
    /// ```
    /// use chatwire::provider::{Prices, Provider};
    ///
    /// let local = Provider {
    ///     prices: Some(Prices { input: 0.0, cached_input: None, output: 0.0, up_to: None }),
    ///     ..Provider::custom("http://localhost:8080/v1")
    /// };
    /// assert_eq!(local.api_key, None);
    /// ```
    #[must_use]
    pub fn custom(base_url: impl Into<String>) -> Self {
        Self {
            name: Cow::Borrowed("custom"),
            base_url: Cow::Owned(base_url.into()),
            api_key: None,
            key_variable: None,
            default_model: None,
            models: &[],
            capabilities: Capabilities {
                json_schema: true,
                stream_usage: true,
            },
            rules: &[],
            nullable: true,
            messages: MessageRules::ANY,
            ranges: Vec::new(),
            prices: None,
            plans: &[],
            context_tokens: None,
            reasoning: ReasoningPlace::Detect,
            takes_reasoning: true,
            reasoning_overrides: false,
            endpoints: &[],
            first_token_ms: 300_000.0,
            limits_by_key: false,
            cooldown_ms: None,
        }
    }

    /// A built-in provider by its name, without a key.
    ///
    /// # Errors
    /// A [`Problem`] at `provider` that lists the names there are.
    pub fn named(name: &str) -> Result<Self, Problem> {
        match BUILT_IN.iter().find(|data| data.name == name) {
            Some(data) => Ok(Self::built_in(data)),
            None => {
                let mut message = String::from("provider must be ");
                for data in BUILT_IN {
                    message.push('"');
                    message.push_str(data.name);
                    message.push_str("\", ");
                }
                message.push_str("or { baseURL }");
                Err(Problem::refused("unknown_provider", &["provider"], message))
            }
        }
    }

    /// The same provider with a key.
    #[must_use]
    pub fn with_key(self, api_key: impl Into<ApiKey>) -> Self {
        Self {
            api_key: Some(api_key.into()),
            ..self
        }
    }

    /// The same provider at another address. One that ends like an endpoint variant is taken for that variant.
    ///
    /// # Errors
    /// See [`BaseUrl::parse`].
    pub fn at(mut self, base_url: &str, location: Option<&str>) -> Result<Self, Problem> {
        self.move_to(&BaseUrl::parse(base_url, location)?);
        Ok(self)
    }

    pub(crate) fn move_to(&mut self, base: &BaseUrl) {
        // A server that is only addressed like a built-in one may want what that one refuses.
        self.takes_reasoning |= !is_own_host(base.host());
        if let Some(endpoint) = self
            .endpoints
            .iter()
            .find(|endpoint| endpoint.name == base.last_segment())
        {
            self.reasoning = endpoint.reasoning;
        }
        self.base_url = Cow::Owned(base.as_str().to_owned());
    }

    /// The same provider at one of its variants. Apply [`at`](Self::at) before, to keep a gateway's address and take
    /// only the variant's reasoning.
    ///
    /// # Errors
    /// A [`Problem`] at `endpoint` when it has no such variant.
    pub fn endpoint(mut self, name: &str) -> Result<Self, Problem> {
        self.choose_endpoint(name)?;
        Ok(self)
    }

    pub(crate) fn choose_endpoint(&mut self, name: &str) -> Result<(), Problem> {
        let Some(endpoint) = self.endpoints.iter().find(|endpoint| endpoint.name == name) else {
            let mut message = String::from(match self.endpoints.is_empty() {
                true => "this provider has no endpoint variants: leave endpoint out",
                false => "endpoint must be one of",
            });
            for (index, endpoint) in self.endpoints.iter().enumerate() {
                message.push_str(if index == 0 { " " } else { ", " });
                message.push_str(endpoint.name);
            }
            return Err(Problem::refused("unknown_endpoint", &["endpoint"], message));
        };
        self.reasoning = endpoint.reasoning;
        if self.endpoints.iter().any(|endpoint| endpoint.base_url == self.base_url) {
            self.base_url = Cow::Borrowed(endpoint.base_url);
        }
        Ok(())
    }

    /// The limits of a plan by its name, `standard` or `enterprise`.
    ///
    /// # Errors
    /// A [`Problem`] at `limits` when this provider documents no such plan.
    pub fn plan(&self, name: &str) -> Result<PlanLimits, Problem> {
        let plan = match name {
            "standard" => Some(Plan::Standard),
            "enterprise" => Some(Plan::Enterprise),
            _ => None,
        };
        let known = self.plans.iter().find(|(known, _)| Some(*known) == plan);
        known.map(|(_, limits)| *limits).ok_or_else(|| {
            let message = match self.plans.is_empty() {
                true => "this provider documents no plans: give { requestsPerMinute, concurrent } instead",
                false => "limits must be false, \"standard\", \"enterprise\" or { requestsPerMinute, concurrent }",
            };
            Problem::refused("unknown_plan", &["limits"], message)
        })
    }

    /// Where reasoning appears in the answer to this request.
    ///
    /// ElectronHub's page, "Endpoint Variants": an override in the request beats the endpoint; "Disabling Reasoning
    /// Output": `reasoning.exclude` and the model suffix hide it everywhere. `reasoning_effort: "none"` hides it only for
    /// some models, so reasoning is still looked for where it would be.
    #[must_use]
    pub fn reasoning_place(&self, request: &View) -> ReasoningPlace {
        if !self.reasoning_overrides {
            return self.reasoning;
        }
        let settings = request.get("reasoning");
        let excluded = settings
            .and_then(|settings| settings.set("exclude"))
            .and_then(Value::as_bool)
            == Some(true);
        if excluded
            || request
                .model()
                .is_some_and(|model| model.ends_with(":reasoning-exclude"))
        {
            return ReasoningPlace::None;
        }
        let long = settings.and_then(|settings| settings.set("delta_field"));
        match long
            .or_else(|| request.get("reasoning_delta_field"))
            .and_then(Value::as_str)
        {
            Some("reasoning") => return ReasoningPlace::Field("reasoning"),
            Some("reasoning_content") => return ReasoningPlace::Field("reasoning_content"),
            _ => {}
        }
        match request.get("reasoning_content_compat").and_then(Value::as_bool) {
            Some(true) => ReasoningPlace::Field("reasoning_content"),
            _ => self.reasoning,
        }
    }

    fn built_in(data: &'static Defaults) -> Self {
        Self {
            name: Cow::Borrowed(data.name),
            base_url: Cow::Borrowed(data.base_url),
            api_key: None,
            key_variable: Some(data.key_variable),
            default_model: data.default_model.map(Cow::Borrowed),
            models: data.models,
            capabilities: data.capabilities,
            rules: data.rules,
            nullable: data.nullable,
            messages: data.messages,
            ranges: Vec::new(),
            prices: data.prices,
            plans: data.plans,
            context_tokens: data.context_tokens,
            reasoning: data.reasoning,
            takes_reasoning: data.takes_reasoning,
            reasoning_overrides: data.reasoning_overrides,
            endpoints: data.endpoints,
            first_token_ms: data.first_token_ms,
            limits_by_key: data.limits_by_key,
            cooldown_ms: data.cooldown_ms,
        }
    }
}

/// Whether this host belongs to a built-in provider. There, and only there, a key is required, and guarded in pages.
///
/// A name with a dot at its end is the same host.
#[must_use]
pub fn is_own_host(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_own = |data: &&Defaults| data.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
    BUILT_IN.iter().any(is_own)
}

/// The value of the `Authorization` header for a key.
#[must_use]
pub fn authorization(api_key: &str) -> String {
    joined(&["Bearer ", api_key])
}
