//! The client for Rust on wasm32: the core, and the host's `fetch`.
//!
//! ```no_run
//! # #[cfg(target_arch = "wasm32")]
//! # async fn example(key: String) -> Result<(), chatwire::Error> {
//! use chatwire::chat::{ChatCompletionRequest, Message};
//! use chatwire::{Client, Provider};
//!
//! let client = Client::builder(Provider::electron(key)).build()?;
//! let request = ChatCompletionRequest::new("electron", vec![Message::user("Why is the sky blue?")]);
//! let mut stream = client.stream(&request).await?;
//! let mut answer = String::new();
//! while let Some(chunk) = stream.next().await {
//!     answer.push_str(&chunk?.text());
//! }
//! let outcome = stream.outcome().expect("the stream has ended");
//! # Ok(())
//! # }
//! ```

mod connection;
mod fallback_chain;
mod host;
pub mod js;
mod stream;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use crate::attempt::Attempt;
use crate::chat::{ChatCompletion, ChatCompletionRequest, StreamOptions};
use crate::error::{Error, ErrorKind};
use crate::policy::keys::{Environment, GivenKey, Key, KeyChoice, KeyQuestion, MISSING_KEY, choose_key};
use crate::policy::opening::{Event, Settings};
use crate::policy::timeouts::{TimeoutOption, Timeouts};
use crate::policy::{Validation, retry};
use crate::problem::Problem;
use crate::provider::{BaseUrl, PlanLimits, Provider};
use crate::redact::check_header;
use crate::text::{find, joined};
use crate::trouble::Trouble;
use crate::usage;
use connection::Connection;
pub use fallback_chain::CallOptions;
use fallback_chain::{Fallback, FallbackChain};
pub use stream::ChatStream;

/// A client of one server. Cheap to clone; clones share everything.
///
/// A call retries, waits and falls back as the npm package does. Of what that package does beyond a single call, Rust has
/// neither `hedge` (a second request while the first is silent) nor `continueWith` (another server goes on with an answer that
/// broke) nor tool runs: each needs a request or a loop that lives beside the stream, which is the program's own to write.
/// `policy::hedge::Latencies` says when a second request is worth its cost.
#[derive(Clone)]
pub struct Client {
    shared: Rc<Shared>,
}

/// The state that clones of a client share.
struct Shared {
    connection: Rc<Connection>,
    fallback: Rc<[Fallback]>,
}

/// Collects what a [`Client`] is made with.
pub struct ClientBuilder {
    provider: Provider,
    location: Option<String>,
    fetch: Option<Function>,
    headers: Vec<(String, Option<String>)>,
    query: Vec<(String, Option<String>)>,
    max_retries: u32,
    timeout: TimeoutOption,
    limits: Option<PlanLimits>,
    validation: Validation,
    strict: bool,
    key: Option<Function>,
    observer: Option<Function>,
    fallback: Vec<Fallback>,
}

impl Client {
    /// Starts to make a client of a provider.
    #[must_use]
    pub fn builder(provider: Provider) -> ClientBuilder {
        ClientBuilder {
            provider,
            location: None,
            fetch: None,
            headers: Vec::new(),
            query: Vec::new(),
            max_retries: retry::DEFAULT_RETRIES,
            timeout: TimeoutOption::default(),
            limits: None,
            validation: Validation::default(),
            strict: false,
            key: None,
            observer: None,
            fallback: Vec::new(),
        }
    }

    /// Asks for a completion and waits for all of it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] before anything is sent; a refusal by its status; no connection, no answer in time;
    /// an answer that is no completion.
    pub async fn create(&self, request: &ChatCompletionRequest) -> Result<ChatCompletion, Error> {
        self.create_with(request, CallOptions::default()).await
    }

    /// [`create`](Self::create), with options for this call.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_with(
        &self,
        request: &ChatCompletionRequest,
        options: CallOptions,
    ) -> Result<ChatCompletion, Error> {
        let mut request = request.clone();
        request.stream = None;
        let mut stream = self.open(&request, options).await?;
        stream.drain().await?;
        stream.completion()
    }

    /// Asks for a completion and gives it in chunks as they arrive. Dropping the stream cancels the request.
    ///
    /// # Errors
    /// As [`create`](Self::create), up to the response headers; later ones come from the stream.
    pub async fn stream(&self, request: &ChatCompletionRequest) -> Result<ChatStream, Error> {
        self.stream_with(request, CallOptions::default()).await
    }

    /// [`stream`](Self::stream), with options for this call.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn stream_with(
        &self,
        request: &ChatCompletionRequest,
        options: CallOptions,
    ) -> Result<ChatStream, Error> {
        let mut request = request.clone();
        request.stream = Some(true);
        // Without the usage the cost of the answer stays unknown.
        request.stream_options.get_or_insert_with(|| StreamOptions {
            include_usage: Some(true),
            ..StreamOptions::default()
        });
        self.open(&request, options).await
    }

    /// Opens the connection, so that the first request does not wait for it. No tokens are used: `GET /chat/completions` is
    /// sent without a key, and any answer will do. Dropping the future stops it.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] and [`ErrorKind::ConnectionTimeout`] (10 s): the server did not answer. Requests may be made all
    /// the same.
    pub async fn warm_up(&self) -> Result<(), Error> {
        self.shared.connection.warm_up().await
    }

    /// The totals of the finished calls of this client and of its clones.
    #[must_use]
    pub fn usage(&self) -> usage::Totals {
        *self.shared.connection.totals.borrow()
    }

    /// Asks this server and then, while that may help, those that were named for it.
    async fn open(&self, request: &ChatCompletionRequest, options: CallOptions) -> Result<ChatStream, Error> {
        let mut chain = FallbackChain::new(&self.shared.connection, &self.shared.fallback, request.clone(), options);
        match chain.answer(Event::Due).await {
            Ok(opened) => ChatStream::new(opened, chain),
            Err(error) => {
                self.shared.connection.tell_outcome(&serde_json::json!({
                    "status": if error.kind == ErrorKind::UserAbort { "aborted" } else { "error" },
                    "usage": null,
                    "cost": null,
                    "attempts": error.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
                    "requestId": error.response.as_ref().and_then(|response| response.request_id.as_deref()),
                }));
                Err(error)
            }
        }
    }
}

fn attempt_json(attempt: &Attempt) -> serde_json::Value {
    serde_json::json!({
        "provider": attempt.provider,
        "status": attempt.status,
        "reason": attempt.reason,
    })
}

impl ClientBuilder {
    /// The `fetch` to call in place of the host's own, as `fetch(url: string, init)`.
    #[must_use]
    pub fn fetch(self, fetch: Function) -> Self {
        Self {
            fetch: Some(fetch),
            ..self
        }
    }

    /// The address that a relative base URL is relative to: the page's address.
    #[must_use]
    pub fn location(self, location: impl Into<String>) -> Self {
        Self {
            location: Some(location.into()),
            ..self
        }
    }

    /// A header for every request.
    #[must_use]
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// A query parameter for every request.
    #[must_use]
    pub fn default_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), Some(value.into())));
        self
    }

    /// How many attempts may follow the first, from 0 to 100; 2 unless set.
    #[must_use]
    pub fn max_retries(self, max_retries: u32) -> Self {
        Self { max_retries, ..self }
    }

    /// How long to wait for what.
    #[must_use]
    pub fn timeout(self, timeout: TimeoutOption) -> Self {
        Self { timeout, ..self }
    }

    /// The plan's limits to keep within, shared by all clients of the same key at the same server.
    #[must_use]
    pub fn limits(self, limits: PlanLimits) -> Self {
        Self {
            limits: Some(limits),
            ..self
        }
    }

    /// How strictly requests are judged before they are sent.
    #[must_use]
    pub fn validation(self, validation: Validation) -> Self {
        Self { validation, ..self }
    }

    /// Refuses answers that would have to be repaired.
    #[must_use]
    pub fn strict_decoding(self) -> Self {
        Self { strict: true, ..self }
    }

    /// A function that gives the key, or a promise of it; called for each attempt, in place of the provider's key.
    #[must_use]
    pub fn key_function(self, key: Function) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The client to ask when this server cannot answer: it was not reached, failed, takes no more for longer than the call can wait,
    /// lacks money, model or permission for the place, or broke off before the first token. They are asked in the order they
    /// were added, with their own settings; `adapt` makes the request theirs. Their own fallbacks are not followed.
    ///
    /// ```no_run
    /// # #[cfg(target_arch = "wasm32")]
    /// # fn example(key: String, other: String) -> Result<(), chatwire::Error> {
    /// use chatwire::{Client, Provider};
    ///
    /// let openai = Client::builder(Provider::openai(other)).build()?;
    /// let client = Client::builder(Provider::electron(key))
    ///     .fallback(openai, |request| request.model = "gpt-4o-mini".into())
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fallback(mut self, client: Client, adapt: impl Fn(&mut ChatCompletionRequest) + 'static) -> Self {
        self.fallback.push(Fallback {
            connection: Rc::clone(&client.shared.connection),
            adapt: Box::new(adapt),
            on: None,
        });
        self
    }

    /// [`fallback`](Self::fallback) for these troubles only, by the words of
    /// [`Trouble::fallback`](crate::trouble::Trouble::fallback): `connection`, `server`, `limit`, `quota`, `model`, `region`,
    /// `broken`.
    #[must_use]
    pub fn fallback_on(
        self,
        troubles: &[&str],
        client: Client,
        adapt: impl Fn(&mut ChatCompletionRequest) + 'static,
    ) -> Self {
        let mut builder = self.fallback(client, adapt);
        if let Some(added) = builder.fallback.last_mut() {
            added.on = Some(troubles.iter().map(|&word| word.to_owned()).collect());
        }
        builder
    }

    /// A function that is called for each event of a call, with the name of a hook and JSON text: `onRequest {provider, url,
    /// method, attempt, warnings?}`, `onResponse {provider, url, status, requestId}`, `onWait {provider, reason, delay, until}`
    /// (milliseconds, and since 1970), `onRetry {provider, attempt, reason, delay}` (milliseconds) and `onOutcome {provider,
    /// status, usage, cost, timing, attempts, requestId}`. Keys, queries and what was said are left out.
    #[must_use]
    pub fn observer(self, observer: impl Fn(String, String) + 'static) -> Self {
        let observer = Closure::<dyn Fn(String, String)>::new(observer).into_js_value();
        Self {
            observer: Some(observer.unchecked_into()),
            ..self
        }
    }

    /// The client.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] with every option that is invalid: a base URL that is none, a key with a line
    /// break or none where the server needs one, a header that could become two, a negative price or timeout, a word of
    /// [`fallback_on`](Self::fallback_on) that is none.
    pub fn build(self) -> Result<Client, Error> {
        let base = BaseUrl::parse(&self.provider.base_url, self.location.as_deref())?;
        let question = KeyQuestion {
            given: match &self.provider.api_key {
                _ if self.key.is_some() => GivenKey::Function,
                Some(key) => GivenKey::Text(key.expose()),
                None => GivenKey::Absent,
            },
            environment: Environment::Absent,
            // The guard is for scripts: the author of a Rust app compiles the key in on purpose.
            in_page: false,
            allowed_in_page: false,
        };
        let key = match choose_key(&self.provider, &base, question) {
            Ok(KeyChoice::Key(key)) => key,
            // There is no environment to read it from.
            Ok(KeyChoice::Read(_)) => Key::None,
            Err(problems) if problems.iter().any(|problem| problem.code == MISSING_KEY) => {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "This server needs a key: give the provider one.",
                ));
            }
            Err(problems) => return Err(problems.into()),
        };
        retry::retries(f64::from(self.max_retries))?;
        for word in self.fallback.iter().flat_map(|other| other.on.iter().flatten()) {
            if find(Trouble::FALLBACKS, &joined(&[" ", word, ","])).is_none() {
                let message = joined(&[word, " is unknown: there are", Trouble::FALLBACKS, " and no others"]);
                return Err(Problem::refused("unknown_option", &["fallback", "on"], message).into());
            }
        }
        for (name, value) in &self.headers {
            check_header("default_header", name, value.as_deref().unwrap_or_default())?;
        }
        Timeouts::new(self.timeout, &self.provider, true)?;
        let prices = self.provider.prices.as_ref().map(usage::token_prices).transpose()?;
        let settings = Rc::new(Settings {
            base,
            key,
            headers: self.headers,
            query: self.query,
            max_retries: self.max_retries,
            timeout: self.timeout,
            limits: self.limits,
            validation: self.validation,
            strict: self.strict,
            partial: crate::stream::PartialValues::Off,
            prices,
            page: host::is_page(),
            has_hooks: self.observer.is_some(),
            quota: Cell::default(),
            provider: self.provider,
        });
        let connection = Connection {
            settings,
            fetch: self.fetch,
            key: self.key,
            observer: self.observer,
            totals: RefCell::default(),
        };
        let shared = Shared {
            connection: Rc::new(connection),
            fallback: self.fallback.into(),
        };
        Ok(Client {
            shared: Rc::new(shared),
        })
    }
}
